"""How the Shadow Hand looks in pictures. Nothing here collides or weighs anything."""

import mujoco

from gc_envs.manipulation.scene import add_scene

PALM = (1.0, 0.9, 0.16)  # about the middle of what moves, in m


def add_visuals(spec: mujoco.MjSpec) -> None:
    """Light, a floor that is seen, and a camera that looks into the palm from the fingertips' side."""
    x, y, z = PALM
    add_scene(spec, eye=(x + 0.22, y - 0.42, z + 0.36), at=PALM, fovy=32, tile=0.1)
    spec.geom("floor0").material = "floor"
    spec.material("robot0:MatViz").rgba = [0.78, 0.79, 0.82, 1]
    for material in spec.materials:
        material.reflectance = 0
