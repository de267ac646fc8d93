"""The Shadow Hand as a MuJoCo model. Units: m, rad, s.

It is the XML of an installed Gymnasium-Robotics, edited so that all physics backends accept it and none computes what
cannot matter. No class of Gymnasium-Robotics is imported, and none of its files is copied. The edits change one thing
in the mechanics, the forearm's collision shape, which is a convex mesh there and a capsule here: only a block that has
left the palm can touch it.
"""

from pathlib import Path

import mujoco
import numpy as np

from gc_envs.manipulation.assets import robotics_assets
from gc_envs.manipulation.hand_visuals import add_visuals

TIPS = tuple(f"robot0:S_{finger}tip" for finger in ("ff", "mf", "rf", "lf", "th"))  # fore, middle, ring, little, thumb
FOREARM_CAPSULE = ((0, 0.01, 0.154), (0.067, 0.047, 0))  # along the mesh: centre; radius and half length
BLOCK_HALF_SIZE = 0.025  # half the block's edge
JOINT_MARGIN = 0.05  # rad, by which joints may be pushed beyond their limits
MAX_CONTACTS = 24  # of one kind, that MJX keeps; with random actions there are up to 23 of all kinds


def build_model(file: str, visual: bool = False) -> mujoco.MjModel:
    """Return the compiled model of one of Gymnasium-Robotics' files.

    Args:
        file: "reach.xml" or "manipulate_block.xml".
        visual: Whether to keep the meshes and add light for frames. The mechanics, coordinates, controls and sensors
            are the same, so that a state of one model is a state of the other.

    Raises:
        ModuleNotFoundError: If Gymnasium-Robotics is not installed.
    """
    spec = mujoco.MjSpec.from_file(str(assets() / file))
    for name in ("floor0", "target"):  # bodies that show goals
        if (body := spec.body(name)) is not None:
            spec.delete(body)
    for item in [*spec.sensors, *(site for site in spec.sites if site.name not in TIPS)]:
        spec.delete(item)
    _remove_collisions(spec)
    _remove_tendons(spec)
    for tip in TIPS:
        site = dict(objtype=mujoco.mjtObj.mjOBJ_SITE, objname=tip)
        spec.add_sensor(name=tip, type=mujoco.mjtSensor.mjSENS_FRAMEPOS, **site)
    spec.option.iterations, spec.option.ls_iterations = 10, 20  # MuJoCo C moves as with the XML's 20 and 50
    spec.add_numeric(name="max_contact_points", data=[MAX_CONTACTS])
    spec.compiler.discardvisual = not visual
    if visual:
        add_visuals(spec)
    return spec.compile()


def assets() -> Path:
    """Return the folder of the hand's models in the installed Gymnasium-Robotics.

    Raises:
        ModuleNotFoundError: If it is not installed.
    """
    folder = robotics_assets()
    if folder is None:
        raise ModuleNotFoundError(
            'the hand\'s model comes with gymnasium-robotics; install it with: pip install "gc_envs[hand]"'
        )
    return folder / "hand"


def _remove_collisions(spec: mujoco.MjSpec) -> None:
    """Remove collisions that never happen.

    These are those of the hand with the floor, and those of boxes of 2 mm in the thumb, except with two fingertips.
    """
    spec.geom("floor0").conaffinity = 0  # the block, and nothing else, may still fall on it
    for name in ("robot0:V_thbase", "robot0:V_thhub"):
        spec.geom(name).contype = spec.geom(name).conaffinity = 0
    for finger in ("ff", "mf"):
        spec.add_pair(geomname1=f"robot0:C_{finger}distal", geomname2="robot0:V_thhub", condim=4, margin=0.0005)
    forearm = spec.geom("robot0:C_forearm")
    forearm.type, forearm.meshname = mujoco.mjtGeom.mjGEOM_CAPSULE, ""
    forearm.pos, forearm.size = FOREARM_CAPSULE


def _remove_tendons(spec: mujoco.MjSpec) -> None:
    """Remove the tendons whose limits no pose of the hand can reach: all but those of the coupled finger joints."""
    for tendon in spec.tendons:
        low = high = 0.0
        for wrap in tendon.path:
            ends = wrap.coef * (np.array(wrap.target.range) + [-JOINT_MARGIN, JOINT_MARGIN])
            low, high = low + ends.min(), high + ends.max()
        if tendon.range[0] < low and high < tendon.range[1]:
            spec.delete(tendon)
