"""The Shadow Hand tasks: bring fingertips together, turn a block in the palm.

The sources are HandReach-v3 and HandManipulateBlock-v1 of Gymnasium-Robotics 1.4, "Multi-Goal Reinforcement Learning:
Challenging Robotics Environments and Request for Research" (arXiv 1802.09464). "Goal-Conditioned Q-learning as
Knowledge Distillation" (arXiv 2208.13298) is evaluated on them. In the world's frame z points up, the floor is at
z = 0, the palm faces up at z = 0.14, and the fingers point along -y.
"""

import gymnasium
import mujoco
import numpy as np

from gc_envs.core.arrays import Array, array_namespace, constant
from gc_envs.core.goals import euclidean
from gc_envs.core.goals.base import point_text
from gc_envs.manipulation.hand_goals import (
    ANGLE_THRESHOLD,
    BLOCK_WORKSPACE,
    NOISE,
    POSITION_THRESHOLD,
    TIP_SPACE,
    PoseGoals,
    make_tip_goals,
    sample_rotation,
    sample_truncated_normals,
)
from gc_envs.manipulation.hand_model import BLOCK_HALF_SIZE, build_model
from gc_envs.manipulation.markers import Marker, box_edges, line, sphere
from gc_envs.manipulation.physics import PhysicsTask, outside_box
from gc_envs.manipulation.rotations import angle_between
from gc_envs.manipulation.sim_state import SimState

NUM_JOINTS = 24  # of the hand; qpos and qvel begin with them
START_POSE = (  # rad, HandReach's start state, in the joints' order
    -0.16514340, -0.31973287,  # wrist
    0.14340513, 0.32028208, 0.71260536, 0.67052810,  # forefinger
    0.00024644, 0.31526553, 0.76598003, 0.73231569,  # middle finger
    0.00038521, 0.36743546, 0.71195141, 0.66994463,  # ring finger
    0.05254423, -0.13615535, 0.39872030, 0.74155700, 0.70409638,  # little finger
    0.00367382, 0.55062914, -0.01451515, -0.00152292, -0.78948830,  # thumb
)  # fmt: skip
ON_PALM_HEIGHT = 0.04  # m, the height above which a block has not fallen to the floor


class HandTask(PhysicsTask):
    """What both tasks share: the hand, its action and its part of the observation.

    Action, float32 [20] in [-1, 1]: target angles of the joints, where -1 and 1 are the ends of a joint's range. Their
    order is: wrist (2: sideways, up and down), forefinger, middle and ring finger (3 each: sideways, knuckle, middle
    joint), little finger (4: towards the thumb, then as the others), thumb (5, from its base). The last joint of each
    finger but the thumb is coupled to the one before it. One step takes 40 ms, 20 substeps.

    Args:
        bounds: The bounds (low, high) of the numbers that a task's observation has after the hand's.
        backend: See `PhysicsTask`.
        threads: See `PhysicsTask`.
    """

    on_success = "continue"
    file: str  # the name of Gymnasium-Robotics' model

    def __init__(self, bounds: list[tuple[float, float]], backend: str, threads: int) -> None:
        super().__init__(build_model(self.file), backend=backend, threads=threads)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (self.model.nu,), np.float32)
        low, high = np.array([*_joint_bounds(self.model), *bounds], np.float32).T
        self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        ends = np.array(self.model.actuator_ctrlrange)
        self._ctrl_centre, self._ctrl_half_range = ends.mean(axis=1), np.ptp(ends, axis=1) / 2
        self._home = SimState(*(np.array(getattr(mujoco.MjData(self.model), name)) for name in SimState._fields))

    def visual_model(self) -> mujoco.MjModel:
        """Return the same mechanics with the meshes, for frames; collision shapes are in geom group 4."""
        return build_model(self.file, visual=True)

    def initial_state(self, uniform: Array) -> SimState:
        return self.broadcast_state(self._home, uniform)

    def set_controls(self, state: SimState, action: Array) -> SimState:
        centre = constant(self._ctrl_centre, action, action.dtype)
        half_range = constant(self._ctrl_half_range, action, action.dtype)
        return state._replace(ctrl=centre + half_range * action)

    def raw_observation(self, state: SimState) -> Array:
        xp = array_namespace(state.qpos)
        return xp.concat([state.qpos[..., :NUM_JOINTS], state.qvel[..., :NUM_JOINTS]], axis=-1)


