"""Frames of the manipulation tasks, 480 pixels wide, rendered by MuJoCo without a window."""

import atexit
import copy
import importlib
import os
import sys
import threading
import warnings
import weakref
from typing import Any, Protocol

import mujoco
import numpy as np

from gc_envs.core.caption import add_caption
from gc_envs.core.goals import BoxGoals
from gc_envs.manipulation.markers import Marker, sphere
from gc_envs.manipulation.opengl import opengl_error
from gc_envs.manipulation.sim_state import SimState

Color = tuple[float, float, float, float]  # red, green, blue and opacity, 0 .. 1

FRAME_SIZE = 480  # pixels, to each side
GOAL_COLOR: Color = (0.94, 0.6, 0.15, 0.45)
ACHIEVED_COLOR: Color = (0.23, 0.67, 0.42, 0.55)
ANCHOR_COLOR: Color = (0.25, 0.3, 0.4, 0.3)
ANCHOR_RADIUS = 0.0027  # as a part of the model's extent
MAX_GEOMS = 500  # that a frame may show besides the anchor goals
OFF = ("disable", "disabled", "off", "false", "0")  # MuJoCo's own words for it


class RenderedTask(Protocol):
    """What rendering needs of a task; `physics.PhysicsTask` documents the members and offers all of them."""

    goals: BoxGoals

    def achieved(self, state: SimState) -> np.ndarray: ...
    def markers(self, desired: np.ndarray, achieved: np.ndarray) -> tuple[Marker, ...]: ...
    def caption(self, desired: np.ndarray, achieved: np.ndarray) -> str: ...
    def visual_model(self) -> mujoco.MjModel: ...


def render_frame(task: RenderedTask, state: SimState, desired_goal: Any = None) -> np.ndarray:
    """Return a frame of one state, uint8 [H, W, 3].

    Args:
        task: The task.
        state: Its state, of NumPy or JAX arrays without batch axes.
        desired_goal: The goal [d], or None. It is shown by the task's `markers`, in another color once it is achieved,
            and by its `caption` below the frame. Anchor goals are shown as small dots.

    Raises:
        OSError: If OpenGL cannot be started; the message says what to install.
    """
    state = SimState(*(np.asarray(leaf) for leaf in state))
    renderer = _get_renderer(task)
    if desired_goal is None:
        return renderer.render(state, [])
    desired, achieved = np.asarray(desired_goal, np.float32), task.achieved(state)
    success = bool(task.goals.success(achieved, desired))
    color = ACHIEVED_COLOR if success else GOAL_COLOR
    shown = [(marker, color) for marker in task.markers(desired, achieved)]
    shown += [(marker, ANCHOR_COLOR) for marker in renderer.anchor_markers]
    return add_caption(renderer.render(state, shown), task.caption(desired, achieved), success)


def make_anchor_markers(task: RenderedTask, radius: float) -> list[Marker]:
    """Return spheres at the positions of the anchor goals' markers, one for those that coincide."""
    markers = (marker for anchor in task.goals.anchors for marker in task.markers(anchor, anchor))
    positions = dict.fromkeys(tuple(marker.position) for marker in markers if marker.shape != "capsule")
    return [sphere(np.array(position), radius) for position in positions]


class Renderer:
    """All that MuJoCo needs to render one task, in the thread that created it."""

    def __init__(self, task: RenderedTask) -> None:
        self.context: Any = None
        self.model = copy.copy(task.visual_model())  # a copy, because its frame buffer gets another size
        self.model.vis.global_.offwidth = self.model.vis.global_.offheight = FRAME_SIZE
        context = open_context(FRAME_SIZE)
        context.make_current()
        self.gl = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        self.context = context
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.gl)
        self.data = mujoco.MjData(self.model)
        self.anchor_markers = make_anchor_markers(task, ANCHOR_RADIUS * self.model.stat.extent)
        self.scene = mujoco.MjvScene(self.model, MAX_GEOMS + len(self.anchor_markers))
        self.option = mujoco.MjvOption()
        self.camera = mujoco.MjvCamera()
        if self.model.ncam:
            self.camera.type, self.camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
        else:
            mujoco.mjv_defaultFreeCamera(self.model, self.camera)

    def render(self, state: SimState, markers: list[tuple[Marker, Color]]) -> np.ndarray:
        """Return a frame of the model in `state` with `markers` in their colors, uint8 [FRAME_SIZE, FRAME_SIZE, 3]."""
        data = self.data
        data.qpos[:] = state.qpos
        data.mocap_pos[:], data.mocap_quat[:] = state.mocap_pos, state.mocap_quat
        mujoco.mj_kinematics(self.model, data)
        mujoco.mj_camlight(self.model, data)
        all_categories = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self.model, data, self.option, None, self.camera, all_categories, self.scene)
        for marker, color in markers:
            self._add_marker(marker, color)
        self.context.make_current()
        frame, viewport = np.empty((FRAME_SIZE, FRAME_SIZE, 3), np.uint8), mujoco.MjrRect(0, 0, FRAME_SIZE, FRAME_SIZE)
        mujoco.mjr_render(viewport, self.scene, self.gl)
        mujoco.mjr_readPixels(frame, None, viewport, self.gl)
        return frame[::-1].copy()  # OpenGL counts rows from below

    def _add_marker(self, marker: Marker, color: Color) -> None:
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, np.asarray(marker.quat, np.float64))
        geom = self.scene.geoms[self.scene.ngeom]
        kind = getattr(mujoco.mjtGeom, f"mjGEOM_{marker.shape.upper()}")
        size, position = np.array(marker.size, np.float64), np.asarray(marker.position, np.float64)
        if marker.material:
            color = (1, 1, 1, color[3])
        mujoco.mjv_initGeom(geom, kind, size, position, matrix, np.array(color, np.float32))
        if marker.material:
            geom.matid = self.model.material(marker.material).id
        geom.category = mujoco.mjtCatBit.mjCAT_DECOR  # which casts no shadow
        self.scene.ngeom += 1

    def close(self) -> None:
        """Free the driver's resources. Further calls do nothing."""
        if self.context is not None:
            self.context.make_current()
            self.gl.free()
            self.context.free()
            self.context = None

    def __del__(self) -> None:
        self.close()


