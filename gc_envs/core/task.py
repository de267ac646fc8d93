"""What a task is: dynamics as pure functions, and the goals its states are judged by.

A task is unbatched and stateless. Batch it with `jax.vmap`, compile it with `jax.jit`, roll it out with
`jax.lax.scan`; the Gymnasium environments, the vector environments and the learners are all built on these methods.
"""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array
from gc_envs.core.batch_simulator import BatchSimulator
from gc_envs.core.goals import GoalSpace
from gc_envs.core.one_hot import OneHotSpec

State = TypeVar("State")


class Task(ABC, Generic[State]):
    """Goal-free dynamics plus a goal space.

    Every method is pure and takes one state (no batch axis). Keys may be typed (`jax.random.key`) or raw
    (`jax.random.PRNGKey`). A state is a pytree whose leaves keep their shape and dtype for ever.
    """

    goals: GoalSpace
    observation_space: gymnasium.Space  # of `observe`, without the goal
    action_space: gymnasium.Space
    horizon: int  # steps after which an episode is truncated, the source's own
    on_success: str = "terminate"  # what reaching the goal does, the source's own: see `episode.OnSuccess`
    render_fps: int = 10
    backend: str = "jax"  # what computes the dynamics; environments name it in their metadata
    one_hot_spec: OneHotSpec | None = (
        None  # what the categories in an integer observation are, for networks that one-hot them
    )
    compiler_options: dict[str, Any] | None = None  # for the outermost `jax.jit` around this task's functions

    @abstractmethod
    def reset(self, key: Array) -> State:
        """A start state drawn with `key`."""

    @abstractmethod
    def step(self, key: Array, state: State, action: Array) -> State:
        """The state after `action`; randomness of the world comes from `key` alone."""

    @abstractmethod
    def observe(self, state: State) -> Any:
        """What a policy sees, a member of `observation_space`."""

    @abstractmethod
    def achieved(self, state: State) -> Array:
        """What goals are judged on: bool [G] for a finite goal set, float32 [d] otherwise."""

    def terminated(self, state: State) -> Array:
        """Whether the world has ended (death), bool []. Running out of time is truncation, not this."""
        return np.False_

    def diverged(self, state: State) -> Array:
        """Whether the simulation has broken down in `state`, bool []: the lane goes back a step and ends."""
        return np.False_

    def make_simulator(self, num_envs: int) -> BatchSimulator | None:
        """`num_envs` simulations that run outside JAX, where the task's physics does; else None."""
        return None

    def sample_goal(self, key: Array, state: State, achieved: Array) -> Array:
        """A desired goal [D] for an episode that starts in `state`; by default the goal space's own sampler."""
        import jax  # here, not above: the goal layer serves simulators that know no JAX

        return self.goals.sample(jax.random.uniform(key, (self.goals.num_uniforms,)), achieved)

    def render(self, state: State, desired_goal: Array | None = None) -> np.ndarray:
        """One frame of `state`, uint8 [H, W, 3]; runs on the host."""
        raise NotImplementedError(f"{type(self).__name__} draws no frames")
