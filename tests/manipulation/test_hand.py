"""The Shadow Hand tasks, against numbers of Gymnasium-Robotics 1.4.2 on MuJoCo 3.8.1 and against its model."""

import importlib.util

import jax
import mujoco
import numpy as np
import pytest

if importlib.util.find_spec("gymnasium_robotics") is None:
    pytest.skip("the hand's model comes with gymnasium-robotics", allow_module_level=True)

from gc_envs.manipulation import hand, hand_goals, hand_model
from gc_envs.manipulation.c_backend import MujocoBatch
from gc_envs.manipulation.hand import HandManipulateBlockTask, HandReachTask
from gc_envs.manipulation.sim_state import SimState

TIPS = [
    [0.99173995, 0.79754733, 0.15223313],
    [1.02087845, 0.80174036, 0.15185374],
    [1.04221773, 0.80748274, 0.15524235],
    [1.06619684, 0.82309667, 0.16429032],
    [0.95049775, 0.84029193, 0.16172142],
]
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (20, 20)).astype(np.float32)
UNTURNED = [0, 0, 0, 0, 0.5, 0, 0, 1]  # uniform numbers that leave the block where and how it is


class Dealt:
    """A generator that deals given numbers."""

    def __init__(self, numbers):
        self.numbers = np.array(numbers, np.float64)

    def random(self, count):
        assert count == len(self.numbers)
        return self.numbers


@pytest.fixture(scope="module")
def reach():
    return HandReachTask(backend="c", threads=1)


@pytest.fixture(scope="module")
def block():
    return HandManipulateBlockTask(backend="c", threads=1)


def play(task, numbers, actions):
    """Observations [T + 1, n] of one episode that starts from the uniform `numbers`."""
    simulator, index = task.make_simulator(1), np.arange(1)
    simulator.reset(index, [Dealt(numbers)])
    seen = [simulator.observe()[0]]
    for action in actions:
        assert not simulator.step(index, action[None]).any()
        seen.append(simulator.observe()[0])
    return np.array(seen)


def test_reach_starts_and_moves_as_in_the_source(reach):
    seen = play(reach, [], ACTIONS)
    assert seen.shape == (21, 63)
    np.testing.assert_allclose(seen[0, :24], hand.START_POSE, atol=1e-7)
    assert not seen[0, 24:48].any()
    np.testing.assert_allclose(seen[0, 48:].reshape(5, 3), TIPS, atol=1e-7)
    # After 20 steps. The source shows tips of a substep (2 ms) before, so these are compared where they lag by that.
    np.testing.assert_allclose(
        seen[20, [0, 1, 2, 5, 9, 13, 18, 19, 23]],
        [-0.212046, -0.181676, 0.135247, 1.004076, 1.061494, 0.953812, 0.8221, -0.052223, -0.820702], atol=2e-6,
    )  # fmt: skip
    np.testing.assert_allclose(seen[20, [24, 28, 47]], [-1.916536, 4.767327, -1.445181], atol=2e-5)
    np.testing.assert_allclose(seen[20, 48:51], [0.998253, 0.826648, 0.182656], atol=0.002)


def test_block_comes_to_rest_and_moves_as_in_the_source(block):
    seen = play(block, UNTURNED, ACTIONS)
    assert seen.shape == (21, 61)
    pose = [1.009821599, 0.878145565, 0.166487688, 0.996994011, -0.033673715, 0.000194998, 0.069778109]
    np.testing.assert_allclose(seen[0, 54:], pose, atol=1e-6)
    np.testing.assert_allclose(
        seen[0, [0, 3, 14, 23]], [-0.174404418, 0.763130718, 0.358946234, -0.776199924], atol=1e-6
    )
    np.testing.assert_allclose(
        seen[0, 48:54], [-1.447e-05, -0.001555911, -0.002091434, 0.075254054, -0.023971255, 0.035866532], atol=1e-5
    )
    # Twenty steps of contact later; MuJoCo's contacts have changed a little between the two versions.
    pose = [1.017408, 0.890965, 0.165837, 0.995457, 0.08214, -0.0471, 0.009951]
    np.testing.assert_allclose(seen[20, 54:], pose, atol=0.005)


