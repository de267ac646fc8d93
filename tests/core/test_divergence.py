"""Divergence: an environment whose step cannot be taken keeps its state and is truncated; the others never notice."""

import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.registration import make_task

NUM_ENVS = 4
MOVE = np.full((NUM_ENVS, 2), [0.5, -0.25], np.float32)
BROKEN = MOVE.copy()
BROKEN[1, 0], BROKEN[2] = np.nan, [np.inf, 0]
DIVERGED = [False, True, True, False]


@pytest.fixture(scope="module")
def task():
    return make_task("GC-ContinuousSeek-v0", dim=2)


def libraries(array):
    if array == "torch":
        return pytest.importorskip("torch").from_numpy
    return {"numpy": np.asarray, "jax": jnp.asarray}[array]


def observed(result):
    return np.asarray(result[0]["observation"])


@pytest.mark.parametrize("array", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_an_environment_without_a_finite_action_ends_where_it_is(task, array, mode):
    convert = libraries(array)
    envs, twin = (GoalVectorEnv(task, NUM_ENVS, array=array, autoreset_mode=mode) for _ in range(2))
    goals = np.float32([[1, 1], [0.5, -0.25], [4, 4], [1, -0.5]])  # environment 1 is at its goal when its action breaks
    for env in (envs, twin):
        env.reset(seed=0, options={"goals": goals})
        first = env.step(convert(MOVE))
        assert np.asarray(first[4]["diverged"]).tolist() == [False] * NUM_ENVS
    step, good = envs.step(convert(BROKEN)), twin.step(convert(MOVE))

    assert np.asarray(step[4]["diverged"]).tolist() == np.asarray(step[3]).tolist() == DIVERGED
    assert np.asarray(step[4]["_diverged"]).tolist() == [True] * NUM_ENVS
    assert not np.asarray(step[2]).any()  # no end, which would be worth more than staying alive
    assert np.asarray(step[1]).tolist() == [-1, 0, -1, 0]  # what the place where the environment stays is worth
    assert envs.num_diverged.tolist() == [0, 1, 1, 0]
    assert twin.num_diverged.tolist() == [0] * NUM_ENVS
    np.testing.assert_array_equal(observed(step)[[0, 3]], observed(good)[[0, 3]])
    last = observed(step)
    if mode is AutoresetMode.SAME_STEP:
        np.testing.assert_array_equal(last[1:3], 0)
        final = step[4]["final_obs"]
        last = np.stack([final[i]["observation"] for i in (1, 2)]) if array == "numpy" else final["observation"][1:3]
        np.testing.assert_array_equal(np.asarray(last), MOVE[1:3])
    else:
        np.testing.assert_array_equal(last[1:3], MOVE[1:3])
    if mode is AutoresetMode.DISABLED:
        envs.reset(options={"reset_mask": np.array(DIVERGED)})

    after = envs.step(convert(BROKEN if mode is AutoresetMode.NEXT_STEP else MOVE))
    assert np.isfinite(observed(after)).all()
    assert not np.asarray(after[3]).any()
    if mode is AutoresetMode.NEXT_STEP:  # the step that resets an environment ignores its action, whatever it is
        np.testing.assert_array_equal(observed(after)[1:3], 0)
        assert not np.asarray(after[4]["diverged"]).any()
    assert envs.num_diverged.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("array", ["numpy", "jax", "torch"])
def test_shapes_that_are_wrong_are_still_errors(task, array):
    envs = GoalVectorEnv(task, NUM_ENVS, array=array)
    envs.reset(seed=0)
    for wrong in (BROKEN[:2], BROKEN[:, :1], BROKEN[0]):
        with pytest.raises(ValueError, match="action of shape"):
            envs.step(libraries(array)(wrong))


def test_a_diverged_step_brings_no_new_goal(task):
    """The environment may be at its goal, but its episode has ended."""
    envs = GoalVectorEnv(task, 2, on_success="resample", autoreset_mode=AutoresetMode.DISABLED)
    desired = envs.reset(seed=0, options={"goal": np.float32([0.0, 0.0])})[0]["desired_goal"]
    observation, _, _, truncated, info = envs.step(np.full((2, 2), np.nan, np.float32))
    assert info["is_success"].all()
    assert truncated.all()
    np.testing.assert_array_equal(observation["desired_goal"], desired)


@pytest.mark.parametrize("array", ["jax", "torch"])
@pytest.mark.parametrize("wrong", [-1, 4, 2**31 - 1])
def test_a_discrete_action_out_of_range_diverges_where_a_check_would_wait_for_the_device(grid_task, array, wrong):
    envs = GoalVectorEnv(grid_task, 3, array=array, autoreset_mode=AutoresetMode.DISABLED)
    before = np.asarray(envs.reset(seed=0)[0]["observation"])
    step = envs.step(libraries(array)(np.int32([0, wrong, 1])))
    assert np.asarray(step[4]["diverged"]).tolist() == np.asarray(step[3]).tolist() == [False, True, False]
    assert not np.asarray(step[2]).any()
    np.testing.assert_array_equal(observed(step)[1], before[1])
    assert (observed(step)[[0, 2]] != before[[0, 2]]).any(axis=1).all()
    assert envs.num_diverged.tolist() == [0, 1, 0]


def test_a_discrete_action_out_of_range_is_an_error_in_numpy(grid_task):
    envs = GoalVectorEnv(grid_task, 2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"action 4 is outside 0\.\.3"):
        envs.step(np.array([0, 4]))
    assert envs.step(np.array([0, 1]))[4]["diverged"].tolist() == [False, False]
    assert envs.num_diverged.tolist() == [0, 0]
