"""GoalSampler: which goal an episode is given, and that every environment gets its own."""

import doctest

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from probes import LEFT, RIGHT, ChainTask

import gc_envs.wrappers
import gc_envs.wrappers.goal_sampler as module
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.wrappers import (
    AllGoalsInfo,
    FlattenGoal,
    GoalSampler,
    GoalSamplerVector,
    GoalStatistics,
    GoalStatisticsVector,
    favour_intermediate,
)

CHAIN = ChainTask(start=0, horizon=2)
CELLS = ("cell_0", "cell_1", "cell_2")


@pytest.fixture(scope="module")
def chain():
    """Return one environment, around which every test puts its own sampler."""
    return GoalEnv(CHAIN)


def goals_of(env, count, **kwargs):
    return [env.reset(**kwargs)[1]["goal"] for _ in range(count)]


def test_a_cycle_takes_the_goals_in_turn(chain):
    assert goals_of(GoalSampler(chain, "cycle"), 4) == [0, 1, 2, 0]
    assert goals_of(GoalSampler(chain, "cycle", goals=["cell_2", 0]), 3) == [2, 0, 2]


def test_seen_goals_are_those_achieved_in_any_episode(chain):
    env = GoalSampler(chain, "seen")
    first = {goals_of(GoalSampler(chain, "seen"), 1, seed=seed)[0] for seed in range(20)}
    assert first == {0, 1, 2}, "no goal was seen yet, so any goal is sampled"
    env.reset(seed=0)
    assert set(goals_of(env, 10)) == {0}, "the start was seen"
    env.step(RIGHT)
    assert set(goals_of(env, 20)) == {0, 1}
    env.reset()
    env.step(RIGHT)
    env.step(RIGHT)
    assert set(goals_of(env, 40)) == {0, 1, 2}


def test_uniform_goals_are_even_and_follow_the_seed(chain):
    env = GoalSampler(chain, "uniform")
    goals_of(env, 1, seed=5)
    goals = goals_of(env, 300)
    assert np.bincount(goals, minlength=3).min() > 70
    goals_of(env, 1, seed=5)
    assert goals_of(env, 300) == goals
    goals_of(env, 1, seed=6)
    assert goals_of(env, 300) != goals


def test_the_callers_goal_wins(chain):
    env = GoalSampler(chain, "cycle")
    options = {"goal": "cell_2"}
    assert env.reset(options=options)[1]["goal"] == 2
    assert options == {"goal": "cell_2"}
    assert env.reset(options={"goal": None})[1]["goal"] == 0, (
        "the goal None is no choice of the caller, so the cycle goes on"
    )
    envs = GoalSamplerVector(GoalVectorEnv(CHAIN, 2), "cycle")
    assert envs.reset(options={"goals": ["cell_2", "cell_1"]})[1]["goal"].tolist() == [2, 1]
    assert envs.reset()[1]["goal"].tolist() == [0, 1]


def test_success_weighs_goals_by_their_rates(chain):
    """cell_1 is always reached, cell_2 half the time, cell_0 was never tried; with p (1 - p) only cell_2 is left."""
    statistics = GoalStatistics(chain, forgetting=1)
    for goal, actions in [(1, [RIGHT, LEFT]), (2, [RIGHT, RIGHT]), (2, [LEFT, LEFT])]:
        statistics.reset(options={"goal": goal})
        for action in actions:
            statistics.step(action)
    received = []

    def weights(rates):
        received.append(rates)
        return np.nan_to_num(rates * (1 - rates))

    env = GoalSampler(statistics, "success", weights=weights)
    assert goals_of(env, 5) == [2] * 5
    np.testing.assert_array_equal(received[0], [np.nan, 1, 0.5])
    counts = np.bincount(goals_of(GoalSampler(statistics, "success"), 460), minlength=3)
    assert 2 <= counts[1] < 60, "a share of 1 in 23: 20 are expected"
    assert min(counts[0], counts[2]) > 150
    np.testing.assert_allclose(favour_intermediate(np.array([0.0, 1.0, 0.5, np.nan])), [0.025, 0.025, 0.275, 0.275])


