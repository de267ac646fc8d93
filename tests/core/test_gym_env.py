"""The single environment: what it refuses, goals commanded at reset, restricted goals, saved state, frames."""

import pickle
import warnings

import gymnasium
import jax
import numpy as np
import pytest
from probes import RIGHT, ChainTask

import gc_envs
from gc_envs.core.gym_env import GoalEnv


@pytest.fixture(scope="module")
def env(grid_task):
    return GoalEnv(grid_task)


@pytest.fixture
def ready(env):
    env.reset(seed=0)
    return env


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([0], r"shape \(1,\) given, expected \(\)"),
        ([0, 1], r"shape \(2,\) given"),
        (np.nan, "integers"),
        (1.0, "integers"),
        (4, r"action 4 is outside 0\.\.3"),
        (-1, r"action -1 is outside 0\.\.3"),
        ("left", "integers"),
        (None, "integers"),
    ],
)
def test_bad_actions_are_value_errors_and_leave_the_episode_alone(ready, action, message):
    before = ready.get_state()["engine"]["envs"]
    with pytest.raises(ValueError, match=message):
        ready.step(action)
    after = ready.get_state()["engine"]["envs"]
    np.testing.assert_array_equal(before.key, after.key)
    assert before.episode.clock == after.episode.clock


@pytest.mark.parametrize("action", [1, np.int64(1), np.uint8(1), np.array(1)])
def test_every_integer_is_an_action(ready, action):
    ready.step(action)


class BoxAction(ChainTask):
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def step(self, key, state, action):
        return super().step(key, state, action[0] > 0)


@pytest.mark.parametrize("action", [[np.nan, 0], [np.inf, 0], [0], [[0, 0]]])
def test_bad_continuous_actions_are_value_errors(action):
    env = GoalEnv(BoxAction(start=0))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="not finite|shape"):
        env.step(action)
    assert env.step([0.5, 0.0])[0]["observation"] == 1


@pytest.mark.parametrize("method", ["step", "get_state", "render"])
def test_before_the_first_reset_nothing_runs(grid_task, method):
    env = GoalEnv(grid_task, render_mode="rgb_array")
    with pytest.raises(gymnasium.error.ResetNeeded, match=f"reset.. before {method}"):
        env.step(0) if method == "step" else getattr(env, method)()


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"sise": 5}, TypeError, "got an unexpected keyword argument 'sise'; it takes: size, wall_density, map_seed"),
        ({"size": 2}, ValueError, "size must be at least 3, got 2"),
        ({"goals": []}, ValueError, "at least one goal"),
        *(({"goals": goals}, ValueError, "goals must be a list") for goals in ("position/0-0", b"x", 5, iter(()), {})),
        ({"map_seed": -1}, ValueError, "map_seed must lie in 0..4294967295, got -1"),
        ({"map_seed": 2**80}, ValueError, "map_seed must lie in 0"),
        ({"goals": ["position/9-9"]}, ValueError, "unknown goal 'position/9-9'; nearest: position/"),
        ({"on_success": "stop"}, ValueError, "'stop' is not one of"),
        *(
            ({"horizon": horizon}, ValueError, f"horizon must be an integer of at least 1, got {horizon!r}")
            for horizon in (0, 2.5, float("nan"), True, "10")
        ),
    ],
)
@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_bad_arguments_are_named(make, kwargs, error, message):
    with pytest.raises(error, match=message):
        make("GC-Gridworld-v0", **{"size": 5} | kwargs)


def test_unknown_ids_come_with_the_nearest():
    with pytest.raises(ValueError, match="unknown environment id 'GC-Gridwold-v0'; nearest: GC-Gridworld-v0"):
        gc_envs.make_task("GC-Gridwold-v0")


