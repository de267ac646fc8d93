"""Rotations, against SciPy's."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gc_envs.manipulation import rotations


def from_scipy(rotation):
    return rotation.as_quat(scalar_first=True)


@pytest.fixture
def some():
    """Two lots of rotations [6, 5], as SciPy's and as quaternions."""
    both = [Rotation.random(30, random_state=seed) for seed in (0, 1)]
    return both, [from_scipy(rotation).reshape(6, 5, 4) for rotation in both]


def same(found, wanted, atol=1e-6):
    """Whether quaternions mean the same rotations: q and -q do."""
    sign = np.sign((np.asarray(found) * wanted).sum(-1, keepdims=True))
    np.testing.assert_allclose(np.asarray(found) * sign, wanted, atol=atol)


def test_products_opposites_and_angles(some, to_library):
    (first, second), quats = some
    a, b = (to_library(quat.astype(np.float32)) for quat in quats)
    same(rotations.multiply(a, b), from_scipy(first * second).reshape(6, 5, 4))
    same(rotations.conjugate(a), from_scipy(first.inv()).reshape(6, 5, 4))
    wanted = (first * second.inv()).magnitude().reshape(6, 5)
    np.testing.assert_allclose(np.asarray(rotations.angle_between(a, b)), wanted, atol=1e-5)
    np.testing.assert_allclose(np.asarray(rotations.angle_between(-1 * a, b)), wanted, atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 1e-4, 0.1, 3.1])
def test_small_and_large_angles_survive_single_precision(angle, to_library):
    turned = to_library(np.float32([np.cos(angle / 2), 0, np.sin(angle / 2), 0]))
    found = rotations.angle_between(turned, to_library(np.float32([1, 0, 0, 0])))
    assert float(found) == pytest.approx(angle, rel=1e-5, abs=1e-9)


def test_euler_angles(some, to_library):
    (first, _), (quats, _) = some
    angles = rotations.to_euler(to_library(quats.astype(np.float32)))
    np.testing.assert_allclose(np.asarray(angles), first.as_euler("XYZ").reshape(6, 5, 3), atol=1e-5)


@pytest.mark.parametrize("middle", [np.pi / 2, -np.pi / 2])
def test_euler_angles_where_two_axes_coincide(middle):
    quat = from_scipy(Rotation.from_euler("XYZ", [0.4, middle, 0.3]))
    angles = rotations.to_euler(quat)
    assert angles[0] == 0
    assert angles[1] == pytest.approx(middle)
    same(from_scipy(Rotation.from_euler("XYZ", angles)), quat)


def test_axis_and_angle(some, to_library):
    (first, _), (quats, _) = some
    turn = first.as_rotvec().reshape(6, 5, 3)
    angle = np.linalg.norm(turn, axis=-1)
    found = rotations.from_axis_angle(to_library(np.float32(2.5 * turn)), to_library(np.float32(angle)))
    same(found, quats)
    none = rotations.from_axis_angle(to_library(np.zeros(3, np.float32)), to_library(np.float32(1)))
    np.testing.assert_array_equal(np.asarray(none), [1, 0, 0, 0])
