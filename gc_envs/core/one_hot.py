"""The categories of integer observations, which networks one-hot encode inside their first layer.

Letters: H x W the map, C map channels, M mob slots, T mob types, S scalars, G goals, `...` batch axes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any


@dataclass(frozen=True)
class OneHotSpec:
    """Categories of an integer observation: one-hot maps [H, W, C] (none where H = 0) and one-hot scalars.

    The maps lie behind one another on the channel axis, in the order of `maps`. Where there is a "light_map", its two
    channels are dark and lit, and a dark cell is zero in all other channels. Where the mob map has one channel more
    than there are mob types (Classic, as in the LEO sources), that channel says "no mob here".
    """

    scalars: tuple[tuple[str, int], ...]  # (name, classes)
    height: int = 0
    width: int = 0
    maps: tuple[tuple[str, int], ...] = ()  # (name, channels)
    num_mob_slots: int = 0  # M
    num_mob_types: int = 0  # T

    @property
    def num_channels(self) -> int:
        """C, the channels of all maps together."""
        return sum(channels for _, channels in self.maps)

    @property
    def num_scalar_classes(self) -> int:
        """The length of the one-hot scalars."""
        return sum(classes for _, classes in self.scalars)

    @property
    def size(self) -> int:
        """How many numbers the whole one-hot observation has."""
        return self.height * self.width * self.num_channels + self.num_scalar_classes

    def one_hot_scalars(self, scalars: Array) -> Array:
        """Return categories [..., S] as one-hot float32 [..., num_scalar_classes]."""
        classes = np.asarray([count for _, count in self.scalars])
        owner = np.repeat(np.arange(len(classes)), classes)  # scalar that each output belongs to
        category = np.arange(len(owner)) - np.repeat(np.cumsum(classes) - classes, classes)
        return (scalars.astype(np.int32)[..., owner] == category).astype(np.float32)

    def first_channel(self, name: str) -> int:
        """Return the channel at which the map called `name` begins."""
        names = [key for key, _ in self.maps]
        return sum(channels for _, channels in self.maps[: names.index(name)])

    def first_class(self, index: int) -> int:
        """Return where the classes of the scalar at `index` begin among all `num_scalar_classes`."""
        return sum(classes for _, classes in self.scalars[:index])


@dataclass(frozen=True, eq=False)
class GoalMask:
    """Finite goals as masks over the one-hot observation, which goal-conditioned networks take beside it.

    The mask of a goal is 1 where the one-hot observation of a state can be 1 because the goal holds, and else 0. On the
    map that is at most one number.
    """

    scalars: np.ndarray  # float32 [G, num_scalar_classes]
    cell: np.ndarray  # int32 [G], the cell of the map, row by row; H * W where the mask is zero on the map
    channel: np.ndarray  # int32 [G], the channel of that cell, 0..C-1

    def take(self, goals: Any) -> "GoalMask":
        """Return the masks of the goals at the positions `goals`."""
        return GoalMask(self.scalars[goals], self.cell[goals], self.channel[goals])
