"""What to say where OpenGL cannot be started, and an import of MuJoCo that says it. Imports MuJoCo only when asked."""

import importlib
import os

NEEDS = {  # by what MUJOCO_GL can be set to for frames, on Linux
    "egl": "apt-get install libegl1 libgl1",
    "osmesa": "apt-get install libosmesa6",
    "glfw": "a display",
}
NO_OPENGL = (
    "frames of manipulation tasks are rendered with OpenGL, which could not be started; on Debian and Ubuntu install "
    f"it with: {NEEDS['egl']}, or: {NEEDS['osmesa']}"
)


def opengl_error(reason: str) -> OSError:
    """Return the error that says what to install, or what to set MUJOCO_GL to; `reason` says what failed."""
    wanted = os.environ.get("MUJOCO_GL")
    if not wanted:
        return OSError(f"{NO_OPENGL} ({reason})")
    choices = ", ".join(f"{name} (needs: {needs})" for name, needs in NEEDS.items())
    return OSError(f"MUJOCO_GL={wanted} cannot be used here ({reason}); unset it, or set it to one of: {choices}")


def import_mujoco() -> None:
    """Import MuJoCo, which loads the OpenGL library that MUJOCO_GL names while it is imported.

    Raises:
        OSError: If that library cannot be loaded; the message says what to install.
    """
    try:
        importlib.import_module("mujoco")
    except ModuleNotFoundError:
        raise
    except Exception as error:  # of many kinds: PyOpenGL raises AttributeError where a library is missing
        if not os.environ.get("MUJOCO_GL"):
            raise
        raise opengl_error(f"it cannot be loaded: {error}") from None