def open_context(size: int) -> Any:
    """Return an OpenGL context for frames of `size` x `size` pixels: EGL, else OSMesa, or what MUJOCO_GL asks for.

    Each is asked for by name, because mujoco chooses what `mujoco.GLContext` is when it is imported.

    A window of pygame that is opened later, such as that of Gymnasium's `HumanRendering`, is drawn without OpenGL: SDL
    would take the thread's context away, and MuJoCo could no longer render.

    Raises:
        OSError: If there is none; the message says what to install.
    """
    os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
    wanted = os.environ.get("MUJOCO_GL", "").lower()
    if wanted in OFF:
        raise OSError(f"MUJOCO_GL={wanted} turns rendering off; unset it, or set it to egl or osmesa")
    offscreen = sys.platform.startswith("linux") and wanted in ("", "egl", "osmesa")
    errors = []
    for name in ["egl", "osmesa"] if offscreen and not wanted else [wanted or "OpenGL"]:
        platform = os.environ.get("PYOPENGL_PLATFORM")
        try:
            return importlib.import_module(f"mujoco.{name}").GLContext(size, size) if offscreen else _own_context(size)
        except Exception as error:  # of many kinds: libraries, drivers and devices may be missing
            errors.append(f"{name}: {error}")
            _forget_opengl(platform)
    raise opengl_error("; ".join(errors))


def _own_context(size: int) -> Any:
    """Return a context of the kind that mujoco chose when it was imported; GLFW warns where there is no display."""
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        context = mujoco.GLContext(size, size)
    if complaints:
        raise OSError(str(complaints[0].message))
    return context


def _forget_opengl(platform: str | None) -> None:
    """Let PyOpenGL be imported anew for another platform, as it serves only one per import."""
    for module in [name for name in sys.modules if name.split(".")[0] == "OpenGL" or name.startswith("mujoco.egl")]:
        del sys.modules[module]
    if platform is None:
        os.environ.pop("PYOPENGL_PLATFORM", None)


class _ThreadRenderers(threading.local):
    """The renderers of a thread by task.

    OpenGL contexts belong to one thread. A task that is copied or sent to another process has no renderer there.
    """

    def __init__(self) -> None:
        self.by_task: weakref.WeakKeyDictionary[Any, Renderer] = weakref.WeakKeyDictionary()


_renderers = _ThreadRenderers()
_open: weakref.WeakSet[Renderer] = weakref.WeakSet()
_inherited: list[Renderer] = []  # from the process that this one was forked from; closing one would hang


def _get_renderer(task: RenderedTask) -> Renderer:
    """Return this thread's renderer of `task`, created at the first call."""
    if _inherited:
        raise OSError("OpenGL does not survive a fork: do not render before it, or start processes by 'spawn'")
    if task not in _renderers.by_task:
        _renderers.by_task[task] = renderer = Renderer(task)
        _open.add(renderer)
        atexit.unregister(_close_all)  # the function registered last is called first: before MuJoCo's own
        atexit.register(_close_all)
    return _renderers.by_task[task]


def _close_all() -> None:
    for renderer in list(_open):
        renderer.close()


def _leave_to_parent() -> None:
    """Keep a forked process from closing the renderers of its parent."""
    _inherited.extend(_open)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
