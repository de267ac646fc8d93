"""The Franka Panda on a table as a MuJoCo model: one builder for all Panda tasks and all physics backends.

The kinematics are the robot's public ones. Collisions are between primitive shapes and only in the pairs listed here.
The hand is moved by a mocap body that is welded to it, so no inverse kinematics is needed. Units: m, kg, rad, N, s.
"""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from gc_envs.manipulation.panda_variants import Item, PandaVariant
from gc_envs.manipulation.panda_visuals import add_visuals

NEUTRAL_JOINTS = (0.0, 0.41, 0.0, -1.85, 0.0, 2.26, 0.79)  # rad, the joints' start, as in panda_mujoco_gym
HOME = (0.64, 0.0, 0.2)  # m, the end-effector there, to within 2 mm; tasks start exactly there
DOWN = (0.0, 1.0, 0.0, 0.0)  # quaternion of the hand pointing at the table, fingers opening along y
TIP_OFFSET = 0.1034  # from the hand's frame to the end-effector, between the pads
FINGER_OFFSET = 0.0584  # from the hand's frame to the fingers'
PAD_SIZE = (0.009, 0.004, 0.0085)  # half sizes of a fingertip pad
FINGER_RANGE = (0.0, 0.04)  # of one finger's position
FINGER_TARGET_RANGE = (-0.01, 0.04)  # of finger targets: those below 0 keep up the pressure on a thin object
TIP_RADIUS = 0.01  # of the spheres that stand for closed fingertips

_QUARTER_TURNS = {-1: (2**-0.5, -(2**-0.5), 0.0, 0.0), 0: (1.0, 0.0, 0.0, 0.0), 1: (2**-0.5, 2**-0.5, 0.0, 0.0)}


@dataclass(frozen=True)
class Link:
    """One link of the arm: its frame, its joint, and a capsule that stands for its mass and shape."""

    pos: tuple[float, float, float]  # m, in the frame of the link before
    turn: int  # its rotation there, in quarter turns about x
    range: tuple[float, float]  # rad, of its joint
    mass: float  # kg
    capsule: tuple[float, float, float, float, float, float]  # m, the ends of the capsule's axis
    radius: float  # m, of the capsule


LINKS = (
    Link((0, 0, 0.333), 0, (-2.8973, 2.8973), 2.7, (0, 0, -0.19, 0, 0, 0), 0.06),
    Link((0, 0, 0), -1, (-1.7628, 1.7628), 2.7, (0, 0, 0, 0, -0.19, 0), 0.06),
    Link((0, -0.316, 0), 1, (-2.8973, 2.8973), 2.0, (0, 0, -0.12, 0.07, 0, 0), 0.055),
    Link((0.0825, 0, 0), 1, (-3.0718, -0.0698), 2.1, (0, 0, 0, -0.0825, 0.11, 0), 0.055),
    Link((-0.0825, 0.384, 0), -1, (-2.8973, 2.8973), 3.0, (0, 0, -0.26, 0, 0.05, 0), 0.05),
    Link((0, 0, 0), 1, (-0.0175, 3.7525), 1.3, (0, 0, 0, 0.08, 0, 0), 0.05),
    Link((0.088, 0, 0), 1, (-2.8973, 2.8973), 0.7, (0, 0, 0, 0, 0, 0.08), 0.045),
)  # fmt: skip

_FREE: dict[str, Any] = dict(contype=0, conaffinity=0)  # a geom that collides in the listed pairs only
WHITE, GRAY, DARK = (0.92, 0.93, 0.94, 1), (0.55, 0.57, 0.6, 1), (0.2, 0.21, 0.23, 1)