@pytest.mark.parametrize("task", ["reach", "block"])
def test_edits_leave_the_mechanics_as_they_are(task, request):
    ours = request.getfixturevalue(task).model
    theirs = mujoco.MjModel.from_xml_path(str(hand_model.assets() / request.getfixturevalue(task).file))
    (a, b), (low, high) = (mujoco.MjData(ours), mujoco.MjData(theirs)), ours.actuator_ctrlrange.T
    rng = np.random.default_rng(2)
    for step in range(60):
        for model, data in ((ours, a), (theirs, b)):
            data.ctrl[:] = (low + high) / 2 if step < 10 else rng.uniform(low, high) if data is a else a.ctrl
            mujoco.mj_step(model, data, nstep=20)
    assert a.ncon > 0
    np.testing.assert_allclose(a.qpos, b.qpos[: ours.nq], atol=1e-9)
    tips = [theirs.site(tip).id for tip in hand_model.TIPS]
    mujoco.mj_forward(ours, a)
    mujoco.mj_forward(theirs, b)
    np.testing.assert_allclose(a.sensordata.reshape(5, 3), b.site_xpos[tips], atol=1e-9)


@pytest.mark.parametrize(("task", "rows"), [("reach", 96), ("block", 216)])
def test_mjx_takes_the_models_and_finds_them_small(task, rows, request):
    mjx = pytest.importorskip("mujoco.mjx")
    model = request.getfixturevalue(task).model
    mjx.put_model(model, impl="jax")
    assert mjx.make_data(model, impl="jax")._impl.nefc == rows


@pytest.mark.parametrize("task", ["reach", "block"])
def test_a_state_of_the_model_is_a_state_of_the_visual_one(task, request):
    task = request.getfixturevalue(task)
    shown = task.visual_model()
    assert task.model.nmesh == 0
    assert shown.nmesh > 0
    for name in ("nq", "nv", "nu", "nmocap", "nsensordata", "ntendon"):
        assert getattr(shown, name) == getattr(task.model, name)
    assert [shown.joint(i).name for i in range(shown.njnt)] == [task.model.joint(i).name for i in range(shown.njnt)]


def test_actions_are_ends_of_the_joints_ranges(reach):
    state = reach.initial_state(np.zeros(0))
    for action, low_middle_high in ((-1, [-0.489, 0, -1.571]), (0, [-0.1745, 0.7855, -0.7855]), (1, [0.14, 1.571, 0])):
        ctrl = reach.clip_and_set_controls(state, np.full(20, action, np.float32)).ctrl
        np.testing.assert_allclose(ctrl[[0, 3, 19]], low_middle_high, atol=1e-12)
    beyond = reach.clip_and_set_controls(state, np.full(20, 7, np.float32)).ctrl
    np.testing.assert_allclose(beyond, reach.model.actuator_ctrlrange[:, 1], atol=1e-12)


def test_normals_are_normal_and_cut_off():
    numbers = hand_goals.sample_truncated_normals(np.random.default_rng(0).random((100_000, 4)))
    np.testing.assert_allclose(numbers.mean(0), 0, atol=0.01)
    np.testing.assert_allclose(np.cov(numbers.T), np.eye(3), atol=0.02)
    np.testing.assert_allclose((np.abs(numbers) < 1).mean(0), 0.6827, atol=0.005)
    np.testing.assert_array_equal(hand_goals.sample_truncated_normals(np.array([[1 - 2**-53, 0, 0, 0.25]]))[0, 0], 4)
    np.testing.assert_array_equal(hand_goals.sample_truncated_normals(np.array([0, 0, 0.3, 0.7])), 0)


def sampled(task, count, achieved):
    """Goals as the task's goal space samples them."""
    uniform = np.random.default_rng(0).random((count, task.goals.num_uniforms))
    return task.goals.sample(uniform, np.broadcast_to(np.float32(achieved), (count, len(achieved))))


