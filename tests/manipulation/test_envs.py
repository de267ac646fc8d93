"""The manipulation environments as a whole, on MuJoCo C: seeds, environments, goals, ends, saved states, learners."""

import functools
import importlib.util
import itertools
import pickle
import subprocess
import sys
from pathlib import Path

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from manipulation.tools import IDS, INSTALLED, SPARSE, go_on, random_actions, same

import gc_envs
from gc_envs.registration import make_task

gymnasium.register_envs(gc_envs)
HORIZON = 6
DENSE = [param for param in IDS if param not in SPARSE]
NEXT_STEP, SAME_STEP, DISABLED = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED


def make(env_id, **kwargs):
    return gymnasium.make(env_id, backend="c", **kwargs).unwrapped


def make_vec(env_id, num_envs, **kwargs):
    return gymnasium.make_vec(env_id, num_envs=num_envs, backend="c", **kwargs)


def trail(envs, steps, seed=None):
    """All that `envs` says on a seeded reset and on `steps` steps of random actions."""
    actions = random_actions(envs, 0)
    return [envs.reset(seed=seed), *(envs.step(next(actions)) for _ in range(steps))]


@pytest.mark.parametrize("num_envs", [1, 7])
@pytest.mark.parametrize("env_id", SPARSE)
def test_a_seed_is_a_trajectory_at_any_number_of_threads_from_any_state(env_id, num_envs):
    one, two = (make_vec(env_id, num_envs, threads=n, horizon=HORIZON, autoreset_mode=SAME_STEP) for n in (1, 2))
    first = trail(one, 3 * HORIZON + 2, seed=5)
    dirty = trail(two, HORIZON + 3, seed=9)
    for envs in (two, one, two):
        same(trail(envs, 3 * HORIZON + 2, seed=5), first)
    assert (dirty[0][0]["desired_goal"] != first[0][0]["desired_goal"]).any()


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("env_id", SPARSE)
def test_environment_i_is_the_single_environment_of_seed_s_plus_i(env_id, mode):
    """To the last bit, through ends and resets, in all that is said."""
    num_envs, done, ends = 3, np.zeros(3, bool), 0
    envs = make_vec(env_id, num_envs, horizon=HORIZON, autoreset_mode=mode, threads=2)
    singles = [make(env_id, horizon=HORIZON) for _ in range(num_envs)]
    said, actions = envs.reset(seed=30), random_actions(envs, 1)
    for i, env in enumerate(singles):
        assert_says(said, i, env.reset(seed=30 + i))
    for _ in range(3 * HORIZON + 2):
        if mode is DISABLED and done.any():
            said = envs.reset(options={"reset_mask": done})
            for i in np.flatnonzero(done):
                assert_says(said, i, singles[i].reset())
            done = np.zeros(num_envs, bool)
        action = next(actions)
        said = envs.step(action)
        for i, env in enumerate(singles):
            if done[i] and mode is NEXT_STEP:
                assert_says((said[0], said[4]), i, env.reset())
                assert [part[i] for part in said[1:4]] == [0, False, False]
                continue
            alone = env.step(action[i])
            assert tuple(part[i] for part in said[1:4]) == alone[1:4]
            if mode is SAME_STEP and alone[3]:
                same(said[4]["final_obs"][i], alone[0])
                assert_tells(said[4]["final_info"], i, alone[4])
                alone = env.reset()
            assert_says((said[0], said[4]), i, (alone[0], alone[-1]))
        done = said[2] | said[3]
        ends += done.sum()
    assert ends >= 2 * num_envs


def assert_says(together, i, alone):
    same({name: values[i] for name, values in together[0].items()}, alone[0])
    assert_tells(together[1], i, alone[1])


def assert_tells(infos, i, info):
    same({name: values[i] for name, values in infos["all_goals"].items() if name[0] != "_"}, info["all_goals"])
    assert infos["is_success"][i] == info["is_success"]
    assert infos["goal"][i] == info["goal"]


@pytest.mark.parametrize("env_id", SPARSE)
def test_starts_and_goals_differ_between_episodes_and_none_is_solved_at_first(env_id):
    num_envs, goals, starts = 250, [], []
    envs = make_vec(env_id, num_envs, all_goals_info=False, threads=2)
    for episode in range(2):
        observation, info = envs.reset(seed=None if episode else 0)
        assert not info["is_success"].any()
        assert not envs.goals.success(observation["achieved_goal"], observation["desired_goal"]).any()
        goals.append(observation["desired_goal"])
        starts.append(observation["observation"])
    if env_id == "GC-HandReach-v0":  # of its goals, the other three fingers' coordinates repeat
        goals = [goal[:, -3:] for goal in goals]
    assert len(np.unique(np.concatenate(goals), axis=0)) == 2 * num_envs
    assert len(np.unique(np.concatenate(starts), axis=0)) == (2 * num_envs if envs.task.num_start_uniforms else 1)


