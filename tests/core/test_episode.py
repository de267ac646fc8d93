"""The goal layer of an episode: what is judged when, and by which goal."""

import numpy as np
import pytest
from probes import LEFT, RIGHT, ChainTask

from gc_envs.core.episode import OnSuccess, begin, evaluate_step, resample
from gc_envs.core.goals import FiniteGoals
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv

GOALS = FiniteGoals("abc")


def cells(*indices):
    return GOALS.one_hot(np.asarray(indices))


@pytest.mark.parametrize("on_success", OnSuccess)
@pytest.mark.parametrize("reached", [False, True])
@pytest.mark.parametrize("dead", [False, True])
@pytest.mark.parametrize("diverged", [False, True])
@pytest.mark.parametrize("clock", [3, 4])
def test_ends_by_hand(on_success, reached, dead, diverged, clock, to_library):
    episode = begin(GOALS, to_library(cells(0, 0)))
    episode = episode._replace(clock=episode.clock + clock)
    achieved = to_library(cells(0, 0) if reached else cells(1, 2))
    after, outcome = evaluate_step(
        GOALS, episode, achieved, terminal=to_library(np.array([dead, dead])),
        diverged=to_library(np.array([diverged, diverged])), horizon=5, on_success=on_success,
    )  # fmt: skip
    terminated = dead or (reached and on_success is OnSuccess.TERMINATE)
    truncated = diverged or clock == 4
    expected = {
        "success": reached, "reward": float(reached), "terminated": terminated, "truncated": truncated,
        "diverged": diverged,
    }  # fmt: skip
    for name, value in expected.items():
        np.testing.assert_array_equal(np.asarray(getattr(outcome, name)), [value] * 2, name)
    np.testing.assert_array_equal(np.asarray(outcome.done), [terminated or truncated] * 2)
    np.testing.assert_array_equal(np.asarray(after.clock), [clock + 1] * 2)
    np.testing.assert_array_equal(np.asarray(after.desired), cells(0, 0))


def test_a_new_goal_is_desired_only_where_one_was_reached_and_the_episode_goes_on(to_library):
    """Environments: not reached; reached; reached on the last step; reached by dying."""
    episode = begin(GOALS, to_library(cells(0, 0, 0, 0)))._replace(clock=to_library(np.int32([0, 0, 9, 0])))
    achieved, dead = to_library(cells(1, 0, 0, 0)), to_library(np.array([False, False, False, True]))
    never = to_library(np.zeros(4, bool))
    episode, outcome = evaluate_step(
        GOALS, episode, achieved, terminal=dead, diverged=never, horizon=10, on_success=OnSuccess.RESAMPLE
    )
    renewed = resample(GOALS, episode, outcome, to_library(cells(2, 2, 2, 2)))
    np.testing.assert_array_equal(np.asarray(GOALS.index(renewed.desired)), [0, 2, 0, 0])
    np.testing.assert_array_equal(np.asarray(renewed.goal), [0, 2, 0, 0])


@pytest.mark.parametrize("vector", [False, True])
def test_success_is_about_the_goal_just_commanded_and_the_observation_about_the_next(vector):
    """Gymnasium-Robotics #155 and PR 327: resampling first made every reward 0, and observations stale."""
    task = ChainTask(start=0)
    env = GoalVectorEnv(task, 1, on_success="resample") if vector else GoalEnv(task, on_success="resample")
    one = (lambda x: x[0]) if vector else (lambda x: x)
    seen = set()
    env.reset(seed=0, options={"goal": "cell_1"})
    goal, cell, random = 1, 0, np.random.default_rng(0)
    for _ in range(60):
        action = int(random.integers(2))
        cell = int(np.clip(cell + (1 if action == RIGHT else -1), 0, 2))
        observation, reward, terminated, truncated, info = env.step(np.array([action]) if vector else action)
        assert one(info["is_success"]) == (cell == goal)
        assert one(reward) == float(cell == goal)
        assert not one(terminated)
        assert not one(truncated)
        after = int(one(observation["desired_goal"]).argmax())
        assert after == one(info["goal"])
        if cell == goal:
            seen.add(after)
        else:
            assert after == goal
        goal = after
    assert seen == {0, 1, 2}


def test_success_is_never_sticky():
    env = GoalEnv(ChainTask(start=0))  # continues after success
    env.reset(seed=0, options={"goal": "cell_1"})
    assert [env.step(action)[4]["is_success"] for action in (RIGHT, LEFT, RIGHT, RIGHT)] == [True, False, True, False]


def test_reached_and_out_of_time_on_one_step_sets_both_flags():
    env = GoalEnv(ChainTask(start=0, horizon=1), on_success="terminate")
    env.reset(seed=0, options={"goal": "cell_1"})
    _, reward, terminated, truncated, info = env.step(RIGHT)
    assert (reward, terminated, truncated, info["is_success"]) == (1.0, True, True, True)


def test_a_goal_that_holds_at_the_start_is_kept_and_told():
    env = GoalEnv(ChainTask(start=1), on_success="terminate")
    _, info = env.reset(seed=0, options={"goal": "cell_1"})
    assert info["is_success"]
    assert info["goal_name"] == "cell_1"
    assert env.step(RIGHT)[2] is False
    assert env.step(LEFT)[2] is True


def test_unknown_mode_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'terminate', 'continue', 'resample'"):
        OnSuccess.parse("stop")
