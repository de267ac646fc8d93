"""Any vector environment as Stable-Baselines3's."""

from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import gc_envs
from gc_envs.core.goals import FiniteGoals, PointSetGoals
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.task import Task
from gc_envs.core.vector_env import GoalVectorEnv

pytest.importorskip("stable_baselines3")
from stable_baselines3 import DDPG, DQN, PPO, SAC, TD3, HerReplayBuffer
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from gc_envs.wrappers import FlattenGoalVector, SB3VecEnv

gymnasium.register_envs(gc_envs)
WAIT, DIE, REACH_FIRST, REACH_SECOND = range(4)
SAME_STEP = AutoresetMode.SAME_STEP


def tiny(**kwargs):
    """Settings of any algorithm that make it fast."""
    return {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0, **kwargs}


def off_policy(**kwargs):
    return tiny(buffer_size=2000, learning_starts=100, batch_size=16, train_freq=20, **kwargs)


class DiaryState(NamedTuple):
    episode: jax.Array  # [] int32, sampled by the reset: names the episode
    clock: jax.Array  # [] int32
    action: jax.Array  # [] int32, the last one


class DiaryTask(Task[DiaryState]):
    """The observation is (episode, clock); actions wait, die, or reach one of two goals; time is out after 4 steps."""

    horizon = 4
    action_space = gymnasium.spaces.Discrete(4)
    observation_space = gymnasium.spaces.Box(0, 2**20, (2,), np.float32)

    def __init__(self):
        self.goals = FiniteGoals(["first", "second"])

    def reset(self, key):
        return DiaryState(jax.random.randint(key, (), 0, 2**20, jnp.int32), jnp.int32(0), jnp.int32(WAIT))

    def step(self, key, state, action):
        return DiaryState(state.episode, state.clock + 1, jnp.asarray(action, jnp.int32))

    def observe(self, state):
        return jnp.stack([state.episode, state.clock]).astype(jnp.float32)

    def achieved(self, state):
        return state.action == jnp.array([REACH_FIRST, REACH_SECOND])

    def terminated(self, state):
        return state.action == DIE

    def render(self, state, desired_goal=None):
        return np.full((4, 4, 3), state.clock, np.uint8)


@pytest.fixture(scope="module")
def diary_envs():
    """Five environments, compiled once, used by many tests."""
    return SB3VecEnv(GoalVectorEnv(DiaryTask(), num_envs=5))


