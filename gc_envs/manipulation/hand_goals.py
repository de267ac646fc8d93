"""The goals of the Shadow Hand tasks: how they are sampled from uniform numbers, and how far away they are.

They follow Gymnasium-Robotics 1.4. The code is array-API code, with any leading batch axes `...`.
"""

import functools

import numpy as np

from gc_envs.core.arrays import Array, array_namespace, constant
from gc_envs.core.goals import BoxGoals, euclidean
from gc_envs.manipulation.rotations import angle_between, from_axis_angle

MEETING_OFFSET = (0.0, -0.09, 0.05)  # m, from the palm's frame to where thumb and finger are to meet, in world axes
TIP_GAP = 0.005  # m, from there to each of the two tips
NOISE = 0.005  # m, standard deviation of where they meet, and of the block's start position
MAX_NOISE = 4.0  # standard deviations, per axis
STAY_SHARE = 0.1  # the share of HandReach's goals that leave all fingertips where they start
TIP_SPACE = ((0.75, 0.7, -0.1), (1.25, 1.2, 0.4))  # m, around all that fingertips can reach
BLOCK_WORKSPACE = np.array([[0.0, 0.0, -0.1], [2.0, 2.0, 1.0]])  # m, corners; a block may not leave it
REST_POSITION = (1.009, 0.875, 0.17)  # m, where blocks come to rest: the mean over 300 start states
GOAL_OFFSETS = ((-0.04, -0.06, 0.0), (0.04, 0.02, 0.06))  # m, from there to the corners of the goal box
REACH_THRESHOLD, POSITION_THRESHOLD, ANGLE_THRESHOLD = 0.01, 0.01, 0.1  # m, m, rad


def make_tip_goals(tips: np.ndarray, palm: np.ndarray, num_anchor_goals: int, exclude_achieved: bool) -> BoxGoals:
    """Return HandReach's goals.

    Args:
        tips: The positions at which the fingertips start, [5, 3], in m.
        palm: The position of the palm, [3], in m.
        num_anchor_goals: The number of goals that all-goals information covers.
        exclude_achieved: Whether goals that hold at the start are left out.
    """
    meeting, max_offset = palm + MEETING_OFFSET, MAX_NOISE * NOISE + TIP_GAP
    low, high = (np.tile(corner, 5) for corner in TIP_SPACE)
    return BoxGoals(
        np.minimum(tips, meeting - max_offset).reshape(-1), np.maximum(tips, meeting + max_offset).reshape(-1),
        threshold=REACH_THRESHOLD, distance=euclidean, achieved_bounds=(low, high),
        sampler=functools.partial(_sample_tip_goals, tips, meeting), num_uniforms=6, num_anchor_goals=num_anchor_goals,
        exclude_achieved=exclude_achieved,
    )  # fmt: skip


class PoseGoals(BoxGoals):
    """HandManipulateBlock's goals: a position in m and a unit quaternion, [..., 7]."""

    def __init__(self, num_anchor_goals: int) -> None:
        low, high = np.array(REST_POSITION) + GOAL_OFFSETS
        one = np.ones(4)
        super().__init__(
            np.r_[low, -one], np.r_[high, one], threshold=1.0, distance=pose_distance,
            achieved_bounds=(np.r_[BLOCK_WORKSPACE[0], -one], np.r_[BLOCK_WORKSPACE[1], one]),
            sampler=functools.partial(_sample_poses, low, high), num_uniforms=7, num_anchor_goals=num_anchor_goals,
        )  # fmt: skip

    def encode(self, goal: str | int | Array) -> np.ndarray:
        pose = super().encode(goal)
        length = float(np.linalg.norm(pose[3:]))
        if abs(length - 1) > 1e-3:
            raise ValueError(f"the quaternion {pose[3:].tolist()} of a pose must have length 1, it has {length:g}")
        return pose


def pose_distance(achieved: Array, desired: Array) -> Array:
    """Return how far poses [..., 7] are apart, in thresholds of position or of rotation, whichever is more: [...]."""
    xp = array_namespace(achieved, desired)
    position = euclidean(achieved[..., :3], desired[..., :3]) / POSITION_THRESHOLD
    angle = angle_between(achieved[..., 3:], desired[..., 3:]) / ANGLE_THRESHOLD
    return xp.maximum(position, angle)  # NaN where either is


def _sample_tip_goals(tips: np.ndarray, meeting: np.ndarray, uniform: Array) -> Array:
    """Return HandReach's goals [..., 15] for uniform numbers [..., 6] and fingertips that start at `tips` [5, 3].

    The thumb and one other finger meet near `meeting` [3]; the other tips, or all of them, stay where they start.
    """
    xp = array_namespace(uniform)
    start, mean = (constant(point, uniform, uniform.dtype) for point in (tips, meeting))
    target = (mean + NOISE * sample_truncated_normals(uniform[..., 1:5]))[..., None, :]
    path = target - start  # [..., 5, 3]
    touching = target - TIP_GAP * path / xp.sqrt(xp.sum(path**2, axis=-1, keepdims=True))
    finger = constant(np.arange(5), uniform)
    moves = (finger == xp.floor(4 * uniform[..., :1])) | (finger == 4)  # [..., 5]
    moves = moves & (uniform[..., 5:] >= STAY_SHARE)
    goals = xp.where(moves[..., None], touching, start)
    return xp.reshape(goals, (*goals.shape[:-2], 15))


def _sample_poses(low: np.ndarray, high: np.ndarray, uniform: Array) -> Array:
    """Return HandManipulateBlock's goals [..., 7] for uniform numbers [..., 7]."""
    xp = array_namespace(uniform)
    low, high = (constant(corner, uniform, uniform.dtype) for corner in (low, high))
    return xp.concat([low + uniform[..., :3] * (high - low), sample_rotation(uniform[..., 3:])], axis=-1)


def sample_rotation(uniform: Array) -> Array:
    """Return quaternions [..., 4] for uniform numbers [..., 4].

    They rotate by up to pi in either direction about the line from a cube's centre to a uniform point of the cube.
    """
    return from_axis_angle(2 * uniform[..., 1:] - 1, np.pi * (2 * uniform[..., 0] - 1))


def sample_truncated_normals(uniform: Array) -> Array:
    """Return three standard normal numbers [..., 3] for uniform numbers [..., 4], clipped to +-`MAX_NOISE`.

    The method is that of Box and Muller.
    """
    xp = array_namespace(uniform)
    radius, angle = xp.sqrt(-2 * xp.log(1 - uniform[..., :2])), 2 * np.pi * uniform[..., 2:]
    normals = xp.concat([radius * xp.cos(angle), (radius * xp.sin(angle))[..., :1]], axis=-1)
    return xp.clip(normals, -MAX_NOISE, MAX_NOISE)
