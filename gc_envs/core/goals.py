"""Goal spaces: how a state is judged by a goal, one at a time or all of them at once.

The code is array-API code (array-api-compat): the same lines judge NumPy arrays from a replay buffer, JAX arrays inside
`jit`, and torch tensors, with any leading batch axes. Letters: G goals in the all-goals set, D numbers in a desired
goal, `...` any batch axes.
"""

import copy
import difflib
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array, array_namespace, as_bool, as_float32, constant

Distance = Callable[[Array, Array], Array]  # (achieved [..., d], desired [..., d]) -> float [...]
Sampler = Callable[[Array], Array]  # uniform numbers [..., n] in [0, 1) -> goals [..., d]


class GoalSpace(ABC):
    """A set of goals, each a predicate over what a state achieves.

    `names` are the goals that all-goals information covers, in order; `num_uniforms` is how many uniform numbers `sample`
    turns into one goal; `exclude_achieved` says whether a goal that the start state already achieves may be drawn;
    no reward lies outside `reward_range`.
    """

    names: tuple[str, ...]
    desired_space: gymnasium.spaces.Box
    achieved_space: gymnasium.spaces.Box
    num_uniforms: int
    exclude_achieved: bool
    supports_hindsight: bool = (
        True  # whether an achieved goal can itself be commanded, which hindsight relabelling needs
    )
    reward_range: tuple[float, float] = (0.0, 1.0)

    @property
    def num_goals(self) -> int:
        """G, the size of the all-goals set."""
        return len(self.names)

    @abstractmethod
    def success(self, achieved: Array, desired: Array) -> Array:
        """Whether `achieved` [..., d] meets `desired` [..., D]: bool [...]."""

    @abstractmethod
    def reward(self, achieved: Array, desired: Array) -> Array:
        """The reward for `achieved` under `desired`: float32 [...]."""

    @abstractmethod
    def all_achieved(self, achieved: Array, desired: Array) -> Array:
        """Which goals of the all-goals set hold: bool [..., G]."""

    @abstractmethod
    def all_rewards(self, achieved: Array, desired: Array) -> Array:
        """The reward under every goal of the all-goals set: float32 [..., G]."""

    @abstractmethod
    def sample(self, uniform: Array, achieved: Array) -> Array:
        """A desired goal [..., D] from `uniform` [..., num_uniforms] for an episode whose start achieves `achieved`."""

    @abstractmethod
    def encode(self, goal: str | int | Array) -> np.ndarray:
        """The desired goal [D] for a name, an index into `names`, or an array.

        Raises:
            ValueError: for an unknown name (with the nearest ones), an index out of range, or an array that is no goal.
        """

    @abstractmethod
    def index(self, desired: Array) -> Array:
        """Position of `desired` [..., D] in `names`, int32 [...]; -1 where it is not in the set."""

    @abstractmethod
    def restrict(self, goals: Sequence[str | int | Array]) -> "GoalSpace":
        """The space whose all-goals set, and whose sampler, are just `goals`."""

    def achieved_goal(self, achieved: Array) -> Array:
        """What an observation carries under `achieved_goal`: `achieved` as float32 [..., d]."""
        return as_float32(achieved)