class TestContract:
    def test_each_environment_that_ended_has_its_last_observation_flags_and_success(self, diary_envs):
        rng = np.random.default_rng(0)
        diary_envs.seed(3)
        before = diary_envs.reset()
        seen = set()
        for _ in range(100):
            actions = rng.integers(4, size=5)
            after, rewards, dones, infos = diary_envs.step(actions)
            clock = before["observation"][:, 1] + 1
            reached = actions - REACH_FIRST == before["desired_goal"].argmax(1)
            ended = reached | (actions == DIE)
            np.testing.assert_array_equal(dones, ended | (clock == 4))
            np.testing.assert_array_equal(rewards, reached)
            for i in range(5):
                episode = before["observation"][i, 0]
                if not dones[i]:
                    assert infos[i] == {}
                    np.testing.assert_array_equal(after["observation"][i], [episode, clock[i]])
                    continue
                seen.add((bool(reached[i]), bool(ended[i]), clock[i] == 4))
                assert infos[i]["TimeLimit.truncated"] == (clock[i] == 4 and not ended[i])
                assert infos[i]["is_success"] == reached[i]
                assert infos[i]["terminal"] == (actions[i] == DIE)
                last = infos[i]["terminal_observation"]
                np.testing.assert_array_equal(last["observation"], [episode, clock[i]])
                np.testing.assert_array_equal(last["desired_goal"], before["desired_goal"][i])
                np.testing.assert_array_equal(last["achieved_goal"], actions[i] == [REACH_FIRST, REACH_SECOND])
                assert after["observation"][i, 0] != episode
                assert after["observation"][i, 1] == 0
                assert diary_envs.reset_infos[i]["goal"] == after["desired_goal"][i].argmax()
            before = after
        # success, death and time-out, on the last step and before it
        assert seen == {(False, False, True), *((s, True, last) for s in (False, True) for last in (False, True))}

    def test_no_stored_transition_crosses_an_episode(self, diary_envs):
        model = DQN("MultiInputPolicy", diary_envs, **off_policy(exploration_fraction=1.0))
        model.learn(600)
        stored = model.replay_buffer
        rows = slice(0, stored.pos)
        old, new = stored.observations["observation"][rows], stored.next_observations["observation"][rows]
        action = stored.actions[rows, :, 0]
        np.testing.assert_array_equal(new[..., 0], old[..., 0])  # the episode
        np.testing.assert_array_equal(new[..., 1], old[..., 1] + 1)  # its clock
        reached = action - REACH_FIRST == stored.observations["desired_goal"][rows].argmax(-1)
        ended = reached | (action == DIE)
        np.testing.assert_array_equal(stored.dones[rows], ended | (new[..., 1] == 4))
        np.testing.assert_array_equal(stored.timeouts[rows], (new[..., 1] == 4) & ~ended)
        assert stored.timeouts[rows].any()
        assert stored.pos == 120

    def test_it_equals_sb3s_own_vector_environment_over_single_ones(self, diary_envs):
        theirs = DummyVecEnv([lambda: GoalEnv(DiaryTask())] * 5)
        assert assert_equal_runs(diary_envs, theirs, steps=40) == {True, False}, "time-outs and ends"

    def test_a_foreign_environment_equals_sb3s_own(self):
        def make():
            return gymnasium.make("CartPole-v1", max_episode_steps=15)

        ours = SB3VecEnv(SyncVectorEnv([make] * 3, copy=False, autoreset_mode=SAME_STEP))
        seen = assert_equal_runs(ours, DummyVecEnv([make] * 3), steps=120)
        assert seen == {True, False}, "time-outs and falls"

    def test_arrays_are_fresh(self):
        envs = SB3VecEnv(
            SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2, copy=False, autoreset_mode=SAME_STEP)
        )
        first = envs.reset()
        kept = first.copy()
        second = envs.step(np.ones(2, int))[0]
        np.testing.assert_array_equal(first, kept)
        assert not np.shares_memory(first, second)

    def test_the_same_seed_gives_the_trajectory_of_the_vector_environment_itself(self, diary_envs):
        bare = GoalVectorEnv(DiaryTask(), num_envs=5, autoreset_mode=SAME_STEP)
        actions = np.random.default_rng(1).integers(4, size=(12, 5))

        def run(reset, step):
            return [reset(), *(step(action) for action in actions)]

        def ours():
            assert diary_envs.seed(11) == [11, 12, 13, 14, 15]
            return run(diary_envs.reset, lambda a: diary_envs.step(a)[0])

        one, two = ours(), ours()
        third = run(lambda: bare.reset(seed=11)[0], lambda a: bare.step(a)[0])
        for x, y, z in zip(one, two, third, strict=True):
            for key in x:
                np.testing.assert_array_equal(x[key], y[key])
                np.testing.assert_array_equal(x[key], z[key])
        later = diary_envs.reset()  # a seed is used once
        assert (later["observation"] != one[0]["observation"]).any()

    def test_options_are_for_the_next_reset(self, diary_envs):
        diary_envs.set_options({"goal": "second"})
        assert diary_envs.reset()["desired_goal"].argmax(1).tolist() == [1] * 5
        names = ["first", "second", "second", "first", "second"]
        diary_envs.set_options([{"goal": name} for name in names])
        assert diary_envs.reset()["desired_goal"].argmax(1).tolist() == [0, 1, 1, 0, 1]
        assert [info["goal"] for info in diary_envs.reset_infos] == [0, 1, 1, 0, 1]
        goals = {tuple(diary_envs.reset()["desired_goal"].argmax(1)) for _ in range(8)}
        assert len(goals) > 1, "options are used once"

    @pytest.mark.parametrize("options", [[], [{"goal": 0}], [{"goal": 0}] * 4 + [{}]])
    def test_options_that_do_not_fit_the_environments_are_refused(self, diary_envs, options):
        with pytest.raises(ValueError, match="5 dictionaries with the same keys"):
            diary_envs.set_options(options)


