"""The training loop of every JAX learner: jitted chunks of updates, and what happens on the host between them.

Nothing the host does (logging, evaluating, saving) touches the learner's state, so it never changes the result: N + N
updates across a kill equal 2N, bitwise on a CPU.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from gc_envs.agents.checkpoint import restore, save_checkpoint
from gc_envs.agents.log import Log
from gc_envs.agents.policy import Policy
from gc_envs.agents.progress import Progress
from gc_envs.agents.runs import Run
from gc_envs.agents.schedule import CHECKPOINT_SECONDS, Interrupted, Schedule, noted_signals
from gc_envs.core.task import Task

CHUNK_SECONDS = 1.0  # of updates between two looks at the host


Evaluate = Callable[[Any, Callable[..., None]], Mapping[str, Any]]


class JaxLearner(ABC):
    """A learner as pure functions of its state; running, saving and loading it is written here once.

    `greedy` and `values` are what `Policy` needs, the rest is for the training loop.
    """

    name: str
    config_class: type
    takes_compact = True  # whether it takes the integer observations made for our own networks
    task: Task
    config: Any
    num_updates: int
    steps_per_update: int

    @abstractmethod
    def init(self, key: jax.Array) -> Any:
        """A state at update 0; `key` (typed) is consumed."""

    @abstractmethod
    def update(self, state: Any) -> tuple[Any, dict[str, jax.Array]]:
        """The state after one more update, and metrics of it."""

    @abstractmethod
    def variables(self, state: Any) -> dict[str, Any]:
        """What acting needs of a state."""

    @abstractmethod
    def values(self, variables: dict[str, Any], observation: Any) -> jax.Array:
        """Q [B, G, A]."""

    @abstractmethod
    def greedy(self, variables: dict[str, Any], observation: Any, goal: jax.Array) -> jax.Array:
        """The best action for `goal` [B] int: [B] int."""

    @property
    def total_steps(self) -> int:
        """Environment steps that the whole run takes."""
        return self.num_updates * self.steps_per_update

    def train(self, run: Run, schedule: Schedule, evaluate: Evaluate) -> Policy:
        """See `train`."""
        return train(self, run, schedule, evaluate)

    @classmethod
    def load(cls, run: Path | str) -> Policy:
        """The trained agent of a run folder: `.act(observation)`, `.values(observation)`."""
        return Policy.load(run, cls)


def train(learner: JaxLearner, run: Run, schedule: Schedule, evaluate: Evaluate) -> Policy:
    """Train `learner` to its last update, from the newest checkpoint of `run` if it has one.

    Args:
        learner: what to train.
        run: a created run folder.
        schedule: evaluations and logs.
        evaluate: the evaluation made during training, given the policy and a function to call now and then, which
            raises where training is to stop; its result has `success` and `success_last`.

    Raises:
        Interrupted: after SIGINT or SIGTERM, with everything saved.
    """
    key, options = jax.random.key(learner.config.seed), learner.task.compiler_options
    latest = run.latest()
    with Progress(learner.total_steps, run.folder.name) as progress, noted_signals() as signals:
        progress.say("compiling ..." if latest is None else f"restoring {latest.name} and compiling ...")
        if latest is None:
            state = jax.jit(learner.init, compiler_options=options)(key)
        else:
            state = jax.device_put(restore(latest, jax.eval_shape(learner.init, key)))
        run_chunk = jax.jit(_chunk(learner), donate_argnums=0, compiler_options=options)
        done, last, length = int(state.update), learner.num_updates, 1
        log = Log(run, done * learner.steps_per_update, schedule.tensorboard)
        eval_at, save_at = schedule.milestones(last)
        policy = Policy(learner, learner.variables(state), run)
        saved_at = time.monotonic()

        def leave_if_asked(*_: Any) -> None:
            if signals:
                raise Interrupted(signals[0], done * learner.steps_per_update)

        while True:
            step = done * learner.steps_per_update
            if done in eval_at and step not in log.evaluated:
                progress.say("evaluating ...")
                policy.variables = learner.variables(state)
                log.evaluation(step, evaluate(policy, leave_if_asked))
            if done == last:
                break
            length = min(length, min(stop for stop in save_at if stop > done) - done)
            started = time.monotonic()
            state, metrics = jax.block_until_ready(run_chunk(state, length))
            seconds = time.monotonic() - started
            done += length
            step = done * learner.steps_per_update
            row = _row(learner, state, metrics, step, length * learner.steps_per_update / seconds)
            log.metrics(row)
            progress.update(step, row)
            length = max(1, min(round(length * CHUNK_SECONDS / seconds), 2 * length))
            if done in save_at or signals or time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                save_checkpoint(run.checkpoints, step, state)
                saved_at = time.monotonic()
            leave_if_asked()
        policy.variables = jax.tree.map(jnp.copy, learner.variables(state))
        return policy


def _chunk(learner: JaxLearner) -> Callable[[Any, Any], tuple[Any, dict[str, jax.Array]]]:
    """`length` updates and the mean of their metrics. The length is an argument, so one compilation serves them all."""

    def run(state: Any, length: Any) -> tuple[Any, dict[str, jax.Array]]:
        def body(_: Any, carry: tuple[Any, dict[str, jax.Array]]) -> tuple[Any, dict[str, jax.Array]]:
            state, sums = carry
            state, metrics = learner.update(state)
            return state, jax.tree.map(lambda total, x: total + x, sums, metrics)

        shapes = jax.eval_shape(learner.update, state)[1]
        zeros = {name: jnp.zeros((), jnp.float32) for name in shapes}
        state, sums = jax.lax.fori_loop(0, length, body, (state, zeros))
        return state, {name: total / length for name, total in sums.items()}

    return run


def _row(learner: JaxLearner, state: Any, metrics: dict[str, Any], step: int, speed: float) -> dict[str, float]:
    actors = state.actors
    return {
        "step": step,
        "steps_per_s": round(speed, 1),
        "running_success": float(actors.success.mean()),
        "goals_seen": int(actors.seen.sum()),
        "goals": learner.task.goals.num_goals,
        **{name: float(value) for name, value in metrics.items()},
    }
