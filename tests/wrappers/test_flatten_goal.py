"""FlattenGoal: the parts of a goal dictionary as one vector."""

import doctest

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import NormalizeObservation, RecordEpisodeStatistics

import gc_envs.wrappers.flatten_goal as module
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.wrappers import FlattenGoal, FlattenGoalVector


def test_parts_follow_each_other_with_their_bounds(grid_task):
    env = FlattenGoal(GoalEnv(grid_task), parts=("desired_goal", "observation"))
    observation, info = env.reset(seed=0)
    size = grid_task.goals.num_goals
    assert observation.dtype == np.float32
    assert observation[:size].argmax() == info["goal"]
    assert observation[size:].tolist() == [2.0, 2.0]
    assert env.observation_space == gymnasium.spaces.Box(0, np.array([1] * size + [4, 4], np.float32))
    assert env.observation_space.contains(observation)
    assert FlattenGoal(GoalEnv(grid_task)).observation_space.shape == (2 + size,)
    everything = ("observation", "achieved_goal", "desired_goal")
    assert FlattenGoal(GoalEnv(grid_task), everything).observation_space.shape == (2 + 2 * size,)


@pytest.mark.filterwarnings("error", "ignore:.*different from the unwrapped version")
def test_the_checker_finds_nothing():
    check_env(FlattenGoal(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5)), skip_render_check=True)


def test_the_spec_makes_the_same_environment():
    env = FlattenGoal(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5), parts=["desired_goal"])
    assert gymnasium.make(env.spec).observation_space == env.observation_space


@pytest.mark.parametrize("mode", AutoresetMode)
def test_vector_observations_and_last_observations_are_flattened(grid_task, mode):
    def make():
        return GoalVectorEnv(grid_task, 3, horizon=2, autoreset_mode=mode)

    envs, plain = FlattenGoalVector(make()), make()

    def joined(observation):
        return np.concatenate([observation["observation"], observation["desired_goal"]], axis=-1)

    np.testing.assert_array_equal(envs.reset(seed=0)[0], joined(plain.reset(seed=0)[0]))
    finals = 0
    for step in range(4):
        action = np.full(3, step)
        flat, whole = envs.step(action), plain.step(action)
        np.testing.assert_array_equal(flat[0], joined(whole[0]))
        assert envs.observation_space.contains(flat[0])
        for i in np.flatnonzero(whole[4].get("_final_obs", [])):
            np.testing.assert_array_equal(flat[4]["final_obs"][i], joined(whole[4]["final_obs"][i]))
            finals += 1
        if mode is AutoresetMode.DISABLED and (done := flat[2] | flat[3]).any():
            for each in (envs, plain):
                each.reset(options={"reset_mask": done})
    assert finals == (6 if mode is AutoresetMode.SAME_STEP else 0)


def test_gymnasiums_vector_wrappers_go_on_top(grid_task):
    envs = RecordEpisodeStatistics(NormalizeObservation(FlattenGoalVector(GoalVectorEnv(grid_task, 2, horizon=3))))
    envs.reset(seed=0)
    for _ in range(3):
        observations, _, _, _, infos = envs.step(np.zeros(2, int))
    assert observations.shape == (2, 2 + grid_task.goals.num_goals)
    assert infos["episode"]["l"].max() == 3


class Nested(gymnasium.Env):
    observation_space = gymnasium.spaces.Dict(
        observation=gymnasium.spaces.Dict(map=gymnasium.spaces.MultiBinary(2)),
        achieved_goal=gymnasium.spaces.Box(0, 1, (2, 2)),
        desired_goal=gymnasium.spaces.Box(-1, 1, (2,), np.float64),
    )
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return {"observation": {"map": np.ones(2)}, "achieved_goal": np.eye(2), "desired_goal": -np.ones(2)}, {}


def test_arrays_are_read_row_by_row_and_other_spaces_are_refused():
    env = FlattenGoal(Nested(), ("achieved_goal", "desired_goal"))
    assert env.reset()[0].tolist() == [1, 0, 0, 1, -1, -1]
    assert env.observation_space.low.tolist() == [0, 0, 0, 0, -1, -1]
    with pytest.raises(TypeError, match="only a Box can be joined to a vector, but 'observation' is Dict"):
        FlattenGoal(Nested())
    with pytest.raises(
        ValueError, match=r"parts=\('goal',\) must name some of \['achieved_goal', 'desired_goal', 'obs"
    ):
        FlattenGoal(Nested(), ("goal",))
    with pytest.raises(ValueError, match=r"parts=\(\) must name some of"):
        FlattenGoal(Nested(), ())
    with pytest.raises(TypeError, match="dictionaries with an array under 'achieved_goal', got the space Box"):
        FlattenGoal(gymnasium.make("CartPole-v1"))


def test_examples_in_the_docstrings_run():
    assert doctest.testmod(module).failed == 0
