"""The Shadow Hand as a MuJoCo model: the XML of an installed Gymnasium-Robotics, edited so that both physics engines
take it and neither computes what cannot matter. Units: m, rad, s.

No class of Gymnasium-Robotics is imported, and none of its files is copied. The one thing that the edits change in the
mechanics is the forearm's collision shape, a convex mesh there and a capsule here: it is met only by a block that has
left the palm.
"""

from pathlib import Path

import mujoco
import numpy as np

from gc_envs.manipulation.assets import robotics_assets
from gc_envs.manipulation.hand_visuals import add_visuals

TIPS = tuple(f"robot0:S_{finger}tip" for finger in ("ff", "mf", "rf", "lf", "th"))  # fore, middle, ring, little, thumb
FOREARM = ((0, 0.01, 0.154), (0.067, 0.047, 0))  # a capsule along the mesh: centre, and radius and half length
BLOCK = 0.025  # half the block's edge
SLACK = 0.05  # rad, by which joints may be pushed beyond their limits
MOST_CONTACTS = 24  # of one kind, that MJX keeps; with random actions there are up to 23 of all kinds


def build(file: str, visual: bool = False) -> mujoco.MjModel:
    """The compiled model of "reach.xml" or "manipulate_block.xml"; with `visual`, the same mechanics with the meshes.

    Both have the same coordinates, controls and sensors, so that a state of one is a state of the other.

    Raises:
        ModuleNotFoundError: where Gymnasium-Robotics is not installed.
    """
    spec = mujoco.MjSpec.from_file(str(assets() / file))
    for name in ("floor0", "target"):  # bodies that show goals
        if (body := spec.body(name)) is not None:
            spec.delete(body)
    for item in [*spec.sensors, *(site for site in spec.sites if site.name not in TIPS)]:
        spec.delete(item)
    _collisions(spec)
    _tendons(spec)
    for tip in TIPS:
        site = dict(objtype=mujoco.mjtObj.mjOBJ_SITE, objname=tip)
        spec.add_sensor(name=tip, type=mujoco.mjtSensor.mjSENS_FRAMEPOS, **site)
    spec.option.iterations, spec.option.ls_iterations = 10, 20  # MuJoCo C moves as with the XML's 20 and 50
    spec.add_numeric(name="max_contact_points", data=[MOST_CONTACTS])
    spec.compiler.discardvisual = not visual
    if visual:
        add_visuals(spec)
    return spec.compile()


def assets() -> Path:
    """Where the installed Gymnasium-Robotics keeps the hand's models.

    Raises:
        ModuleNotFoundError: where it is not installed.
    """
    folder = robotics_assets()
    if folder is None:
        raise ModuleNotFoundError(
            'the hand\'s model comes with gymnasium-robotics; install it with: pip install "gc_envs[hand]"'
        )
    return folder / "hand"


def _collisions(spec: mujoco.MjSpec) -> None:
    """Leave out what never touches: the hand and the floor, and boxes of 2 mm in the thumb, but for two fingertips."""
    spec.geom("floor0").conaffinity = 0  # the block, and nothing else, may still fall on it
    for name in ("robot0:V_thbase", "robot0:V_thhub"):
        spec.geom(name).contype = spec.geom(name).conaffinity = 0
    for finger in ("ff", "mf"):
        spec.add_pair(geomname1=f"robot0:C_{finger}distal", geomname2="robot0:V_thhub", condim=4, margin=0.0005)
    forearm = spec.geom("robot0:C_forearm")
    forearm.type, forearm.meshname = mujoco.mjtGeom.mjGEOM_CAPSULE, ""
    forearm.pos, forearm.size = FOREARM


def _tendons(spec: mujoco.MjSpec) -> None:
    """Leave out the tendons whose limits no pose of the hand can reach: all but the coupled finger joints'."""
    for tendon in spec.tendons:
        low = high = 0.0
        for wrap in tendon.path:
            ends = wrap.coef * (np.array(wrap.target.range) + [-SLACK, SLACK])
            low, high = low + ends.min(), high + ends.max()
        if tendon.range[0] < low and high < tendon.range[1]:
            spec.delete(tendon)