def test_a_task_object_takes_no_task_arguments(grid_task):
    with pytest.raises(TypeError, match="size"):
        GoalEnv(grid_task, size=5)
    with pytest.raises(TypeError, match="goals"):
        GoalEnv(grid_task, goals=[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gaol": 1}, "unknown reset option 'gaol'; allowed: goal"),
        ({"goal": "position/0-9"}, "unknown goal 'position/0-9'; nearest: position/0-"),
        ({"goal": 99}, "outside 0.."),
        ({"goal": [0.0, 1.0]}, "one-hot"),
    ],
)
def test_bad_reset_options_are_named(env, options, message):
    with pytest.raises(ValueError, match=message):
        env.reset(options=options)


@pytest.mark.parametrize("kind", ["name", "index", "array"])
def test_goals_are_commanded_by_name_index_or_array(env, kind):
    for index in (0, 3, env.goals.num_goals - 1):
        goal = {"name": env.goals.names[index], "index": index, "array": env.goals.encode(index)}[kind]
        observation, info = env.reset(options={"goal": goal})
        assert info["goal"] == index
        assert info["goal_name"] == env.goals.names[index]
        np.testing.assert_array_equal(observation["desired_goal"], env.goals.encode(index))


def test_goals_restrict_what_is_drawn_and_told(grid_task):
    names = [grid_task.goals.names[i] for i in (4, 1)]
    env = gymnasium.make("GC-Gridworld-v0", size=5, goals=names, render_mode="rgb_array").unwrapped
    drawn = {env.reset(seed=seed)[1]["goal_name"] for seed in range(12)}
    assert drawn == set(names)
    observation, info = env.reset(options={"goal": names[0]})
    assert info["goal"] == 0
    assert observation["desired_goal"].shape == info["all_goals"]["achieved"].shape == (2,)
    whole = GoalEnv(grid_task, render_mode="rgb_array")
    whole.reset(options={"goal": names[0]})
    np.testing.assert_array_equal(env.render(), whole.render())
    row, column = map(int, names[1].removeprefix("position/").split("-"))
    envs = env.get_state()["engine"]["envs"]
    envs = envs._replace(state=envs.state._replace(position=np.int32([[row, column]])))
    np.testing.assert_array_equal(jax.vmap(env.task.achieved)(envs.state)[0], [False, True])


@pytest.mark.parametrize("on_success", ["terminate", "continue", "resample"])
def test_on_success_overrides_the_tasks_own(on_success):
    env = GoalEnv(ChainTask(start=0), on_success=on_success)
    env.reset(seed=0, options={"goal": "cell_1"})
    _, reward, terminated, _, info = env.step(RIGHT)
    assert reward == 1
    assert info["is_success"]
    assert terminated == (on_success == "terminate")
    achieved, desired = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[[0, 2, 2]]
    expected = [True, False, True] if on_success == "terminate" else [False] * 3
    np.testing.assert_array_equal(env.compute_terminated(achieved, desired, [{}, {}, {}]), expected)
    np.testing.assert_array_equal(env.compute_truncated(achieved, desired, {}), [False] * 3)


def test_horizon_truncates_on_its_last_step():
    env = GoalEnv(ChainTask(start=0), horizon=3)
    for _ in range(2):
        env.reset(seed=0, options={"goal": "cell_2"})
        assert [env.step(0)[3] for _ in range(3)] == [False, False, True]


def test_without_all_goals_info_the_rest_stays(grid_task):
    env = GoalEnv(grid_task, all_goals_info=False)
    for info in (env.reset(seed=0)[1], env.step(0)[4]):
        assert set(info) == {"goal", "goal_name", "is_success", "terminal", "diverged"}


def test_render_draws_the_goal_and_needs_its_mode(grid_task, ready):
    env = GoalEnv(grid_task, render_mode="rgb_array")
    env.reset(seed=0, options={"goal": 0})
    frame = env.render()
    assert (frame.dtype, frame.ndim, frame.shape[2]) == (np.uint8, 3, 3)
    env.reset(seed=0, options={"goal": 1})
    assert (env.render() != frame).any()
    with pytest.warns(UserWarning, match="render_mode"):
        assert ready.render() is None
    with pytest.raises(ValueError, match="human"):
        GoalEnv(grid_task, render_mode="human")


