"""Shapes that tasks add to a frame to show goals. They are not part of the physics. Imports no MuJoCo."""

import itertools
from typing import NamedTuple

import numpy as np

from gc_envs.manipulation.rotations import conjugate, multiply


class Marker(NamedTuple):
    """A shape in the world's frame, in m."""

    shape: str  # "sphere", "box" or "capsule"
    position: np.ndarray  # [3], of its centre
    size: tuple[float, float, float]  # half sizes along its axes; of a capsule: radius, half length along z, 0
    quat: np.ndarray | tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)  # (w, x, y, z)
    material: str = ""  # a material of the visual model, whose colours the marker then keeps


def sphere(position: np.ndarray, radius: float) -> Marker:
    """Return a sphere around `position` [3]."""
    return Marker("sphere", np.asarray(position), (radius,) * 3)


def line(start: np.ndarray, end: np.ndarray, radius: float) -> Marker:
    """Return a thin capsule from `start` [3] to `end` [3]."""
    vector = np.subtract(end, start, dtype=np.float64)
    length = float(np.linalg.norm(vector))
    x, y, z = vector / max(length, 1e-9)
    # Half the rotation from the z axis to `vector`: the sum of the quaternions of no rotation and of twice as much.
    quat = np.array([1 + z, -y, x, 0]) if z > -1 + 1e-9 else np.array([0.0, 1, 0, 0])
    return Marker("capsule", np.add(start, end) / 2, (radius, length / 2, 0.0), quat / np.linalg.norm(quat))


def box_edges(box: Marker, radius: float) -> tuple[Marker, ...]:
    """Return the twelve edges of a box as lines."""
    corners = np.array(list(itertools.product((0.0,), *((-half, half) for half in box.size))))  # [8, 4], quaternions
    quat = np.asarray(box.quat, np.float64)
    rotated = box.position + multiply(multiply(quat, corners), conjugate(quat))[:, 1:]
    pairs = itertools.combinations(range(8), 2)
    return tuple(line(rotated[i], rotated[j], radius) for i, j in pairs if (corners[i] != corners[j]).sum() == 1)
