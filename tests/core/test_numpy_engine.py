"""Environments over a simulator outside JAX: the same contract as over compiled ones."""

import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from probes import PointTask

from gc_envs.core.goal_subset import restrict
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv

NUM_ENVS = 5


def actions(seed=0, low=-1.0):
    generator = np.random.default_rng(seed)
    while True:
        yield generator.uniform(low, 1, (NUM_ENVS, 1)).astype(np.float32)


def same(ours, theirs, path=""):
    if isinstance(theirs, dict):
        for name in theirs:
            same(ours[name], theirs[name], f"{path}/{name}")
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=path)


@pytest.mark.filterwarnings("ignore:.*Casting input x to numpy array")
def test_the_checker_has_nothing_to_say(recwarn):
    env = GoalEnv(PointTask(), render_mode="rgb_array")
    check_env(env, skip_render_check=True)
    assert env.metadata["backend"] == "points"


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("on_success", ["terminate", "continue", "resample"])
def test_lanes_are_single_environments_side_by_side(mode, on_success):
    envs = GoalVectorEnv(PointTask(), NUM_ENVS, autoreset_mode=mode, on_success=on_success)
    singles = [GoalEnv(PointTask(), on_success=on_success) for _ in range(NUM_ENVS)]
    draw, over, ends = actions(), np.zeros(NUM_ENVS, bool), 0
    observation, info = envs.reset(seed=3)
    firsts = [env.reset(seed=3 + i) for i, env in enumerate(singles)]
    for _ in range(30):
        action = next(draw)
        if mode is AutoresetMode.DISABLED and over.any():
            observation, _ = envs.reset(options={"reset_mask": over})
            for i in np.flatnonzero(over):
                same({k: v[i] for k, v in observation.items()}, singles[i].reset()[0])
            over[:] = False
        observation, reward, terminated, truncated, info = envs.step(action)
        for i, env in enumerate(singles):
            if over[i] and mode is AutoresetMode.NEXT_STEP:
                theirs, their_info = env.reset()
                outcome = (0.0, False, False)
            else:
                theirs, *outcome, their_info = env.step(action[i])
                if mode is AutoresetMode.SAME_STEP and (outcome[1] or outcome[2]):
                    same(info["final_obs"][i], theirs)
                    assert info["final_info"]["is_success"][i] == their_info["is_success"]
                    assert info["final_info"]["goal"][i] == their_info["goal"]
                    theirs, their_info = env.reset()
            same({k: v[i] for k, v in observation.items()}, theirs)
            assert (reward[i], terminated[i], truncated[i]) == tuple(outcome)
            assert info["is_success"][i] == their_info["is_success"]
            same(info["all_goals"]["reward"][i], their_info["all_goals"]["reward"])
        over = terminated | truncated
        ends += over.sum()
    assert ends >= 4 * NUM_ENVS
    assert len(firsts) == NUM_ENVS