def at_hand(envs, actions):
    """Give half of the environments the goal that `actions` will lead them to; return which half."""
    before = envs.get_state()
    reached = envs.step(actions)[0]["achieved_goal"]
    chosen = np.arange(envs.num_envs) % 2 == 1
    before["engine"]["desired"][chosen] = reached[chosen]
    envs.set_state(before)
    return chosen


@pytest.mark.parametrize("on_success", ["terminate", "continue", "resample"])
@pytest.mark.parametrize("env_id", IDS)
def test_success_is_what_rewards_say_and_ends_what_it_should(env_id, on_success):
    envs = make_vec(env_id, 6, on_success=on_success, autoreset_mode=DISABLED)
    trail(envs, 5, seed=0)
    actions = next(random_actions(envs, 7))
    chosen = at_hand(envs, actions)
    desired = envs.get_state()["engine"]["desired"]
    observation, reward, terminated, truncated, info = envs.step(actions)
    assert info["is_success"].tolist() == chosen.tolist()
    assert terminated.tolist() == (chosen & (on_success == "terminate")).tolist()
    assert not truncated.any()
    same(reward, envs.compute_reward(observation["achieved_goal"], desired, None))
    if "Dense" not in env_id:
        assert reward.tolist() == np.where(chosen, 0, -1).tolist()
    assert (observation["desired_goal"] != desired).any(axis=1).tolist() == (
        chosen & (on_success == "resample")
    ).tolist()  # fmt: skip
    ends = envs.compute_terminated(observation["achieved_goal"], desired, None)
    assert ends.tolist() == terminated.tolist()


@pytest.mark.parametrize("on_success", ["terminate", "continue", "resample"])
def test_divergence_leads_to_the_same_next_episode_in_every_mode(on_success):
    """Also where the environment is at its goal, and whatever is done while it waits."""
    following = []
    for mode in AutoresetMode:
        envs = make_vec("GC-PandaPush-v0", 4, on_success=on_success, autoreset_mode=mode)
        envs.reset(seed=3)
        actions = np.zeros((4, 3), np.float32)
        chosen = at_hand(envs, actions)
        actions[chosen] = np.nan
        observation, reward, terminated, truncated, info = envs.step(actions)
        assert truncated.tolist() == info["diverged"].tolist() == chosen.tolist()
        assert terminated.tolist() == (chosen & (on_success == "terminate")).tolist()  # the state kept is at its goal
        if mode is DISABLED:
            observation, _ = envs.reset(options={"reset_mask": truncated})
        elif mode is NEXT_STEP:
            assert reward.tolist() == np.where(chosen, 0, -1).tolist()
            observation, *_, info = envs.step(actions)
            assert not info["diverged"].any()
        assert envs.num_diverged.tolist() == chosen.tolist()
        following.append({name: values[chosen] for name, values in observation.items()})
    for other in following[1:]:
        same(other, following[0])


def test_it_agrees_with_gymnasiums_own_vector_environments():
    """Also in processes that are forked where simulations run on threads."""
    said = []
    for kwargs in ({"threads": 2}, {"vectorization_mode": "sync"}, {"vectorization_mode": "async"}):
        envs = make_vec("GC-PandaPush-v0", 2, horizon=HORIZON, **kwargs)
        said.append([part[:4] if len(part) == 5 else part[:1] for part in trail(envs, 2 * HORIZON, seed=4)])
        envs.close()
    for other in said[1:]:
        same(other, said[0])


@pytest.mark.parametrize("env_id", DENSE)
def test_dense_rewards_are_minus_the_distance(env_id):
    for observation, *outcome in trail(make_vec(env_id, 4, horizon=50), 40, seed=2)[1:]:
        apart = observation["achieved_goal"].astype(np.float64) - observation["desired_goal"]
        np.testing.assert_allclose(outcome[0], -np.linalg.norm(apart, axis=1), atol=1e-6)
        assert ((outcome[0] >= -2) & (outcome[0] <= 0)).all()


@pytest.mark.parametrize("env_id", SPARSE)
def test_anchors_are_fixed_lie_in_the_box_and_are_named_by_their_coordinates(env_id):
    task, other = make_task(env_id, backend="c"), make_task(env_id, backend="c")
    few = make_task(env_id, backend="c", num_anchor_goals=5)
    same(task.goals.anchors, other.goals.anchors)
    assert task.goals.names == other.goals.names
    for goals, most in ((task.goals, 64), (few.goals, 5)):
        assert 0.8 * most <= goals.num_goals == len(goals.anchors) <= most  # HandReach's that stay coincide
        assert len(set(goals.names)) == goals.num_goals
        for anchor, name in zip(goals.anchors, goals.names):
            assert goals.desired_space.contains(anchor)
            np.testing.assert_allclose(np.array(name.strip("()").split(", "), float), anchor, rtol=0.01, atol=1e-6)