def test_observations_are_the_callers_own(ready):
    """Writing into what was returned changes nothing (a NumPy view of a JAX array is read-only, or worse)."""
    observation, info = ready.reset(seed=0)
    expected = ready.get_state()["engine"]["envs"].achieved
    observation["achieved_goal"][:] = 7
    info["all_goals"]["achieved"][:] = True
    np.testing.assert_array_equal(ready.get_state()["engine"]["envs"].achieved, expected)
    assert ready.step(0)[0] in ready.observation_space


def test_a_pickled_environment_goes_on_where_it_was(ready):
    ready.step(0)
    copy = pickle.loads(pickle.dumps(ready))
    for action in (1, 3, 0):
        ours, theirs = ready.step(action), copy.step(action)
        np.testing.assert_array_equal(ours[0]["observation"], theirs[0]["observation"])
        assert ours[1:4] == theirs[1:4]
    first, second = (e.reset()[1]["goal"] for e in (ready, copy))
    assert first == second


def test_resets_without_a_seed_follow_from_the_seed_once_given(env):
    """PGym #93, #94: later unseeded resets could not be reproduced after one seed."""

    def goals():
        return [env.reset(seed=7 if t == 0 else None)[1]["goal"] for t in range(6)]

    first = goals()
    env.reset()
    assert goals() == first
    assert len(set(first)) > 1


def test_unseeded_environments_differ(grid_task):
    sequences = []
    for _ in range(2):
        env = GoalEnv(grid_task)
        sequences.append([env.reset()[1]["goal"] for _ in range(8)])
    assert sequences[0] != sequences[1]


def test_a_step_compiles_once(grid_task, compilations):
    env = GoalEnv(grid_task)
    env.reset(seed=0)
    env.step(0)
    env.reset()
    before = compilations.count
    for action in (1, np.int64(2), 3):
        env.step(action)
    env.reset(seed=1, options={"goal": 0})
    env.step(1)
    assert env._engine._step._cache_size() == env._engine._reset._cache_size() == 1
    assert compilations.count == before


def test_setting_a_saved_state_needs_no_reset(grid_task, ready):
    ready.step(1)
    saved = ready.get_state()
    other = GoalEnv(grid_task)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other.set_state(saved)
        np.testing.assert_array_equal(other.step(2)[0]["observation"], ready.step(2)[0]["observation"])
        assert other.reset()[1]["goal"] == ready.reset()[1]["goal"]


def test_the_spec_has_the_horizon_for_wrappers_that_count_steps():
    env = gymnasium.make("GC-Gridworld-v0", size=5, horizon=30)
    assert env.spec.max_episode_steps == 30
    assert pickle.loads(pickle.dumps(env)).spec.max_episode_steps == 30
    timed = gymnasium.wrappers.TimeAwareObservation(gymnasium.wrappers.FlattenObservation(env))
    timed.reset(seed=0)
    assert [timed.step(0)[0][-1] for _ in range(2)] == [1, 2]
    assert gymnasium.make_vec("GC-Gridworld-v0", num_envs=2, size=5, horizon=30).spec.max_episode_steps == 30


def test_an_environment_made_from_its_spec_ends_when_it_does():
    again = gymnasium.make(gymnasium.make("GC-Gridworld-v0", size=5, horizon=3).spec)
    again.reset(seed=0, options={"goal": "position/0-4"})
    assert [again.step(0)[3] for _ in range(3)] == [False, False, True]
    envs = gymnasium.make_vec(gymnasium.make_vec("GC-Gridworld-v0", num_envs=2, size=5, horizon=3).spec)
    assert envs.horizon == 3


@pytest.mark.parametrize(
    "env_id", ["GC-Gridworld-v0", "GC-ContinuousSeek-v0", "GC-DriveSeek-v0", "GC-NoisySeek-v0", "GC-BitFlip-v0"]
)
def test_frames_are_writable(env_id):
    env = gymnasium.make(env_id, render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    frame[0] = 0
    assert (env.render() != frame).any()