def test_it_agrees_with_gymnasiums_own_vector_environment():
    gymnasium.register("PointTest-v0", lambda: GoalEnv(PointTask()))
    theirs = SyncVectorEnv([lambda: gymnasium.make("PointTest-v0", disable_env_checker=True)] * NUM_ENVS)
    ours, draw = GoalVectorEnv(PointTask(), NUM_ENVS), actions()
    for env in (ours, theirs):
        env.reset(seed=0)
    for _ in range(20):
        action = next(draw)
        mine, other = ours.step(action), theirs.step(action)
        same(mine[0], other[0])
        for a, b in zip(mine[1:4], other[1:4], strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(mine[4]["is_success"], other[4]["is_success"])
    del gymnasium.registry["PointTest-v0"]


def test_goals_and_starts_differ_between_episodes_and_never_hold_at_first():
    envs = GoalVectorEnv(PointTask(), NUM_ENVS, autoreset_mode=AutoresetMode.SAME_STEP)
    observation, info = envs.reset(seed=0)
    starts, goals = [observation["observation"]], [observation["desired_goal"]]
    for t in range(18):
        observation, _, _, truncated, info = envs.step(next(actions(t)))
        if truncated.all():
            starts.append(observation["observation"])
            goals.append(observation["desired_goal"])
            assert not info["is_success"].any()
    assert len(starts) == 4
    assert len(np.unique(np.concatenate(starts))) == len(np.unique(np.concatenate(goals))) == 4 * NUM_ENVS


def test_a_step_that_diverges_truncates_its_episode_where_it_is_and_is_counted():
    envs = GoalVectorEnv(PointTask(), 2, horizon=100, autoreset_mode=AutoresetMode.SAME_STEP)
    envs.reset(seed=0)
    for _ in range(8):
        observation, _, terminated, truncated, info = envs.step(np.float32([[1], [0]]))
        assert not terminated.any()
        if truncated[0]:
            break
    assert info["diverged"].tolist() == truncated.tolist() == [True, False]
    assert 4 < info["final_obs"][0]["observation"][0] <= 5
    assert -1 <= observation["observation"][0, 0] < 1
    envs.step(np.float32([[0], [np.nan]]))
    assert envs.num_diverged.tolist() == [1, 1]
    single = GoalEnv(PointTask())
    single.reset(seed=0)
    with pytest.raises(ValueError, match="not finite"):
        single.step(np.float32([np.nan]))
    faults = [single.step(np.float32([1]))[4]["diverged"] for _ in range(6)]
    assert faults[:3] == [False] * 3
    assert any(faults)


@pytest.mark.parametrize("copy", ["state", "pickle"])
def test_going_on_from_a_saved_state(copy):
    envs = GoalVectorEnv(PointTask(), NUM_ENVS, on_success="resample")
    envs.reset(seed=1)
    draw = actions(1)
    for _ in range(8):
        envs.step(next(draw))
    if copy == "pickle":
        other = pickle.loads(pickle.dumps(envs))
    else:
        other = GoalVectorEnv(PointTask(), NUM_ENVS, on_success="resample")
        other.set_state(envs.get_state())
    for _ in range(12):
        action = next(draw)
        same(dict(enumerate(envs.step(action)[:4])), dict(enumerate(other.step(action)[:4])))


def test_what_is_returned_is_the_callers_own():
    envs, twin = (GoalVectorEnv(PointTask(), NUM_ENVS, autoreset_mode=AutoresetMode.SAME_STEP) for _ in range(2))
    result, draw = envs.reset(seed=0), actions()
    twin.reset(seed=0)

    def spoil(value):
        if isinstance(value, dict):
            for entry in value.values():
                spoil(entry)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            value[...] = 1

    for _ in range(14):
        for part in result:
            spoil(part)
        action = next(draw)
        result, clean = envs.step(action), twin.step(action)
        same(result[0], clean[0])
        same(result[1], clean[1])


def test_commands_restriction_and_drawing():
    task = restrict(PointTask(), [0, 3])
    envs = GoalVectorEnv(task, 2, render_mode="rgb_array", render_envs=[1])
    observation, info = envs.reset(seed=0)
    assert set(observation["desired_goal"][:, 0]) <= set(task.goals.anchors[:, 0])
    assert info["all_goals"]["reward"].shape == (2, 2)
    observation, _ = envs.reset(options={"goals": [[0.25], [1.5]], "reset_mask": np.array([True, False])})
    assert observation["desired_goal"][0, 0] == 0.25
    assert observation["desired_goal"][1, 0] in task.goals.anchors
    assert len(envs.render()) == 1


def test_other_array_libraries_are_refused():
    with pytest.raises(ValueError, match="array='jax' is for tasks computed by JAX; backend='points' gives"):
        GoalVectorEnv(PointTask(), 2, array="jax")


def test_lanes_import_no_jax():
    program = "import sys; import gc_envs.core.numpy_engine, gc_envs.core.vector_env; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