def assert_equal_runs(ours, theirs, steps):
    """Same seed, same actions: all that `ours` and `theirs` return is equal. Returns the time-limit flags seen."""
    for envs in (ours, theirs):
        envs.seed(7)
        envs.action_space.seed(0)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert_equal_trees(ours.reset(), theirs.reset())
    flags = set()
    for _ in range(steps):
        actions = np.array([ours.action_space.sample() for _ in range(ours.num_envs)])
        one, other = ours.step(actions), theirs.step(actions)
        for mine, their in zip(one[:3], other[:3], strict=True):
            assert_equal_trees(mine, their)
        assert one[1].dtype == other[1].dtype
        for done, info, reference in zip(one[2], one[3], other[3], strict=True):
            if done:
                flags.add(info["TimeLimit.truncated"])
                for key, value in info.items():
                    assert_equal_trees(value, reference[key])
    return flags


def assert_equal_trees(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, dict(other) if isinstance(other, dict) else other)


class DeadlyTask(DiaryTask):
    """Reaching the first goal is death, too."""

    def terminated(self, state):
        return (state.action == DIE) | (state.action == REACH_FIRST)


@pytest.mark.parametrize("on_success", ["terminate", "resample"])
@pytest.mark.parametrize("kind", ["ours", "sync"])
def test_an_end_whatever_the_goal_is_told_from_one_by_the_goal_even_on_the_same_step(kind, on_success):
    if kind == "ours":
        envs = SB3VecEnv(GoalVectorEnv(DeadlyTask(), num_envs=3, on_success=on_success))
    else:
        makers = [lambda: GoalEnv(DeadlyTask(), on_success=on_success)] * 3
        envs = SB3VecEnv(SyncVectorEnv(makers, autoreset_mode=SAME_STEP))
    envs.set_options({"goal": "first"})
    envs.reset()
    _, _, dones, infos = envs.step(np.array([DIE, REACH_FIRST, WAIT]))
    assert dones.tolist() == [True, True, False]
    assert [(info["is_success"], info["terminal"]) for info in infos[:2]] == [(False, True), (True, True)]
    envs.set_options({"goal": "second"})
    envs.reset()
    dones, infos = envs.step(np.full(3, REACH_SECOND))[2:]
    assert dones.all()
    assert [(info["is_success"], info["terminal"]) for info in infos] == [(True, False)] * 3
    assert not any(info["TimeLimit.truncated"] for info in infos)


def resampling(kind):
    """Three environments that go on with another goal once theirs is reached, in each kind of vector environment."""
    if kind == "ours":
        return GoalVectorEnv(DiaryTask(), num_envs=3, on_success="resample")
    makers = [lambda: GoalEnv(DiaryTask(), on_success="resample")] * 3
    return SyncVectorEnv(makers, autoreset_mode=SAME_STEP)


@pytest.mark.parametrize("kind", ["ours", "sync"])
def test_a_reached_goal_is_an_end_though_the_environment_goes_on_with_another(kind):
    envs = VecMonitor(SB3VecEnv(resampling(kind)))
    envs.seed(0)
    before, length, seen = envs.reset(), np.zeros(3, int), set()
    rng = np.random.default_rng(0)
    for _ in range(120):
        actions = rng.integers(4, size=3)
        after, rewards, dones, infos = envs.step(actions)
        clock, length = before["observation"][:, 1] + 1, length + 1
        reached = actions - REACH_FIRST == before["desired_goal"].argmax(1)
        np.testing.assert_array_equal(dones, reached | (actions == DIE) | (clock == 4))
        np.testing.assert_array_equal(rewards, reached)
        for i in np.flatnonzero(dones):
            last = infos[i]["terminal_observation"]
            np.testing.assert_array_equal(last["observation"], [before["observation"][i, 0], clock[i]])
            np.testing.assert_array_equal(last["desired_goal"], before["desired_goal"][i])
            np.testing.assert_array_equal(last["achieved_goal"], actions[i] == [REACH_FIRST, REACH_SECOND])
            assert infos[i]["is_success"] == reached[i]
            assert infos[i]["goal"] == before["desired_goal"][i].argmax()
            assert infos[i].get("goal_name") in (None, ["first", "second"][infos[i]["goal"]])
            assert infos[i]["TimeLimit.truncated"] == (clock[i] == 4 and not reached[i] and actions[i] != DIE)
            assert infos[i]["episode"]["l"] == length[i]
            goes_on = bool(reached[i] and clock[i] < 4)
            assert (after["observation"][i, 0] == before["observation"][i, 0]) == goes_on
            assert envs.venv.reset_infos[i]["goal"] == after["desired_goal"][i].argmax()
            assert envs.venv.reset_infos[i]["is_success"] == (
                last["achieved_goal"] @ after["desired_goal"][i] and goes_on
            )
            seen.add((bool(reached[i]), goes_on, bool(clock[i] == 4)))
        length[dones], before = 0, after
    assert seen == {(True, True, False), (True, False, True), (False, False, False), (False, False, True)}


