"""The Panda tasks: reach, push, slide, pick and place.

The source is panda_mujoco_gym, "Open-Source Reinforcement Learning Environments Implemented in MuJoCo with Franka
Manipulator" (arXiv 2312.13788), except for reach, which is not among its tasks.
"""

import difflib
import functools

import gymnasium
import mujoco
import numpy as np

from gc_envs.core.arrays import Array, array_namespace, constant
from gc_envs.core.goals import BoxGoals, euclidean
from gc_envs.manipulation.panda_model import DOWN, FINGER_TARGET_RANGE, HOME, NEUTRAL_JOINTS, PAD_SIZE, build_model
from gc_envs.manipulation.panda_variants import VARIANTS, PandaVariant
from gc_envs.manipulation.physics import PhysicsTask, outside_box
from gc_envs.manipulation.rotations import to_euler
from gc_envs.manipulation.sim_state import SimState

TIP_DISPLACEMENT = 0.05  # m, by which an action of 1 moves the end-effector's target
FINGER_DISPLACEMENT = 0.1  # m, by which an action of 1 moves each finger's target: past both ends of its range
MIN_TIP_HEIGHT = PAD_SIZE[2]  # m, of the end-effector's target: the fingertips touch the table
THRESHOLD = 0.05  # m
GOAL_MARGIN = 0.01  # m, by which a given goal may leave a height that all sampled goals share
WORKSPACE = np.array([[-4.0, -4.0, -0.05], [4.0, 4.0, 4.0]])  # m, corners; nothing may leave it


class PandaTask(PhysicsTask):
    """A Panda arm whose end-effector is moved by displacements.

    The end-effector is the point between the fingertips, which point down. Action, float32 in [-1, 1]: the
    end-effector's displacement along x, y, z in units of 5 cm, and for "pick_and_place" the gripper (> 0 opens, < 0
    closes, the further from 0 the faster and the firmer). One step takes 40 ms, in which a displacement is begun, not
    finished. Achieved goal: the position of the item ("reach": of the end-effector), [3] in m. A goal is achieved
    within 5 cm. The reward is 0 there and -1 elsewhere, or minus the distance in m with `dense`.

    Observation, float32, in the frame of the robot's base (x to the front, z up, the table at z = 0):

    | index | meaning | unit |
    |---|---|---|
    | 0:3 | end-effector, position | m |
    | 3:6 | end-effector, velocity | m/s |
    | 6 | distance between the fingers ("pick_and_place" only; the indices below move up by 1) | m |
    | 6:9 | item, position of its centre (not for "reach", like all below) | m |
    | 9:12 | item, Euler angles a, b, c of Rx(a) Ry(b) Rz(c) | rad |
    | 12:15 | item, velocity | m/s |
    | 15:18 | item, angular velocity, about the base's axes | rad/s |

    Items are the source's: cubes of 4 cm (1 kg to be pushed, 0.1 kg to be picked up) and a puck of 1 kg, 6 cm across.
    An action takes 20 substeps of 2 ms here and 250 in the source, and therefore three things differ: the friction on
    the table of the pushed cube (0.5, not 1: of 80 fast pushes at heights of 12 to 36 mm, 49 rolled it over, and all of
    them at 1) and of the puck (0.1, not 0.04: it comes to rest within the horizon), and the puck's height (4 cm, not 6:
    the palm clears it).

    Args:
        variant: "reach", "push", "slide" or "pick_and_place".
        dense: Whether the reward is minus the distance.
        num_anchor_goals: The number of goals that all-goals information covers.
        backend: See `PhysicsTask`.
        threads: See `PhysicsTask`.

    Raises:
        ValueError: If the variant or the backend is unknown, or there is not at least one anchor goal.
        ModuleNotFoundError: If the backend is not installed.
    """

    horizon = 50
    on_success = "continue"

    def __init__(
        self, variant: str, dense: bool = False, num_anchor_goals: int = 64, backend: str = "auto", threads: int = 0
    ) -> None:
        if variant not in VARIANTS:
            near = difflib.get_close_matches(variant, VARIANTS, n=1, cutoff=0)
            raise ValueError(f"unknown variant {variant!r}; did you mean {near[0]!r}? There are {list(VARIANTS)}")
        self.variant = VARIANTS[variant]
        self.moved = {"box": "cube", "puck": "puck"}[self.variant.item.shape] if self.variant.item else "hand"
        super().__init__(build_model(self.variant), backend=backend, threads=threads)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (4 if self.variant.gripper else 3,), np.float32)
        self.observation_space = _observation_space(self.variant)
        self.goals = _make_goals(self.variant, dense, num_anchor_goals)
        self.num_start_uniforms = 0 if self.variant.item is None else 2
        self._home = settle(self.model)
        self._workspace = np.tile(WORKSPACE, 1 if self.variant.item is None else 2)
        self._sensors = {
            (sensor := self.model.sensor(i)).name: slice(sensor.adr[0], sensor.adr[0] + sensor.dim[0])
            for i in range(self.model.nsensor)
        }
        if self.variant.gripper:
            self._fingers = [self.model.joint(side).qposadr[0] for side in ("left", "right")]

    def visual_model(self) -> mujoco.MjModel:
        """Return the same mechanics with light, meshes and colors, for frames."""
        return build_model(self.variant, visual=True)

    def initial_state(self, uniform: Array) -> SimState:
        """Return the arm at rest in its start pose, and the item at rest at x and y that `uniform` [..., 2] gives."""
        xp, state = array_namespace(uniform), self.broadcast_state(self._home, uniform)
        if self.variant.start_box is None:
            return state
        low, high = (constant(np.asarray(corner), uniform, uniform.dtype) for corner in self.variant.start_box)
        # qpos ends with the item's free joint: x, y, z and a quaternion.
        qpos = xp.concat([state.qpos[..., :-7], low + uniform * (high - low), state.qpos[..., -5:]], axis=-1)
        return state._replace(qpos=qpos)

    def set_controls(self, state: SimState, action: Array) -> SimState:
        xp = array_namespace(state.qpos)
        tip = self._sensor(state, "tip_pos") + TIP_DISPLACEMENT * action[..., :3]
        height = xp.maximum(tip[..., 2:], MIN_TIP_HEIGHT)  # xp.clip takes NumPy ten times as long
        state = state._replace(mocap_pos=xp.concat([tip[..., :2], height], axis=-1)[..., None, :])
        if not self.variant.gripper:
            return state
        finger = self._width(state) / 2 + FINGER_DISPLACEMENT * action[..., 3:]
        finger = xp.minimum(xp.maximum(finger, FINGER_TARGET_RANGE[0]), FINGER_TARGET_RANGE[1])
        return state._replace(ctrl=xp.concat([finger, finger], axis=-1))

    def raw_observation(self, state: SimState) -> Array:
        xp = array_namespace(state.qpos)
        parts = [self._sensor(state, "tip_pos"), self._sensor(state, "tip_vel")]
        if self.variant.gripper:
            parts.append(self._width(state))
        if self.variant.item is not None:
            parts += [self._sensor(state, "item_pos"), to_euler(self._sensor(state, "item_quat"))]
            parts += [self._sensor(state, "item_vel"), self._sensor(state, "item_spin")]
        return xp.concat(parts, axis=-1)

    def raw_achieved_goal(self, state: SimState) -> Array:
        return self._sensor(state, "tip_pos" if self.variant.item is None else "item_pos")

    def out_of_workspace(self, state: SimState) -> Array:
        """Return whether the end-effector or the item has left the workspace, bool [...]."""
        positions = self._sensor(state, "tip_pos")
        if self.variant.item is not None:  # one call for both positions costs less than two
            item = self._sensor(state, "item_pos")
            positions = array_namespace(item).concat([positions, item], axis=-1)
        return outside_box(positions, *self._workspace)

    def _sensor(self, state: SimState, name: str) -> Array:
        return state.sensordata[..., self._sensors[name]]

    def _width(self, state: SimState) -> Array:
        """Return the distance between the fingers, [..., 1] in m."""
        left, right = self._fingers
        return state.qpos[..., left : left + 1] + state.qpos[..., right : right + 1]


