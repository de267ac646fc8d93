"""The categories of integer observations, which networks one-hot encode inside their first layer.

Letters: H x W the map, C map channels, M mob slots, T mob types, S scalars, `...` batch axes.
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
