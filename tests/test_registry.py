"""The contract that every registered id keeps."""

import functools
import importlib.util
import pickle
import warnings

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import gc_envs
from gc_envs import entry_points
from gc_envs.core.episode import OnSuccess
from gc_envs.core.goals import FiniteGoals, PointSetGoals
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.registration import ROWS, register_all

HORIZON, NUM_ENVS = 5, 4
FAST = ("gridworld", "seek")  # families whose programs compile in a moment; the others share theirs

IDS = [
    pytest.param(
        row,
        id=row.id,
        marks=pytest.mark.skipif(
            row.requires is not None and importlib.util.find_spec(row.requires) is None,
            reason=f"needs the extra {row.extra}",
        ),
    )
    for row in ROWS
]


@pytest.fixture(scope="module", params=IDS)
def row(request):
    return request.param


@pytest.fixture(scope="module")
def env(row):
    """One environment per id, compiled once, with short episodes."""
    return gymnasium.make(row.id, horizon=HORIZON)


@pytest.fixture(scope="module")
def envs(row):
    """One vector environment per id."""
    return gymnasium.make_vec(row.id, num_envs=NUM_ENVS, horizon=HORIZON)


def boxes(space):
    if isinstance(space, gymnasium.spaces.Dict):
        return [box for part in space.values() for box in boxes(part)]
    return [space] if isinstance(space, gymnasium.spaces.Box) else []


def assert_equal(ours, theirs):
    """Bitwise, through dictionaries and tuples."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(ours, (list, tuple)):
        for mine, other in zip(ours, theirs, strict=True):
            assert_equal(mine, other)
    else:
        np.testing.assert_array_equal(ours, theirs)


def sample(space, seed, *batch):
    """Random actions of `space`, with batch axes in front."""
    random = np.random.default_rng(seed)
    if isinstance(space, gymnasium.spaces.Discrete):
        return random.integers(space.n, size=batch)
    return random.uniform(space.low, space.high, (*batch, *space.shape)).astype(np.float32)


def play(env, seed, episodes):
    """Return all that an environment returns in `episodes` episodes, of which only the first is seeded."""
    actions = iter(sample(env.action_space, seed, episodes * HORIZON))
    outputs = []
    for episode in range(episodes):
        outputs.append(env.reset(seed=seed if episode == 0 else None))
        done = False
        while not done:
            outputs.append(env.step(next(actions)))
            done = outputs[-1][2] or outputs[-1][3]
    return outputs


def some_goal(goals):
    """A goal of any goal space, as an array."""
    return goals.encode([[7, -7]] if isinstance(goals, PointSetGoals) else goals.num_goals - 1)


def matching(goals, achieved):
    """A goal [B, D] that each of `achieved` [B, d] meets: for a finite set, one of those that hold."""
    if isinstance(goals, FiniteGoals):
        return goals.one_hot(achieved.argmax(-1))
    return np.stack([goals.encode([point]) for point in achieved]) if isinstance(goals, PointSetGoals) else achieved


def test_gymnasiums_checker_has_nothing_to_say(row, env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=row.family not in FAST)  # Craftax frames: tests/craftax/test_render.py


def test_stable_baselines3s_checker_has_nothing_to_say(env):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(env)


def test_torchrls_checker_has_nothing_to_say(row):
    torchrl = pytest.importorskip("torchrl.envs")
    env = torchrl.GymEnv(row.id, horizon=HORIZON)
    torchrl.check_env_specs(env)
    assert env.rollout(2 * HORIZON).shape[0] <= HORIZON


def test_make_puts_no_wrapper_around_an_environment(env):
    assert isinstance(env, GoalEnv)
    observation, _ = env.reset(seed=0)
    assert env.set_goal(some_goal(env.goals))[0].keys() == observation.keys()


def test_an_environment_refuses_to_step_or_render_before_its_first_reset():
    env = gymnasium.make("GC-Gridworld-v0", size=5, render_mode="rgb_array")
    for call in (functools.partial(env.step, 0), env.render):
        with pytest.raises(gymnasium.error.ResetNeeded):
            call()


def test_every_box_is_finite(env, envs):
    for space in (env.observation_space, envs.observation_space):
        assert boxes(space)
        for box in boxes(space):
            assert np.isfinite(box.low).all()
            assert np.isfinite(box.high).all()


def test_observations_lie_in_their_space(env, envs):
    assert all(step[0] in env.observation_space for step in play(env, 0, 2))
    observation, _ = envs.reset(seed=0)
    for _ in range(2 * HORIZON):
        assert observation in envs.observation_space
        observation, reward, terminated, truncated, _ = envs.step(envs.action_space.sample())
        assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float32, bool, bool)


def test_the_same_seed_gives_the_same_episodes_bitwise(env):
    first = play(env, 3, 3)
    env.step(sample(env.action_space, 0))  # from a dirty state
    assert_equal(play(env, 3, 3), first)
    other = play(env, 4, 3)
    goals = [[outputs[0]["desired_goal"] for outputs in run if len(outputs) == 2] for run in (first, other)]
    assert (np.stack(goals[0]) != np.stack(goals[1])).any()


def test_consecutive_episodes_have_different_goals(env, envs):
    """JaxGCRL #53: one goal for the whole training run."""

    def different(desired):
        return len(np.unique(desired, axis=0))

    goals = [env.reset(seed=None if episode else 0)[0]["desired_goal"] for episode in range(6)]
    assert different(goals) > 2
    goals = np.stack([envs.reset(seed=None if episode else 0)[0]["desired_goal"] for episode in range(6)], axis=1)
    assert all(different(desired) > 2 for desired in goals)
    assert different(goals[:, 0]) > 1


