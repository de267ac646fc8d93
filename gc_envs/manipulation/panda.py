"""The Panda tasks: reach, push, slide, pick and place.

Source: panda_mujoco_gym, "Open-Source Reinforcement Learning Environments Implemented in MuJoCo with Franka
Manipulator" (arXiv 2312.13788), for all but reach, which has none.
"""

import difflib
import functools

import gymnasium
import mujoco
import numpy as np

from gc_envs.core.arrays import Array, array_namespace, constant
from gc_envs.core.goals import BoxGoals, euclidean
from gc_envs.manipulation.panda_model import DOWN, GRIP_RANGE, HOME, NEUTRAL, PAD, Item, Row, build
from gc_envs.manipulation.physics import PhysicsTask, SimState, outside
from gc_envs.manipulation.rotations import to_euler

STRIDE = 0.05  # m, what an action of 1 moves the end-effector's target by
GRIP = 0.02  # m, what an action of 1 moves each finger's target by
LOWEST = PAD[2]  # m, of the end-effector's target: the fingertips touch the table
THRESHOLD = 0.05  # m
SLACK = 0.01  # m, by which a commanded goal may leave a height that all drawn goals share
START = ((0.45, -0.15), (0.75, 0.15))  # m, where items start
SPACE = ((-4.0, -4.0, -0.05), (4.0, 4.0, 4.0))  # m, what an item or the end-effector has left when it is lost

ROWS = {
    "reach": Row(None, False, ((0.49, -0.15, 0.05), (0.79, 0.15, 0.35))),  # 0.15 m about the end-effector's start
    "push": Row(Item("box", (0.02, 0.02, 0.02), 1.0, 0.5), False, ((0.45, -0.15, 0.02), (0.75, 0.15, 0.02)), START),
    "slide": Row(Item("puck", (0.03, 0.03, 0.02), 1.0, 0.1), False, ((0.85, -0.15, 0.02), (1.15, 0.15, 0.02)), START),
    "pick_and_place": Row(
        Item("box", (0.02, 0.02, 0.02), 0.1, 1.0), True, ((0.45, -0.15, 0.02), (0.75, 0.15, 0.22)), START, on_table=0.3
    ),
}  # fmt: skip


class PandaTask(PhysicsTask):
    """A Panda arm whose end-effector (the point between the fingertips, pointing down) is moved by displacements.

    Action, float32 in [-1, 1]: the end-effector's displacement along x, y, z in units of 5 cm, and for
    "pick_and_place" the gripper (> 0 opens, < 0 closes, the further from 0 the faster and the firmer). One step takes
    40 ms, in which a displacement is begun, not finished. Achieved goal: position of the item ("reach": of the
    end-effector), [3] in m; reached within 5 cm. The reward is 0 there and -1 elsewhere, or minus the distance in m
    with `dense`.

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
    What differs, since an action takes 20 substeps of 2 ms here and 250 there: the friction on the table of the pushed
    cube (0.5, not 1: of 80 fast pushes at heights of 12 to 36 mm, 49 rolled it over, and all of them at 1) and of the
    puck (0.1, not 0.04: it comes to rest within the horizon), and the puck's height (4 cm, not 6: the palm clears it).

    Args:
        variant: "reach", "push", "slide" or "pick_and_place".
        dense: the reward is minus the distance.
        num_anchor_goals: how many goals all-goals information covers.
        backend, threads: see `PhysicsTask`.

    Raises:
        ValueError: for an unknown variant or backend, or fewer than one anchor goal.
        ModuleNotFoundError: for a backend that is not installed.
    """

    horizon = 50
    on_success = "continue"

    def __init__(
        self, variant: str, dense: bool = False, num_anchor_goals: int = 64, backend: str = "auto", threads: int = 0
    ) -> None:
        if variant not in ROWS:
            near = difflib.get_close_matches(variant, ROWS, n=1, cutoff=0)
            raise ValueError(f"unknown variant {variant!r}; did you mean {near[0]!r}? There are {list(ROWS)}")
        self.variant, self.row = variant, ROWS[variant]
        super().__init__(build(self.row), backend=backend, threads=threads)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (4 if self.row.gripper else 3,), np.float32)
        self.observation_space = _observation_space(self.row)
        self.goals = _goals(self.row, dense, num_anchor_goals)
        self.num_start_uniforms = 0 if self.row.item is None else 2
        self._home = settle(self.model)
        self._sensors = {
            (sensor := self.model.sensor(i)).name: slice(sensor.adr[0], sensor.adr[0] + sensor.dim[0])
            for i in range(self.model.nsensor)
        }
        if self.row.gripper:
            self._fingers = [self.model.joint(side).qposadr[0] for side in ("left", "right")]

    def visual_model(self) -> mujoco.MjModel:
        """The same mechanics with light, meshes and colours, for pictures."""
        return build(self.row, visual=True)

    def start(self, uniform: Array) -> SimState:
        """The arm at rest in its start pose, and the item at rest on the table where `uniform` [..., 2] says."""
        xp, state = array_namespace(uniform), self.repeated(self._home, uniform)
        if self.row.start_box is None:
            return state
        low, high = (constant(np.asarray(corner), uniform, uniform.dtype) for corner in self.row.start_box)
        # qpos ends with the item's free joint: x, y, z and a quaternion.
        qpos = xp.concat([state.qpos[..., :-7], low + uniform * (high - low), state.qpos[..., -5:]], axis=-1)
        return state._replace(qpos=qpos)

    def act(self, state: SimState, action: Array) -> SimState:
        xp = array_namespace(state.qpos)
        tip = self._sensor(state, "tip_pos") + STRIDE * action[..., :3]
        tip = xp.concat([tip[..., :2], xp.clip(tip[..., 2:], LOWEST, None)], axis=-1)
        state = state._replace(mocap_pos=tip[..., None, :])
        if not self.row.gripper:
            return state
        finger = xp.clip(self._width(state) / 2 + GRIP * action[..., 3:], *GRIP_RANGE)
        return state._replace(ctrl=xp.concat([finger, finger], axis=-1))

    def features(self, state: SimState) -> Array:
        xp = array_namespace(state.qpos)
        parts = [self._sensor(state, "tip_pos"), self._sensor(state, "tip_vel")]
        if self.row.gripper:
            parts.append(self._width(state))
        if self.row.item is not None:
            parts += [self._sensor(state, "item_pos"), to_euler(self._sensor(state, "item_quat"))]
            parts += [self._sensor(state, "item_vel"), self._sensor(state, "item_spin")]
        return xp.concat(parts, axis=-1)

    def reached(self, state: SimState) -> Array:
        return self._sensor(state, "tip_pos" if self.row.item is None else "item_pos")

    def lost(self, state: SimState) -> Array:
        return outside(self._sensor(state, "tip_pos"), SPACE) | outside(self.reached(state), SPACE)

    def _sensor(self, state: SimState, name: str) -> Array:
        return state.sensordata[..., self._sensors[name]]

    def _width(self, state: SimState) -> Array:
        """The distance between the fingers: [..., 1]."""
        left, right = self._fingers
        return state.qpos[..., left : left + 1] + state.qpos[..., right : right + 1]


