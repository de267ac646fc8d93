"""AllGoalsInfo, compared with this package's own information and on a hand-written goal environment."""

import doctest

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from probes import ChainTask

import gc_envs.wrappers.all_goals_info as module
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.wrappers import AllGoalsInfo, AllGoalsInfoVector, FlattenGoal

NUM_ENVS, HORIZON = 3, 5
CHAIN = ChainTask()
GOALS = np.array([[0.0], [1.0], [3.0]])


class Line(gymnasium.Env):
    """A position on a line, moved by -1, 0 or 1; a goal within 0.25 is reached. Rewards are 0 and -1."""

    observation_space = gymnasium.spaces.Dict(
        {
            key: gymnasium.spaces.Box(-5.0, 5.0, (1,), np.float64)
            for key in ("observation", "achieved_goal", "desired_goal")
        }
    )
    action_space = gymnasium.spaces.Discrete(3, start=-1)

    def __init__(self, resample=False):
        self.resample = resample  # whether a goal that is reached is followed by another one

    def _observe(self):
        return {"observation": self.at.copy(), "achieved_goal": self.at.copy(), "desired_goal": self.goal.copy()}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.goal = np.zeros(1), self.np_random.integers(-3, 4, 1).astype(float)
        return self._observe(), {"scale": 1.0}

    def step(self, action):
        self.at = np.clip(self.at + action, -5, 5)
        reward = float(self.compute_reward(self.at, self.goal, {"scale": 1.0}))
        if self.resample and reward == 0:
            self.goal = self.goal + 1
        return self._observe(), reward, False, False, {"scale": 1.0}

    def compute_reward(self, achieved_goal, desired_goal, info):
        return -(np.abs(achieved_goal - desired_goal)[..., 0] > 0.25).astype(float)


class OnePair(Line):
    def compute_reward(self, achieved_goal, desired_goal, info):
        return 0.0 if abs(float(achieved_goal.item()) - float(desired_goal.item())) <= 0.25 else -1.0


class WrongBatches(Line):
    """Right for one pair; for a batch it returns as many rewards, but all from the norm of the whole batch."""

    def compute_reward(self, achieved_goal, desired_goal, info):
        return -np.full(achieved_goal.shape[:-1], np.linalg.norm(achieved_goal - desired_goal) > 0.25, float)


class Avoid(Line):
    def compute_reward(self, achieved_goal, desired_goal, info):
        return 1 - super().compute_reward(achieved_goal, desired_goal, info)


class Dense(Line):
    def compute_reward(self, achieved_goal, desired_goal, info):
        return -np.abs(achieved_goal - desired_goal)[..., 0]


class Scaled(OnePair):
    def compute_reward(self, achieved_goal, desired_goal, info):
        return info["scale"] * super().compute_reward(achieved_goal, desired_goal, info)


class NoReward(Line):
    compute_reward = None


def near(achieved, desired):
    return np.abs(achieved - desired)[..., 0] <= 0.25


@pytest.fixture
def line_id():
    gymnasium.register("Line-v0", Line, max_episode_steps=HORIZON)
    yield "Line-v0"
    del gymnasium.registry["Line-v0"]


def assert_same(ours, theirs):
    """Assert that infos are equal, entry by entry, wherever Gymnasium's masks are True."""
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        if isinstance(value, dict):
            assert_same(ours[key], value)
        elif key.startswith("_") or key == "goal_name":
            np.testing.assert_array_equal(ours[key], value, key)
        elif key != "final_obs":
            mask = theirs.get(f"_{key}", ...)
            np.testing.assert_array_equal(np.asarray(ours[key])[mask], np.asarray(value)[mask], key)
            assert np.asarray(ours[key]).dtype.kind == np.asarray(value).dtype.kind, key


