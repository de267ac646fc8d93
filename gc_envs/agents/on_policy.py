"""What on-policy learners on a finite goal set share: an update collects a rollout and learns from it.

An algorithm is a subclass that says how networks start (`init_train`), how to act while training (`policy`), how to
learn from a rollout (`learn`) and how to act afterwards (`act`). `learn` does not look at how the rollout came
about, so one learner can learn from what another collects.
On several devices (see `sharding`), these functions see the arrays of one of them.
Letters: T steps of a rollout, N environments, B batch, G goals, D numbers in a desired goal, A actions.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gc_envs.agents import sharding
from gc_envs.agents.collect import ACTORS_SPECS, Actors, collect, finite_goals, init_actors, observe, training_env
from gc_envs.agents.config import OnPolicyConfig
from gc_envs.agents.goal_stats import GoalStats
from gc_envs.agents.jax_trainer import JaxTrainer
from gc_envs.agents.memory import check_memory
from gc_envs.agents.policy import JaxPolicy, acting_arrays
from gc_envs.agents.sgd import clip_by_norm
from gc_envs.agents.sharding import REPLICATED, check_devices
from gc_envs.agents.types import Array, Metrics, Transition
from gc_envs.core.task import Task
from gc_envs.training.run_dir import RunDir


class State(NamedTuple):
    """Everything that training carries from one update to the next."""

    train: Any  # the algorithm's own: a `TrainState`, or a pytree of several
    actors: Actors
    key: Array  # [2] uint32
    update: Array  # int32, updates done


STATE_SPECS = State(train=REPLICATED, actors=ACTORS_SPECS, key=REPLICATED, update=REPLICATED)


class OnPolicy(ABC):
    """A learner that collects a rollout, learns from it and discards it, over and over.

    Raises:
        ValueError: The task or a setting cannot be trained with; the message says what can.
    """

    name: ClassVar[str]
    config_class: ClassVar[type[OnPolicyConfig]]
    takes_compact: ClassVar[bool] = True  # whether it reads the integer observations made for our own networks
    on_success: ClassVar[str | None] = "resample"  # see `collect.training_env`
    trains_together: ClassVar[bool] = True  # see `JaxTrainer`
    specs = STATE_SPECS

    def __init__(self, task: Task[Any], config: OnPolicyConfig) -> None:
        self.task, self.config = task, config
        self.env = training_env(task)
        self.goals = finite_goals(self.env)
        self.num_goals = self.goals.num_goals
        config.check(self.samples_per_update)
        if not config.one_hot and task.one_hot_spec is not None and task.one_hot_spec.height:
            raise ValueError("one_hot=False reads no maps, which this task's observations have: leave one_hot=True")
        self.one_hot_spec = task.one_hot_spec if config.one_hot else None
        self.num_actions = int(task.action_space.n)  # type: ignore[attr-defined]
        self.steps_per_update = config.steps_per_update
        self.num_updates = max(1, config.total_steps // self.steps_per_update)

    @abstractmethod
    def init_train(self, key: Array, observation: Any) -> Any:
        """Return fresh networks and optimizers; `key` (typed) is consumed, `observation` [N, ...] only gives shapes."""

    @abstractmethod
    def policy(self, train: Any, update: Array, key: Array, observation: Any, goal: Array) -> tuple[Array, Any]:
        """Act while training.

        Args:
            train: The networks.
            update: Number of updates done, int32.
            key: Typed key; it is consumed.
            observation: Observations [N, ...].
            goal: Indices of the desired goals, [N] int32.

        Returns:
            Actions [N], and what `learn` finds in `Transition.extras`, [N, ...].
        """

    @abstractmethod
    def learn(
        self, key: Array, train: Any, update: Array, batch: Transition, last: Any, stats: GoalStats
    ) -> tuple[Any, dict[str, Array]]:
        """Learn from a rollout.

        Args:
            key: Typed key; it is consumed.
            train: The networks that acted.
            update: Number of updates done before, int32.
            batch: The transitions, [T, N].
            last: Observations [N, ...] after the rollout, and after the reset where an episode ended with it.
            stats: The goal statistics after the rollout.

        Returns:
            The networks after, and scalar metrics of this update by name.
        """

    @abstractmethod
    def act(self, acting_state: Any, observation: Any, goal: Array) -> Array:
        """Return greedy actions [B] for `observation` [B, ...] and indices `goal` [B] int32 of desired goals."""

    def scheduled(self, update: Array) -> dict[str, Array]:
        """Return the settings that follow a schedule, by name, as they are after `update` updates."""
        return {}

    def acting_state(self, state: State) -> Any:
        """Return what `act` and `q_values` need of `state`; by default all of `state.train`."""
        return state.train

    def goal_input(self, desired_goal: Array) -> Array:
        """Return the indices [B] int32 of the one-hot goals `desired_goal` [B, G]."""
        index: Array = self.goals.index(desired_goal)
        return index

    def q_values(self, acting_state: Any, observation: Any) -> Array:
        """Return Q [B, G, A] of every goal and action, if the learner has them."""
        raise NotImplementedError(f"{self.name} learns no values of all goals and actions")

    def init(self, key: Array) -> State:
        """Return the state before the first update; `key` (typed) is consumed."""
        network_key, actors_key, key = jax.random.split(key, 3)
        actors = init_actors(self.env, actors_key, self.config.num_envs)
        train = self.init_train(network_key, observe(self.env, actors))
        return State(train, actors, jax.random.key_data(key), jnp.zeros((), jnp.int32))

    def update(self, state: State) -> tuple[State, Metrics]:
        """Collect a rollout and learn from it."""
        key, collect_key, learn_key = jax.random.split(jax.random.wrap_key_data(state.key), 3)
        actors, batch = self.collect(state, sharding.own_key(collect_key))
        train, metrics = self.learn(
            sharding.own_key(learn_key), state.train, state.update, batch, observe(self.env, actors), actors.stats
        )  # fmt: skip
        state = State(train, actors, jax.random.key_data(key), state.update + 1)
        ends = sharding.total(batch.done.sum())
        metrics = {**sharding.mean(metrics), **self.scheduled(state.update - 1), "ends": ends}
        return state, Metrics(latest=actors.stats.metrics(), mean=metrics)

    def collect(self, state: State, key: Array) -> tuple[Actors, Transition]:
        """Return the actors after a rollout, and its transitions [T, N]; `key` (typed) is consumed."""
        config = self.config
        return collect(
            self.env, state.actors, key, lambda *args: self.policy(state.train, state.update, *args),
            config.rollout_steps, forgetting=config.success_forgetting, seen_only=config.seen_goals_only,
        )  # fmt: skip

    def flatten(self, tree: Any) -> Any:
        """Return `tree` with [T, N, ...] leaves reshaped to [T * N, ...]."""
        return jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), tree)

    def learning_rate(self) -> optax.ScalarOrSchedule:
        """Return the learning rate of an optimizer that takes every gradient step of the run."""
        config = self.config
        if not config.anneal_learning_rate:
            return config.learning_rate
        gradient_steps = self.num_updates * config.epochs * (self.samples_per_update // config.minibatch_size)
        return optax.linear_schedule(config.learning_rate, 0.0, gradient_steps)

    def clipped(self, optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
        """Return an optimizer with gradients clipped to the norm of the config."""
        return optax.chain(clip_by_norm(self.config.max_grad_norm), optimizer)

    @property
    def samples_per_update(self) -> int:
        """Samples that an update learns from in each epoch: the steps of a rollout, unless they are relabelled."""
        return self.config.steps_per_update

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole run."""
        return self.num_updates * self.steps_per_update

    def check_machine(self, devices: int, runs: int = 1) -> None:
        """Raise ValueError if so many runs cannot be trained on so many devices, or do not fit their memory."""
        check_devices(self.config, devices)
        check_memory(self, devices, runs)

    def trainer(self, runs: Sequence[RunDir], devices: int = 1) -> JaxTrainer:
        """Return this learner as training runs, one for each seed, that `training.loop.train` can drive."""
        return JaxTrainer(self, runs, devices)

    def acting_arrays(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return those of a checkpoint's arrays that are enough for `load`."""
        return acting_arrays(self, arrays)

    @classmethod
    def load(cls, run: Path | str) -> JaxPolicy:
        """Return the trained agent of a run folder.

        Raises:
            RunError: The folder is not a run, has no checkpoint, is damaged, or holds another kind of agent.
        """
        return JaxPolicy.load(run, cls)