def test_goals_that_are_replaced_need_observations_that_have_them():
    envs = GoalVectorEnv(DiaryTask(), num_envs=2, autoreset_mode=SAME_STEP, on_success="resample")
    with pytest.raises(ValueError, match=r"on_success='resample' needs observations with a desired_goal.*Box"):
        SB3VecEnv(FlattenGoalVector(envs))


class TestRefusals:
    def test_a_foreign_next_step_environment_is_refused_with_the_line_that_fixes_it(self):
        envs = gymnasium.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync")
        with pytest.raises(ValueError, match="SAME_STEP") as caught:
            SB3VecEnv(envs)
        line = str(caught.value).split("make it with: ")[1]
        assert SB3VecEnv(eval(line)).num_envs == 2

    def test_ours_behind_a_wrapper_is_refused_with_the_line_that_fixes_it(self):
        envs = gymnasium.make_vec("GC-Gridworld-v0", num_envs=2)
        with pytest.raises(ValueError, match="NEXT_STEP") as caught:
            SB3VecEnv(gymnasium.wrappers.vector.RecordEpisodeStatistics(envs))
        fixed = eval(str(caught.value).split("make it with: ")[1])
        assert SB3VecEnv(gymnasium.wrappers.vector.RecordEpisodeStatistics(fixed)).num_envs == 2

    @pytest.mark.parametrize("arguments", [
        {"id": "GC-Gridworld-v0", "num_envs": 3, "size": 6, "horizon": 9, "on_success": "continue"},
        {"id": "GC-Gridworld-v0", "num_envs": 2, "size": 6, "vectorization_mode": "sync",
         "vector_kwargs": {"copy": False}},
        {"id": "CartPole-v1", "num_envs": 2, "max_episode_steps": 7, "sutton_barto_reward": True,
         "vectorization_mode": "sync"},
        {"id": "CartPole-v1", "max_episode_steps": 7, "sutton_barto_reward": True},
        {"id": "GC-Gridworld-v0", "size": 6, "horizon": 9},
    ], ids=str)  # fmt: skip
    def test_the_line_that_fixes_it_keeps_the_arguments(self, arguments):
        single = "num_envs" not in arguments
        envs = gymnasium.make(**arguments) if single else gymnasium.make_vec(**arguments)
        if isinstance(envs, GoalVectorEnv):  # would be switched to SAME_STEP if it were not wrapped
            envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(envs)
        with pytest.raises((TypeError, ValueError), match="make it with: ") as caught:
            SB3VecEnv(envs)
        fixed = eval(str(caught.value).split("make it with: ")[1])
        assert SB3VecEnv(fixed).num_envs == arguments.get("num_envs", 1)
        given = {**arguments, **arguments.get("vector_kwargs", {})}
        kept = {**fixed.spec.kwargs, **fixed.spec.kwargs.get("vector_kwargs", {}), "id": fixed.spec.id}
        assert {name: kept[name] for name in given if name not in ("num_envs", "vector_kwargs")} == {
            name: value for name, value in given.items() if name not in ("num_envs", "vector_kwargs")
        }
        assert fixed.num_envs == given.get("num_envs", 1)

    def test_one_without_an_id_is_told_the_argument(self):
        envs = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")])
        with pytest.raises(ValueError, match=r"SyncVectorEnv\(env_fns, autoreset_mode="):
            SB3VecEnv(envs)

    def test_a_single_environment_is_refused(self):
        with pytest.raises(TypeError, match="VectorEnv"):
            SB3VecEnv(gymnasium.make("CartPole-v1"))

    def test_device_arrays_are_refused(self):
        with pytest.raises(ValueError, match="array='jax'"):
            SB3VecEnv(GoalVectorEnv(DiaryTask(), array="jax"))

    def test_her_desiring_several_goals_at_once_is_refused(self, diary_envs):
        achieved = np.array([[1.0, 1.0]], np.float32)
        with pytest.raises(ValueError, match="AchievedGoalHerReplayBuffer"):
            diary_envs.env_method("compute_reward", achieved, achieved, [{}], indices=[0])

    def test_her_on_point_sets_is_refused_with_the_reason(self):
        class PointTask(DiaryTask):
            def __init__(self):
                self.goals = PointSetGoals(3, -5, 5)

            def achieved(self, state):
                return jnp.stack([state.clock, state.clock]).astype(jnp.float32)

            def sample_goal(self, key, state, achieved):
                return jnp.array([1, 1, 1, 1, 4, 4, 0, 0, 0], jnp.float32)

        envs = SB3VecEnv(GoalVectorEnv(PointTask(), num_envs=2))
        model = DQN("MultiInputPolicy", envs, replay_buffer_class=HerReplayBuffer, **off_policy())
        with pytest.raises(ValueError, match="no set of points.*DictReplayBuffer"):
            model.learn(200)