def settle(model: mujoco.MjModel) -> SimState:
    """The state in which the arm has come to rest at `HOME`, with an item at rest in the middle of its start box."""
    data = mujoco.MjData(model)
    data.qpos[: len(NEUTRAL)] = NEUTRAL
    data.mocap_pos[0], data.mocap_quat[0] = HOME, DOWN
    mujoco.mj_step(model, data, nstep=2000)
    data.qvel[:] = 0
    return SimState(*(np.array(getattr(data, name)) for name in SimState._fields))


def _goals(row: Row, dense: bool, num_anchor_goals: int) -> BoxGoals:
    low, high = np.asarray(row.goal_box)
    flat = low[2] == high[2]  # such goals take a number for x and y each; the others one for z too
    slack = np.where(low == high, SLACK, 0)
    return BoxGoals(
        low - slack, high + slack, threshold=THRESHOLD, distance=euclidean,
        achieved_bounds=(np.array(SPACE[0]), np.array(SPACE[1])),
        sampler=functools.partial(_draw, low, high, row.on_table), num_uniforms=2 if flat else 4 if row.on_table else 3,
        dense=dense, num_anchor_goals=num_anchor_goals,
    )  # fmt: skip


def _draw(low: np.ndarray, high: np.ndarray, on_table: float, uniform: Array) -> Array:
    """Goals [..., 3] uniform in the box; with a fourth number below `on_table`, at its lowest height."""
    xp = array_namespace(uniform)
    if uniform.shape[-1] == 2:
        uniform = xp.concat([uniform, xp.zeros_like(uniform[..., :1])], axis=-1)
    elif uniform.shape[-1] == 4:
        lifted = xp.where(uniform[..., 3:] < on_table, xp.zeros_like(uniform[..., 2:3]), uniform[..., 2:3])
        uniform = xp.concat([uniform[..., :2], lifted], axis=-1)
    low, high = (constant(corner, uniform, uniform.dtype) for corner in (low, high))
    return low + uniform * (high - low)


def _observation_space(row: Row) -> gymnasium.spaces.Box:
    """Bounds wider than anything met in ordinary play."""
    place = list(zip(*SPACE))
    bounds = place + 3 * [(-10.0, 10.0)]
    if row.gripper:
        bounds += [(-0.05, 0.15)]
    if row.item is not None:
        bounds += place + [(-np.pi, np.pi), (-np.pi / 2, np.pi / 2), (-np.pi, np.pi)]
        bounds += 3 * [(-10.0, 10.0)] + 3 * [(-300.0, 300.0)]
    low, high = np.array(bounds, np.float32).T
    return gymnasium.spaces.Box(low, high, dtype=np.float32)