class FiniteGoals(GoalSpace):
    """A finite set of named goals; reaching goal g pays 1.

    desired: one-hot float32 [..., G]; achieved: bool [..., G], or multi-hot float [..., G] as in observations.

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

    def success(self, achieved: Array, desired: Array) -> Array:
        xp = array_namespace(achieved, desired)
        return xp.any(xp.logical_and(as_bool(achieved), as_bool(desired)), axis=-1)

    def reward(self, achieved: Array, desired: Array) -> Array:
        return as_float32(self.success(achieved, desired))

    def all_achieved(self, achieved: Array, desired: Array) -> Array:
        return as_bool(achieved)

    def all_rewards(self, achieved: Array, desired: Array) -> Array:
        return as_float32(as_bool(achieved))

    def sample(self, uniform: Array, achieved: Array) -> Array:
        """Uniform over the goals, or over those not achieved yet; over all of them when every goal is achieved."""
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
                raise ValueError(_unknown_name(goal, self.names))
            goal = self._positions[goal]
        if isinstance(goal, (int, np.integer)) and not isinstance(goal, bool):
            if not 0 <= goal < self.num_goals:
                raise ValueError(f"goal index {goal} is outside 0..{self.num_goals - 1}")
            return np.asarray(np.arange(self.num_goals) == goal, np.float32)
        array = np.asarray(goal, np.float32)
        if array.shape != (self.num_goals,) or array.sum() != 1 or not np.isin(array, (0, 1)).all():
            raise ValueError(f"a goal array must be one-hot of shape ({self.num_goals},), got shape {array.shape}")
        return array

    def index(self, desired: Array) -> Array:
        xp = array_namespace(desired)
        position = xp.astype(xp.argmax(desired, axis=-1), xp.int32)
        return xp.where(xp.any(as_bool(desired), axis=-1), position, xp.full_like(position, -1))

    def one_hot(self, index: Array) -> Array:
        """Desired goals [..., G] for integer indices [...]."""
        return as_float32(index[..., None] == constant(np.arange(self.num_goals), index, index.dtype))

    def restrict(self, goals: Sequence[str | int | Array]) -> "FiniteGoals":
        return FiniteGoals([self.names[p] for p in self.positions(goals)], exclude_achieved=self.exclude_achieved)

    def positions(self, goals: Sequence[str | int | Array]) -> list[int]:
        """Indices of `goals` in `names`."""
        return [int(np.argmax(self.encode(goal))) for goal in goals]


class BoxGoals(GoalSpace):
    """Goals that are points of a box, reached within `threshold` of `distance`; K anchor goals stand for all of them.

    desired and achieved: float32 [..., d]. The reward is `rewards[1]` where the goal is reached and `rewards[0]`
    elsewhere, or minus the distance with `dense=True`. `sampler` turns `num_uniforms` uniform numbers into a goal; without
    one, goals are uniform in the box. The anchors are what it makes of `num_anchor_goals` evenly spread points; those
    that coincide count once, so K may be smaller. Their names are their coordinates.
    """

    max_tries = (
        16  # candidates drawn when a goal that already holds must not be sampled; the first that does not hold wins
    )

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
        self._numbers = num_uniforms or self.low.shape[0]  # uniform numbers one candidate takes
        self.num_uniforms = self._numbers * (self.max_tries if exclude_achieved else 1)
        self._set_anchors(np.asarray(self._sampler(low_discrepancy(num_anchor_goals, self._numbers)), np.float32))

    def _set_anchors(self, anchors: np.ndarray) -> None:
        first = np.unique(anchors, axis=0, return_index=True)[1]
        self.anchors = anchors[np.sort(first)]  # [K, d]
        self.names = _point_names(self.anchors)

    def _uniform_in_box(self, uniform: Array) -> Array:
        return constant(self.low, uniform) + uniform * constant(self.high - self.low, uniform)

    def success(self, achieved: Array, desired: Array) -> Array:
        return self.distance(achieved, desired) <= self.threshold

    def reward(self, achieved: Array, desired: Array) -> Array:
        if self.dense:
            return -as_float32(self.distance(achieved, desired))
        return self.rewards[0] + (self.rewards[1] - self.rewards[0]) * as_float32(self.success(achieved, desired))

    def all_achieved(self, achieved: Array, desired: Array) -> Array:
        return self.success(achieved[..., None, :], constant(self.anchors, achieved))

    def all_rewards(self, achieved: Array, desired: Array) -> Array:
        return self.reward(achieved[..., None, :], constant(self.anchors, achieved))

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
                raise ValueError(_unknown_name(goal, self.names))
            goal = self.names.index(goal)
        if isinstance(goal, (int, np.integer)) and not isinstance(goal, bool):
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


class PointSetGoals(GoalSpace):
    """A goal is a set of up to `n_max` integer points, and reaching any of them pays 1 on every step.

    desired: float32 [..., n_max * 3], rows (present, x, y) flattened; achieved: float32 [..., 2], the rounded
    position. An achieved position is no set of points, so hindsight relabelling has nothing to command.
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
        """The reward of each point on its own: float32 [..., n_max]; padding pays nothing."""
        xp = array_namespace(achieved, desired)
        points = xp.reshape(desired, (*desired.shape[:-1], self.n_max, 3))
        hit = xp.all(xp.round(achieved)[..., None, :] == points[..., 1:], axis=-1)
        return as_float32(xp.logical_and(hit, points[..., 0] > 0.5))

    def success(self, achieved: Array, desired: Array) -> Array:
        xp = array_namespace(achieved, desired)
        return xp.any(self.item_rewards(achieved, desired) > 0, axis=-1)

    def reward(self, achieved: Array, desired: Array) -> Array:
        return as_float32(self.success(achieved, desired))

    def all_achieved(self, achieved: Array, desired: Array) -> Array:
        return self.item_rewards(achieved, desired) > 0

    def all_rewards(self, achieved: Array, desired: Array) -> Array:
        return self.item_rewards(achieved, desired)

    def sample(self, uniform: Array, achieved: Array) -> Array:
        raise TypeError("point sets are drawn by their task (Task.sample_goal), not by their goal space")

    def encode(self, goal: str | int | Array) -> np.ndarray:
        """`goal` is an array of points [n, 2], or a desired goal [n_max * 3] as found in an observation.

        Coordinates are rounded, and every point is listed once, ordered by y and then by x.
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

    def index(self, desired: Array) -> Array:
        xp = array_namespace(desired)
        return xp.astype(xp.zeros_like(desired[..., 0]) - 1, xp.int32)

    def restrict(self, goals: Sequence[str | int | Array]) -> "PointSetGoals":
        raise ValueError("point-set goals differ in every episode; command one with reset(options={'goal': points})")


def euclidean(achieved: Array, desired: Array) -> Array:
    """The distance [...] between points [..., d] of any array library."""
    xp = array_namespace(achieved, desired)
    return xp.sqrt(xp.sum((achieved - desired) ** 2, axis=-1))


def low_discrepancy(count: int, dim: int) -> np.ndarray:
    """`count` points spread evenly over (0, 1)^dim, float32 [count, dim]: part of Sobol's sequence, without a seed.

    They start behind the first power of two that is at least `count`, because the sequence begins at a corner and at
    the centre, where tasks tend to start; and each is the centre of its cell.
    """
    from scipy.stats import qmc  # here, not above: half a second to import, and only boxes need it

    block = 1 << (count - 1).bit_length()
    points = qmc.Sobol(dim, scramble=False).random(2 * block)[block : block + count]
    return (points + 0.25 / block).astype(np.float32)


def _pick(points: np.ndarray, uniform: Array) -> Array:
    """One of `points` [K, d], for a uniform number [..., 1]: [..., d]."""
    xp = array_namespace(uniform)
    chosen = xp.floor(uniform * len(points)) == constant(np.arange(len(points)), uniform)
    return xp.sum(as_float32(chosen)[..., None] * constant(points, uniform), axis=-2)


def _point_names(points: np.ndarray) -> tuple[str, ...]:
    """Coordinates in as few digits as keep the names of distinct `points` [K, d] distinct."""
    for digits in range(3, 10):  # 9 tell any two float32 numbers apart
        names = tuple(_point_name(point, digits) for point in points)
        if len(set(names)) == len(names):
            break
    return names


def _point_name(point: np.ndarray, digits: int = 6) -> str:
    return "(" + ", ".join(f"{x:.{digits}g}" for x in point) + ")"


def _unknown_name(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or list(names[:3])
    return f"unknown goal {name!r}; nearest: {', '.join(near)} (of {len(names)} goals)"
