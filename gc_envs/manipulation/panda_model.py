"""The Franka Panda on a table, as a MuJoCo model: one builder for all Panda tasks and both physics engines.

Kinematics are the robot's public ones. Collisions are between primitive shapes and only in the pairs listed here; the
hand is moved by a mocap body welded to it, so that no inverse kinematics is needed. Units: m, kg, rad, N, s.
"""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

NEUTRAL = (0.0, 0.41, 0.0, -1.85, 0.0, 2.26, 0.79)  # rad, the joints' start, as in panda_mujoco_gym
HOME = (0.64, 0.0, 0.2)  # m, the end-effector there, to within 2 mm; tasks start exactly there
DOWN = (0.0, 1.0, 0.0, 0.0)  # quaternion of the hand pointing at the table, fingers opening along y
TIP = 0.1034  # from the hand's frame to the end-effector, between the pads
FINGER = 0.0584  # from the hand's frame to the fingers'
PAD = (0.009, 0.004, 0.0085)  # half sizes of a fingertip pad
FINGER_RANGE = (0.0, 0.04)  # one finger's way
GRIP_RANGE = (-0.01, 0.04)  # of finger commands: the slack below 0 keeps the squeeze alive on a thin object
SPHERE = 0.01  # radius of the fingertip's spheres

_X = {-1: (2**-0.5, -(2**-0.5), 0.0, 0.0), 0: (1.0, 0.0, 0.0, 0.0), 1: (2**-0.5, 2**-0.5, 0.0, 0.0)}  # quarter turns


@dataclass(frozen=True)
class Item:
    """The object to be moved: a "box" of half sizes `size`, or a "puck" of radius size[0] and half height size[2]."""

    shape: str
    size: tuple[float, float, float]
    mass: float
    friction: float  # against the table

    @property
    def rest(self) -> float:
        """Height of its centre when it lies on the table."""
        return self.size[2]


@dataclass(frozen=True)
class Row:
    """What distinguishes one Panda task from another. Boxes are (low, high) in m, in the frame of the robot's base."""

    item: Item | None
    gripper: bool  # whether the policy moves the fingers; else they are closed for good
    goal_box: tuple[tuple[float, float, float], tuple[float, float, float]]
    start_box: tuple[tuple[float, float], tuple[float, float]] | None = None  # x, y of the item's centre
    on_table: float = 0.0  # part of the goals that lie at the goal box's lowest height


@dataclass(frozen=True)
class Link:
    """One link: its frame in the one before, its joint's range, and a capsule that stands for its mass and shape."""

    pos: tuple[float, float, float]
    turn: int  # quarter turns about x
    range: tuple[float, float]
    mass: float
    capsule: tuple[float, float, float, float, float, float]  # from, to
    radius: float


LINKS = (
    Link((0, 0, 0.333), 0, (-2.8973, 2.8973), 2.7, (0, 0, -0.19, 0, 0, 0), 0.06),
    Link((0, 0, 0), -1, (-1.7628, 1.7628), 2.7, (0, 0, 0, 0, -0.19, 0), 0.06),
    Link((0, -0.316, 0), 1, (-2.8973, 2.8973), 2.0, (0, 0, -0.12, 0.07, 0, 0), 0.055),
    Link((0.0825, 0, 0), 1, (-3.0718, -0.0698), 2.1, (0, 0, 0, -0.0825, 0.11, 0), 0.055),
    Link((-0.0825, 0.384, 0), -1, (-2.8973, 2.8973), 3.0, (0, 0, -0.26, 0, 0.05, 0), 0.05),
    Link((0, 0, 0), 1, (-0.0175, 3.7525), 1.3, (0, 0, 0, 0.08, 0, 0), 0.05),
    Link((0.088, 0, 0), 1, (-2.8973, 2.8973), 0.7, (0, 0, 0, 0, 0, 0.08), 0.045),
)  # fmt: skip

WHITE, GREY, DARK = (0.92, 0.93, 0.94, 1), (0.55, 0.57, 0.6, 1), (0.2, 0.21, 0.23, 1)