class TestSingleEnvironments:
    def test_methods_answer_once_per_index(self, diary_envs):
        achieved, desired = np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[[0, 0]]
        for indices, count in (([0], 1), (None, 5), ([1, 3], 2), (2, 1)):
            answers = diary_envs.env_method("compute_reward", achieved, desired, [{}, {}], indices=indices)
            assert len(answers) == count
            assert all(answer.tolist() == [1, 0] for answer in answers)

    def test_attributes_are_those_of_one_environment(self, diary_envs):
        assert diary_envs.get_attr("horizon", [0, 2]) == [4, 4]
        assert diary_envs.get_attr("observation_space", 0) == [diary_envs.observation_space]
        assert diary_envs.has_attr("compute_terminated")
        assert not diary_envs.has_attr("colour")

    def test_attributes_can_be_set_unless_they_are_compiled_in(self, diary_envs):
        diary_envs.set_attr("colour", "red")
        assert diary_envs.get_attr("colour", [1]) == ["red"]
        with pytest.raises(ValueError, match="all 5 environments"):
            diary_envs.set_attr("colour", "blue", indices=[0])
        with pytest.raises(ValueError, match="horizon is compiled"):
            diary_envs.set_attr("horizon", 7)

    def test_sub_environments_are_asked_one_by_one(self):
        makers = [lambda: Monitor(gymnasium.make("CartPole-v1"))] * 3
        envs = SB3VecEnv(SyncVectorEnv(makers, autoreset_mode=SAME_STEP))
        envs.set_attr("gravity", 1.5, indices=[1])
        assert envs.get_attr("gravity") == [9.8, 1.5, 9.8]
        assert envs.env_method("has_wrapper_attr", "gravity", indices=[0, 2]) == [True, True]
        assert envs.env_is_wrapped(Monitor, indices=0) == [True]

    def test_sub_environments_in_other_processes_are_asked_together(self):
        settings = {"autoreset_mode": SAME_STEP, "context": "spawn"}
        envs = SB3VecEnv(
            gymnasium.make_vec(
                "CartPole-v1", num_envs=2, vectorization_mode="async", vector_kwargs=settings, max_episode_steps=2
            )
        )
        envs.set_attr("gravity", 1.5)
        assert envs.get_attr("gravity", indices=[1]) == [1.5]
        assert envs.env_method("has_wrapper_attr", "gravity", indices=[0]) == [True]
        assert not envs.has_attr("colour")
        with pytest.raises(ValueError, match="all 2 environments"):
            envs.set_attr("gravity", 1.0, indices=[0])
        envs.reset()
        assert [envs.step(np.zeros(2, int))[2].all() for _ in range(4)] == [False, True] * 2
        envs.close()

    def test_wrappers_around_ours_are_looked_into(self):
        envs = GoalVectorEnv(DiaryTask(), num_envs=2, autoreset_mode=SAME_STEP)
        bridge = SB3VecEnv(gymnasium.wrappers.vector.RecordEpisodeStatistics(envs))
        assert bridge.get_attr("horizon") == [4, 4]
        assert bridge.env_method("compute_terminated", np.eye(2), np.eye(2), indices=[0])[0].all()
        bridge.reset()
        ends = [info for _ in range(4) for info in bridge.step(np.zeros(2, int))[3] if info]
        assert len(ends) == 2
        assert all(end["TimeLimit.truncated"] and not end["is_success"] for end in ends)
        assert [end["episode"]["l"] for end in ends] == [4, 4], "what a wrapper adds is there, too"

    def test_our_environments_are_not_wrapped(self, diary_envs):
        assert diary_envs.env_is_wrapped(Monitor) == [False] * 5

    def test_it_renders_all_environments_in_one_picture(self):
        envs = SB3VecEnv(GoalVectorEnv(DiaryTask(), num_envs=4, render_mode="rgb_array"))
        envs.reset()
        assert [image.shape for image in envs.get_images()] == [(4, 4, 3)] * 4
        assert envs.render().shape == (8, 8, 3)
        envs.close()


