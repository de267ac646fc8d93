"""What the single and the vector environment share: arguments, spaces, goal options and re-judging."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array, array_namespace
from gc_envs.core.episode import OnSuccess
from gc_envs.core.task import Task
from gc_envs.registration import make_task


class GoalEnvMixin:
    """Mixin: the goal side of an environment over `self.task`."""

    task: Task
    horizon: int
    on_success: OnSuccess
    all_goals_info: bool

    def _set_task(
        self,
        task: str | Task,
        task_kwargs: dict[str, Any],
        *,
        goals: Any,
        horizon: int | None,
        on_success: str | OnSuccess | None,
        all_goals_info: bool,
        render_mode: str | None,
    ) -> None:
        if isinstance(task, str):
            task = make_task(task, goals=goals, **task_kwargs)
        elif task_kwargs or goals is not None:
            extra = sorted(task_kwargs) or ["goals"]
            raise TypeError(f"arguments {extra} go to make_task(id, ...); a Task object is taken as it is")
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode={render_mode!r} is not one of [None, 'rgb_array']")
        self.task = task
        self.horizon = task.horizon if horizon is None else horizon
        if self.horizon < 1:
            raise ValueError(f"horizon must be at least 1, got {self.horizon}")
        self.on_success = OnSuccess.parse(task.on_success if on_success is None else on_success)
        self.all_goals_info = all_goals_info
        self.render_mode = render_mode

    @property
    def goals(self):
        """The task's goal space."""
        return self.task.goals

    def compute_reward(self, achieved_goal: Array, desired_goal: Array, info: Any = None) -> Array:
        """Reward for `achieved_goal` [..., d] under `desired_goal` [..., D]: float32 [...].

        NumPy, JAX and torch arrays, any batch axes; `info` is never looked at, so it may be a list of dictionaries.
        """
        return self.task.goals.reward(achieved_goal, desired_goal)

    def compute_terminated(self, achieved_goal: Array, desired_goal: Array, info: Any = None) -> Array:
        """Whether reaching `achieved_goal` under `desired_goal` ends the episode: bool [...].

        False everywhere unless on_success="terminate". The world's own end (death) has nothing to do with goals and is
        not in here: a relabelled transition keeps it.
        """
        success = self.task.goals.success(achieved_goal, desired_goal)
        if self.on_success is OnSuccess.TERMINATE:
            return success
        return array_namespace(success).zeros_like(success)

    def compute_truncated(self, achieved_goal: Array, desired_goal: Array, info: Any = None) -> Array:
        """Truncation is the clock's and never a goal's: False [...]."""
        success = self.task.goals.success(achieved_goal, desired_goal)
        return array_namespace(success).zeros_like(success)


def goal_dictionary(task: Task) -> gymnasium.spaces.Dict:
    """The observation space of an environment over `task`."""
    return gymnasium.spaces.Dict(
        observation=task.observation_space,
        achieved_goal=task.goals.achieved_space,
        desired_goal=task.goals.desired_space,
    )


def check_options(options: Mapping[str, Any] | None, allowed: tuple[str, ...]) -> dict[str, Any]:
    """A copy of reset's options; ValueError names an unknown one."""
    unknown = sorted(set(options or {}) - set(allowed))
    if unknown:
        raise ValueError(f"unknown reset option {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return dict(options or {})


def check_actions(space: gymnasium.Space, actions: Any, batch: tuple[int, ...] = ()) -> np.ndarray:
    """`actions` as an array of `batch` + the shape of `space`.

    Raises:
        ValueError: for a wrong shape, a discrete action out of range, or, without a batch, a number that is not finite.
            (In a batch such a number ends its lane: see `FuncGoalEnv.step`.)
    """
    array = np.asarray(actions)
    shape = batch + tuple(space.shape or ())
    if array.shape != shape:
        raise ValueError(f"action of shape {array.shape} given, expected {shape}")
    if isinstance(space, gymnasium.spaces.Discrete):
        if array.dtype.kind not in "iu":
            raise ValueError(f"discrete actions are integers, got {array.dtype}")
        if array.size and (array.min() < 0 or array.max() >= space.n):
            wrong = array[(array < 0) | (array >= space.n)].flat[0]
            raise ValueError(f"action {wrong} is outside 0..{space.n - 1}")
        return array.astype(np.int32)
    array = array.astype(space.dtype)
    if not batch and not np.isfinite(array).all():
        raise ValueError(f"action has a number that is not finite: {array.tolist()}")
    return array


def draw_key(generator: np.random.Generator) -> np.ndarray:
    """A raw JAX key, uint32 [2], from NumPy's generator."""
    return generator.integers(0, 2**32, size=2, dtype=np.uint32)
