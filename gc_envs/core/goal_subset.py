"""A task with only some of another task's goals."""

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np

from gc_envs.core.arrays import Array
from gc_envs.core.batch_simulator import BatchSimulator
from gc_envs.core.goals import FiniteGoals
from gc_envs.core.task import State, Task


def restrict(task: Task[State], goals: Iterable[Any]) -> Task[State]:
    """Return `task` with its all-goals set, and the goals that it samples, cut down to `goals`.

    Args:
        task: The task.
        goals: Names, indices or arrays.

    Raises:
        ValueError: For no goals, for one that the task does not have, and where goals are sets of points.
    """
    if isinstance(goals, (str, bytes)) or not isinstance(goals, Iterable) or not (listed := list(goals)):
        raise ValueError(f"goals must be a list of at least one goal, got {goals!r}")
    goals = listed
    if isinstance(task.goals, FiniteGoals):
        return _GoalSubset(task, task.goals.positions(goals))
    restricted = copy.copy(task)
    restricted.goals = task.goals.restrict(goals)
    return restricted


class _GoalSubset(Task[State]):
    """`task`, whose goals are finite, with only the goals at `positions`: states achieve no others."""

    def __init__(self, task: Task[State], positions: list[int]) -> None:
        assert isinstance(task.goals, FiniteGoals)
        self.task = task
        self.on_success, self.backend = task.on_success, task.backend
        self.render_fps, self.renders_history = task.render_fps, task.renders_history
        self.one_hot_spec = task.one_hot_spec
        self.goal_mask = None if task.goal_mask is None else task.goal_mask.take(positions)
        self.compiler_options = task.compiler_options
        self.goals = task.goals.restrict(positions)
        self._kept = np.array(positions)

    def __getattr__(self, name: str) -> Any:  # spaces, horizon, rendering: whatever does not depend on the goals
        if name == "task":  # not set yet while unpickling
            raise AttributeError(name)
        return getattr(self.task, name)

    def reset(self, key: Array) -> State:
        return self.task.reset(key)

    def step(self, key: Array, state: State, action: Array) -> State:
        return self.task.step(key, state, action)

    def observe(self, state: State) -> Any:
        return self.task.observe(state)

    def achieved(self, state: State) -> Array:
        return self.task.achieved(state)[..., self._kept]

    def terminated(self, state: State) -> Array:
        return self.task.terminated(state)

    def diverged(self, state: State) -> Array:
        return self.task.diverged(state)

    def make_simulator(self, num_envs: int) -> BatchSimulator | None:
        return self.task.make_simulator(num_envs)

    def describe_goal(self, desired: np.ndarray) -> str:
        return self.task.describe_goal(self._whole(desired))

    def render(self, state: State, desired_goal: Array | None = None, **kwargs: Any) -> np.ndarray:
        return self.task.render(state, None if desired_goal is None else self._whole(desired_goal), **kwargs)

    def _whole(self, desired: Array) -> np.ndarray:
        """Return a desired goal of the subset as one of all goals."""
        whole = np.zeros(self.task.goals.num_goals, np.float32)
        whole[self._kept] = desired
        return whole
