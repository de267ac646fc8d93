"""Goals that are points of a box. Letters: d numbers in a goal, K anchor goals."""

import copy
import functools
from collections.abc import Callable, Sequence

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array, array_namespace, as_float32, constant
from gc_envs.core.goals.base import GoalSpace, is_index, unknown_name

Distance = Callable[[Array, Array], Array]  # (achieved [..., d], desired [..., d]) -> float [...]
Sampler = Callable[[Array], Array]  # uniform numbers [..., n] in [0, 1) -> goals [..., d]


class BoxGoals(GoalSpace):
    """Goals that are points of a box, reached within a distance; K anchor goals are the all-goals set.

    Desired and achieved goals are float32 [..., d]. The anchors are what `sampler` makes of `num_anchor_goals` evenly
    spread points; those that coincide count once, so K may be smaller. Their names are their coordinates.

    Args:
        low: The box's lower corner [d].
        high: The box's upper corner [d].
        threshold: The distance within which a goal is reached, in units of `distance`.
        distance: The distance between achieved and desired goals.
        achieved_bounds: The bounds of achieved goals, [d] each; default the box.
        sampler: What turns uniform numbers into goals; default goals uniform in the box.
        num_uniforms: How many uniform numbers `sampler` takes; default d.
        rewards: The reward where the goal is not reached, and where it is.
        dense: Pay minus the distance instead of `rewards`.
        num_anchor_goals: The number of anchors asked for.
        exclude_achieved: Whether goals that the start state already reaches are not sampled.

    Raises:
        ValueError: For fewer than one anchor goal.
    """

    max_tries = 16  # candidates sampled at once where reached goals are excluded; the first that is not reached is used

    def __init__(
        self,
        low: np.ndarray,
        high: np.ndarray,
        *,
        threshold: float,
        distance: Distance,
        achieved_bounds: tuple[np.ndarray, np.ndarray] | None = None,
        sampler: Sampler | None = None,
        num_uniforms: int | None = None,
        rewards: tuple[float, float] = (-1.0, 0.0),
        dense: bool = False,
        num_anchor_goals: int = 64,
        exclude_achieved: bool = True,
    ) -> None:
        if num_anchor_goals < 1:
            raise ValueError(f"num_anchor_goals must be at least 1, got {num_anchor_goals}")
        self.low, self.high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        self.threshold, self.distance, self.rewards, self.dense = threshold, distance, rewards, dense
        self.reward_range = (-np.inf, 0.0) if dense else (min(rewards), max(rewards))
        self.exclude_achieved = exclude_achieved
        self.desired_space = gymnasium.spaces.Box(self.low, self.high, dtype=np.float32)
        achieved_low, achieved_high = achieved_bounds or (self.low, self.high)
        self.achieved_space = gymnasium.spaces.Box(np.float32(achieved_low), np.float32(achieved_high))
        self._sampler = sampler or self._uniform_in_box
        self._numbers = num_uniforms or self.low.shape[0]  # uniform numbers that one candidate takes
        self.num_uniforms = self._numbers * (self.max_tries if exclude_achieved else 1)
        self._set_anchors(np.asarray(self._sampler(low_discrepancy(num_anchor_goals, self._numbers)), np.float32))

    def _set_anchors(self, anchors: np.ndarray) -> None:
        first = np.unique(anchors, axis=0, return_index=True)[1]
        self.anchors = anchors[np.sort(first)]  # [K, d]
        self.names = _point_names(self.anchors)

    def _uniform_in_box(self, uniform: Array) -> Array:
        return constant(self.low, uniform) + uniform * constant(self.high - self.low, uniform)

    def evaluate(self, achieved: Array, desired: Array) -> tuple[Array, Array]:
        distance = self.distance(as_float32(achieved), as_float32(desired))
        success = distance <= self.threshold
        if self.dense:
            reward = -as_float32(distance)
            xp = array_namespace(reward)
            return success, xp.where(xp.isnan(reward), xp.full_like(reward, -np.inf), reward)
        return success, self.rewards[0] + (self.rewards[1] - self.rewards[0]) * as_float32(success)

    def evaluate_all(self, achieved: Array, desired: Array) -> tuple[Array, Array]:
        return self.evaluate(achieved[..., None, :], constant(self.anchors, achieved))

    def sample(self, uniform: Array, achieved: Array) -> Array:
        xp = array_namespace(uniform, achieved)
        candidates = as_float32(self._sampler(xp.reshape(uniform, (*uniform.shape[:-1], -1, self._numbers))))
        fresh = xp.logical_not(self.success(as_float32(achieved)[..., None, :], candidates))
        first = xp.argmax(xp.astype(fresh, xp.int32), axis=-1)  # [...]; 0 when every candidate already holds
        chosen = xp.astype(first[..., None] == constant(np.arange(candidates.shape[-2]), first, first.dtype), xp.bool)
        return xp.sum(xp.where(chosen[..., None], candidates, xp.zeros_like(candidates)), axis=-2)

    def encode(self, goal: str | int | Array) -> np.ndarray:
        if isinstance(goal, str):
            if goal not in self.names:
                raise ValueError(unknown_name(goal, self.names))
            goal = self.names.index(goal)
        if is_index(goal):
            if not 0 <= goal < self.num_goals:
                raise ValueError(f"anchor goal index {goal} is outside 0..{self.num_goals - 1}")
            return self.anchors[goal]
        array = np.asarray(goal, np.float32)
        if array.shape != self.low.shape:
            raise ValueError(f"a goal has shape {self.low.shape}, got {array.shape}")
        if not self.desired_space.contains(array):
            point, low, high = map(_point_name, (array, self.low, self.high))
            raise ValueError(f"goal {point} is outside the box {low}..{high}")
        return array

    def index(self, desired: Array) -> Array:
        xp = array_namespace(desired)
        same = xp.all(desired[..., None, :] == constant(self.anchors, desired), axis=-1)
        position = xp.astype(xp.argmax(xp.astype(same, xp.int32), axis=-1), xp.int32)
        return xp.where(xp.any(same, axis=-1), position, xp.full_like(position, -1))

    def restrict(self, goals: Sequence[str | int | Array]) -> "BoxGoals":
        space = copy.copy(self)
        space._set_anchors(np.stack([self.encode(goal) for goal in goals]))
        space._sampler, space._numbers = functools.partial(_pick, space.anchors), 1
        space.num_uniforms = self.max_tries if self.exclude_achieved else 1
        return space