def test_rewards_of_a_step_follow_from_its_goals_in_every_library(env):
    """scalar == batch == the environment's own; NumPy == JAX == torch; any batch axes; `info` is never looked at."""
    jnp, torch = pytest.importorskip("jax.numpy"), pytest.importorskip("torch")
    steps = [step for step in play(env, 1, 3) if len(step) == 5]
    achieved = np.stack([step[0]["achieved_goal"] for step in steps])
    desired = np.stack([step[0]["desired_goal"] for step in steps])
    own = np.array([step[1] for step in steps], np.float32)
    for index, (_, reward, terminated, _, info) in enumerate(steps):
        recomputed = env.compute_reward(achieved[index], desired[index], info)
        assert recomputed.shape == ()
        assert recomputed == reward
        if env.compute_terminated(achieved[index], desired[index], info):
            assert terminated
    # Some pairs that match, too.
    achieved, desired = np.concatenate([achieved] * 2), np.concatenate([desired, matching(env.goals, achieved)])
    batch = env.compute_reward(achieved, desired, [{}] * len(achieved))
    np.testing.assert_array_equal(batch[: len(own)], own)
    assert batch.max() > batch.min()
    for shape in ((), (3,), (2, 3)):
        count = int(np.prod(shape))
        parts = [x[-count:].reshape(*shape, x.shape[-1]) for x in (achieved, desired)]
        expected = batch[-count:].reshape(shape)
        for convert in (np.asarray, jnp.asarray, torch.from_numpy):
            reward = env.compute_reward(*map(convert, parts), None)
            assert str(reward.dtype).removeprefix("torch.") == "float32"
            np.testing.assert_array_equal(np.asarray(reward), expected)
            success = env.compute_terminated(*map(convert, parts), None)
            assert tuple(success.shape) == shape


def test_all_goals_info_agrees_with_the_step(env, envs):
    finite = isinstance(env.goals, FiniteGoals)
    for outputs in play(env, 2, 2):
        info = outputs[-1]
        everything, goal = info["all_goals"], info["goal"]
        for key, dtype in (("achieved", bool), ("reward", np.float32)):
            assert everything[key].shape == (env.goals.num_goals,)
            assert everything[key].dtype == dtype
        assert info["goal_name"] == (env.goals.names[goal] if goal >= 0 else "")
        if finite:
            np.testing.assert_array_equal(everything["achieved"], outputs[0]["achieved_goal"] > 0.5)
            np.testing.assert_array_equal(everything["reward"], everything["achieved"].astype(np.float32))
        if isinstance(env.goals, PointSetGoals):
            assert everything["achieved"].sum() == everything["reward"].sum() == info["is_success"]
        if goal >= 0:
            assert everything["achieved"][goal] == info["is_success"]
            if len(outputs) == 5:
                assert everything["reward"][goal] == outputs[1]
                assert outputs[1] == outputs[4]["all_goals"]["reward"][goal]
    envs.reset(seed=2)
    for _ in range(HORIZON):
        info = envs.step(envs.action_space.sample())[4]
        assert (
            info["all_goals"]["achieved"].shape == info["all_goals"]["reward"].shape == (NUM_ENVS, env.goals.num_goals)
        )
        for key in ("_all_goals", "_is_success", "_goal"):
            assert info[key].tolist() == [True] * NUM_ENVS
        known = info["goal"] >= 0
        picked = info["all_goals"]["achieved"][np.arange(NUM_ENVS), info["goal"]]
        np.testing.assert_array_equal(picked[known], info["is_success"][known])


