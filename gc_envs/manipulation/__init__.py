"""Robot arm and robot hand in MuJoCo."""

import importlib.util

from gc_envs.manipulation.opengl import import_mujoco

if importlib.util.find_spec("mujoco") is not None:
    import_mujoco()  # before the modules here do, so that a missing OpenGL library is one line
