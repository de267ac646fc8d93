"""Finite sets of named goals. Letter: G goals."""

from collections.abc import Sequence

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array, array_namespace, as_bool, as_float32, constant
from gc_envs.core.goals.base import GoalSpace, check_index, is_index, unknown_name


class FiniteGoals(GoalSpace):
    """A finite set of named goals; a state that achieves the desired goal pays 1, every other state 0.

    Desired goals are one-hot float32 [..., G]; achieved goals are bool [..., G], or multi-hot float [..., G] as in
    observations.

    Args:
        names: G distinct names.
        exclude_achieved: Never sample a goal that the start state achieves, unless it achieves all.

    Raises:
        ValueError: For no names, or names that are not distinct.

    >>> goals = FiniteGoals(["left", "right"])
    >>> goals.reward(np.array([0.0, 1.0]), goals.encode("right"))
    np.float32(1.0)
    """

    num_uniforms = 1

    def __init__(self, names: Sequence[str], *, exclude_achieved: bool = False) -> None:
        self.names = tuple(names)
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(f"a finite goal set needs distinct names and at least one, got {len(self.names)} names")
        self.exclude_achieved = exclude_achieved
        self.desired_space = gymnasium.spaces.Box(0.0, 1.0, (self.num_goals,), np.float32)
        self.achieved_space = self.desired_space
        self._positions = {name: position for position, name in enumerate(self.names)}

    def evaluate(self, achieved: Array, desired: Array) -> tuple[Array, Array]:
        xp = array_namespace(achieved, desired)
        success = xp.any(xp.logical_and(as_bool(achieved), as_bool(desired)), axis=-1)
        return success, as_float32(success)

    def evaluate_all(self, achieved: Array, desired: Array) -> tuple[Array, Array]:
        held = as_bool(achieved)
        return held, as_float32(held)

    def sample(self, uniform: Array, achieved: Array) -> Array:
        """Return goals [..., G], uniform over all goals, or over those not achieved if there are any."""
        xp = array_namespace(uniform, achieved)
        held = as_bool(achieved)
        allowed = xp.logical_not(held) if self.exclude_achieved else xp.ones_like(held)
        allowed = xp.logical_or(allowed, xp.logical_not(xp.any(allowed, axis=-1, keepdims=True)))
        # The k-th allowed goal, k uniform: the first position whose running count of allowed goals exceeds k.
        rank = xp.cumulative_sum(xp.astype(allowed, xp.int32), axis=-1)
        k = xp.floor(uniform[..., :1] * xp.astype(rank[..., -1:], uniform.dtype))
        return self.one_hot(xp.argmax(xp.astype(rank > xp.astype(k, rank.dtype), xp.int32), axis=-1))

    def encode(self, goal: str | int | Array) -> np.ndarray:
        if isinstance(goal, str):
            if goal not in self._positions:
                raise ValueError(unknown_name(goal, self.names))
            goal = self._positions[goal]
        if is_index(goal):
            check_index(goal, self.num_goals)
            return np.asarray(np.arange(self.num_goals) == goal, np.float32)
        array = np.asarray(goal, np.float32)
        if array.shape != (self.num_goals,) or array.sum() != 1 or not np.isin(array, (0, 1)).all():
            raise ValueError(f"a goal array must be one-hot of shape ({self.num_goals},), got shape {array.shape}")
        return array

    def check_desired(self, desired: np.ndarray) -> None:
        super().check_desired(desired)
        count = np.count_nonzero(as_bool(desired), axis=-1)
        if (count != 1).any():
            raise ValueError(
                f"a desired goal is one-hot, got one with {count[count != 1].flat[0]} goals at once; to relabel with "
                "Stable-Baselines3, use AchievedGoalHerReplayBuffer and SB3VecEnv of gc_envs.wrappers instead of "
                "HerReplayBuffer, which makes all achieved goals desired at once"
            )

    def index(self, desired: Array) -> Array:
        xp = array_namespace(desired)
        position = xp.astype(xp.argmax(desired, axis=-1), xp.int32)
        return xp.where(xp.any(as_bool(desired), axis=-1), position, xp.full_like(position, -1))

    def one_hot(self, index: Array) -> Array:
        """Return the desired goals [..., G] with indices `index` [...]."""
        return as_float32(index[..., None] == constant(np.arange(self.num_goals), index, index.dtype))

    def restrict(self, goals: Sequence[str | int | Array]) -> "FiniteGoals":
        return FiniteGoals([self.names[p] for p in self.positions(goals)], exclude_achieved=self.exclude_achieved)

    def positions(self, goals: Sequence[str | int | Array]) -> list[int]:
        """Return the indices of `goals` in `names`."""
        return [int(np.argmax(self.encode(goal))) for goal in goals]
