"""Frames of the manipulation tasks: goals are rendered where they lie, in another color once achieved."""

import copy
import ctypes.util
import gc
import importlib.util
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading

import gymnasium
import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from gc_envs.core.goal_subset import restrict  # noqa: E402
from gc_envs.core.goals import BoxGoals  # noqa: E402
from gc_envs.manipulation import render  # noqa: E402
from gc_envs.manipulation.markers import Marker, box_edges, line  # noqa: E402
from gc_envs.manipulation.physics import PhysicsTask  # noqa: E402
from gc_envs.manipulation.sim_state import SimState  # noqa: E402
from gc_envs.registration import get_row, make_task  # noqa: E402

HEIGHT, FOVY = 2.0, 60.0  # of a camera that looks straight down
LIMITS = np.array([0.9, 0.9, 0.1])  # of goals
REACH = HEIGHT * np.tan(np.radians(FOVY / 2))  # what it sees of the floor, to each side


def distance(achieved, desired):
    return ((achieved - desired) ** 2).sum(-1) ** 0.5


class BallTask(PhysicsTask):
    """A small blue ball over a white floor that has to get somewhere."""

    def __init__(self, num_anchor_goals=2):
        spec = mujoco.MjSpec()
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], rgba=[1, 1, 1, 1])
        spec.worldbody.add_camera(pos=[0, 0, HEIGHT], fovy=FOVY)
        spec.stat.extent = 2 * HEIGHT
        spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.8] * 3, [0.1] * 3
        body = spec.worldbody.add_body()
        body.add_freejoint()
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.04] * 3, rgba=[0.1, 0.2, 0.9, 1])
        super().__init__(spec.compile(), backend="c")
        self.goals = BoxGoals(-LIMITS, LIMITS, threshold=0.1, distance=distance, num_anchor_goals=num_anchor_goals)
        self.action_space = self.observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)

    def initial_state(self, uniform): ...

    def set_controls(self, state, action): ...

    def raw_observation(self, state): ...

    def raw_achieved_goal(self, state):
        return state.qpos[..., :3]


def state_at(x, y, z=0.04):
    nothing = np.zeros(0)
    return SimState(np.array([x, y, z, 1, 0, 0, 0]), np.zeros(6), nothing, np.zeros((0, 3)), np.zeros((0, 4)), nothing,
                    nothing)  # fmt: skip


def pixel(x, y, z=0.0):
    """Row and column where a point is seen."""
    return 240 * (1 - np.array([y, -x]) * HEIGHT / (HEIGHT - z) / REACH)


def changed(frame, bare, least=60):
    """Where `frame`, without its caption, differs from `bare`, and the mean colour there."""
    different = np.abs(frame[: len(bare)].astype(int) - bare).max(-1) >= least
    return np.argwhere(different), frame[: len(bare)][different].mean(0)


@pytest.fixture(scope="module")
def opengl():
    try:
        render.open_context(8).free()
    except OSError as error:
        pytest.skip(f"no OpenGL here: {error}")


@pytest.fixture(scope="module")
def task(opengl):
    return BallTask()


@pytest.fixture
def bare(task):
    return task.render(state_at(0, 0))


def test_a_frame_is_an_image_and_the_same_every_time(task, bare):
    assert (bare.shape, bare.dtype) == ((480, 480, 3), np.uint8)
    goal = np.float32([0.5, 0.5, 0])
    frames = [task.render(state_at(0, 0), goal) for _ in range(2)]
    assert (frames[0].shape, frames[0].dtype) == ((510, 480, 3), np.uint8)
    np.testing.assert_array_equal(*frames)
    assert [frame.flags.writeable for frame in (bare, *frames)] == 3 * [True]


@pytest.mark.parametrize("place", [(0.5, 0.25), (-0.75, 0.5), (0.3, -0.8)])
def test_a_goal_is_seen_where_it_lies(task, bare, place):
    frame = task.render(state_at(0, 0), np.float32([*place, 0]))
    where, (red, green, blue) = changed(frame, bare)
    np.testing.assert_allclose(where.mean(0), pixel(*place), atol=3)
    assert len(where) == pytest.approx(np.pi * (240 * 0.1 / REACH) ** 2, rel=0.15)
    assert red > green > blue + 30


def test_a_reached_goal_is_green(task):
    near, far = state_at(0.5, 0.45), state_at(0.5, 0.1)
    goal = np.float32([0.5, 0.5, 0])
    for state, is_reached in ((near, True), (far, False)):
        frame = task.render(state, goal)
        _, (red, green, _) = changed(frame, task.render(state))
        assert (green > red + 30) == is_reached
        assert (frame[480:, :, 1] > frame[480:, :, 0].astype(int) + 60).any() == is_reached


def test_the_model_is_where_the_state_says(task, bare):
    where, _ = changed(task.render(state_at(0.6, -0.4)), bare)
    old, new = pixel(0, 0, 0.04), pixel(0.6, -0.4, 0.04)
    for centre in (old, new):
        assert np.abs(where - centre).sum(1).min() <= 2
    assert np.minimum(np.abs(where - old).max(1), np.abs(where - new).max(1)).max() < 14