@pytest.mark.parametrize("mode", AutoresetMode)
def test_environments_are_given_goals_at_automatic_resets_too(mode):
    """Episodes have two steps; goals 0, 1, 2, 0, ... are given to the environments in their order."""
    envs = GoalStatisticsVector(GoalVectorEnv(CHAIN, 2, autoreset_mode=mode))
    envs = GoalSamplerVector(envs, "cycle", goals=CELLS)
    assert envs.metadata["autoreset_mode"] is mode
    infos = envs.reset(seed=0)[1]
    right = np.array([RIGHT, RIGHT])
    given = [infos["goal"].tolist()]
    for _ in range(3):
        envs.step(right)
        observations, rewards, _, truncated, infos = envs.step(right)
        assert truncated.all()
        desired = np.array(given[-1])
        np.testing.assert_array_equal(rewards, desired == 2, "the reward is that of the goal that was given")
        if mode is AutoresetMode.SAME_STEP:
            assert infos["final_info"]["goal"].tolist() == given[-1]
            np.testing.assert_array_equal(infos["final_info"]["is_success"], desired == 2)
            assert [last["desired_goal"].argmax() for last in infos["final_obs"]] == given[-1]
        elif mode is AutoresetMode.NEXT_STEP:
            assert infos["goal"].tolist() == given[-1]
            observations, rewards, terminated, truncated, infos = envs.step(right)
            assert not np.any([rewards, terminated, truncated])
        else:
            observations, infos = envs.reset(options={"reset_mask": truncated})
        assert observations["desired_goal"].argmax(axis=1).tolist() == infos["goal"].tolist()
        assert observations["observation"].tolist() == [[0], [0]]
        np.testing.assert_array_equal(infos["is_success"], infos["goal"] == 0)
        assert infos["all_goals"]["achieved"].tolist() == [[True, False, False]] * 2
        assert all(infos[f"_{key}"].all() for key in ("goal", "is_success", "all_goals"))
        given.append(infos["goal"].tolist())
    assert given == [[0, 1], [2, 0], [1, 2], [0, 1]]
    assert envs.env.attempts.sum() == 6, "statistics below record the goals that were given"
    assert envs.env.success_rates.tolist() == [0, 1, 1]


def test_environments_that_go_on_keep_their_episode():
    """One environment is truncated a step before the other; its reset leaves the other as it was."""
    envs = GoalSamplerVector(GoalVectorEnv(CHAIN, 2, autoreset_mode="SameStep"), "cycle", goals=CELLS)
    envs.reset()
    envs.step(np.array([RIGHT, LEFT]))
    envs.reset(options={"reset_mask": np.array([False, True])})
    observations, _, _, truncated, infos = envs.step(np.array([RIGHT, RIGHT]))
    assert truncated.tolist() == [True, False]
    assert observations["observation"].tolist() == [[0], [1]]
    assert infos["goal"].tolist() == [0, 2]
    assert infos["all_goals"]["achieved"].argmax(axis=1).tolist() == [0, 1]


def test_goals_seen_in_one_environment_count_for_all():
    envs = GoalSamplerVector(GoalVectorEnv(CHAIN, 16, autoreset_mode="SameStep"), "seen")
    envs.reset(seed=0)
    is_fifth = np.arange(16) == 5
    envs.step(np.where(is_fifth, RIGHT, LEFT))
    infos = envs.step(np.where(is_fifth, RIGHT, LEFT))[4]
    goals = infos["goal"]
    for _ in range(5):
        envs.step(np.zeros(16, int))
        goals = np.append(goals, envs.step(np.zeros(16, int))[4]["goal"])
    assert set(goals) == {0, 1, 2}, "cell_2 was the last state of that environment before its reset"
    assert np.bincount(goals).min() > 10


def test_a_vector_environment_follows_the_seed():
    envs = GoalSamplerVector(GoalVectorEnv(CHAIN, 8), "uniform")
    goals = envs.reset(seed=3)[1]["goal"].tolist()
    assert envs.reset(seed=4)[1]["goal"].tolist() != goals
    assert envs.reset(seed=3)[1]["goal"].tolist() == goals
    assert envs.reset(seed=[3] + [None] * 7)[1]["goal"].tolist() == goals


def test_the_spec_makes_the_same_environment():
    env = GoalSampler(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5), "cycle", goals=[3, 1])
    assert goals_of(gymnasium.make(env.spec), 3) == [3, 1, 3]


class IgnoresOptions(gymnasium.Env):
    """A goal environment that ignores the options of a reset."""

    observation_space = gymnasium.spaces.Dict(
        {key: gymnasium.spaces.Box(-1, 1, (1,)) for key in ("observation", "achieved_goal", "desired_goal")}
    )
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return {key: np.zeros(1, np.float32) for key in self.observation_space}, {}

    def compute_reward(self, achieved_goal, desired_goal, info):
        return (achieved_goal == desired_goal)[..., 0] * 1.0


