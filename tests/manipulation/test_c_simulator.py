"""MuJoCo C outside JAX: starts, steps, diverged simulations, and that simulations do not depend on each other."""

import copy
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import mujoco
import numpy as np
import pytest
from manipulation.toy import XML, NowherePush, SettledPush, ToyPush

from gc_envs.manipulation.c_backend import MujocoBatch, MujocoSimulator

PUSH = np.float32([1, 0.2, 0.5])


def generators(*seeds):
    return [np.random.default_rng(seed) for seed in seeds]


def started(num=3, threads=1, task=ToyPush):
    """A simulator whose simulation i was reset with seed i."""
    simulator = MujocoSimulator(task(threads=threads), num)
    simulator.reset(np.arange(num), generators(*range(num)))
    return simulator


def pushed(simulator, steps=12):
    """The complete states and observations of `simulator` along a push."""
    indices = np.arange(len(simulator.get_state()))
    trail = []
    for k in range(steps):
        actions = np.stack([PUSH * (1 - 0.1 * i) + 0.01 * k for i in indices])
        assert not simulator.step(indices, actions).any()
        trail.append(np.concatenate([simulator.get_state(), simulator.observe()], axis=1))
    return np.array(trail)


def test_a_step_is_mujocos_own_to_the_last_bit():
    task = ToyPush()
    simulator, data = started(1), mujoco.MjData(task.model)
    data.qpos[:] = simulator.batch.state.qpos[0]
    mujoco.mj_forward(task.model, data)
    data.qacc_warmstart[:] = 0
    for k in range(12):
        action = PUSH + 0.01 * k
        data.mocap_pos[0] = data.sensordata[:3] + 0.02 * np.append(np.clip(action, -1, 1)[:2], 0)
        data.ctrl[:] = action[2]
        mujoco.mj_step(task.model, data, task.substeps)
        mujoco.mj_step1(task.model, data)
        simulator.step(np.array([0]), action[None])
        for name in ("qpos", "qvel", "qacc_warmstart", "sensordata"):
            np.testing.assert_array_equal(getattr(simulator.batch.state, name)[0], getattr(data, name), err_msg=name)
    assert np.linalg.norm(data.qvel[6:9]) > 0.1, "the box was not pushed"


@pytest.mark.parametrize("task", [ToyPush, SettledPush])
def test_a_simulation_does_not_depend_on_the_others_or_on_threads(task):
    whole = pushed(started(5, threads=2, task=task))
    np.testing.assert_array_equal(pushed(started(5, task=task)), whole)
    np.testing.assert_array_equal(pushed(started(2, task=task)), whole[:, :2])
    simulator = MujocoSimulator(task(threads=2), 5)
    simulator.reset(np.array([1, 4]), generators(1, 4))  # in another company
    simulator.reset(np.array([0, 2, 3]), generators(0, 2, 3))
    np.testing.assert_array_equal(pushed(simulator), whole)


def test_a_start_keeps_nothing_of_the_episode_before():
    simulator = started()
    fresh, seen = simulator.get_state(), simulator.observe()
    pushed(simulator)
    simulator.batch._batch.state[:] += 0.37  # whatever else there is: applied forces, equalities, time
    simulator.reset(np.array([0, 2]), generators(0, 2))
    np.testing.assert_array_equal(simulator.get_state()[[0, 2]], fresh[[0, 2]])
    np.testing.assert_array_equal(simulator.observe()[[0, 2]], seen[[0, 2]])
    assert (simulator.get_state()[1] != fresh[1]).all()


def test_starts_settle_and_are_sampled_until_they_are_valid():
    simulator = started(20, task=SettledPush)
    box = simulator.observe()[:, 3:6]
    assert (box[:, 1] > 0.02).all()
    assert len(np.unique(box, axis=0)) == 20
    assert (np.abs(box[:, 2] - 0.0299) > 1e-6).all(), "the box did not settle"
    first = [generator.random(2)[1] * 0.04 for generator in generators(*range(20))]
    kept = np.array(first) > 0.021
    assert 3 < kept.sum() < 17
    np.testing.assert_allclose(box[kept, 1], np.array(first)[kept], atol=1e-3)


def test_a_task_without_valid_starts_is_named(monkeypatch):
    tried = []
    monkeypatch.setattr(
        NowherePush, "initial_state", lambda self, u: tried.append(len(u)) or ToyPush.initial_state(self, u)
    )
    with pytest.raises(RuntimeError, match="^NowherePush found no valid start state among 7 sampled ones$"):
        started(3, task=NowherePush)
    assert tried == 7 * [3]
    MujocoSimulator(NowherePush(), 3).reset(np.arange(0), [])  # nothing to start


def test_only_the_given_simulations_move():
    simulator = started()
    before = simulator.get_state()
    assert not simulator.step(np.array([1]), PUSH[None]).any()
    after = simulator.get_state()
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])
    assert (after[1] != before[1]).any()


def test_actions_are_clipped():
    one, other = started(1), started(1)
    one.step(np.array([0]), np.float32([[7, -3, 2]]))
    other.step(np.array([0]), np.float32([[1, -1, 1]]))
    np.testing.assert_array_equal(one.get_state(), other.get_state())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_simulation_whose_action_is_not_finite_stays_as_it_is(bad):
    simulator, other = started(), started()
    actions = np.tile(PUSH, (3, 1))
    actions[1, 2] = bad
    before = simulator.get_state()
    assert simulator.step(np.arange(3), actions).tolist() == [False, True, False]
    np.testing.assert_array_equal(simulator.get_state()[1], before[1])
    other.step(np.array([0, 2]), actions[[0, 2]])
    np.testing.assert_array_equal(simulator.get_state(), other.get_state())
    assert simulator.step(np.arange(3), np.full((3, 3), bad)).all()