@pytest.mark.parametrize("env_id", SPARSE)
def test_goals_can_be_given_by_name_index_and_array(env_id):
    env, envs = make(env_id), make_vec(env_id, 3)
    anchors, names = env.goals.anchors, env.goals.names
    for goal in (7, names[7], anchors[7]):
        observation, info = env.reset(seed=0, options={"goal": goal})
        same(observation["desired_goal"], anchors[7])
        assert (info["goal"], info["goal_name"]) == (7, names[7])
        observation, info = envs.reset(seed=0, options={"goal": goal})
        same(observation["desired_goal"], anchors[[7] * 3])
        assert info["goal"].tolist() == [7] * 3
    for goals in ([3, 0, 3], [names[3], names[0], names[3]], anchors[[3, 0, 3]]):
        same(envs.reset(options={"goals": goals})[0]["desired_goal"], anchors[[3, 0, 3]])
    between = anchors[7] + np.where(anchors[7] > env.goals.desired_space.low + 1e-3, np.float32(-1e-4), 0)
    observation, info = env.reset(options={"goal": between})
    same(observation["desired_goal"], between)
    assert (info["goal"], info["goal_name"]) == (-1, "")
    assert len(np.unique(np.array([env.reset()[0]["desired_goal"] for _ in range(4)]), axis=0)) > 1


@pytest.mark.parametrize("env_id", SPARSE)
def test_goals_can_be_restricted(env_id):
    whole = make_task(env_id, backend="c").goals
    kept = [whole.names[2], 9, whole.anchors[5]]
    envs = make_vec(env_id, 20, goals=kept, horizon=3)
    for said in trail(envs, 8, seed=0):
        chosen = whole.index(said[0]["desired_goal"])
        assert set(chosen.tolist()) == {2, 9, 5}
        assert said[-1]["all_goals"]["achieved"].shape == said[-1]["all_goals"]["reward"].shape == (20, 3)
        same(np.array([2, 9, 5])[said[-1]["goal"]], chosen)
    assert [envs.goals.names[i] for i in range(3)] == [whole.names[i] for i in (2, 9, 5)]


SAVED = {"horizon": 25, "on_success": "resample"}


def used(env_id, num_envs):
    """An environment in the middle of its second episode; a single one if `num_envs` is 0."""
    env = make_vec(env_id, num_envs, **SAVED) if num_envs else make(env_id, **SAVED)
    env.reset(seed=11)
    go_on(env, np.random.default_rng(0).uniform(-1, 1, (33, *env.action_space.shape)))
    return env


@pytest.mark.parametrize("num_envs", [0, 3])
@pytest.mark.parametrize("env_id", SPARSE)
def test_a_saved_state_or_a_pickle_goes_on_to_the_last_bit(env_id, num_envs):
    env, dirty = used(env_id, num_envs), used(env_id, num_envs)
    state, copy = env.get_state(), pickle.loads(pickle.dumps(env))
    actions = np.random.default_rng(1).uniform(-1, 1, (60, *env.action_space.shape)).astype(np.float32)
    go_on(dirty, actions[:7])
    first = go_on(env, actions)  # which leaves `state` as it is
    assert sum(np.sum(said[3]) for said in first if len(said) == 5) >= 2 * max(num_envs, 1)
    dirty.set_state(state)
    for other in (dirty, copy):
        same(go_on(other, actions), first)