def test_all_the_goals_of_an_environment_give_its_own_information(grid_task):
    ours = AllGoalsInfo(GoalEnv(grid_task, on_success="resample"), grid_task.goals.names)
    own = GoalEnv(grid_task, on_success="resample")
    assert_same(ours.reset(seed=0)[1], own.reset(seed=0)[1])
    actions, successes = np.random.default_rng(0), 0
    for _ in range(60):
        action = actions.integers(4)
        info, own_info = ours.step(action)[4], own.step(action)[4]
        assert_same(info, own_info)
        successes += info["is_success"]
    assert successes, "this test needs an episode whose goal changes"


@pytest.mark.parametrize("mode", AutoresetMode)
def test_in_every_autoreset_mode_it_equals_the_environments_own_information(mode):
    """With resampling, so that goals change inside episodes as well."""

    def make():
        return GoalVectorEnv(CHAIN, NUM_ENVS, horizon=HORIZON, on_success="resample", autoreset_mode=mode)

    ours, own = AllGoalsInfoVector(make(), CHAIN.goals.names), make()
    assert ours.metadata["autoreset_mode"] is mode
    assert_same(ours.reset(seed=0)[1], own.reset(seed=0)[1])
    actions = np.random.default_rng(1)
    for _ in range(4 * HORIZON):
        action = actions.integers(0, 2, NUM_ENVS)
        ours_step, own_step = ours.step(action), own.step(action)
        assert_same(ours_step[4], own_step[4])
        done = ours_step[2] | ours_step[3]
        if mode is AutoresetMode.DISABLED and done.any():
            options = {"reset_mask": done}
            assert_same(ours.reset(options=options)[1], own.reset(options=options)[1])


@pytest.mark.parametrize("mode", AutoresetMode)
def test_gymnasiums_own_vector_environment_works_too(mode):
    def make():
        return GoalEnv(CHAIN, horizon=HORIZON, on_success="resample")

    ours = AllGoalsInfoVector(SyncVectorEnv([make] * NUM_ENVS, autoreset_mode=mode), CHAIN.goals.names)
    own = SyncVectorEnv([make] * NUM_ENVS, autoreset_mode=mode)
    ours.reset(seed=0)
    own.reset(seed=0)
    actions = np.random.default_rng(1)
    for _ in range(2 * HORIZON):
        action = actions.integers(0, 2, NUM_ENVS)
        ours_step, own_step = ours.step(action), own.step(action)
        assert_same(ours_step[4], own_step[4])
        done = ours_step[2] | ours_step[3]
        if mode is AutoresetMode.DISABLED and done.any():
            for envs in (ours, own):
                options = {"reset_mask": done}
                envs.reset(options=options)
                assert (envs is own) != ("reset_mask" in options), "ours leaves the caller's options as they are"


def test_success_in_a_foreign_environment_is_the_reward_of_reaching_a_goal():
    env = AllGoalsInfo(Line(), GOALS)
    _, info = env.reset(seed=0)
    assert info["all_goals"]["achieved"].tolist() == [True, False, False]
    info = env.step(1)[4]
    assert info["all_goals"]["achieved"].tolist() == [False, True, False]
    assert info["all_goals"]["reward"].tolist() == [-1.0, 0.0, -1.0]
    assert info["all_goals"]["reward"].dtype == np.float32
    assert info["scale"] == 1.0, "the environment's own entries stay"


def test_success_is_about_the_goal_desired_before_the_step():
    env = AllGoalsInfo(Line(resample=True), GOALS)
    for seed in range(20):
        observation, info = env.reset(seed=seed)
        if observation["desired_goal"] == 1:
            break
    assert info["goal"] == 1
    observation, reward, _, _, info = env.step(1)
    assert (observation["desired_goal"], reward, info["is_success"], info["goal"]) == (2, 0, True, -1)
    assert env.step(0)[4]["is_success"] is False


