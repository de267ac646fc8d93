"""The appearance of the Shadow Hand in frames. Nothing here collides or has mass."""

import mujoco

from gc_envs.manipulation.scene import add_scene

CENTER = (1.0, 0.9, 0.16)  # m, about the middle of what moves


def add_visuals(spec: mujoco.MjSpec) -> None:
    """Add light, a visible floor and a camera that looks into the palm from the fingertips' side."""
    x, y, z = CENTER
    add_scene(spec, camera_position=(x + 0.22, y - 0.42, z + 0.36), look_at=CENTER, fovy=32, tile_size=0.1)
    spec.geom("floor0").material = "floor"
    spec.material("robot0:MatViz").rgba = [0.78, 0.79, 0.82, 1]
    for material in spec.materials:
        material.reflectance = 0