def test_a_fresh_process_goes_on_to_the_last_bit(tmp_path):
    program = """
import pickle, sys
import gymnasium
from manipulation.tools import go_on
with open(sys.argv[1], "rb") as file:
    cases = pickle.load(file)
said = []
for env, make, state, actions in cases:
    fresh = make()
    fresh.reset(seed=77)
    fresh.unwrapped.set_state(state)
    said.append([go_on(env, actions), go_on(fresh.unwrapped, actions)])
with open(sys.argv[1], "wb") as file:
    pickle.dump(said, file)
print([name for name in sys.modules if name.split(".")[0] in ("jax", "torch")])
"""
    cases, path = [], tmp_path / "cases"
    ids = [env_id for env_id in INSTALLED if env_id in ("GC-PandaPickAndPlace-v0", "GC-HandManipulateBlock-v0")]
    for env_id, num_envs in itertools.product(ids, (0, 2)):
        kwargs = {"backend": "c", **SAVED} | ({"num_envs": num_envs} if num_envs else {})
        again = functools.partial(gymnasium.make_vec if num_envs else gymnasium.make, f"gc_envs:{env_id}", **kwargs)
        env = used(env_id, num_envs)
        actions = np.random.default_rng(1).uniform(-1, 1, (60, *env.action_space.shape)).astype(np.float32)
        cases.append((env, again, env.get_state(), actions))
    path.write_bytes(pickle.dumps(cases))
    folder = Path(__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", program, path], cwd=folder, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
    for (env, _, _, actions), said in zip(cases, pickle.loads(path.read_bytes()), strict=True):
        expected = go_on(env, actions)
        for theirs in said:
            same(theirs, expected)


def test_sb3_learns_from_them_and_sees_divergence_end(recwarn):
    pytest.importorskip("stable_baselines3")
    from stable_baselines3 import SAC, HerReplayBuffer

    from gc_envs.wrappers import SB3VecEnv

    envs = SB3VecEnv(make_vec("GC-PandaPush-v0", 4, horizon=20))
    model = SAC(
        "MultiInputPolicy", envs, replay_buffer_class=HerReplayBuffer, buffer_size=2000, learning_starts=100,
        batch_size=32, train_freq=5, policy_kwargs={"net_arch": [16]}, device="cpu", seed=0,
    )  # fmt: skip
    before = model.policy.state_dict()["actor.mu.weight"].clone()
    model.learn(200)
    assert model.num_timesteps >= 200
    assert (model.policy.state_dict()["actor.mu.weight"] != before).any()
    batch = model.replay_buffer.sample(256)
    judged = envs.envs.compute_reward(batch.next_observations["achieved_goal"], batch.next_observations["desired_goal"])
    assert (batch.rewards[:, 0] == judged).all()  # relabelled ones too
    assert (judged == 0).any()
    envs.reset()
    actions = np.zeros((4, 3), np.float32)
    actions[2] = np.nan
    observation, _, done, infos = envs.step(actions)
    assert done.tolist() == [False, False, True, False]
    assert infos[2]["diverged"]
    assert infos[2]["TimeLimit.truncated"]  # no end, which would be worth more than staying alive
    assert envs.envs.num_diverged.tolist() == [0, 0, 1, 0]
    assert all(np.isfinite(part).all() for part in observation.values())


@pytest.mark.parametrize("make_any", [make_task, gymnasium.make, gymnasium.make_vec])
def test_a_backend_is_reached_from_everywhere(make_any, monkeypatch):
    def backend(**kwargs):
        made = make_any("GC-PandaReach-v0", **kwargs)
        return made.backend if make_any is make_task else made.unwrapped.metadata["backend"]

    assert [backend(backend="c"), backend(backend="mjx"), backend()] == ["c", "mjx", "c"]
    find = importlib.util.find_spec
    faked = {"jax_cuda12_plugin": "there", "warp": None}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *args: faked[name] if name in faked else find(name, *args)
    )
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert backend() == backend(backend="auto") == "mjx"
    assert backend(backend="c") == "c"


@pytest.mark.slow
def test_mjx_plays_episodes_like_those_of_c():
    """With given goals: JAX samples others. MJX leaves part of a weld's acceleration out: worth millimetres."""
    settings = {"num_envs": 3, "horizon": 4, "autoreset_mode": SAME_STEP}
    envs = gymnasium.make_vec("GC-PandaReach-v0", backend="mjx", **settings)
    other = gymnasium.make_vec("GC-PandaReach-v0", backend="c", **settings)
    assert envs.single_observation_space == other.single_observation_space
    same(envs.goals.anchors, other.goals.anchors)
    goals = np.float32([[0.5, 0, 0.3], [0.7, -0.1, 0.1], [0.7, 0, 0.2]])
    actions = np.random.default_rng(0).uniform(-1, 1, (6, 3, 3)).astype(np.float32)
    actions[:, 2] = [1, 0, 0]  # to its goal and beyond, by 3 cm a step
    actions[5, 1] = np.nan
    (ours, info), (theirs, _) = (each.reset(seed=0, options={"goals": goals}) for each in (envs, other))
    assert not info["is_success"].any()
    for step, action in enumerate(actions):
        np.testing.assert_allclose(ours["observation"][:, :3], theirs["observation"][:, :3], atol=5e-3)
        np.testing.assert_allclose(ours["achieved_goal"], ours["observation"][:, :3])
        assert ours in envs.observation_space
        ours, reward, terminated, truncated, info = envs.step(action)
        theirs, *outcome, _ = other.step(action)
        assert truncated.tolist() == [step == 3, step in (3, 5), step == 3]
        assert not terminated.any()
        if step <= 3:
            same((reward, terminated, truncated), tuple(outcome))
            assert reward.tolist() == [-1, -1, 0 if step < 3 else -1]
    assert info["diverged"].tolist() == truncated.tolist() == [False, True, False]
    assert len(np.unique(ours["desired_goal"], axis=0)) == 3