class Recorder(KVWriter):
    """Every name that a logger ever wrote."""

    def __init__(self):
        self.names = set()

    def write(self, key_values, key_excluded, step=0):
        self.names |= set(key_values)

    def close(self):
        pass


def learn(model, steps):
    recorder = Recorder()
    model.set_logger(Logger(None, [recorder]))
    model.learn(steps, log_interval=1)
    return recorder.names


@pytest.fixture(scope="module")
def grid_envs():
    return SB3VecEnv(gymnasium.make_vec("GC-Gridworld-v0", num_envs=4, size=5, horizon=10))


@pytest.fixture(scope="module")
def seek_envs():
    return SB3VecEnv(gymnasium.make_vec("GC-ContinuousSeek-v0", num_envs=4, dim=2))


class TestAlgorithms:
    @pytest.mark.parametrize("algorithm", [DDPG, SAC, TD3])
    def test_continuous_ones_learn_with_her_in_many_environments(self, seek_envs, algorithm):
        model = algorithm(
            "MultiInputPolicy", VecMonitor(seek_envs), replay_buffer_class=HerReplayBuffer, **off_policy()
        )
        names = learn(model, 400)
        assert {"rollout/success_rate", "rollout/ep_rew_mean", "train/critic_loss"} <= names

    def test_dqn_learns(self, grid_envs):
        model = DQN("MultiInputPolicy", grid_envs, **off_policy())
        assert {"rollout/success_rate", "train/loss"} <= learn(model, 400)

    def test_ppo_learns(self, grid_envs):
        model = PPO("MultiInputPolicy", VecMonitor(grid_envs), **tiny(n_steps=32, batch_size=32))
        assert {"rollout/success_rate", "rollout/ep_len_mean", "train/loss"} <= learn(model, 400)

    def test_observations_can_be_normalised(self, seek_envs):
        normal = VecNormalize(seek_envs, norm_obs_keys=["observation"])
        model = SAC("MultiInputPolicy", normal, replay_buffer_class=HerReplayBuffer, **off_policy())
        model.learn(300)
        mean = normal.obs_rms["observation"].mean
        assert mean.shape == (2,)
        assert mean.any()
        sample = model.replay_buffer.sample(32, env=normal)
        assert abs(sample.observations["desired_goal"]).max() > 1, "goals are not normalised"

    def test_policies_are_evaluated_through_it(self, grid_envs):
        model = PPO("MultiInputPolicy", grid_envs, **tiny(n_steps=32, batch_size=32))
        rewards, lengths = evaluate_policy(
            model, VecMonitor(grid_envs), n_eval_episodes=6, return_episode_rewards=True, deterministic=False
        )
        assert len(rewards) == 6
        assert set(rewards) <= {0, 1}
        assert all(1 <= length <= 10 for length in lengths)


def test_the_autoreset_mode_can_be_changed_before_a_reset():
    envs = GoalVectorEnv(DiaryTask(), num_envs=2)
    envs.reset(seed=0)
    envs.set_autoreset_mode("SameStep")
    assert envs.metadata["autoreset_mode"] is SAME_STEP
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(np.zeros(2, int))
    first, _ = envs.reset(seed=5)
    observations, _, terminated, _, infos = envs.step(np.array([DIE, WAIT]))
    assert terminated.tolist() == [True, False]
    assert infos["final_obs"][0]["observation"][0] == first["observation"][0, 0]
    assert observations["observation"][:, 1].tolist() == [0, 1]
