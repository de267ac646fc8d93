"""What every goal space offers. Letters: G goals in the all-goals set, D numbers in a desired goal, d achieved ones."""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array, as_float32

NO_HINDSIGHT = "; what a state achieves is no set of points, so use DictReplayBuffer, without hindsight"


class GoalSpace(ABC):
    """A set of goals, each a predicate over what a state achieves.

    Attributes:
        names: The goals that all-goals information covers, in order.
        desired_space: The space of desired goals, [D].
        achieved_space: The space of achieved goals, [d].
        num_uniforms: How many uniform numbers `sample` turns into one goal.
        exclude_achieved: Whether goals that the start state already achieves are never sampled.
        supports_hindsight: Whether an achieved goal can itself be desired, which hindsight relabelling needs.
        reward_range: The bounds of the reward.
    """

    names: tuple[str, ...]
    desired_space: gymnasium.spaces.Box
    achieved_space: gymnasium.spaces.Box
    num_uniforms: int
    exclude_achieved: bool
    supports_hindsight: bool = True
    reward_range: tuple[float, float] = (0.0, 1.0)

    @property
    def num_goals(self) -> int:
        """G, the size of the all-goals set."""
        return len(self.names)

    def success(self, achieved: Array, desired: Array) -> Array:
        """Return whether `achieved` [..., d] reaches `desired` [..., D], bool [...]."""
        return self.evaluate(achieved, desired)[0]

    def reward(self, achieved: Array, desired: Array) -> Array:
        """Return the reward for `achieved` [..., d] under `desired` [..., D], float32 [...]."""
        return self.evaluate(achieved, desired)[1]

    @abstractmethod
    def evaluate(self, achieved: Array, desired: Array) -> tuple[Array, Array]:
        """Return success and reward of `achieved` [..., d] under `desired` [..., D], bool and float32 [...].

        Integers are evaluated as float32. NaN and infinity reach nothing: a point with one in it is no success, and its
        reward is the least that there is, -inf where the reward is minus a distance; of a finite set, that entry counts
        as a goal that does not hold.
        """

    def describe(self, desired: np.ndarray) -> str:
        """Return what the desired goal [D] asks for, in words that follow "the goal is to"."""
        index = int(self.index(desired))
        return f"reach {self.names[index] if index >= 0 else point_text(desired)}"

    def all_achieved(self, achieved: Array, desired: Array) -> Array:
        """Return which goals of the all-goals set hold, bool [..., G]."""
        return self.evaluate_all(achieved, desired)[0]

    def all_rewards(self, achieved: Array, desired: Array) -> Array:
        """Return the reward under every goal of the all-goals set, float32 [..., G]."""
        return self.evaluate_all(achieved, desired)[1]

    @abstractmethod
    def evaluate_all(self, achieved: Array, desired: Array) -> tuple[Array, Array]:
        """Return success and reward of `achieved` [..., d] under every goal of the set, bool and float32 [..., G].

        `desired` [..., D] matters only where the set is part of the desired goal itself (`PointSetGoals`).
        """

    @abstractmethod
    def sample(self, uniform: Array, achieved: Array) -> Array:
        """Turn uniform numbers into desired goals.

        Args:
            uniform: Numbers in [0, 1), [..., num_uniforms].
            achieved: What the start states achieve, [..., d].

        Returns:
            Desired goals, [..., D].
        """

    @abstractmethod
    def encode(self, goal: str | int | Array) -> np.ndarray:
        """Return the desired goal [D] for a name, an index into `names`, or an array.

        Raises:
            ValueError: For an unknown name (the message lists the nearest ones), an index out of range, or an array
                that is no goal.
        """

    def check_desired(self, desired: np.ndarray) -> None:
        """Raise ValueError where `desired` [..., D] are arrays that no desired goal can be."""
        (size,) = self.desired_space.shape
        if desired.shape[-1:] != (size,):
            reason = "" if self.supports_hindsight else NO_HINDSIGHT
            raise ValueError(f"desired goals of shape {desired.shape} given, expected [..., {size}]{reason}")

    @abstractmethod
    def index(self, desired: Array) -> Array:
        """Return the position of `desired` [..., D] in `names`, int32 [...]; -1 where it is not in the set."""

    @abstractmethod
    def restrict(self, goals: Sequence[str | int | Array]) -> "GoalSpace":
        """Return the space whose all-goals set, and whose sampled goals, are just `goals`."""

    def achieved_goal(self, achieved: Array) -> Array:
        """Return what an observation holds under `achieved_goal`: `achieved` as float32 [..., d]."""
        return as_float32(achieved)


def point_text(numbers: np.ndarray) -> str:
    """Return coordinates [d] as text, such as "(0.5, -1)"."""
    return "(" + ", ".join(f"{number:.3g}" for number in numbers) + ")"


def check_index(goal: int, size: int) -> None:
    """Raise ValueError unless `goal` is an index into a set of `size` goals."""
    if not 0 <= goal < size:
        raise ValueError(f"goal index {goal} is outside 0..{size - 1}")


def unknown_name(name: str, names: Sequence[str]) -> str:
    """Return the error message for a name that is not among `names`."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or list(names[:3])
    return f"unknown goal {name!r}; nearest: {', '.join(near)} (of {len(names)} goals)"


def is_index(goal: object) -> bool:
    """Return whether `goal` is an integer, of Python or NumPy, and no bool."""
    return isinstance(goal, (int, np.integer)) and not isinstance(goal, bool)