def build(row: Row, visual: bool = False) -> mujoco.MjModel:
    """The compiled model of `row`; with `visual`, the same mechanics dressed for pictures.

    Both have the same coordinates, controls, mocap body and sensors, so that a state of one is a state of the other.
    """
    spec = mujoco.MjSpec()
    _options(spec, row.item)
    world = spec.worldbody
    world.add_geom(name="table", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.05], **_FREE)
    hand = _arm(spec)
    tips = _fingers(spec, hand) if row.gripper else _closed_fingers(hand, row)
    _mocap(spec)
    site = dict(objtype=mujoco.mjtObj.mjOBJ_SITE, objname="tip")
    spec.add_sensor(name="tip_pos", type=mujoco.mjtSensor.mjSENS_FRAMEPOS, **site)
    spec.add_sensor(name="tip_vel", type=mujoco.mjtSensor.mjSENS_FRAMELINVEL, **site)
    for tip in tips:
        _pair(spec, tip, "table", condim=1, friction=0.1)
    if row.item is not None:
        base = _item(spec, row.item)
        _pair(spec, "table", base, friction=row.item.friction)
        for tip in tips:
            _pair(spec, tip, "item", friction=1.5 if row.gripper else row.item.friction)
        if row.item.shape == "box":
            _pair(spec, "hand", "item", friction=row.item.friction)
        if row.item.shape == "puck":
            _slide_evenly(spec)
    if visual:
        from gc_envs.manipulation.panda_visuals import add_visuals

        add_visuals(spec, row)
    return spec.compile()


_FREE: dict[str, Any] = dict(contype=0, conaffinity=0)  # collides in the listed pairs only


def _options(spec: mujoco.MjSpec, item: Item | None) -> None:
    option = spec.option
    option.timestep = 0.002
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_EULERDAMP
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.iterations, option.ls_iterations = 10, 20  # with fewer, a hard hit can send an item off at 20 m/s
    # A pyramid's edges are as stiff as impratio / friction^2. At 10 a grasp slips little; stiffer than that at a
    # friction of 1, single precision no longer keeps a resting item at rest.
    friction = 1.0 if item is None else item.friction
    option.cone, option.impratio = mujoco.mjtCone.mjCONE_PYRAMIDAL, 10 * friction**2
    spec.compiler.degree = False


def _arm(spec: mujoco.MjSpec) -> mujoco.MjsBody:
    """The arm's bodies, up to the hand, which is returned."""
    body = spec.worldbody.add_body(name="link0")
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[-0.06, 0, 0.06, 0, 0, 0.08], size=[0.07, 0, 0],
                  rgba=WHITE, **_FREE)  # fmt: skip
    for number, link in enumerate(LINKS, start=1):
        body = body.add_body(name=f"link{number}", pos=link.pos, quat=_X[link.turn], gravcomp=1)
        body.add_joint(name=f"joint{number}", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 0, 1], range=link.range,
                       limited=True, damping=5, armature=0.1)  # fmt: skip
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=link.capsule, size=[link.radius, 0, 0],
                      mass=link.mass, rgba=WHITE, **_FREE)  # fmt: skip
    hand = body.add_body(name="hand", pos=[0, 0, 0.107], quat=[np.cos(np.pi / 8), 0, 0, -np.sin(np.pi / 8)], gravcomp=1)
    hand.add_geom(name="hand", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[0, 0, 0.03], size=[0.02, 0.1, 0.0284], mass=0.7,
                  rgba=GREY, **_FREE)  # fmt: skip
    hand.add_site(name="tip", pos=[0, 0, TIP], group=4)
    return hand


def _fingers(spec: mujoco.MjSpec, hand: mujoco.MjsBody) -> list[str]:
    """Two fingers that slide, with a box for a pad each; the pads' names."""
    for side, quat in (("left", (1, 0, 0, 0)), ("right", (0, 0, 0, 1))):
        finger = hand.add_body(name=side, pos=[0, 0, FINGER], quat=quat, gravcomp=1)
        # Stiff ends: between a moving hand and a cube that jams, softer ones let a finger slide out by 15 cm.
        finger.add_joint(name=side, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 1, 0], range=FINGER_RANGE, limited=True,
                         damping=10, armature=0.1, solref_limit=[0.004, 1],
                         solimp_limit=[0.95, 0.99, 0.001, 0.5, 2])  # fmt: skip
        _finger_shapes(finger, f"{side}_pad", mass=0.03)
        spec.add_actuator(
            name=side, target=side, trntype=mujoco.mjtTrn.mjTRN_JOINT, gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE, gainprm=[500] + [0] * 9, biasprm=[0, -500, -40] + [0] * 7,
            ctrllimited=True, ctrlrange=GRIP_RANGE, forcelimited=True, forcerange=[-40, 40],
        )  # fmt: skip
    return ["left_pad", "right_pad"]


