"""The room that all manipulation tasks are pictured in: light, sky, floor and camera. Nothing here collides."""

from collections.abc import Sequence

import mujoco
import numpy as np

FLOOR = ([0.9, 0.885, 0.85], [0.87, 0.852, 0.812])  # the two colours of its tiles
SKY = ([0.98, 0.97, 0.95], [0.9, 0.88, 0.84])  # above and at the horizon


def add_scene(
    spec: mujoco.MjSpec, *, eye: Sequence[float], at: Sequence[float], fovy: float, tile: float = 0.25
) -> None:
    """Light and sky instead of what `spec` has, a material "floor" for what the robot stands on, and a camera.

    Args:
        spec: is changed in place.
        eye, at: where the camera is, and a point in the middle of its picture [3], in m.
        fovy: the angle from the picture's top to its bottom, in degrees.
        tile: width of the floor's tiles, in m.
    """
    for item in [*spec.lights, *(x for x in spec.textures if x.type == mujoco.mjtTexture.mjTEXTURE_SKYBOX)]:
        spec.delete(item)
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.45] * 3, [0.25] * 3
    spec.visual.headlight.specular = [0.1] * 3
    spec.visual.quality.shadowsize = 1024  # frames are small, and often drawn without a GPU
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=SKY[0], rgb2=SKY[1], width=64, height=384,
    )  # fmt: skip
    spec.add_texture(
        name="tiles", type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=FLOOR[0], rgb2=FLOOR[1], width=256, height=256,
    )  # fmt: skip
    floor = spec.add_material(name="floor", texuniform=True, texrepeat=[0.5 / tile] * 2, specular=0.1)
    floor.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "tiles"
    light = spec.worldbody.add_light(pos=[*np.add(at, [-0.3, -0.8, 2])], dir=[0.15, 0.35, -1], castshadow=True)
    light.type, light.diffuse, light.specular = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, [0.45] * 3, [0.2] * 3
    back = np.subtract(eye, at)
    right = np.cross([0, 0, 1], back)
    up = np.cross(back, right)
    spec.worldbody.add_camera(name="front", pos=list(eye), fovy=fovy, xyaxes=[*right, *up])
