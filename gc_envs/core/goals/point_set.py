"""Goals that are sets of integer points of the plane. Letter: n points at most in a goal."""

from collections.abc import Sequence

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array, array_namespace, as_float32
from gc_envs.core.goals.base import GoalSpace


class PointSetGoals(GoalSpace):
    """A goal is a set of up to `n_max` integer points, and being at any of them pays 1 on every step.

    Desired goals are float32 [..., n_max * 3], rows (present, x, y) flattened; achieved goals are float32 [..., 2], the
    rounded position. An achieved position is no set of points, so there is nothing to relabel with in hindsight.

    Args:
        n_max: The largest number of points in a goal.
        low: The least coordinate of a point.
        high: The greatest coordinate of a point.
    """

    supports_hindsight = False
    num_uniforms = 0

    def __init__(self, n_max: int, low: float, high: float) -> None:
        self.n_max = n_max
        self.names = tuple(f"point_{i}" for i in range(n_max))
        self.exclude_achieved = False
        row_low, row_high = np.array([0, low, low], np.float32), np.array([1, high, high], np.float32)
        self.desired_space = gymnasium.spaces.Box(np.tile(row_low, n_max), np.tile(row_high, n_max))
        self.achieved_space = gymnasium.spaces.Box(low, high, (2,), np.float32)

    def item_rewards(self, achieved: Array, desired: Array) -> Array:
        """Return the reward of each point on its own, float32 [..., n_max]; padding pays nothing."""
        xp = array_namespace(achieved, desired)
        points = xp.reshape(as_float32(desired), (*desired.shape[:-1], self.n_max, 3))
        place = as_float32(achieved)[..., None, :]
        hit = xp.all(xp.logical_and(xp.round(place) == points[..., 1:], xp.isfinite(place)), axis=-1)
        return as_float32(xp.logical_and(hit, points[..., 0] == 1))

    def evaluate(self, achieved: Array, desired: Array) -> tuple[Array, Array]:
        xp = array_namespace(achieved, desired)
        success = xp.any(self.item_rewards(achieved, desired) > 0, axis=-1)
        return success, as_float32(success)

    def evaluate_all(self, achieved: Array, desired: Array) -> tuple[Array, Array]:
        rewards = self.item_rewards(achieved, desired)
        return rewards > 0, rewards

    def sample(self, uniform: Array, achieved: Array) -> Array:
        raise TypeError("point sets are sampled by their task (Task.sample_goal), not by their goal space")

    def encode(self, goal: str | int | Array) -> np.ndarray:
        """Return the desired goal [n_max * 3] for points [n, 2], or for a desired goal as found in an observation.

        Coordinates are rounded, and every point is listed once, ordered by y and then by x.

        Raises:
            ValueError: For another shape, no points or too many of them, or a point out of bounds.
        """
        array = np.asarray(goal, np.float32) if not isinstance(goal, (str, int)) else np.zeros(())
        if array.shape == self.desired_space.shape and np.isin(array[::3], (0, 1)).all():
            array = array.reshape(-1, 3)[array[::3] > 0.5, 1:]
        if array.ndim != 2 or array.shape[1] != 2:
            raise ValueError(
                f"a point-set goal is an array [n, 2] of points, or [{self.n_max * 3}] as observed, got {goal!r}"
            )
        points = np.unique(np.round(array[:, ::-1]), axis=0)[:, ::-1]
        if not 1 <= len(points) <= self.n_max:
            raise ValueError(f"{len(points)} points given, a goal has 1..{self.n_max} of them")
        low, high = self.achieved_space.low[0], self.achieved_space.high[0]
        outside = points[~((points >= low) & (points <= high)).all(axis=1)]
        if len(outside):
            raise ValueError(f"point {outside[0].tolist()} lies outside {low:g}..{high:g}")
        rows = np.zeros((self.n_max, 3), np.float32)
        rows[: len(points), 0], rows[: len(points), 1:] = 1, points
        return rows.reshape(-1) + np.float32(0)  # which turns -0.0 into 0.0

    def describe(self, desired: np.ndarray) -> str:
        count = int((desired[::3] > 0.5).sum())
        return f"be at {'the one point' if count == 1 else f'any of {count} points'}, which pays 1 on every step"

    def index(self, desired: Array) -> Array:
        xp = array_namespace(desired)
        return xp.astype(xp.zeros_like(desired[..., 0]) - 1, xp.int32)

    def restrict(self, goals: Sequence[str | int | Array]) -> "PointSetGoals":
        raise ValueError("point-set goals differ in every episode; give one with reset(options={'goal': points})")