def test_reach_goals_are_those_of_the_source(reach):
    # Means and standard deviations of 20,000 goals of the source; a tip that does not move stays exactly where it is.
    wanted = {
        0: ([1.004756, 0.866121, 0.187761], [0.004692, 0.004981, 0.004762]),
        1: ([1.006586, 0.866334, 0.187651], [0.004735, 0.004956, 0.004773]),
        2: ([1.007884, 0.866523, 0.187817], [0.004675, 0.004891, 0.004663]),
        3: ([1.009308, 0.867539, 0.188306], [0.004897, 0.004792, 0.004765]),
        4: ([1.001630, 0.868308, 0.187931], [0.004861, 0.004732, 0.004693]),
    }
    every = HandReachTask(exclude_achieved=False, backend="c")
    goals = sampled(every, 20_000, np.ravel(TIPS))
    assert all(every.goals.desired_space.contains(goal) for goal in goals[:1000])
    goals = goals.reshape(-1, 5, 3)
    moves = (goals != np.float32(TIPS)).any(axis=2) & ~np.isclose(goals, np.float32(TIPS), atol=1e-6).all(axis=2)
    np.testing.assert_allclose(moves.mean(axis=0), [0.225, 0.225, 0.225, 0.225, 0.9], atol=0.01)
    assert set(moves.sum(axis=1)) == {0, 2}
    for tip, (mean, std) in wanted.items():
        np.testing.assert_allclose(goals[moves[:, tip], tip].mean(axis=0), mean, atol=3e-4)
        np.testing.assert_allclose(goals[moves[:, tip], tip].std(axis=0), std, atol=2e-4)


def test_reach_goals_are_never_where_the_episode_starts(reach):
    start = np.ravel(TIPS)
    apart = np.linalg.norm(sampled(reach, 5000, start) - start, axis=1)
    assert apart.min() > 0.07
    assert apart.max() < 0.15
    stays = reach.goals.success(reach.goals.anchors, np.float32(start))
    assert stays.sum() == 1  # though there is such an anchor
    assert 50 <= reach.goals.num_goals <= 64


@pytest.mark.parametrize(
    ("moved", "reached"), [([0.0099], True), ([0.0101], False), ([0.006, 0.006], True), ([0.008, 0.008], False)]
)
def test_reach_measures_over_all_tips(reach, to_library, moved, reached):
    goal = np.float32(np.ravel(TIPS))
    there = goal.copy()
    there[[1, 12][: len(moved)]] += np.float32(moved)
    assert bool(reach.goals.success(to_library(there), to_library(goal))) == reached
    assert float(reach.goals.reward(to_library(there), to_library(goal))) == reached - 1


HALF = np.sqrt(0.5)
LEVEL = [1.0, 0.9, 0.17, 1, 0, 0, 0]


def turned(degrees):
    half = np.radians(degrees) / 2
    return [1.0, 0.9, 0.17, np.cos(half), 0, np.sin(half), 0]


@pytest.mark.parametrize(
    ("pose", "thresholds"),
    [
        (LEVEL, 0),
        ([1.0, 0.9, 0.17, -1, 0, 0, 0], 0),  # the same rotation
        ([1.003, 0.904, 0.17, 1, 0, 0, 0], 0.5),
        ([1.03, 0.9, 0.13, 1, 0, 0, 0], 5),
        ([1.0, 0.9, 0.17, HALF, 0, 0, -HALF], 5 * np.pi),
        ([1.0, 0.9, 0.17, 0, 1, 0, 0], 10 * np.pi),
        (turned(5), 50 * np.pi / 180),
        (turned(-355), 50 * np.pi / 180),
        ([1.009, 0.9, 0.17, *turned(3)[3:]], 0.9),  # the larger of the two counts
    ],
)
def test_poses_are_apart_by_thresholds(block, to_library, pose, thresholds):
    pose, level = to_library(np.float32(pose)), to_library(np.float32(LEVEL))
    assert float(block.goals.distance(pose, level)) == pytest.approx(thresholds, abs=2e-5, rel=1e-5)
    assert float(block.goals.distance(level, pose)) == pytest.approx(thresholds, abs=2e-5, rel=1e-5)
    assert float(block.goals.reward(pose, level)) == (0 if thresholds < 1 else -1)


