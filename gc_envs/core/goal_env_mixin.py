"""What the single and the vector environment share: arguments, spaces, goal options and rewards under other goals."""

import dataclasses
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from gc_envs.core.arrays import NUMPY, Array, array_namespace
from gc_envs.core.engine import Engine
from gc_envs.core.episode import OnSuccess
from gc_envs.core.goals import GoalSpace
from gc_envs.core.goals.base import is_index
from gc_envs.core.task import Task

RENDER_MODES = (None, "rgb_array")


class GoalEnvMixin(ABC):
    """The goal side of an environment over `self.task`, its engine and its state."""

    task: Task[Any]
    horizon: int
    on_success: OnSuccess
    all_goals_info: bool
    render_mode: str | None
    np_random: np.random.Generator
    _engine: Engine
    _spec: EnvSpec | None = None

    def _set_task(
        self,
        task: Task[Any],
        *,
        horizon: int | None,
        on_success: str | OnSuccess | None,
        all_goals_info: bool,
        render_mode: str | None,
    ) -> None:
        """Check and keep the arguments that both environments take.

        Raises:
            ValueError: For a value that is not allowed, which it names.
            TypeError: For what is no task.
        """
        if not isinstance(task, Task):
            raise TypeError(f"task must be a Task, got {task!r}; make one by id with gc_envs.make_task(id, ...)")
        if render_mode not in RENDER_MODES:
            raise ValueError(f"render_mode={render_mode!r} is not one of {list(RENDER_MODES)}")
        self.task = task
        self.horizon = task.horizon if horizon is None else check_count("horizon", horizon)
        self._goal_names = np.array([*task.goals.names, ""], object)  # at the index -1, no name
        self.on_success = OnSuccess.parse(task.on_success if on_success is None else on_success)
        self.all_goals_info = all_goals_info
        self.render_mode = render_mode

    @property
    def spec(self) -> EnvSpec | None:
        """What Gymnasium was asked for, with the horizon as `max_episode_steps`, which wrappers read there.

        Gymnasium knows none: it would count the steps a second time, in a wrapper that hides `compute_reward`.
        """
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = None if spec is None else dataclasses.replace(spec, max_episode_steps=self.horizon)

    @property
    def goals(self) -> GoalSpace:
        """The task's goal space."""
        return self.task.goals

    def compute_reward(self, achieved_goal: Array, desired_goal: Array, info: Any = None) -> Array:
        """Return the reward for `achieved_goal` under `desired_goal`.

        Args:
            achieved_goal: [..., d], an array of NumPy, JAX or torch with any batch axes.
            desired_goal: [..., D], of the same library.
            info: Ignored, so it may be a list of dictionaries as Stable-Baselines3 passes it.

        Returns:
            float32 [...]; see `GoalSpace.evaluate` for integers, NaN and infinity.

        Raises:
            ValueError: For NumPy arrays that are no desired goals, such as several goals of a finite set at once.
        """
        if isinstance(desired_goal, NUMPY):
            self.task.goals.check_desired(np.asarray(desired_goal))
        return self.task.goals.reward(achieved_goal, desired_goal)

    def compute_terminated(self, achieved_goal: Array, desired_goal: Array, info: Any = None) -> Array:
        """Return whether reaching `achieved_goal` under `desired_goal` ends the episode, bool [...].

        It is False everywhere unless on_success="terminate". An end that does not depend on the goal, such as death, is
        not included: a relabelled transition keeps it.
        """
        success = self.task.goals.success(achieved_goal, desired_goal)
        if self.on_success is OnSuccess.TERMINATE:
            return success
        return array_namespace(success).zeros_like(success)

    def compute_truncated(self, achieved_goal: Array, desired_goal: Array, info: Any = None) -> Array:
        """Return False [...]: truncation depends on the clock alone and never on a goal."""
        success = self.task.goals.success(achieved_goal, desired_goal)
        return array_namespace(success).zeros_like(success)

    def _check_reset(self, method: str) -> None:
        """Raise ResetNeeded unless there are episodes that `method` can be about."""
        if not self._engine.started:
            raise gymnasium.error.ResetNeeded(f"call reset() before {method}()")

    @abstractmethod
    def _make_engine(self) -> Engine:
        """Return a new engine for the present settings."""

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides what happens next (states, goals, clocks, random numbers), for `set_state`."""
        self._check_reset("get_state")
        random = self.np_random.bit_generator.state
        return {"of": self._description(), "engine": self._engine.get_state(), "np_random": random}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned, in this or another environment of the same kind and size.

        Raises:
            ValueError: For a state of another task, other goals, another backend or number of environments, and for
                what is no state; the environment stays as it is.
        """
        if not isinstance(state, dict) or set(state) != {"of", "engine", "np_random"}:
            raise ValueError(f"set_state takes what get_state returned, got {type(state).__name__}")
        if state["of"] != self._description():
            raise ValueError(f"this is a state of {state['of']}, and the environment is {self._description()}")
        self._engine.set_state(state["engine"])
        self.np_random.bit_generator.state = state["np_random"]

    def _description(self) -> str:
        """Return what a state must agree on with the environment that takes it, in words."""
        task = type(getattr(self.task, "task", self.task)).__name__  # of which a subset of the goals may be used
        names = zlib.crc32("\n".join(self.goals.names).encode())
        goals = f"{self.goals.num_goals} goals (crc32 of their names {names:08x})"
        return f"{self._engine.done.shape[0]} x {task} with {goals} on backend {self.task.backend!r}"

    def __getstate__(self) -> dict[str, Any]:  # compiled programs and simulators do not pickle, and need not
        state = self._engine.get_state() if self._engine.started else None
        num_diverged = np.array(self._engine.num_diverged)
        return {**self.__dict__, "_engine": None, "_engine_state": state, "_num_diverged": num_diverged}

    def __setstate__(self, state: dict[str, Any]) -> None:
        engine_state, num_diverged = state.pop("_engine_state"), state.pop("_num_diverged")
        self.__dict__.update(state)
        self._engine = self._make_engine()
        self._engine.num_diverged = num_diverged
        if engine_state is not None:
            self._engine.set_state(engine_state)


