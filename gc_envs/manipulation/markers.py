"""What tasks ask to be drawn into a frame, besides their model: shapes without weight. Imports no MuJoCo."""

import itertools
from typing import NamedTuple

import numpy as np

from gc_envs.manipulation.rotations import conjugate, multiply


class Marker(NamedTuple):
    """A shape in the world's frame, in m."""

    shape: str  # "sphere", "box" or "capsule"
    place: np.ndarray  # [3], of its centre
    size: tuple[float, float, float]  # half sizes along its axes; of a capsule: radius, half length along z, 0
    quat: np.ndarray | tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)  # (w, x, y, z)
    material: str = ""  # of the visual model, where the marker keeps that one's own colours


def ball(place: np.ndarray, radius: float) -> Marker:
    """A sphere around `place` [3]."""
    return Marker("sphere", np.asarray(place), (radius,) * 3)


def line(start: np.ndarray, end: np.ndarray, radius: float) -> Marker:
    """A thin capsule from `start` [3] to `end` [3]."""
    way = np.subtract(end, start, dtype=np.float64)
    length = float(np.linalg.norm(way))
    x, y, z = way / max(length, 1e-9)
    # Half the turn from the z axis to `way`: the sum of the quaternions of no turn and of twice the turn.
    quat = np.array([1 + z, -y, x, 0]) if z > -1 + 1e-9 else np.array([0.0, 1, 0, 0])
    return Marker("capsule", np.add(start, end) / 2, (radius, length / 2, 0.0), quat / np.linalg.norm(quat))


def edges(box: Marker, radius: float) -> tuple[Marker, ...]:
    """The twelve edges of a box, as lines."""
    corners = np.array(list(itertools.product((0.0,), *((-half, half) for half in box.size))))  # [8, 4], quaternions
    quat = np.asarray(box.quat, np.float64)
    turned = box.place + multiply(multiply(quat, corners), conjugate(quat))[:, 1:]
    pairs = itertools.combinations(range(8), 2)
    return tuple(line(turned[i], turned[j], radius) for i, j in pairs if (corners[i] != corners[j]).sum() == 1)