def build_model(variant: PandaVariant, visual: bool = False) -> mujoco.MjModel:
    """Return the compiled model of `variant`.

    Args:
        variant: A row of `panda_variants.VARIANTS`.
        visual: Whether to add light, meshes and colors for frames. The mechanics, coordinates, controls, mocap body and
            sensors are the same, so that a state of one model is a state of the other.
    """
    spec = mujoco.MjSpec()
    _set_options(spec, variant.item)
    world = spec.worldbody
    world.add_geom(name="table", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.05], **_FREE)
    hand = _add_arm(spec)
    tips = _add_fingers(spec, hand) if variant.gripper else _add_closed_fingers(hand, variant.item)
    _add_mocap(spec)
    site = dict(objtype=mujoco.mjtObj.mjOBJ_SITE, objname="tip")
    spec.add_sensor(name="tip_pos", type=mujoco.mjtSensor.mjSENS_FRAMEPOS, **site)
    spec.add_sensor(name="tip_vel", type=mujoco.mjtSensor.mjSENS_FRAMELINVEL, **site)
    for tip in tips:
        _add_pair(spec, tip, "table", condim=1, friction=0.1)
    if variant.item is not None:
        base = _add_item(spec, variant.item)
        _add_pair(spec, "table", base, friction=variant.item.friction)
        for tip in tips:
            _add_pair(spec, tip, "item", friction=1.5 if variant.gripper else variant.item.friction)
        if variant.item.shape == "box":
            _add_pair(spec, "hand", "item", friction=variant.item.friction)
        if variant.item.shape == "puck":
            _set_even_friction(spec)
    if visual:
        add_visuals(spec, variant)
    return spec.compile()


def _set_options(spec: mujoco.MjSpec, item: Item | None) -> None:
    """Set the timestep, the integrator, the solver and the friction cones."""
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


def _add_arm(spec: mujoco.MjSpec) -> mujoco.MjsBody:
    """Add the arm's bodies and return the last one, the hand."""
    body = spec.worldbody.add_body(name="link0")
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[-0.06, 0, 0.06, 0, 0, 0.08], size=[0.07, 0, 0],
                  rgba=WHITE, **_FREE)  # fmt: skip
    for number, link in enumerate(LINKS, start=1):
        body = body.add_body(name=f"link{number}", pos=link.pos, quat=_QUARTER_TURNS[link.turn], gravcomp=1)
        body.add_joint(name=f"joint{number}", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 0, 1], range=link.range,
                       limited=True, damping=5, armature=0.1)  # fmt: skip
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=link.capsule, size=[link.radius, 0, 0],
                      mass=link.mass, rgba=WHITE, **_FREE)  # fmt: skip
    hand = body.add_body(name="hand", pos=[0, 0, 0.107], quat=[np.cos(np.pi / 8), 0, 0, -np.sin(np.pi / 8)], gravcomp=1)
    hand.add_geom(name="hand", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[0, 0, 0.03], size=[0.02, 0.1, 0.0284], mass=0.7,
                  rgba=GRAY, **_FREE)  # fmt: skip
    hand.add_site(name="tip", pos=[0, 0, TIP_OFFSET], group=4)
    return hand


def _add_fingers(spec: mujoco.MjSpec, hand: mujoco.MjsBody) -> list[str]:
    """Add two fingers that slide, with a box for each pad; return the pads' names."""
    for side, quat in (("left", (1, 0, 0, 0)), ("right", (0, 0, 0, 1))):
        finger = hand.add_body(name=side, pos=[0, 0, FINGER_OFFSET], quat=quat, gravcomp=1)
        # Stiff ends: between a moving hand and a cube that jams, softer ones let a finger slide out by 15 cm.
        finger.add_joint(name=side, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 1, 0], range=FINGER_RANGE, limited=True,
                         damping=10, armature=0.1, solref_limit=[0.004, 1],
                         solimp_limit=[0.95, 0.99, 0.001, 0.5, 2])  # fmt: skip
        _add_finger_geoms(finger, f"{side}_pad", mass=0.03)
        spec.add_actuator(
            name=side, target=side, trntype=mujoco.mjtTrn.mjTRN_JOINT, gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE, gainprm=[500] + [0] * 9, biasprm=[0, -500, -40] + [0] * 7,
            ctrllimited=True, ctrlrange=FINGER_TARGET_RANGE, forcelimited=True, forcerange=[-40, 40],
        )  # fmt: skip
    return ["left_pad", "right_pad"]