@pytest.mark.parametrize(("pose", "reached"), [(turned(5.7), True), (turned(5.8), False)])
def test_a_tenth_of_a_radian_will_do(block, pose, reached):
    assert block.goals.success(np.float32(pose), np.float32(LEVEL)) == reached


def test_block_goals_are_those_of_the_source(block):
    goals = sampled(block, 20_000, np.array([0, 0, 0, 1, 0, 0, 0]))
    assert all(block.goals.desired_space.contains(goal) for goal in goals[:1000])
    place, turn = goals[:, :3], goals[:, 3:]
    np.testing.assert_allclose(place.min(0), [0.969, 0.815, 0.17], atol=1e-4)
    np.testing.assert_allclose(place.max(0), [1.049, 0.895, 0.23], atol=1e-4)
    np.testing.assert_allclose(place.mean(0), [1.009, 0.855, 0.2], atol=0.001)
    np.testing.assert_allclose(np.linalg.norm(turn, axis=1), 1, atol=1e-6)
    angle = 2 * np.arccos(np.abs(turn[:, 0]))
    np.testing.assert_allclose(np.histogram(angle, 10, (0, np.pi))[0], 2000, atol=200)
    axis = turn[:, 1:] / np.linalg.norm(turn[:, 1:], axis=1, keepdims=True)
    # The axes point at a cube, which puts more of them near its corners: on a sphere this would be 0.2.
    np.testing.assert_allclose((axis**4).mean(0), 0.1802, atol=0.005)