def settle(model: mujoco.MjModel) -> SimState:
    """Return the state in which the arm has come to rest at `HOME`, and an item in the middle of its start box."""
    data = mujoco.MjData(model)
    data.qpos[: len(NEUTRAL_JOINTS)] = NEUTRAL_JOINTS
    data.mocap_pos[0], data.mocap_quat[0] = HOME, DOWN
    mujoco.mj_step(model, data, nstep=2000)
    data.qvel[:] = 0
    return SimState(*(np.array(getattr(data, name)) for name in SimState._fields))


def _make_goals(variant: PandaVariant, dense: bool, num_anchor_goals: int) -> BoxGoals:
    low, high = np.asarray(variant.goal_box)
    flat = low[2] == high[2]  # such goals take a uniform number each for x and y; the others take one for z too
    margin = np.where(low == high, GOAL_MARGIN, 0)
    return BoxGoals(
        low - margin, high + margin, threshold=THRESHOLD, distance=euclidean,
        achieved_bounds=(WORKSPACE[0], WORKSPACE[1]),
        sampler=functools.partial(_sample_goals, low, high, variant.on_table),
        num_uniforms=2 if flat else 4 if variant.on_table else 3, dense=dense, num_anchor_goals=num_anchor_goals,
    )  # fmt: skip


def _sample_goals(low: np.ndarray, high: np.ndarray, on_table: float, uniform: Array) -> Array:
    """Return goals [..., 3] that are uniform in the box from `low` to `high` [3].

    `uniform` [..., 2], [..., 3] or [..., 4] has numbers for x and y, then for z (default: the lowest height), and then
    one that puts the goal at the lowest height if it is below `on_table`.
    """
    xp = array_namespace(uniform)
    if uniform.shape[-1] == 2:
        uniform = xp.concat([uniform, xp.zeros_like(uniform[..., :1])], axis=-1)
    elif uniform.shape[-1] == 4:
        height = xp.where(uniform[..., 3:] < on_table, xp.zeros_like(uniform[..., 2:3]), uniform[..., 2:3])
        uniform = xp.concat([uniform[..., :2], height], axis=-1)
    low, high = (constant(corner, uniform, uniform.dtype) for corner in (low, high))
    return low + uniform * (high - low)


def _observation_space(variant: PandaVariant) -> gymnasium.spaces.Box:
    """Return bounds that are wider than all that is met in ordinary play."""
    position = list(zip(*WORKSPACE))
    bounds = position + 3 * [(-10.0, 10.0)]
    if variant.gripper:
        bounds += [(-0.05, 0.15)]
    if variant.item is not None:
        bounds += position + [(-np.pi, np.pi), (-np.pi / 2, np.pi / 2), (-np.pi, np.pi)]
        bounds += 3 * [(-10.0, 10.0)] + 3 * [(-300.0, 300.0)]
    low, high = np.array(bounds, np.float32).T
    return gymnasium.spaces.Box(low, high, dtype=np.float32)
