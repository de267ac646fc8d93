"""The training loop of every JAX learner: jitted chunks of updates, and what happens on the host between them.

Nothing the host does (logging, evaluating, saving) touches the learner's state, so it never changes the result: N + N
updates across a kill equal 2N, bitwise on a CPU.
"""

import csv
import dataclasses
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from gc_envs.agents.checkpoint import restore, save_checkpoint
from gc_envs.agents.policy import Policy
from gc_envs.agents.progress import Progress
from gc_envs.agents.runs import Run

CHECKPOINTS = 20  # at least, over a run of any length ...
CHECKPOINT_SECONDS = 50.0  # ... and one after this long, so that there is one a minute
CHUNK_SECONDS = 1.0  # of updates between two looks at the host


@dataclasses.dataclass(frozen=True)
class Schedule:
    """What happens between updates, none of which changes what is learned."""

    evaluations: int = 5  # over the run, evenly spaced, the last at its end
    eval_episodes: int = 1  # per goal and evaluation
    tensorboard: bool = False  # also write TensorBoard events into the run folder


class Interrupted(Exception):
    """SIGINT or SIGTERM came; a checkpoint was written first."""

    def __init__(self, signum: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name} at step {step}; go on with --resume")
        self.signum = signum


def train(
    learner: Any, run: Run, schedule: Schedule, evaluate: Callable[[Policy, Callable[..., None]], Mapping[str, Any]]
) -> Policy:
    """Train `learner` to its last update, from the newest checkpoint of `run` if it has one.

    Args:
        learner: has `init`, `update`, `variables`, `num_updates`, `steps_per_update` and `config.seed`.
        run: a created run folder.
        schedule: evaluations and logs.
        evaluate: the evaluation made during training, given the policy and a function to call now and then, which
            raises where training is to stop; its result has `success` and `success_last`.

    Raises:
        Interrupted: after SIGINT or SIGTERM, with everything saved.
    """
    key = jax.random.key(learner.config.seed)
    latest = run.latest()
    with Progress(learner.num_updates * learner.steps_per_update, run.folder.name) as progress, _signals() as signals:
        progress.say("compiling ..." if latest is None else f"restoring {latest.name} and compiling ...")
        if latest is None:
            state = jax.jit(learner.init)(key)
        else:
            state = jax.device_put(restore(latest, jax.eval_shape(learner.init, key)))
        run_chunk = jax.jit(_chunk(learner), donate_argnums=0)
        done, last, length = int(state.update), learner.num_updates, 1
        log = _Log(run, done * learner.steps_per_update, schedule.tensorboard)
        eval_at = {round(i * last / schedule.evaluations) for i in range(1, schedule.evaluations + 1)}
        every = max(1, last // CHECKPOINTS)
        save_at = {*range(every, last + 1, every), *eval_at, last}
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


def is_finished(learner: Any, run: Run) -> bool:
    """Whether the run's newest checkpoint is its last."""
    latest = run.latest()
    return latest is not None and latest.name == f"step_{learner.num_updates * learner.steps_per_update:09d}"


def _chunk(learner: Any) -> Callable[[Any, Any], tuple[Any, dict[str, jax.Array]]]:
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


def _row(learner: Any, state: Any, metrics: dict[str, Any], step: int, speed: float) -> dict[str, float]:
    actors = state.actors
    return {
        "step": step,
        "steps_per_s": round(speed, 1),
        "running_success": float(actors.success.mean()),
        "goals_seen": int(actors.seen.sum()),
        "goals": learner.task.goals.num_goals,
        **{name: float(value) for name, value in metrics.items()},
    }


@contextmanager
def _signals() -> Iterator[list[int]]:
    """SIGINT and SIGTERM are noted in the list instead of stopping the program; a second one stops it."""
    caught: list[int] = []
    handled = (signal.SIGINT, signal.SIGTERM)
    try:
        before: dict[int, Any] = {s: signal.getsignal(s) for s in handled}

        def note(signum: int, frame: Any) -> None:
            caught.append(signum)
            signal.signal(signum, before[signum])

        for s in handled:
            signal.signal(s, note)
    except ValueError:  # not in the main thread: signals stay with whoever owns it
        yield caught
        return
    try:
        yield caught
    finally:
        for s in handled:
            signal.signal(s, before[s])


class _Log:
    """metrics.csv and evaluations.csv, and TensorBoard on request; rows after the resumed step are dropped."""

    def __init__(self, run: Run, step: int, tensorboard: bool) -> None:
        self.folder = run.folder
        for name in ("metrics.csv", "evaluations.csv"):
            steps = _truncate(self.folder / name, step)
        self.evaluated = set(steps)  # steps with a row in evaluations.csv
        self.writer = None
        if tensorboard:
            try:
                from tensorboardX import SummaryWriter
            except ModuleNotFoundError:
                raise ModuleNotFoundError('--tensorboard needs: pip install "gc_envs[tensorboard]"') from None
            self.writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step)

    def metrics(self, row: dict[str, float]) -> None:
        self._append("metrics.csv", row)

    def evaluation(self, step: int, result: Mapping[str, Any]) -> None:
        self.evaluated.add(step)
        row = {"step": step, "success": result["success"], "success_last": result["success_last"]}
        self._append("evaluations.csv", row, prefix="evaluation/")

    def _append(self, name: str, row: dict[str, float], prefix: str = "train/") -> None:
        path = self.folder / name
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        if self.writer is not None:
            for key, value in row.items():
                if key != "step":
                    self.writer.add_scalar(prefix + key, value, row["step"])
            self.writer.flush()


def _truncate(path: Path, step: int) -> list[int]:
    """Drop the rows of a CSV that lie beyond `step`, and a last row that a kill cut off; the steps that are left."""
    if not path.exists():
        return []
    header, *lines = path.read_text().splitlines(keepends=True) or [""]
    if not header.endswith("\n"):
        path.unlink()
        return []
    columns = header.count(",")
    whole = [line for line in lines if line.endswith("\n") and line.count(",") == columns]
    kept = {int(line.split(",")[0]): line for line in whole if int(line.split(",")[0]) <= step}
    path.write_text(header + "".join(kept.values()))
    return list(kept)
