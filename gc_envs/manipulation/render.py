"""Frames of the manipulation tasks, 480 pixels wide, drawn by MuJoCo without a window."""

import atexit
import copy
import importlib
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from gc_envs.core.caption import add_caption
from gc_envs.manipulation.markers import Marker, ball

if TYPE_CHECKING:
    from gc_envs.manipulation.physics import PhysicsTask, SimState

SIDE = 480
GOAL, REACHED = (0.94, 0.6, 0.15, 0.45), (0.23, 0.67, 0.42, 0.55)
ANCHOR, ANCHOR_RADIUS = (0.25, 0.3, 0.4, 0.3), 0.0027  # the radius as a part of the model's extent
GEOMS = 500  # that a frame may show besides the anchor goals
OFF = ("disable", "disabled", "off", "false", "0")  # MuJoCo's own words for it
NO_GL = (
    "frames of manipulation tasks are drawn with OpenGL, which could not be started; on Debian and Ubuntu install "
    "it with: apt-get install libegl1 libgl1, or: apt-get install libosmesa6"
)


def draw(task: "PhysicsTask", state: "SimState", desired_goal: Any = None) -> np.ndarray:
    """One frame of one state, of NumPy or JAX arrays: uint8 [H, W, 3].

    The commanded goal `desired_goal` [d] is drawn as its task says (`markers`), in another colour once it is reached,
    and named in a caption; the anchor goals are small dots.

    Raises:
        OSError: where OpenGL cannot be started, with what to install.
    """
    state = type(state)(*(np.asarray(leaf) for leaf in state))
    studio = _studio(task)
    if desired_goal is None:
        return studio.picture(state, [])
    goals, desired = task.goals, np.asarray(desired_goal, np.float32)
    achieved = task.achieved(state)
    reached = bool(goals.success(achieved, desired))
    shown = [(marker, REACHED if reached else GOAL) for marker in task.markers(desired, achieved)]
    shown += [(dot, ANCHOR) for dot in studio.dots]
    return add_caption(studio.picture(state, shown), task.caption(desired, achieved), reached)


def anchor_dots(task: "PhysicsTask", radius: float) -> list[Marker]:
    """Balls where the anchor goals' markers are; one for those in the same place."""
    markers = (marker for anchor in task.goals.anchors for marker in task.markers(anchor, anchor))
    places = dict.fromkeys(tuple(marker.place) for marker in markers if marker.shape != "capsule")
    return [ball(np.array(place), radius) for place in places]


class Renderer:
    """All that MuJoCo needs to draw one task, in the thread that made it."""

    def __init__(self, task: "PhysicsTask") -> None:
        self.context: Any = None
        self.model = copy.copy(task.visual_model())  # whose frame buffer is made to measure
        self.model.vis.global_.offwidth = self.model.vis.global_.offheight = SIDE
        context = open_context(SIDE)
        context.make_current()
        self.gl = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        self.context = context
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.gl)
        self.data = mujoco.MjData(self.model)
        self.dots = anchor_dots(task, ANCHOR_RADIUS * self.model.stat.extent)
        self.scene = mujoco.MjvScene(self.model, GEOMS + len(self.dots))
        self.option = mujoco.MjvOption()
        self.camera = mujoco.MjvCamera()
        if self.model.ncam:
            self.camera.type, self.camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
        else:
            mujoco.mjv_defaultFreeCamera(self.model, self.camera)

    def picture(self, state: "SimState", markers: list[tuple[Marker, tuple[float, float, float, float]]]) -> np.ndarray:
        """The model in `state` with `markers`, each with its colour: uint8 [SIDE, SIDE, 3]."""
        data = self.data
        data.qpos[:] = state.qpos
        data.mocap_pos[:], data.mocap_quat[:] = state.mocap_pos, state.mocap_quat
        mujoco.mj_kinematics(self.model, data)
        mujoco.mj_camlight(self.model, data)
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self.model, data, self.option, None, self.camera, everything, self.scene)
        for marker, colour in markers:
            self._add(marker, colour)
        self.context.make_current()
        frame, whole = np.empty((SIDE, SIDE, 3), np.uint8), mujoco.MjrRect(0, 0, SIDE, SIDE)
        mujoco.mjr_render(whole, self.scene, self.gl)
        mujoco.mjr_readPixels(frame, None, whole, self.gl)
        return frame[::-1].copy()  # OpenGL counts rows from below

    def _add(self, marker: Marker, colour: tuple[float, float, float, float]) -> None:
        turn = np.empty(9)
        mujoco.mju_quat2Mat(turn, np.asarray(marker.quat, np.float64))
        geom = self.scene.geoms[self.scene.ngeom]
        kind = getattr(mujoco.mjtGeom, f"mjGEOM_{marker.shape.upper()}")
        place = np.asarray(marker.place, np.float64)
        if marker.material:
            colour = (1, 1, 1, colour[3])
        mujoco.mjv_initGeom(geom, kind, np.array(marker.size, np.float64), place, turn, np.array(colour, np.float32))
        if marker.material:
            geom.matid = self.model.material(marker.material).id
        geom.category = mujoco.mjtCatBit.mjCAT_DECOR  # which casts no shadow
        self.scene.ngeom += 1

    def close(self) -> None:
        """Give back what the driver holds; harmless when called again."""
        if self.context is not None:
            self.context.make_current()
            self.gl.free()
            self.context.free()
            self.context = None

    def __del__(self) -> None:
        self.close()