def test_success_on_the_last_step_is_about_the_goal_desired_before_it(line_id):
    envs = gymnasium.make_vec(
        line_id, num_envs=1, resample=True, max_episode_steps=1, vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
    )  # fmt: skip
    envs = AllGoalsInfoVector(envs, GOALS)
    seed = next(seed for seed in range(50) if envs.reset(seed=seed)[0]["desired_goal"] == 1)
    assert envs.reset(seed=seed)[1]["goal"] == 1
    infos = envs.step(np.array([1]))[4]
    assert infos["final_obs"][0]["desired_goal"] == 2
    assert infos["final_info"]["is_success"].tolist() == [True]
    assert infos["final_info"]["goal"].tolist() == [-1]
    assert infos["is_success"].tolist() == (infos["goal"] == 0).tolist(), "the next episode begins at 0"


@pytest.mark.parametrize("kind", [OnePair, WrongBatches])
def test_a_reward_of_one_pair_at_a_time_is_called_in_a_loop_with_a_warning(kind):
    with pytest.warns(UserWarning, match="takes one pair of goals, not a batch: it is called 3 times"):
        slow = AllGoalsInfo(kind(), GOALS)
    fast = AllGoalsInfo(Line(), GOALS)
    assert_same(slow.reset(seed=0)[1], fast.reset(seed=0)[1])
    assert_same(slow.step(1)[4], fast.step(1)[4])


@pytest.mark.filterwarnings("ignore:.*takes one pair of goals")
def test_a_reward_that_reads_infos_gets_them():
    with pytest.raises(
        ValueError, match=r"compute_reward\(goal, goal, {}\) fails \(KeyError\('scale'\)\): pass success="
    ):
        AllGoalsInfo(Scaled(), GOALS)
    env = AllGoalsInfo(Scaled(), GOALS, success=near)
    env.reset(seed=0)
    assert env.step(0)[4]["all_goals"]["reward"].tolist() == [0.0, -1.0, -1.0]


def test_a_dense_reward_does_not_tell_success_by_itself():
    with pytest.raises(ValueError, match=r"rewards like \[-.*\] do not say which goals are reached: pass success="):
        AllGoalsInfo(Dense(), GOALS)
    with pytest.raises(ValueError, match=r"rewards like \[1.0, 2.0\] do not say"):
        AllGoalsInfo(Avoid(), GOALS)
    env = AllGoalsInfo(Dense(), GOALS, success=near)
    env.reset(seed=0)
    info = env.step(1)[4]
    assert info["all_goals"]["reward"].tolist() == [-1.0, 0.0, -2.0]
    assert info["all_goals"]["achieved"].tolist() == [False, True, False]


def test_sampled_goals_are_the_environments_own_and_leave_its_random_numbers_alone(line_id):
    plain, env = gymnasium.make(line_id), gymnasium.make(line_id)
    plain.reset(seed=3)
    env.reset(seed=3)
    space = env.observation_space["achieved_goal"]
    space.seed(3)
    sampled = space.sample()
    space.seed(3)
    env = AllGoalsInfo(env, 5, seed=8)
    np.testing.assert_array_equal(space.sample(), sampled)
    assert len(np.unique(env.goal_array)) == 5
    assert np.isin(env.goal_array, np.arange(-3, 4)).all()
    for _ in range(5):
        np.testing.assert_array_equal(plain.reset()[0]["desired_goal"], env.reset()[0]["desired_goal"])
    np.testing.assert_array_equal(env.goal_array, gymnasium.make(env.spec).goal_array)
    vector = gymnasium.make_vec(line_id, num_envs=2)
    np.testing.assert_array_equal(env.goal_array, AllGoalsInfoVector(vector, 5, seed=8).goal_array)
    assert not np.array_equal(env.goal_array, AllGoalsInfo(gymnasium.make(line_id), 5, seed=9).goal_array)


def test_more_goals_than_there_are_raise_with_their_number(line_id):
    with pytest.raises(ValueError, match="160 resets gave 7 distinct goals, fewer than the 8 asked for"):
        AllGoalsInfo(gymnasium.make(line_id), 8)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        AllGoalsInfo(gymnasium.make(line_id), 0)
    with pytest.raises(TypeError, match="has no spec to make a second one from: give a list of goals"):
        AllGoalsInfo(Line(), 3)


