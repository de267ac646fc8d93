"""What a task is: dynamics as pure functions, and the goals that its states are evaluated by.

A task is unbatched and stateless. Batch it with `jax.vmap`, compile it with `jax.jit`, roll it out with `jax.lax.scan`;
the Gymnasium environments, the vector environments and the learners are all built on these methods. Letters: G goals
of a finite set, D numbers in a desired goal, d in an achieved goal.
"""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array
from gc_envs.core.batch_simulator import BatchSimulator
from gc_envs.core.goals import GoalSpace
from gc_envs.core.one_hot import GoalMask, OneHotSpec

State = TypeVar("State")


class Task(ABC, Generic[State]):
    """Dynamics that know nothing of goals, and a goal space.

    Every method is pure and takes one state (no batch axis). Keys may be typed (`jax.random.key`) or raw
    (`jax.random.PRNGKey`). A state is a pytree whose leaves always keep their shape and dtype.

    Attributes:
        goals: The goal space.
        observation_space: The space of what `observe` returns, without the goal.
        action_space: The space of actions.
        horizon: The number of steps after which an episode is truncated, as in the task's source.
        on_success: What reaching the desired goal does, as in the task's source: see `episode.OnSuccess`.
        render_fps: The frames per second at which a video runs at the task's own speed.
        renders_history: Whether `render` takes `history`, the earlier states of the episode.
        backend: What computes the dynamics; environments name it in their metadata.
        one_hot_spec: The categories of an integer observation, for networks that one-hot encode them; None where the
            observation has none.
        goal_mask: Finite goals as masks over the one-hot observation; None where networks tell goals apart by their
            index alone.
        compiler_options: The options for the outermost `jax.jit` around this task's functions.
    """

    goals: GoalSpace
    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]
    horizon: int
    on_success: str = "terminate"
    render_fps: int = 10
    renders_history: bool = False
    backend: str = "jax"
    one_hot_spec: OneHotSpec | None = None
    goal_mask: GoalMask | None = None
    compiler_options: dict[str, Any] | None = None

    @abstractmethod
    def reset(self, key: Array) -> State:
        """Return a start state sampled with `key`."""

    @abstractmethod
    def step(self, key: Array, state: State, action: Array) -> State:
        """Return the state after `action`. All randomness of the dynamics comes from `key`."""

    @abstractmethod
    def observe(self, state: State) -> Any:
        """Return what a policy sees, a member of `observation_space`."""

    @abstractmethod
    def achieved(self, state: State) -> Array:
        """Return what goals are evaluated on: bool [G] for a finite goal set, float32 [d] otherwise."""

    def terminated(self, state: State) -> Array:
        """Return whether `state` ends the episode whatever the goal (death), bool []. A time limit is truncation."""
        return np.False_

    def diverged(self, state: State) -> Array:
        """Return whether the simulation has broken down in `state`, bool [].

        The environment then reverts the step and ends the episode.
        """
        return np.False_

    def make_simulator(self, num_envs: int) -> BatchSimulator | None:
        """Return `num_envs` simulations that run outside JAX; None where the task is computed by JAX."""
        return None

    def sample_goal(self, key: Array, state: State, achieved: Array) -> Array:
        """Return a desired goal [D] for an episode that starts in `state`; by default from the goal space's sampler."""
        import jax  # here, not above: the goal layer serves simulators without JAX

        return self.goals.sample(jax.random.uniform(key, (self.goals.num_uniforms,)), achieved)

    def describe_goal(self, desired: np.ndarray) -> str:
        """Return what the desired goal [D] asks for, in words that follow "the goal is to"."""
        return self.goals.describe(desired)

    def render(self, state: State, desired_goal: Array | None = None) -> np.ndarray:
        """Return one frame of `state`, uint8 [H, W, 3]; runs on the host.

        Where `renders_history`, it also takes `history`, a sequence of the episode's earlier states, oldest first.

        Args:
            state: One state.
            desired_goal: The goal to show in the frame, [D]; default none.

        Raises:
            NotImplementedError: Where the task has no frames.
        """
        raise NotImplementedError(f"{type(self).__name__} renders no frames")
