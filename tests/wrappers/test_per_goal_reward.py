"""PerGoalReward: the reward of a step has one entry per goal."""

import doctest

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from probes import LEFT, RIGHT, ChainTask

import gc_envs.wrappers.per_goal_reward as module
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.wrappers import AllGoalsInfo, PerGoalReward, PerGoalRewardVector

CHAIN = ChainTask(start=0, horizon=2)


def test_the_reward_is_that_of_every_goal():
    env = PerGoalReward(GoalEnv(CHAIN))
    env.reset(seed=0, options={"goal": "cell_1"})
    reward, info = env.step(RIGHT)[1::3]
    assert reward.tolist() == [0.0, 1.0, 0.0]
    assert reward.dtype == np.float32
    assert info["reward"] == 1.0
    reward, info = env.step(RIGHT)[1::3]
    assert (reward.tolist(), info["reward"]) == ([0.0, 0.0, 1.0], 0.0)


def test_the_space_of_rewards_is_where_multi_objective_libraries_look():
    env = PerGoalReward(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5))
    assert env.reward_space == env.unwrapped.reward_space == gymnasium.spaces.Box(-np.inf, np.inf, (15,), np.float32)
    assert env.reward_dim == env.unwrapped.reward_dim == 15
    env.reset(seed=0)
    assert env.reward_space.contains(env.step(0)[1])
    assert PerGoalReward(AllGoalsInfo(env.env, [0, 3])).reward_dim == 2, "the goals given come before its own"
    rebuilt = gymnasium.make(env.spec)
    assert isinstance(rebuilt, PerGoalReward)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_a_row_is_about_the_state_to_which_its_step_led(mode):
    envs = PerGoalRewardVector(GoalVectorEnv(CHAIN, 2, autoreset_mode=mode))
    envs.reset(seed=0, options={"goals": ["cell_1", "cell_2"]})
    rewards, infos = envs.step(np.array([RIGHT, LEFT]))[1::3]
    assert rewards.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert infos["reward"].tolist() == [1, 0]
    rewards, _, truncated, infos = envs.step(np.array([RIGHT, RIGHT]))[1:]
    assert truncated.all()
    assert rewards.tolist() == [[0, 0, 1], [0, 1, 0]], "not of the state that follows the automatic reset"
    if mode is AutoresetMode.DISABLED:
        envs.reset(options={"reset_mask": truncated})
    rewards, infos = envs.step(np.array([RIGHT, LEFT]))[1::3]
    if mode is AutoresetMode.NEXT_STEP:
        assert not rewards.any(), "a reset gives no reward, whatever holds at the start"
        assert not infos["_reward"].any()
    else:
        assert rewards.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_an_environment_that_the_caller_resets_takes_its_next_step():
    envs = PerGoalRewardVector(GoalVectorEnv(CHAIN, 2))
    envs.reset(seed=0, options={"goal": "cell_2"})
    for _ in range(2):
        truncated = envs.step(np.array([LEFT, LEFT]))[3]
    assert truncated.all()
    envs.reset(options={"reset_mask": np.array([True, False])})
    assert envs.step(np.array([RIGHT, RIGHT]))[1].tolist() == [[0, 1, 0], [0, 0, 0]], "the other one is reset only now"


def test_single_environments_may_be_wrapped_below_the_vector_environment():
    envs = gymnasium.make_vec(
        "gc_envs:GC-Gridworld-v0", num_envs=2, size=5, vectorization_mode="sync",
        wrappers=[lambda env: AllGoalsInfo(env, ["position/1-2", "position/2-1"])],
    )  # fmt: skip
    envs = PerGoalRewardVector(envs)
    assert envs.reward_dim == 2
    envs.reset(seed=0)
    assert envs.step(np.array([0, 2]))[1].tolist() == [[0, 1], [1, 0]]


def test_an_environment_without_all_goals_information_is_refused():
    with pytest.raises(TypeError, match="all_goals_info=False"):
        PerGoalReward(GoalEnv(CHAIN, all_goals_info=False))
    with pytest.raises(TypeError, match="all_goals_info=False"):
        PerGoalRewardVector(GoalVectorEnv(CHAIN, 2, all_goals_info=False))
    with pytest.raises(TypeError, match="CartPole.* has no goal set of its own: wrap it in AllGoalsInfo"):
        PerGoalReward(gymnasium.make("CartPole-v1"))
    given = PerGoalReward(AllGoalsInfo(GoalEnv(CHAIN, all_goals_info=False), ["cell_2"]))
    assert given.reward_dim == 1


def test_examples_in_the_docstrings_run():
    assert doctest.testmod(module).failed == 0