def _add_closed_fingers(hand: mujoco.MjsBody, item: Item | None) -> list[str]:
    """Add fingers that never open; return the names of the geoms of their tip.

    The tip is one box, or spheres if the item is a puck: MJX cannot collide a cylinder with a box.
    """
    for side, quat in (("left", (1, 0, 0, 0)), ("right", (0, 0, 0, 1))):
        finger = hand.add_body(name=side, pos=[0, 0, FINGER_OFFSET], quat=quat, gravcomp=1)
        _add_finger_geoms(finger, f"{side}_pad", mass=0.03)
    hidden: dict[str, Any] = dict(mass=0, group=3, **_FREE)
    if item is None or item.shape == "box":
        size = [PAD_SIZE[0], 2 * PAD_SIZE[1], PAD_SIZE[2]]
        hand.add_geom(name="tip", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[0, 0, TIP_OFFSET], size=size, **hidden)
        return ["tip"]
    low = TIP_OFFSET + PAD_SIZE[2] - TIP_RADIUS  # the lowest points of pads and spheres agree
    for name, z in (("tip", low), ("upper", low - 1.5 * TIP_RADIUS)):
        hand.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_SPHERE, pos=[0, 0, z], size=[TIP_RADIUS, 0, 0], **hidden)
    return ["tip", "upper"]


def _add_finger_geoms(finger: mujoco.MjsBody, pad: str, mass: float) -> None:
    """Add the shapes of one finger, of which the box `pad` touches items."""
    box: dict[str, Any] = dict(type=mujoco.mjtGeom.mjGEOM_BOX, **_FREE)
    finger.add_geom(pos=[0, 0.013, 0.018], size=[0.01, 0.009, 0.018], mass=0, rgba=GRAY, **box)
    pos = [0, PAD_SIZE[1], TIP_OFFSET - FINGER_OFFSET]
    finger.add_geom(name=pad, pos=pos, size=PAD_SIZE, mass=mass, rgba=DARK, **box)


def _add_mocap(spec: mujoco.MjSpec) -> None:
    """Add the mocap body "target" and weld the hand to it."""
    spec.worldbody.add_body(name="target", mocap=True, pos=HOME, quat=DOWN)
    weld = spec.add_equality(
        type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY, name1="target", name2="hand",
        solref=[0.02, 1], solimp=[0.9, 0.95, 0.001, 0.5, 2],
    )  # fmt: skip
    # The tip in the hand's frame, at the target's pose, and the scale of torques.
    weld.data[:11] = [0, 0, TIP_OFFSET, 0, 0, 0, 1, 0, 0, 0, 1]


def _add_item(spec: mujoco.MjSpec, item: Item) -> str:
    """Add the item's body; return the name of the geom that rests on the table."""
    kind = mujoco.mjtGeom.mjGEOM_BOX if item.shape == "box" else mujoco.mjtGeom.mjGEOM_CYLINDER
    size = item.size if item.shape == "box" else (item.size[0], item.size[2], 0)
    body = spec.worldbody.add_body(name="item", pos=[0.6, 0, item.rest_height])
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


def _add_pair(spec: mujoco.MjSpec, first: str, second: str, *, condim: int = 3, friction: float = 1.0) -> None:
    """Let the geoms `first` and `second` collide."""
    spec.add_pair(
        geomname1=first, geomname2=second, condim=condim, friction=[friction, friction, 0.005, 0.0001, 0.0001],
        solref=[0.01, 1], solimp=[0.95, 0.99, 0.001, 0.5, 2],
    )  # fmt: skip


def _set_even_friction(spec: mujoco.MjSpec) -> None:
    """Use elliptic friction cones: a pyramid brakes x and y one after the other, which bends the path of a puck."""
    spec.option.cone, spec.option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 1
    for pair in spec.pairs:
        pair.condim = 3  # MJX takes no other contacts with such cones
        pair.solimp = [0.9, 0.95, 0.001, 0.5, 2]  # any harder, a resting puck trembles in single precision