class HandReachTask(HandTask):
    """Five fingertips to be brought to five points: the thumb's and another's together, the others left where they are.

    Achieved goal: the positions of the tips of forefinger, middle, ring and little finger and thumb, [15] in m. A goal
    is achieved within 1 cm of Euclidean distance over all 15 numbers. The reward is 0 there and -1 elsewhere. Every
    episode starts in the same state. A tenth of the source's goals is to leave all tips where they start. That is an
    anchor goal here too, but an episode is not given a goal that it starts in, unless `exclude_achieved` is False.

    Action: see `HandTask`. Observation, float32 [63]:

    | index | meaning | unit |
    |---|---|---|
    | 0:2 | wrist, angles of its joints (sideways, up and down) | rad |
    | 2:6, 6:10, 10:14 | forefinger, middle and ring finger: sideways, knuckle, middle, last joint | rad |
    | 14:19 | little finger: towards the thumb, then as the others | rad |
    | 19:24 | thumb, from its base | rad |
    | 24:48 | velocities of the same joints, in the same order | rad/s |
    | 48:63 | positions of the fingertips, in the order of the goal, in the world's frame | m |

    Args:
        num_anchor_goals: The number of goals that all-goals information covers.
        exclude_achieved: Whether goals that hold at the start are left out.
        backend: See `PhysicsTask`.
        threads: See `PhysicsTask`.

    Raises:
        ValueError: If the backend is unknown, or there is not at least one anchor goal.
        ModuleNotFoundError: If Gymnasium-Robotics, or the backend, is not installed.
    """

    file = "reach.xml"
    horizon = 50
    num_start_uniforms = 0

    def __init__(
        self, num_anchor_goals: int = 64, exclude_achieved: bool = True, backend: str = "auto", threads: int = 0
    ) -> None:
        super().__init__(5 * list(zip(*TIP_SPACE)), backend, threads)
        data = mujoco.MjData(self.model)
        data.qpos[:] = START_POSE
        mujoco.mj_forward(self.model, data)
        self._home = self._home._replace(qpos=np.array(START_POSE), sensordata=np.array(data.sensordata))
        tips, palm = data.sensordata.reshape(5, 3), data.body("robot0:palm").xpos
        self.goals = make_tip_goals(np.array(tips), np.array(palm), num_anchor_goals, exclude_achieved)

    def markers(self, desired: np.ndarray, achieved: np.ndarray) -> tuple[Marker, ...]:
        """Return a sphere for every fingertip's goal, and a line from the tip to it."""
        targets, tips = desired.reshape(5, 3), achieved.reshape(5, 3)
        lines = tuple(line(tip, target, 0.001) for tip, target in zip(tips, targets))
        return *(sphere(target, 0.007) for target in targets), *lines

    def describe_goal(self, desired: np.ndarray) -> str:
        return f"bring the fingertips to five points, all of them together within {100 * self.goals.threshold:g} cm"

    def caption(self, desired: np.ndarray, achieved: np.ndarray) -> str:
        distances = euclidean(achieved.reshape(5, 3), desired.reshape(5, 3))
        return "fingertips " + ", ".join(f"{1000 * distance:.0f}" for distance in distances) + " mm away"

    def raw_observation(self, state: SimState) -> Array:
        return array_namespace(state.qpos).concat([super().raw_observation(state), state.sensordata], axis=-1)

    def raw_achieved_goal(self, state: SimState) -> Array:
        return state.sensordata