def _closed_fingers(hand: mujoco.MjsBody, row: Row) -> list[str]:
    """Fingers that never open, whose tip is one box, or spheres for a puck: MJX knows no cylinder against a box."""
    for side, quat in (("left", (1, 0, 0, 0)), ("right", (0, 0, 0, 1))):
        finger = hand.add_body(name=side, pos=[0, 0, FINGER], quat=quat, gravcomp=1)
        _finger_shapes(finger, f"{side}_pad", mass=0.03)
    hidden: dict[str, Any] = dict(mass=0, group=3, **_FREE)
    if row.item is None or row.item.shape == "box":
        size = [PAD[0], 2 * PAD[1], PAD[2]]
        hand.add_geom(name="tip", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[0, 0, TIP], size=size, **hidden)
        return ["tip"]
    low = TIP + PAD[2] - SPHERE  # the lowest points of pads and spheres agree
    for name, z in (("tip", low), ("upper", low - 1.5 * SPHERE)):
        hand.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_SPHERE, pos=[0, 0, z], size=[SPHERE, 0, 0], **hidden)
    return ["tip", "upper"]


def _finger_shapes(finger: mujoco.MjsBody, pad: str, mass: float) -> None:
    box: dict[str, Any] = dict(type=mujoco.mjtGeom.mjGEOM_BOX, **_FREE)
    finger.add_geom(pos=[0, 0.013, 0.018], size=[0.01, 0.009, 0.018], mass=0, rgba=GREY, **box)
    finger.add_geom(name=pad, pos=[0, PAD[1], TIP - FINGER], size=PAD, mass=mass, rgba=DARK, **box)


def _mocap(spec: mujoco.MjSpec) -> None:
    spec.worldbody.add_body(name="target", mocap=True, pos=HOME, quat=DOWN)
    weld = spec.add_equality(
        type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY, name1="target", name2="hand",
        solref=[0.02, 1], solimp=[0.9, 0.95, 0.001, 0.5, 2],
    )  # fmt: skip
    weld.data[:11] = [0, 0, TIP, 0, 0, 0, 1, 0, 0, 0, 1]  # tip in the hand's frame; at the target's pose; torque scale


def _item(spec: mujoco.MjSpec, item: Item) -> str:
    """The item's body; returns the name of the geom that rests on the table."""
    kind = mujoco.mjtGeom.mjGEOM_BOX if item.shape == "box" else mujoco.mjtGeom.mjGEOM_CYLINDER
    size = item.size if item.shape == "box" else (item.size[0], item.size[2], 0)
    body = spec.worldbody.add_body(name="item", pos=[0.6, 0, item.rest])
    body.add_freejoint(name="item")
    body.add_geom(name="item", type=kind, size=size, mass=item.mass, rgba=(0.86, 0.33, 0.24, 1), **_FREE)
    body.add_site(name="item", group=4)
    for name, sensor in (
        ("item_pos", mujoco.mjtSensor.mjSENS_FRAMEPOS),
        ("item_quat", mujoco.mjtSensor.mjSENS_FRAMEQUAT),
        ("item_vel", mujoco.mjtSensor.mjSENS_FRAMELINVEL),
        ("item_spin", mujoco.mjtSensor.mjSENS_FRAMEANGVEL),
    ):
        spec.add_sensor(name=name, type=sensor, objtype=mujoco.mjtObj.mjOBJ_SITE, objname="item")
    if item.shape == "box":
        return "item"
    # In MJX's single precision a cylinder lying on a plane trembles at 0.25 rad/s, a box at 0.03.
    side = item.size[0] / np.sqrt(2)
    body.add_geom(
        name="sole", type=mujoco.mjtGeom.mjGEOM_BOX, size=[side, side, item.size[2]], mass=0, group=3, **_FREE
    )
    return "sole"


def _pair(spec: mujoco.MjSpec, first: str, second: str, *, condim: int = 3, friction: float = 1.0) -> None:
    spec.add_pair(
        geomname1=first, geomname2=second, condim=condim, friction=[friction, friction, 0.005, 0.0001, 0.0001],
        solref=[0.01, 1], solimp=[0.95, 0.99, 0.001, 0.5, 2],
    )  # fmt: skip


def _slide_evenly(spec: mujoco.MjSpec) -> None:
    """Friction cones: a pyramid brakes along x and y one after the other, which bends the way of what slides far."""
    spec.option.cone, spec.option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 1
    for pair in spec.pairs:
        pair.condim = 3  # MJX takes no other contacts with such cones
        pair.solimp = [0.9, 0.95, 0.001, 0.5, 2]  # any harder, a resting puck trembles in single precision