def test_bad_goals_and_environments_are_refused(grid_task):
    with pytest.raises(ValueError, match=r"goal 1, \[9.0\], is not in the space of desired goals, Box\(-5.0"):
        AllGoalsInfo(Line(), [[0.0], [9.0]])
    with pytest.raises(ValueError, match="unknown goal 'position/0'"):
        AllGoalsInfo(GoalEnv(grid_task), ["position/0"])
    with pytest.raises(TypeError, match="dictionaries with an array under 'achieved_goal', got the space Box"):
        AllGoalsInfo(FlattenGoal(Line()), GOALS)
    with pytest.raises(TypeError, match="has no compute_reward"):
        AllGoalsInfo(NoReward(), GOALS)
    with pytest.raises(ValueError, match=r"must take batches: it returned shape \(\) for 21 pairs"):
        AllGoalsInfo(Line(), GOALS, success=lambda achieved, desired: True)
    with pytest.raises(TypeError, match="works on NumPy arrays: make .* without array='jax'"):
        AllGoalsInfoVector(GoalVectorEnv(grid_task, 2, array="jax"), [0])


def test_asynchronous_environments_are_wrapped_one_by_one():
    envs = AsyncVectorEnv.__new__(AsyncVectorEnv)  # without its processes: forking beside JAX may hang
    envs.metadata, envs.num_envs, envs.closed = {"autoreset_mode": AutoresetMode.NEXT_STEP}, 2, True
    with pytest.raises(TypeError, match="wrap the single environments instead"):
        AllGoalsInfoVector(envs, GOALS)


def test_maze_of_gymnasium_robotics():
    """Its sparse reward is 1 within 0.45 of the goal; the batch, the pair and the step agree."""
    robotics = pytest.importorskip("gymnasium_robotics")
    gymnasium.register_envs(robotics)
    name = "PointMaze_UMaze-v3"
    env = AllGoalsInfo(gymnasium.make(name), 16)
    envs = AllGoalsInfoVector(gymnasium.make_vec(name, num_envs=2, vectorization_mode="sync"), env.goal_array)
    env.reset(seed=1)
    envs.reset(seed=0)
    total = 0
    for _ in range(30):
        observation, reward, _, _, info = env.step(np.ones(2))
        near = np.linalg.norm(observation["achieved_goal"] - env.goal_array, axis=-1) <= 0.45
        np.testing.assert_array_equal(info["all_goals"]["achieved"], near)
        np.testing.assert_array_equal(info["all_goals"]["reward"], near)
        assert info["is_success"] == info["success"] == reward
        infos = envs.step(np.ones((2, 2)))[4]
        np.testing.assert_array_equal(infos["all_goals"]["achieved"][1], near)
        total += near.sum()
    assert total
    with pytest.raises(ValueError, match="pass success="):
        AllGoalsInfo(gymnasium.make("PointMaze_UMazeDense-v3"), 2)


def test_success_follows_a_goal_that_is_set_under_the_wrapper(grid_task):
    some = np.eye(grid_task.goals.num_goals, dtype=np.float32)[:3]
    env = AllGoalsInfo(GoalEnv(grid_task, on_success="continue"), some)
    env.reset(seed=0)
    held = env.step(0)[0]["achieved_goal"]
    env.unwrapped.set_goal(held)
    bump = [env.step(action) for action in (0, 0, 0, 0)][-1]  # against a wall: the last two states are the same
    env.unwrapped.set_goal(bump[0]["achieved_goal"])
    assert env.step(0)[4]["is_success"]
    envs = AllGoalsInfoVector(GoalVectorEnv(grid_task, 2, on_success="continue"), some)
    envs.reset(seed=0)
    bump = [envs.step(np.zeros(2, int)) for _ in range(5)][-1]
    envs.unwrapped.set_goal(goals=list(bump[0]["achieved_goal"]))
    assert envs.step(np.zeros(2, int))[4]["is_success"].all()


def test_examples_in_the_docstrings_run():
    assert doctest.testmod(module).failed == 0