def test_an_environment_that_does_not_take_the_option_is_refused():
    env = GoalSampler(AllGoalsInfo(IgnoresOptions(), [[0.5]]), "uniform")
    with pytest.raises(TypeError, match=r"ignores reset.*it was given \[0.5\], but its desired goal is \[0.0\]"):
        env.reset()
    with pytest.raises(TypeError, match="cannot take one goal per environment: wrap the single environments instead"):
        GoalSamplerVector(SyncVectorEnv([IgnoresOptions]), "uniform", goals=[[0.5]])
    with pytest.raises(TypeError, match="has no goal set of its own: wrap it in AllGoalsInfo"):
        GoalSampler(IgnoresOptions(), "uniform")
    with pytest.raises(ValueError, match=r"goal 0, \[2.0\], is not in the space"):
        GoalSampler(IgnoresOptions(), "uniform", goals=[[2.0]])


def test_bad_arguments_are_refused(chain):
    with pytest.raises(ValueError, match=r"rule='random' is not one of \['seen', 'success', 'uniform', 'cycle'\]"):
        GoalSampler(chain, "random")
    with pytest.raises(ValueError, match=r"rule='seen' chooses from the all-goals set and takes no goals="):
        GoalSampler(chain, "seen", goals=[1])
    with pytest.raises(ValueError, match="goals must have at least one goal"):
        GoalSampler(chain, "cycle", goals=[])
    with pytest.raises(TypeError, match="dictionaries with an array under 'achieved_goal', got the space Box"):
        GoalSampler(FlattenGoal(chain), "cycle")
    with pytest.raises(ValueError, match="unknown goal 'cell_3'"):
        GoalSampler(chain, "cycle", goals=["cell_3"])
    with pytest.raises(TypeError, match="needs a GoalStatistics below it"):
        GoalSampler(chain, "success")
    with pytest.raises(TypeError, match="all_goals_info=False"):
        GoalSampler(GoalEnv(CHAIN, all_goals_info=False), "seen")
    for wrong in (np.zeros(3), [1, -1, 1], [1, np.nan, 1], [1, 1]):
        env = GoalSampler(GoalStatistics(chain), "success", weights=lambda rates, wrong=wrong: wrong)
        with pytest.raises(ValueError, match="weights must be 3 finite numbers >= 0, not all zero; got"):
            env.reset()


def test_a_mask_may_be_a_list_and_wrong_ones_are_refused():
    envs = GoalVectorEnv(CHAIN, 3, autoreset_mode=AutoresetMode.DISABLED)
    envs = GoalSamplerVector(GoalStatisticsVector(envs), "cycle", goals=CELLS)
    assert envs.reset(seed=0)[1]["goal"].tolist() == [0, 1, 2]
    assert envs.reset(options={"reset_mask": [False, True, False]})[1]["goal"].tolist() == [0, 0, 2]
    for wrong in ([True, False], [0, 1, 0], [False] * 3):
        with pytest.raises(ValueError, match="^reset_mask must be bool .3. with a True in it, got"):
            envs.reset(options={"reset_mask": wrong})
    statistics = GoalStatisticsVector(GoalVectorEnv(CHAIN, 2, autoreset_mode=AutoresetMode.DISABLED))
    statistics.reset(seed=0)
    statistics.reset(options={"reset_mask": [False, True]})


def test_the_weight_that_divides_by_zero_is_named(chain):
    def inverse(rates):
        with np.errstate(divide="ignore"):
            return 1 / np.nan_to_num(rates)

    with pytest.raises(ValueError, match="weights must be 3 finite numbers >= 0, not all zero; got inf for goal 0"):
        GoalSampler(GoalStatistics(chain), "success", weights=inverse).reset()


@pytest.mark.parametrize("name", ["AllGoalsInfo", "FlattenGoal", "GoalSampler", "GoalStatistics", "PerGoalReward"])
def test_each_form_of_a_wrapper_names_the_other(chain, name):
    single, vector = getattr(gc_envs.wrappers, name), getattr(gc_envs.wrappers, f"{name}Vector")
    arguments = ([0],) if name == "AllGoalsInfo" else ()
    with pytest.raises(TypeError, match=f"^{name} takes a single environment, .* use {name}Vector$"):
        single(GoalVectorEnv(CHAIN, 2), *arguments)
    with pytest.raises(TypeError, match=f"^{name}Vector takes a vector environment, .* use {name} for a single one$"):
        vector(chain, *arguments)


def test_examples_in_the_docstrings_run():
    assert doctest.testmod(module).failed == 0