def check_count(name: str, value: Any) -> int:
    """Return `value`, an integer of Python or NumPy of at least 1, as an int.

    Raises:
        ValueError: For anything else, which the message names.
    """
    if not is_index(value) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    return int(value)


def check_mask(mask: Any, num_envs: int, name: str = "reset_mask") -> np.ndarray:
    """Return a copy of a mask of environments, bool [N]; None stands for all of them.

    Raises:
        ValueError: For another shape or type, or a mask without a True in it.
    """
    array: np.ndarray = np.ones(num_envs, bool) if mask is None else np.array(mask)
    if array.shape != (num_envs,) or array.dtype != bool or not array.any():
        raise ValueError(f"{name} must be bool [{num_envs}] with a True in it, got {array.dtype} {array.shape}")
    return array


def goal_dictionary(task: Task[Any]) -> gymnasium.spaces.Dict:
    """Return the observation space of an environment over `task`."""
    return gymnasium.spaces.Dict(
        observation=task.observation_space,
        achieved_goal=task.goals.achieved_space,
        desired_goal=task.goals.desired_space,
    )


def check_options(options: Mapping[str, Any] | None, allowed: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy of the options given to `reset`.

    Raises:
        ValueError: For an unknown option, which it names.
    """
    unknown = sorted(set(options or {}) - set(allowed))
    if unknown:
        raise ValueError(f"unknown reset option {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return dict(options or {})


def check_actions(space: gymnasium.Space[Any], actions: Any, batch: tuple[int, ...] = ()) -> np.ndarray:
    """Return `actions` as an array of shape `batch` + that of `space`.

    Raises:
        ValueError: For a wrong shape, a discrete action out of range, or, without a batch, a number that is not finite.
            In a batch such a number ends the episode of its environment alone: see `FuncGoalEnv.step`.
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