def open_context(side: int) -> Any:
    """An OpenGL context for frames `side` pixels wide: EGL, else OSMesa, or what MUJOCO_GL asks for.

    Each is asked for by name, because what `mujoco.GLContext` stands for was settled when mujoco was imported.

    Raises:
        OSError: where there is none, with what to install.
    """
    wanted = os.environ.get("MUJOCO_GL", "").lower()
    if wanted in OFF:
        raise OSError(f"MUJOCO_GL={wanted} turns drawing off; unset it, or set it to egl or osmesa")
    if not sys.platform.startswith("linux") or wanted not in ("", "egl", "osmesa"):
        return mujoco.GLContext(side, side)
    errors = []
    for name in [wanted] if wanted else ["egl", "osmesa"]:
        platform = os.environ.get("PYOPENGL_PLATFORM")
        try:
            return importlib.import_module(f"mujoco.{name}").GLContext(side, side)
        except Exception as error:  # of many kinds: libraries, drivers and devices may be missing
            errors.append(f"{name}: {error}")
            _forget_opengl(platform)
    raise OSError(f"{NO_GL} ({'; '.join(errors)})")


def _forget_opengl(platform: str | None) -> None:
    """Let PyOpenGL, which serves one platform in its life, be imported anew for another."""
    for module in [name for name in sys.modules if name.split(".")[0] == "OpenGL" or name.startswith("mujoco.egl")]:
        del sys.modules[module]
    if platform is None:
        os.environ.pop("PYOPENGL_PLATFORM", None)


class _Studios(threading.local):
    """A thread's studios. OpenGL contexts belong to one thread, and a task that is copied or sent away has none."""

    def __init__(self) -> None:
        self.of: weakref.WeakKeyDictionary[Any, Renderer] = weakref.WeakKeyDictionary()


_studios = _Studios()
_open: weakref.WeakSet[Renderer] = weakref.WeakSet()
_inherited: list[Renderer] = []  # from the process that this one was forked from; never closed, for that would hang


def _studio(task: "PhysicsTask") -> Renderer:
    if _inherited:
        raise OSError("OpenGL does not survive a fork: draw before it in no process, or start processes by 'spawn'")
    if task not in _studios.of:
        _studios.of[task] = studio = Renderer(task)
        _open.add(studio)
        atexit.unregister(_close_all)  # to be the last one registered and so the first one called: before MuJoCo's own
        atexit.register(_close_all)
    return _studios.of[task]


def _close_all() -> None:
    for studio in list(_open):
        studio.close()


def _leave_to_parent() -> None:
    _inherited.extend(_open)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