def test_environment_i_of_a_seed_is_the_single_environment_of_that_seed_plus_i(env, envs):
    """Step by step, across automatic resets."""
    steps = 2 * HORIZON + 2
    actions = sample(env.action_space, 0, steps, NUM_ENVS)
    outputs = [envs.reset(seed=20)] + [envs.step(action) for action in actions]
    for i in (0, NUM_ENVS - 1):
        alone, done = env.reset(seed=20 + i), False
        for t, together in enumerate(outputs):
            if t:
                alone = env.reset() if done else env.step(actions[t - 1, i])
                done = len(alone) == 5 and (alone[2] or alone[3])
            mine = {name: value[i] for name, value in together[0].items()}
            for name in alone[0]:  # two programs, one of them batched: x / 10 and x * 0.1 may differ by a bit
                np.testing.assert_allclose(mine[name], alone[0][name], rtol=1e-6, atol=1e-5)
            assert together[-1]["goal"][i] == alone[-1]["goal"]
            assert together[-1]["is_success"][i] == alone[-1]["is_success"]
            if len(alone) == 5:
                assert tuple(value[i] for value in together[1:4]) == alone[1:4]


def test_a_saved_state_goes_on_identically(env):
    actions = sample(env.action_space, 5, 4)
    env.reset(seed=5)
    env.step(actions[0])
    saved = env.get_state()

    def go_on():
        env.set_state(saved)
        return [env.step(actions[1]), env.step(actions[2]), env.reset(), env.step(actions[3])]

    assert_equal(go_on(), go_on())


def test_an_episode_under_way_can_be_given_another_goal(env, envs):
    goal = some_goal(env.goals)
    env.reset(seed=0)
    before = env.step(sample(env.action_space, 0))[0]
    observation, info = env.set_goal(goal)
    assert_equal(observation | {"desired_goal": before["desired_goal"]}, before)
    np.testing.assert_array_equal(observation["desired_goal"], goal)
    assert info["is_success"] == bool(env.goals.success(observation["achieved_goal"], goal))
    ends = [env.step(sample(env.action_space, 1))[2:4] for _ in range(HORIZON - 1)]
    assert ends[-1][1]  # the clock went on

    first = envs.reset(seed=0)[0]
    mask = np.arange(NUM_ENVS) == 2
    second, infos = envs.set_goal(goals=[goal] * NUM_ENVS, mask=mask)
    np.testing.assert_array_equal(second["desired_goal"][2], goal)
    np.testing.assert_array_equal(second["desired_goal"][~mask], first["desired_goal"][~mask])
    assert_equal(second | {"desired_goal": 0}, first | {"desired_goal": 0})
    np.testing.assert_array_equal(infos["_is_success"], mask)
    with pytest.raises(ValueError, match="^mask must be bool"):
        envs.set_goal(goal, mask=mask[:2])


def test_pickles(row, env):
    env.reset(seed=0)
    copy = pickle.loads(pickle.dumps(env))
    assert copy.observation_space == env.observation_space
    assert copy.goals.names == env.goals.names
    jax.tree.map(np.testing.assert_array_equal, copy.get_state()["engine"], env.get_state()["engine"])
    if row.family in FAST:
        action = sample(env.action_space, 0)
        assert_equal(copy.step(action), env.step(action))