def test_a_pose_needs_a_unit_quaternion(block):
    goal = [1.0, 0.85, 0.2, 1, 0, 0, 0]
    np.testing.assert_array_equal(block.goals.encode(goal), np.float32(goal))
    with pytest.raises(ValueError, match="must have length 1, it has 0"):
        block.goals.encode([1.0, 0.85, 0.2, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="is outside the box"):
        block.goals.encode([1.5, 0.85, 0.2, 1, 0, 0, 0])


def test_blocks_start_at_rest_on_the_palm_turned_every_way(block):
    simulator = block.make_simulator(100)
    simulator.reset(np.arange(100), [np.random.default_rng(seed) for seed in range(100)])
    seen = simulator.observe()
    place, turn = seen[:, 54:57], seen[:, 57:]
    # The source's, over 300 starts: mean (1.0088, 0.8749, 0.1697), standard deviation (0.0039, 0.0059, 0.0029).
    np.testing.assert_allclose(place.mean(0), hand_goals.REST_POSITION, atol=0.002)
    np.testing.assert_allclose(place.std(0), [0.0039, 0.0059, 0.0029], atol=0.0015)
    assert np.abs(turn).mean(0).min() > 0.2
    assert np.median(np.abs(seen[:, 48:54]), axis=0).max() < 0.5


def test_a_block_that_falls_does_not_diverge_and_is_no_valid_start(block):
    simulator, index = block.make_simulator(1), np.arange(1)
    simulator.reset(index, [np.random.default_rng(0)])
    assert block.valid_start(simulator.batch.state).all()
    start = SimState(*(np.array(part) for part in simulator.batch.read(index)))
    start.qpos[:, 24:27] = [1.15, 0.8, 0.3]  # beside the hand
    simulator.batch.reset(index, start)
    for _ in range(30):
        assert not simulator.step(index, np.zeros((1, 20), np.float32)).any()
    assert simulator.observe()[0, 56] == pytest.approx(0.025, abs=0.001)
    assert not block.valid_start(simulator.batch.state).any()
    start.qpos[:, 24:27] = [1.0, 0.8, 1.1]
    assert block.out_of_workspace(start).all()


@pytest.mark.parametrize("name", ["reach", "block"])
def test_random_play_stays_within_the_bounds(name, request):
    task = request.getfixturevalue(name)
    simulator, indices, rng = task.make_simulator(16), np.arange(16), np.random.default_rng(3)
    simulator.reset(indices, [np.random.default_rng(seed) for seed in indices])
    low, high = task.observation_space.low, task.observation_space.high
    unit = np.isin(np.arange(len(low)), [57, 58, 59, 60]) if name == "block" else np.zeros(len(low), bool)
    for step in range(60):
        actions = rng.uniform(-1, 1, (16, 20)) if step % 20 < 10 else np.sign(rng.normal(size=(16, 20)))
        assert not simulator.step(indices, actions.astype(np.float32)).any()
        seen = simulator.observe()
        assert seen.dtype == np.float32
        assert ((seen > low) & (seen < high) | unit).all()
        assert (simulator.achieved() >= task.goals.achieved_space.low).all()


def test_threads_make_no_difference(block):
    ends = []
    for threads in (1, 2):
        batch = MujocoBatch(block.model, 6, threads)
        indices = np.arange(6)
        batch.reset(indices, block.initial_state(np.random.default_rng(0).random((6, 8))))
        for action in ACTIONS[:8]:
            state = batch.read(indices)
            batch.write(indices, block.clip_and_set_controls(state, np.tile(action, (6, 1))), old=state)
            batch.step(indices, 20)
        ends.append(batch.get_state(indices))
    np.testing.assert_array_equal(*ends)


def test_starts_and_observations_are_the_same_in_jax(reach, block):
    uniform = np.random.default_rng(0).random((5, 8)).astype(np.float32)
    ours, theirs = block.initial_state(uniform.astype(np.float64)), jax.jit(jax.vmap(block.initial_state))(uniform)
    for a, b in zip(ours, theirs):
        assert a.shape[0] == 5
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(block.raw_observation(theirs), block.raw_observation(ours), atol=1e-6)
    empty = jax.numpy.zeros((5, 0))
    mapped, batched = jax.vmap(reach.initial_state)(empty), reach.initial_state(empty)
    np.testing.assert_allclose(reach.raw_observation(mapped), reach.raw_observation(batched), atol=1e-6)
    for goals in (reach.goals, block.goals):
        uniform = np.random.default_rng(1).random((5, goals.num_uniforms)).astype(np.float32)
        there = np.zeros((5, len(goals.low)), np.float32)
        np.testing.assert_allclose(jax.jit(goals.sample)(uniform, there), goals.sample(uniform, there), atol=1e-6)


@pytest.mark.parametrize("task", [HandReachTask, HandManipulateBlockTask])
def test_without_gymnasium_robotics_its_installation_is_explained(task, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gymnasium_robotics" else find(name))
    with pytest.raises(ModuleNotFoundError, match=r'pip install "gc_envs\[hand\]"'):
        task(backend="c")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [({"num_anchor_goals": 0}, "num_anchor_goals must be at least 1"), ({"backend": "gpu"}, "gpu")],
)
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        HandReachTask(**kwargs)


@pytest.mark.slow
@pytest.mark.parametrize("task", [HandReachTask, HandManipulateBlockTask])
def test_mjx_moves_as_c_does(task):
    """From four settled starts, a quarter of a step of random action; MJX takes half a minute to compile."""
    task = task(backend="mjx")
    batch, indices = MujocoBatch(task.model, 4, 1), np.arange(4)
    batch.reset(indices, task.initial_state(np.random.default_rng(0).random((4, task.num_start_uniforms))))
    for _ in range(10):
        state = batch.read(indices)
        batch.write(indices, task.clip_and_set_controls(state, np.zeros((4, 20), np.float32)), old=state)
        batch.step(indices, 20)
    state = task.clip_and_set_controls(batch.read(indices), ACTIONS[:4])
    given = SimState(*(np.array(part, np.float32) for part in state))
    batch.reset(indices, given)
    batch.step(indices, 5)
    step = jax.jit(jax.vmap(lambda s: task.simulate(s, 5)), compiler_options=task.compiler_options)
    found = step(given)
    np.testing.assert_allclose(found.qpos[:, :24], batch.state.qpos[:, :24], atol=2e-4)
    np.testing.assert_allclose(found.qpos, batch.state.qpos, atol=1e-3)
    np.testing.assert_allclose(found.sensordata, batch.state.sensordata, atol=2e-4)
