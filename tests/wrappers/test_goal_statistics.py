"""GoalStatistics: how often an episode reaches the goal with which it began."""

import doctest

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from probes import LEFT, RIGHT, ChainTask

import gc_envs.wrappers.goal_statistics as module
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.wrappers import AllGoalsInfo, GoalStatistics, GoalStatisticsVector

CHAIN = ChainTask(start=0, horizon=3)


def play(env, goal, actions):
    env.reset(options=None if goal is None else {"goal": goal})
    for action in actions:
        env.step(action)


@pytest.fixture(scope="module")
def chain():
    """Return one environment, around which every test puts its own statistics."""
    return GoalEnv(CHAIN)


def test_an_episode_counts_once_for_the_goal_it_began_with(chain):
    env = GoalStatistics(chain)
    assert np.isnan(env.success_rates).all()
    play(env, "cell_1", [RIGHT, RIGHT, RIGHT])  # reached, left again, truncated
    play(env, "cell_2", [RIGHT, LEFT, RIGHT])  # truncated before it is reached
    play(env, "cell_2", [LEFT, RIGHT, RIGHT])  # reached on the last step
    assert env.attempts.tolist() == [0, 1, 2]
    assert env.attempts.dtype == np.int64
    np.testing.assert_allclose(env.success_rates, [np.nan, 1, 1 / (1 + 0.99)])


def test_a_goal_that_only_holds_at_the_start_is_not_reached(chain):
    env = GoalStatistics(chain)
    play(env, "cell_0", [RIGHT, RIGHT, RIGHT])
    assert env.success_rates[0] == 0
    play(env, "cell_0", [RIGHT, LEFT, LEFT])
    assert env.success_rates[0] > 0.5


def test_pending_episodes_that_are_reset_do_not_count(chain):
    env = GoalStatistics(chain)
    play(env, "cell_2", [RIGHT])
    play(env, "cell_1", [RIGHT])
    play(env, "cell_2", [])
    assert env.attempts.tolist() == [0, 1, 0], "an attempt that reached its goal counts, whatever follows"


def test_earlier_attempts_at_a_goal_are_forgotten_by_the_factor(chain):
    env = GoalStatistics(chain, forgetting=0.5)
    for actions in ([RIGHT] * 3, [LEFT] * 3, [LEFT] * 3):  # success, failure, failure
        play(env, "cell_1", actions)
    play(env, "cell_2", [RIGHT] * 3)  # another goal forgets nothing of the first
    np.testing.assert_allclose(env.success_rates, [np.nan, 0.25 / (1 + 0.5 + 0.25), 1])
    whole = GoalStatistics(chain, forgetting=1)
    for actions in ([RIGHT] * 3, [LEFT] * 3, [LEFT] * 3):
        play(whole, "cell_1", actions)
    assert whole.success_rates[1] == pytest.approx(1 / 3)


def test_only_the_first_goal_of_an_episode_counts():
    """With resampling, episodes get further goals, which they reach or not; none of these is an attempt."""
    env = GoalStatistics(GoalEnv(ChainTask(start=0, horizon=6), on_success="resample"))
    for _ in range(5):
        play(env, "cell_1", [RIGHT, LEFT, RIGHT, RIGHT, LEFT, LEFT])
    assert env.attempts.tolist() == [0, 5, 0]
    assert env.success_rates[1] == 1


def test_death_is_a_failure():
    env = GoalStatistics(GoalEnv(ChainTask(start=1, cliff=True)))
    play(env, "cell_0", [RIGHT])
    assert env.success_rates[0] == 0


def test_a_desired_goal_outside_the_set_is_ignored(chain):
    env = GoalStatistics(AllGoalsInfo(chain, ["cell_2"]))
    play(env, "cell_1", [RIGHT] * 3)
    assert env.attempts.tolist() == [0]
    play(env, "cell_2", [RIGHT] * 3)
    assert env.attempts.tolist() == [1]


@pytest.mark.parametrize(("kind", "on_success"), [("ours", "resample"), ("sync", "terminate"), ("ours", "continue")])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_vector_environments_count_as_single_ones_do(kind, on_success, mode):
    """The expected counts come from the first goal of each episode and the cells that it visited."""
    num_envs = 3
    settings = {"horizon": 4, "on_success": on_success}
    if kind == "sync":
        envs = SyncVectorEnv([lambda: GoalEnv(CHAIN, **settings)] * num_envs, autoreset_mode=mode)
    else:
        envs = GoalVectorEnv(CHAIN, num_envs, autoreset_mode=mode, **settings)
    envs = GoalStatisticsVector(envs, forgetting=1)
    attempts, successes = np.zeros(3, int), np.zeros(3, int)
    infos = envs.reset(seed=0)[1]
    goals, reached, done = infos["goal"].copy(), np.zeros(num_envs, bool), np.zeros(num_envs, bool)
    actions = np.random.default_rng(0)
    for _ in range(40):
        observations, _, terminated, truncated, infos = envs.step(actions.integers(0, 2, num_envs))
        for i in range(num_envs):
            if mode is AutoresetMode.NEXT_STEP and done[i]:
                goals[i], reached[i] = infos["goal"][i], False
                continue
            ended = terminated[i] or truncated[i]
            last = mode is AutoresetMode.SAME_STEP and ended
            cell = (infos["final_obs"][i] if last else {k: v[i] for k, v in observations.items()})["observation"]
            reached[i] |= int(cell[0]) == goals[i]
            if ended:
                attempts[goals[i]] += 1
                successes[goals[i]] += reached[i]
            if last:
                goals[i], reached[i] = infos["goal"][i], False
        done = terminated | truncated
        if mode is AutoresetMode.DISABLED and done.any():
            infos = envs.reset(options={"reset_mask": done})[1]
            goals[done], reached[done] = infos["goal"][done], False
    counted = reached & ~done if mode is not AutoresetMode.SAME_STEP else reached
    for goal in goals[counted]:  # reached, in an episode that goes on
        attempts[goal] += 1
        successes[goal] += 1
    assert attempts.sum() > 20
    assert 0 < successes.sum() < attempts.sum()
    np.testing.assert_array_equal(envs.attempts, attempts)
    np.testing.assert_allclose(envs.success_rates, successes / attempts)


def test_the_spec_makes_the_same_environment():
    env = GoalStatistics(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5), forgetting=0.5)
    rebuilt = gymnasium.make(env.spec)
    for each in (env, rebuilt):
        play(each, "position/2-1", [0])
        play(each, "position/2-1", [1] * 200)
    np.testing.assert_array_equal(rebuilt.success_rates, env.success_rates)
    assert np.nansum(rebuilt.success_rates) == 0.5 / 1.5


def test_bad_arguments_are_refused(chain):
    for forgetting in (0, 1.01):
        with pytest.raises(ValueError, match=rf"forgetting must lie in \(0, 1\], got {forgetting}"):
            GoalStatistics(chain, forgetting=forgetting)
    with pytest.raises(TypeError, match="has no goal set of its own: wrap it in AllGoalsInfo"):
        GoalStatistics(gymnasium.make("CartPole-v1"))
    with pytest.raises(TypeError, match=r"differ in every episode: give it a set of them with AllGoalsInfo"):
        GoalStatistics(gymnasium.make("gc_envs:GC-DriveSeek-v0"))


def test_examples_in_the_docstrings_run():
    assert doctest.testmod(module).failed == 0