def test_ids_are_made_by_gymnasium_alone_and_take_a_time_limit(row):
    env = gymnasium.make(f"gc_envs:{row.id}", max_episode_steps=2)
    assert isinstance(env.unwrapped, GoalEnv)
    assert env.unwrapped.metadata["render_modes"] == ["rgb_array"]
    envs = gymnasium.make_vec(row.id, num_envs=2, max_episode_steps=2)
    assert isinstance(envs, GoalVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert gymnasium.make_vec(row.id, num_envs=2, autoreset_mode=AutoresetMode.SAME_STEP).metadata[
        "autoreset_mode"
    ] is AutoresetMode.SAME_STEP  # fmt: skip
    together = gymnasium.make_vec(row.id, num_envs=2, vectorization_mode="sync", max_episode_steps=2)
    assert together.single_observation_space == envs.single_observation_space
    if row.family in FAST:
        options, action = {"goal": some_goal(env.unwrapped.goals)}, sample(env.action_space, 0)
        for vector in (envs, together):
            vector.reset(seed=0, options=options)
            flags = [vector.step(np.stack([action] * 2))[3].tolist() for _ in range(2)]
            assert flags == [[False, False], [True, True]]
        observation, _ = env.reset(seed=0, options=options)
        np.testing.assert_array_equal(observation["desired_goal"], options["goal"])
        assert [env.step(action)[3] for _ in range(2)] == [False, True]


@pytest.mark.parametrize("row_id", [row.id for row in ROWS if row.family in FAST])
def test_async_vectorisation_works_with_spawned_processes(row_id):
    """fork and JAX deadlock (jax-ml/jax PR 18989)."""
    settings = {"num_envs": 2, "horizon": 3} | ({"size": 5} if "Gridworld" in row_id else {})
    results = []
    for mode, arguments in (("async", {"context": "spawn"}), ("sync", {})):
        envs = gymnasium.make_vec(f"gc_envs:{row_id}", vectorization_mode=mode, vector_kwargs=arguments, **settings)
        actions = sample(envs.single_action_space, 0, 5, 2)
        outputs = [envs.reset(seed=0)[0]] + [envs.step(action)[:4] for action in actions]
        last = outputs[-1][0]
        recomputed = envs.call("compute_reward", last["achieved_goal"], last["desired_goal"], None)
        results.append((outputs, recomputed))
        np.testing.assert_array_equal(recomputed[0], outputs[-1][1])
        envs.close()
    assert_equal(results[0], results[1])


def test_ids_are_registered_once_with_their_own_clock():
    assert len({row.id for row in ROWS}) == len(ROWS)
    register_all()
    for row in ROWS:
        assert gymnasium.spec(row.id).max_episode_steps is None
        assert row.id.endswith("-v0")
        assert row.eval_steps is None or row.eval_steps >= 1


@pytest.mark.parametrize("mode", ["human", "rgb_array_list"])
def test_gymnasium_makes_the_other_render_modes_of_rgb_array(mode):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env = gymnasium.make("GC-Gridworld-v0", size=5, render_mode=mode)
    assert env.unwrapped.render_mode == "rgb_array"
    assert env.render_mode == mode


@pytest.mark.parametrize("make", [gymnasium.make, functools.partial(gymnasium.make_vec, num_envs=2)])
def test_a_pickled_spec_makes_the_same_environment(make):
    env = make("GC-ContinuousSeek-v0", dim=3, horizon=7, goals=[0, 1])
    spec = pickle.loads(pickle.dumps(env.spec))
    assert spec == env.spec
    again = gymnasium.make(spec) if isinstance(env, gymnasium.Env) else gymnasium.make_vec(spec)
    assert again.observation_space == env.observation_space
    assert (again.unwrapped.horizon, again.unwrapped.goals.names) == (7, env.unwrapped.goals.names)


@pytest.mark.parametrize("make", [entry_points.make_env, entry_points.make_vector_env])
def test_entry_points_give_each_argument_to_whom_it_is_for(make):
    env = make(env_id="GC-Gridworld-v0", size=5, goals=[0, 2], horizon=3, on_success="continue", all_goals_info=False)
    assert (env.horizon, env.on_success, env.all_goals_info) == (3, OnSuccess.CONTINUE, False)
    assert env.goals.num_goals == 2
    assert env.task.walls.shape == (5, 5)
    message = (
        "^GC-Gridworld-v0 got an unexpected keyword argument 'sise'; it takes: size, wall_density, map_seed, goals"
    )
    with pytest.raises(TypeError, match=message) as caught:
        make(env_id="GC-Gridworld-v0", sise=5, horizon=3)
    for name in ("horizon", "on_success", "all_goals_info", "render_mode"):
        assert f", {name}" in str(caught.value)
    with pytest.raises(TypeError, match=message):
        gc_envs.make_task("GC-Gridworld-v0", sise=5)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        ("GC-Gridworld-v0", {"size": 5, "goals": [0, 1]}, "AchievedGoalHerReplayBuffer and SB3VecEnv of gc_envs.wrap"),
        ("GC-NoisySeek-v0", {}, "; what a state achieves is no set of points, so use DictReplayBuffer"),
    ],
)
def test_stable_baselines3s_own_hindsight_is_refused_where_it_makes_no_goals(env_id, kwargs, message):
    sb3 = pytest.importorskip("stable_baselines3")
    env = gymnasium.make(env_id, horizon=HORIZON, **kwargs)
    algorithm = sb3.DQN if isinstance(env.action_space, gymnasium.spaces.Discrete) else sb3.SAC
    model = algorithm("MultiInputPolicy", env, replay_buffer_class=sb3.HerReplayBuffer, learning_starts=2 * HORIZON)
    with pytest.raises(ValueError, match=message):
        model.learn(40)


def test_a_desired_goal_that_is_not_one_hot_is_refused():
    env = gymnasium.make("GC-Gridworld-v0", size=5)
    achieved = np.zeros((2, env.goals.num_goals), np.float32)
    for count in (0, 2):
        desired = achieved + (np.arange(env.goals.num_goals) < count)
        with pytest.raises(ValueError, match=f"^a desired goal is one-hot, got one with {count} goals at once"):
            env.compute_reward(achieved, desired, [{}] * 2)


def test_a_missing_extra_names_the_pip_command(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *args: None if name == "craftax" else find(name, *args)
    )
    for make in (gc_envs.make_task, gymnasium.make, gymnasium.make_vec):
        with pytest.raises(ModuleNotFoundError, match=r'pip install "gc_envs\[craftax\]"'):
            make("GC-Craftax-v0")