def test_anchor_goals_are_faint_dots(task, bare):
    with_dots = task.render(state_at(0, 0), np.float32([-0.8, -0.8, 0]))[:480].astype(int)
    above = [anchor for anchor in task.goals.anchors if anchor[2] > 0]
    assert above
    for anchor in above:
        row, column = np.rint(pixel(*anchor)).astype(int)
        assert 20 < np.abs(with_dots[row, column] - bare[row, column]).max() < 120


def test_any_number_of_anchor_goals_is_drawn(task, bare):
    many = BallTask(num_anchor_goals=3000).render(state_at(0, 0), np.float32([-0.8, -0.8, 0]))
    assert len(changed(many, bare, 20)[0]) > 3000


def test_only_the_goals_of_a_restricted_task_are_drawn(bare):
    task = BallTask(num_anchor_goals=8)
    kept, gone = [anchor for anchor in task.goals.anchors if anchor[2] > 0][:2]
    few = restrict(task, [kept]).render(state_at(0, 0), np.float32([-0.8, -0.8, 0]))[:480].astype(int)
    differs = [np.abs(few - bare)[tuple(np.rint(pixel(*place)).astype(int))].max() for place in (kept, gone)]
    assert differs[0] > 20
    assert differs[1] == 0


def test_mjx_states_are_drawn_by_the_same_code(task):
    jnp = pytest.importorskip("jax.numpy")
    state, goal = state_at(0.25, 0.5), np.float32([0.5, 0.5, 0])
    on_device = SimState(*(jnp.asarray(leaf, jnp.float32) for leaf in state))
    np.testing.assert_array_equal(task.render(on_device, jnp.asarray(goal)), task.render(state, goal))