def test_a_diverged_simulation_is_reverted(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    simulator, other = started(threads=2), started(threads=2)
    for each in (simulator, other):
        pushed(each)
    flung = simulator.get_state()
    simulator.batch.state.qvel[0, 6] = 1e5  # out of the workspace within a step
    simulator.batch.state.qvel[2, 3:6] = 1e200  # beyond what floating point can hold
    simulator.batch.step(np.arange(3), 0)
    before, seen = simulator.get_state(), simulator.observe()
    with warnings.catch_warnings(action="error"):
        assert simulator.step(np.arange(3), np.tile(PUSH, (3, 1))).tolist() == [True, False, True]
    np.testing.assert_array_equal(simulator.get_state()[[0, 2]], before[[0, 2]])
    np.testing.assert_array_equal(simulator.observe()[[0, 2]], seen[[0, 2]])
    simulator.set_state(np.where(np.array([True, False, True])[:, None], flung, simulator.get_state()))
    other.step(np.array([1]), PUSH[None])
    np.testing.assert_array_equal(pushed(simulator), pushed(other))  # nothing of it is left
    captured = capfd.readouterr()
    assert (captured.out, captured.err, list(tmp_path.iterdir())) == ("", "", [])
    assert mujoco.get_mju_user_warning() is None


def test_other_warnings_of_mujoco_become_pythons():
    crowded = XML.replace("<worldbody>", '<size memory="8K"/><worldbody>')  # no room for contacts
    batch = MujocoBatch(ToyPush(xml=crowded).model, 1, 1)
    with pytest.warns(RuntimeWarning, match="MuJoCo: .*memory"):
        assert not batch.step(np.array([0]), 1).any()


def test_a_saved_state_goes_on_the_same():
    simulator = started(threads=2)
    pushed(simulator)
    saved, seen, achieved = simulator.get_state(), simulator.observe(), simulator.achieved()
    rest = pushed(simulator)
    other = MujocoSimulator(ToyPush(threads=1), 3)
    for each in (simulator, other):
        each.set_state(saved)
        np.testing.assert_array_equal(each.observe(), seen)
        np.testing.assert_array_equal(each.achieved(), achieved)
        np.testing.assert_array_equal(pushed(each), rest)


def test_what_it_returns_is_float32_and_keeps():
    simulator = started()
    returned = [simulator.observe(), simulator.achieved(), simulator.get_state()]
    assert [array.dtype for array in returned] == [np.float32, np.float32, np.float64]
    copies = [array.copy() for array in returned]
    pushed(simulator)
    for array, kept in zip(returned, copies):
        np.testing.assert_array_equal(array, kept)
        array[:] = 0
    assert simulator.observe().any()


def test_a_frame_is_of_one_simulation_and_its_goal(monkeypatch):
    monkeypatch.setattr(ToyPush, "render", lambda self, state, desired_goal: (state, desired_goal))
    simulator = started()
    pushed(simulator)
    state, goal = simulator.render(1, np.float32([0.1, 0.2]))
    assert goal.tolist() == pytest.approx([0.1, 0.2])
    for values, live in zip(state, simulator.batch.state):
        np.testing.assert_array_equal(values, live[1])
        assert not np.shares_memory(values, live)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task))])
def test_tasks_can_be_copied_and_pickled(duplicate):
    task = ToyPush()
    task.simulate  # noqa: B018  (compiled simulators stay behind)
    twin = duplicate(task)
    assert twin.model is not task.model
    simulator, other = MujocoSimulator(task, 2), MujocoSimulator(twin, 2)
    for each in (simulator, other):
        each.reset(np.arange(2), generators(0, 1))
    np.testing.assert_array_equal(pushed(simulator), pushed(other))


def run(program):
    """What `program` prints, run from the tests' folder without JAX."""
    folder = Path(__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


START = """
import os, sys, numpy as np
from manipulation.toy import ToyPush
simulator = ToyPush(threads=2).make_simulator(3)
simulator.reset(np.arange(3), [np.random.default_rng(i) for i in range(3)])
simulator.step(np.arange(3), np.ones((3, 3)))
"""


def test_no_jax_is_imported():
    program = """
simulator.observe(), simulator.achieved(), simulator.set_state(simulator.get_state())
print([name for name in sys.modules if name.split(".")[0] in ("jax", "torch")])
"""
    assert run(START + program) == "[]\n"


def test_a_forked_simulator_goes_on():
    program = """
saved, child = simulator.get_state(), os.fork()
for _ in range(10):
    simulator.step(np.arange(3), np.ones((3, 3)))
if child:  # Parent and child share one pipe: the child writes first.
    assert os.waitpid(child, 0)[1] == 0
print(saved.tolist() != simulator.get_state().tolist(), simulator.get_state().tolist(), flush=True)
if not child:
    os._exit(0)
"""
    childs, parents = run(START + program).splitlines()
    assert parents == childs
    assert parents.startswith("True")