class HandManipulateBlockTask(HandTask):
    """A block of 5 cm that lies in the palm, to be brought into a pose.

    Achieved goal: the block's position (of its centre, m) and quaternion (w, x, y, z), [7]. A goal is achieved if the
    position is within 1 cm and the rotation within 0.1 rad. The reward is 0 there and -1 elsewhere. A quaternion and
    its negative are the same rotation (to the source, a full turn apart). Goals: a rotation by up to pi about any axis;
    a position up to 4 cm to either side of where blocks rest, up to 6 cm towards the fingertips or 2 cm back, and up to
    6 cm above. In the source that range moves with the block's start; here it is the same in all episodes.

    A block starts 3 cm above where it will rest, rotated at random and moved by N(0, 5 mm) along each axis, and has 10
    steps to come to rest before the episode begins. If it has fallen to the floor by then, another start is sampled. A
    block that falls later stays there while the episode goes on.

    Action: see `HandTask`. Observation, float32 [61], positions and velocities in the world's frame:

    | index | meaning | unit |
    |---|---|---|
    | 0:2 | wrist, angles of its joints (sideways, up and down) | rad |
    | 2:6, 6:10, 10:14 | forefinger, middle and ring finger: sideways, knuckle, middle, last joint | rad |
    | 14:19 | little finger: towards the thumb, then as the others | rad |
    | 19:24 | thumb, from its base | rad |
    | 24:48 | velocities of the same joints, in the same order | rad/s |
    | 48:51 | block, velocity | m/s |
    | 51:54 | block, angular velocity, about its own axes | rad/s |
    | 54:57 | block, position | m |
    | 57:61 | block, quaternion, w first | - |

    Args:
        num_anchor_goals: The number of goals that all-goals information covers.
        backend: See `PhysicsTask`.
        threads: See `PhysicsTask`.

    Raises:
        ValueError: If the backend is unknown, or there is not at least one anchor goal.
        ModuleNotFoundError: If Gymnasium-Robotics, or the backend, is not installed.
    """

    file = "manipulate_block.xml"
    horizon = 100
    num_start_uniforms = 8
    settle_steps = 10

    def __init__(self, num_anchor_goals: int = 64, backend: str = "auto", threads: int = 0) -> None:
        velocity, pose = 3 * [(-10.0, 10.0)] + 3 * [(-200.0, 200.0)], list(zip(*BLOCK_WORKSPACE)) + 4 * [(-1.0, 1.0)]
        super().__init__(velocity + pose, backend, threads)
        self.goals = PoseGoals(num_anchor_goals)

    def initial_state(self, uniform: Array) -> SimState:
        xp = array_namespace(uniform)
        state = super().initial_state(uniform)
        position = state.qpos[..., NUM_JOINTS : NUM_JOINTS + 3] + NOISE * sample_truncated_normals(uniform[..., :4])
        rotation = sample_rotation(uniform[..., 4:])
        return state._replace(qpos=xp.concat([state.qpos[..., :NUM_JOINTS], position, rotation], axis=-1))

    def raw_observation(self, state: SimState) -> Array:
        parts = [super().raw_observation(state), state.qvel[..., NUM_JOINTS:], self.raw_achieved_goal(state)]
        return array_namespace(state.qpos).concat(parts, axis=-1)

    def raw_achieved_goal(self, state: SimState) -> Array:
        return state.qpos[..., NUM_JOINTS:]

    def markers(self, desired: np.ndarray, achieved: np.ndarray) -> tuple[Marker, ...]:
        """Return the block in the desired pose; its faces keep their colors, by which the rotation can be seen."""
        box = Marker("box", desired[:3], 3 * (1.01 * BLOCK_HALF_SIZE,), desired[3:], material="material:object")
        return box, *box_edges(box, 0.0012)

    def describe_goal(self, desired: np.ndarray) -> str:
        place = f"within {100 * POSITION_THRESHOLD:g} cm of {point_text(np.round(desired[:3], 3))} m"
        return f"bring the block {place}, turned within {np.degrees(ANGLE_THRESHOLD):.1f} degrees of the pose shown"

    def caption(self, desired: np.ndarray, achieved: np.ndarray) -> str:
        distance = 1000 * float(euclidean(achieved[:3], desired[:3]))
        angle = np.degrees(float(angle_between(achieved[3:], desired[3:])))
        return f"block {distance:.0f} mm and {angle:.0f} degrees away"

    def out_of_workspace(self, state: SimState) -> Array:
        """Return whether the block has left the workspace, bool [...]."""
        return outside_box(state.qpos[..., NUM_JOINTS : NUM_JOINTS + 3], *BLOCK_WORKSPACE)

    def valid_start(self, state: SimState) -> Array:
        """Return whether the block has not fallen to the floor, bool [...]."""
        return state.qpos[..., NUM_JOINTS + 2] > ON_PALM_HEIGHT


def _joint_bounds(model: mujoco.MjModel) -> list[tuple[float, float]]:
    """Return bounds of the joints' angles and velocities that are wider than all that is met in ordinary play."""
    angles = model.jnt_range[:NUM_JOINTS] + [-0.5, 0.5]
    return [*map(tuple, angles), *(NUM_JOINTS * [(-100.0, 100.0)])]
