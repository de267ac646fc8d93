"""The goals of the Shadow Hand tasks: how they are drawn from uniform numbers, and how far away they are.

After Gymnasium-Robotics 1.4. The code is array-API code, with any leading batch axes `...`.
"""

import functools

import numpy as np

from gc_envs.core.arrays import Array, array_namespace, constant
from gc_envs.core.goals import BoxGoals, euclidean
from gc_envs.manipulation.rotations import angle_between, from_axis_angle

MEETING = (0.0, -0.09, 0.05)  # m, from the palm's frame to where thumb and finger shall meet, in the world's axes
GAP = 0.005  # m, from there to each of the two tips
NOISE = 0.005  # m, standard deviation of where they meet, and of where the block starts
MOST_NOISE = 4.0  # standard deviations, per axis
STAY = 0.1  # part of HandReach's goals that are the fingertips' start
TIP_SPACE = ((0.75, 0.7, -0.1), (1.25, 1.2, 0.4))  # m, around all that fingertips can reach
SPACE = ((0.0, 0.0, -0.1), (2.0, 2.0, 1.0))  # m, what a block has left when it is lost
REST = (1.009, 0.875, 0.17)  # m, where blocks come to rest: the mean over 300 start states
POSITIONS = ((-0.04, -0.06, 0.0), (0.04, 0.02, 0.06))  # m, of a goal, from there
REACH_THRESHOLD, POSITION_THRESHOLD, ANGLE_THRESHOLD = 0.01, 0.01, 0.1  # m, m, rad


def tip_goals(tips: np.ndarray, palm: np.ndarray, num_anchor_goals: int, exclude_achieved: bool) -> BoxGoals:
    """HandReach's, for fingertips that start at `tips` [5, 3] and a palm at `palm` [3], in m."""
    meeting, most = palm + MEETING, MOST_NOISE * NOISE + GAP
    low, high = (np.tile(corner, 5) for corner in TIP_SPACE)
    return BoxGoals(
        np.minimum(tips, meeting - most).reshape(-1), np.maximum(tips, meeting + most).reshape(-1),
        threshold=REACH_THRESHOLD, distance=euclidean, achieved_bounds=(low, high),
        sampler=functools.partial(_draw_tips, tips, meeting), num_uniforms=6, num_anchor_goals=num_anchor_goals,
        exclude_achieved=exclude_achieved,
    )  # fmt: skip


class PoseGoals(BoxGoals):
    """HandManipulateBlock's goals: a position in m and a unit quaternion, [..., 7]."""

    def __init__(self, num_anchor_goals: int) -> None:
        low, high = np.array(REST) + POSITIONS
        one = np.ones(4)
        super().__init__(
            np.r_[low, -one], np.r_[high, one], threshold=1.0, distance=pose_distance,
            achieved_bounds=(np.r_[SPACE[0], -one], np.r_[SPACE[1], one]),
            sampler=functools.partial(_draw_pose, low, high), num_uniforms=7, num_anchor_goals=num_anchor_goals,
        )  # fmt: skip

    def encode(self, goal: str | int | Array) -> np.ndarray:
        pose = super().encode(goal)
        length = float(np.linalg.norm(pose[3:]))
        if abs(length - 1) > 1e-3:
            raise ValueError(f"the quaternion {pose[3:].tolist()} of a pose must have length 1, it has {length:g}")
        return pose


def pose_distance(achieved: Array, desired: Array) -> Array:
    """How many thresholds poses [..., 7] are apart, in position or in rotation, whichever is more: [...]."""
    xp = array_namespace(achieved, desired)
    apart = euclidean(achieved[..., :3], desired[..., :3]) / POSITION_THRESHOLD
    turned = angle_between(achieved[..., 3:], desired[..., 3:]) / ANGLE_THRESHOLD
    return xp.where(apart > turned, apart, turned)


def _draw_tips(tips: np.ndarray, meeting: np.ndarray, uniform: Array) -> Array:
    """HandReach's goals [..., 15] from uniform numbers [..., 6], with fingertips that start at `tips` [5, 3]."""
    xp = array_namespace(uniform)
    start, middle = (constant(point, uniform, uniform.dtype) for point in (tips, meeting))
    met = (middle + NOISE * normals(uniform[..., 1:5]))[..., None, :]
    way = met - start  # [..., 5, 3]
    touching = met - GAP * way / xp.sqrt(xp.sum(way**2, axis=-1, keepdims=True))
    number = constant(np.arange(5), uniform)
    moves = (number == xp.floor(4 * uniform[..., :1])) | (number == 4)  # [..., 5]
    moves = moves & (uniform[..., 5:] >= STAY)
    goals = xp.where(moves[..., None], touching, start)
    return xp.reshape(goals, (*goals.shape[:-2], 15))


def _draw_pose(low: np.ndarray, high: np.ndarray, uniform: Array) -> Array:
    """HandManipulateBlock's goals [..., 7] from uniform numbers [..., 7]."""
    xp = array_namespace(uniform)
    least, most = (constant(corner, uniform, uniform.dtype) for corner in (low, high))
    return xp.concat([least + uniform[..., :3] * (most - least), draw_turn(uniform[..., 3:])], axis=-1)


def draw_turn(uniform: Array) -> Array:
    """Quaternions [..., 4] from uniform numbers [..., 4]: by up to pi either way, about a line to a point of a cube."""
    return from_axis_angle(2 * uniform[..., 1:] - 1, np.pi * (2 * uniform[..., 0] - 1))


def normals(uniform: Array) -> Array:
    """Three standard normal numbers [..., 3], cut off at `MOST_NOISE`, from uniform ones [..., 4] (Box and Muller)."""
    xp = array_namespace(uniform)
    radius, angle = xp.sqrt(-2 * xp.log(1 - uniform[..., :2])), 2 * np.pi * uniform[..., 2:]
    normals = xp.concat([radius * xp.cos(angle), (radius * xp.sin(angle))[..., :1]], axis=-1)
    return xp.clip(normals, -MOST_NOISE, MOST_NOISE)