def euclidean(achieved: Array, desired: Array) -> Array:
    """Return the Euclidean distance [...] between points [..., d]."""
    xp = array_namespace(achieved, desired)
    return xp.sqrt(((achieved - desired) ** 2).sum(-1))  # for a few numbers, xp.sum takes NumPy twice as long


def low_discrepancy(count: int, dim: int) -> np.ndarray:
    """Return `count` points spread evenly over (0, 1)^dim, float32 [count, dim]: part of Sobol's sequence, unseeded.

    They start behind the first power of two that is at least `count`, because the sequence begins at a corner and at
    the centre, where tasks tend to start; and each is the centre of its cell.
    """
    from scipy.stats import qmc  # here, not above: half a second to import, and only boxes need it

    block = 1 << (count - 1).bit_length()
    points = qmc.Sobol(dim, scramble=False).random(2 * block)[block : block + count]
    return np.asarray(points + 0.25 / block, np.float32)


def _pick(points: np.ndarray, uniform: Array) -> Array:
    """Return one of `points` [K, d] for each uniform number [..., 1]: [..., d]."""
    xp = array_namespace(uniform)
    chosen = xp.floor(uniform * len(points)) == constant(np.arange(len(points)), uniform)
    return xp.sum(as_float32(chosen)[..., None] * constant(points, uniform), axis=-2)


def _point_names(points: np.ndarray) -> tuple[str, ...]:
    """Return coordinates as names, with as few digits as keep the names of distinct `points` [K, d] distinct."""
    for digits in range(3, 10):  # 9 tell any two float32 numbers apart
        names = tuple(_point_name(point, digits) for point in points)
        if len(set(names)) == len(names):
            break
    return names


def _point_name(point: np.ndarray, digits: int = 6) -> str:
    return "(" + ", ".join(f"{x:.{digits}g}" for x in point) + ")"