def test_every_thread_draws_the_same(task, bare):
    frames = []
    threads = [threading.Thread(target=lambda: frames.append(task.render(state_at(0, 0)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(frames) == 3
    for frame in frames:
        np.testing.assert_array_equal(frame, bare)


def test_copies_draw_for_themselves_and_leave_nothing_behind(task, bare):
    before = len(render._open)
    copies = [copy.deepcopy(task), pickle.loads(pickle.dumps(task))]
    for one in copies:
        np.testing.assert_array_equal(one.render(state_at(0, 0)), bare)
    assert len(render._open) == before + 2
    del copies, one
    gc.collect()
    assert len(render._open) == before


SCRIPT = """
import os, sys
from gc_envs.registration import make_task
import numpy as np
task = make_task("GC-PandaPush-v0", backend="c")
simulator = task.make_simulator(1)
simulator.reset(np.array([0]), [np.random.default_rng(0)])
assert simulator.render(0, task.goals.anchors[0]).shape == (510, 480, 3)
assert "jax" not in sys.modules
child = os.fork()
if child == 0:
    try:
        simulator.render(0, task.goals.anchors[0])
    except OSError as error:
        os._exit(0 if "spawn" in str(error) else 1)
    os._exit(2)
assert os.waitpid(child, 0)[1] == 0
print("done")
"""


@pytest.mark.parametrize("name", ["egl", "osmesa"])
def test_a_process_that_has_drawn_ends_quietly_and_its_forks_are_refused(name):
    wanted = {key: value for key, value in os.environ.items() if key != "PYOPENGL_PLATFORM"} | {"MUJOCO_GL": name}
    able = "from gc_envs.manipulation import render; render.open_context(8)"
    if subprocess.run([sys.executable, "-c", able], env=wanted, capture_output=True).returncode:
        pytest.skip(f"no {name} here")
    process = subprocess.run([sys.executable, "-c", SCRIPT], env=wanted, capture_output=True, text=True, timeout=120)
    assert (process.stdout, process.stderr, process.returncode) == ("done\n", "", 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="EGL and OSMesa are for Linux")
def test_without_opengl_it_says_what_to_install(monkeypatch):
    asked = []

    def missing(name):
        asked.append(name)
        raise ImportError(f"no {name}")

    monkeypatch.setattr(render.importlib, "import_module", missing)
    monkeypatch.setattr(render, "_forget_opengl", lambda platform: None)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    with pytest.raises(OSError, match=r"apt-get install libegl1 .*\(egl: no mujoco.egl; osmesa: no mujoco.osmesa\)"):
        render.open_context(8)
    assert asked == ["mujoco.egl", "mujoco.osmesa"], "EGL first, then OSMesa"
    monkeypatch.setenv("MUJOCO_GL", "OSMesa")
    with pytest.raises(OSError, match="osmesa"):
        render.open_context(8)
    assert asked[2:] == ["mujoco.osmesa"]
    monkeypatch.setenv("MUJOCO_GL", "off")
    with pytest.raises(OSError, match="MUJOCO_GL=off turns rendering off"):
        render.open_context(8)


ENDS_IN_ONE_LINE = """
import gymnasium, gc_envs
try:
    env = gymnasium.make("GC-PandaReach-v0", backend="c", render_mode="rgb_array")
    env.reset(seed=0)
    env.render()
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what MUJOCO_GL can be differs elsewhere")
@pytest.mark.parametrize(
    ("name", "reason", "remedy"),
    [
        ("osmesa", "it cannot be loaded", "osmesa (needs: apt-get install libosmesa6)"),
        ("glfw", "DISPLAY environment variable is missing", "glfw (needs: a display)"),
        ("wgl", "invalid value", "egl (needs: apt-get install libegl1 libgl1)"),
    ],
)
def test_what_mujoco_gl_asks_for_and_is_not_here_is_one_line(name, reason, remedy):
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "PYOPENGL_PLATFORM")}
    if name == "osmesa" and ctypes.util.find_library("OSMesa"):
        pytest.skip("OSMesa is installed")
    done = subprocess.run(
        [sys.executable, "-c", ENDS_IN_ONE_LINE], env=environment | {"MUJOCO_GL": name}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert (done.stdout.count("\n"), done.returncode) == (1, 0), done.stderr
    assert done.stdout.startswith(f"MUJOCO_GL={name} cannot be used here (")
    assert reason in done.stdout
    assert remedy in done.stdout


@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="needs a display of its own")
def test_a_window_of_pygame_leaves_mujoco_its_context(opengl):
    pytest.importorskip("pygame")
    human = (
        "import gymnasium, gc_envs\n"
        "env = gymnasium.make('GC-PandaReach-v0', backend='c', render_mode='human')\n"
        "env.reset(seed=0)\n"
        "for _ in range(3): env.step(env.action_space.sample())\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SDL_")}
    command = ["xvfb-run", "--auto-servernum", sys.executable, "-c", human]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sdl_is_asked_to_leave_opengl_alone_unless_the_user_decides(opengl, monkeypatch):
    monkeypatch.delenv("SDL_FRAMEBUFFER_ACCELERATION", raising=False)
    render.open_context(8).free()
    assert os.environ["SDL_FRAMEBUFFER_ACCELERATION"] == "0"
    monkeypatch.setenv("SDL_FRAMEBUFFER_ACCELERATION", "1")
    render.open_context(8).free()
    assert os.environ["SDL_FRAMEBUFFER_ACCELERATION"] == "1"


@pytest.mark.parametrize("end", [(1, 2, 3), (0, 0, 1), (0, 0, -1), (-2, 1, -5)])
def test_a_line_leads_from_one_point_to_the_other(end):
    start = np.array([0.5, -0.25, 1.0])
    marker = line(start, start + end, 0.01)
    half = np.empty(3)
    mujoco.mju_rotVecQuat(half, np.array([0, 0, marker.size[1]]), np.asarray(marker.quat, float))
    np.testing.assert_allclose([marker.position - half, marker.position + half], [start, start + end], atol=1e-12)


def test_a_box_has_twelve_edges():
    turn = np.array([np.cos(0.3), np.sin(0.3), 0, 0])
    lines = box_edges(Marker("box", np.array([1.0, 2, 3]), (0.1, 0.2, 0.3), turn), 0.01)
    assert sorted(round(marker.size[1], 6) for marker in lines) == 4 * [0.1] + 4 * [0.2] + 4 * [0.3]
    np.testing.assert_allclose(np.mean([marker.position for marker in lines], axis=0), [1, 2, 3])
    along_x = [marker.position - [1, 2, 3] for marker in lines if round(marker.size[1], 6) == 0.1]
    up = np.array([0, -np.sin(0.6), np.cos(0.6)])
    assert sorted(np.round(np.array(along_x) @ up, 6).tolist()) == [-0.3, -0.3, 0.3, 0.3]


@pytest.mark.parametrize(
    ("env_id", "said"),
    [
        ("GC-PandaPickAndPlace-v0", r"goal: \(-?\d\.\d\d, -?\d\.\d\d, \d\.\d\d\) m, \d+ cm away"),
        ("GC-HandReach-v0", r"fingertips (\d+, ){4}\d+ mm away"),
        ("GC-HandManipulateBlock-v0", r"block \d+ mm and \d+ degrees away"),
    ],
)
def test_frames_of_the_real_tasks_show_the_goal(opengl, monkeypatch, env_id, said):
    if importlib.util.find_spec(get_row(env_id).requires) is None:
        pytest.skip(f"{env_id} needs {get_row(env_id).requires}")
    task = make_task(env_id, backend="c")
    simulator = task.make_simulator(1)
    simulator.reset(np.array([0]), [np.random.default_rng(0)])
    uniform = np.random.default_rng(1).random(task.goals.num_uniforms)
    goal, achieved = task.goals.sample(uniform, simulator.achieved()[0]), simulator.achieved()[0]
    assert re.fullmatch(said, task.caption(goal, achieved))
    bare, pending = task.render(_state(simulator)), simulator.render(0, goal)
    assert bare.std() > 20, "not an empty frame"
    assert len(changed(pending, bare)[0]) > 300
    monkeypatch.setattr(task.goals, "success", lambda achieved, desired: np.True_)
    redder, greener, _ = (pending.astype(int) - simulator.render(0, goal))[:480].sum((0, 1))
    assert redder > 1000
    assert greener < -1000


def _state(simulator):
    return SimState(*(np.array(values[0]) for values in simulator.batch.state))
