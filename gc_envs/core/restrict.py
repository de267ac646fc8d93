"""A task that knows only some of another task's goals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gc_envs.core.goals import FiniteGoals
from gc_envs.core.task import Array, State, Task
from gc_envs.core.world import World


class RestrictedTask(Task[State]):
    """`task` with its all-goals set, and the goals it samples, cut down to `goals` (names, indices or arrays)."""

    def __init__(self, task: Task[State], goals: Sequence[Any]) -> None:
        if isinstance(goals, str) or len(goals) == 0:
            raise ValueError(f"goals must be a list of at least one goal, got {goals!r}")
        self.task = task
        self.on_success = task.on_success
        self.render_fps, self.backend = task.render_fps, task.backend
        self.layout = task.layout
        self.compiler_options = task.compiler_options
        self.goals = task.goals.restrict(goals)
        self._kept = np.array(task.goals.positions(goals)) if isinstance(task.goals, FiniteGoals) else None

    def __getattr__(self, name: str) -> Any:  # spaces, horizon, drawing: whatever the goals do not touch
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
        achieved = self.task.achieved(state)
        return achieved if self._kept is None else achieved[..., self._kept]

    def terminated(self, state: State) -> Array:
        return self.task.terminated(state)

    def fault(self, state: State) -> Array:
        return self.task.fault(state)

    def world(self, num_envs: int) -> World | None:
        return self.task.world(num_envs)

    def render(self, state: State, desired_goal: Array | None = None) -> np.ndarray:
        if desired_goal is not None and self._kept is not None:
            whole = np.zeros(self.task.goals.num_goals, np.float32)
            whole[self._kept] = desired_goal
            desired_goal = whole
        return self.task.render(state, desired_goal)
