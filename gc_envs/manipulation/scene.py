"""The surroundings of all manipulation tasks in frames: light, sky, floor and camera. Nothing here collides."""

from collections.abc import Sequence

import mujoco
import numpy as np

FLOOR_COLORS = ([0.9, 0.885, 0.85], [0.87, 0.852, 0.812])  # of its tiles
SKY_COLORS = ([0.98, 0.97, 0.95], [0.9, 0.88, 0.84])  # above and at the horizon


def add_scene(
    spec: mujoco.MjSpec,
    *,
    camera_position: Sequence[float],
    look_at: Sequence[float],
    fovy: float,
    tile_size: float = 0.25,
) -> None:
    """Replace the lights and the sky of `spec`, and add a material "floor" and a camera.

    Args:
        spec: The model's specification, which is changed in place.
        camera_position: The position of the camera [3], in m.
        look_at: The point in the middle of the frame [3], in m.
        fovy: The angle from the frame's top to its bottom, in degrees.
        tile_size: The width of the floor's tiles, in m.
    """
    for item in [*spec.lights, *(x for x in spec.textures if x.type == mujoco.mjtTexture.mjTEXTURE_SKYBOX)]:
        spec.delete(item)
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.45] * 3, [0.25] * 3
    spec.visual.headlight.specular = [0.1] * 3
    spec.visual.quality.shadowsize = 1024  # frames are small, and often rendered without a GPU
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=SKY_COLORS[0], rgb2=SKY_COLORS[1], width=64, height=384,
    )  # fmt: skip
    spec.add_texture(
        name="tiles", type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=FLOOR_COLORS[0], rgb2=FLOOR_COLORS[1], width=256, height=256,
    )  # fmt: skip
    floor = spec.add_material(name="floor", texuniform=True, texrepeat=[0.5 / tile_size] * 2, specular=0.1)
    floor.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "tiles"
    light = spec.worldbody.add_light(pos=[*np.add(look_at, [-0.3, -0.8, 2])], dir=[0.15, 0.35, -1], castshadow=True)
    light.type, light.diffuse, light.specular = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, [0.45] * 3, [0.2] * 3
    back = np.subtract(camera_position, look_at)
    right = np.cross([0, 0, 1], back)
    up = np.cross(back, right)
    spec.worldbody.add_camera(name="front", pos=list(camera_position), fovy=fovy, xyaxes=[*right, *up])
