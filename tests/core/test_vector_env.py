"""The vector environment: Gymnasium's own SyncVectorEnv is the measure, for every autoreset mode."""

import copy
import os
import subprocess
import sys

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import DictInfoToList, FlattenObservation, NormalizeReward, RecordEpisodeStatistics
from probes import RIGHT, ChainTask

from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.registration import make_task

NUM_ENVS, HORIZON = 4, 7


def make(grid_task, **kwargs):
    return GoalVectorEnv(grid_task, NUM_ENVS, **{"horizon": HORIZON} | kwargs)


def sync(grid_task, mode, **kwargs):
    return SyncVectorEnv(
        [lambda: GoalEnv(grid_task, **{"horizon": HORIZON} | kwargs) for _ in range(NUM_ENVS)], autoreset_mode=mode
    )


def actions(seed=0):
    random = np.random.default_rng(seed)
    while True:
        yield random.integers(0, 4, NUM_ENVS)


def assert_same_infos(ours, theirs):
    """Equal keys, equal masks, and equal values wherever Gymnasium's mask is True."""
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        if key.startswith("_"):
            np.testing.assert_array_equal(ours[key], value, key)
            assert ours[key].dtype == bool
        elif isinstance(value, dict):
            assert_same_infos(ours[key], value)
        else:
            mask = theirs[f"_{key}"]
            for mine, other in zip(ours[key][mask], value[mask], strict=True):
                if isinstance(other, dict):
                    assert_same_trees(mine, other)
                else:
                    np.testing.assert_array_equal(mine, other, key)
            if key == "final_obs":
                assert all(entry is None for entry in ours[key][~mask])


def assert_same_trees(ours, theirs):
    assert set(ours) == set(theirs)
    for key in theirs:
        np.testing.assert_array_equal(ours[key], theirs[key], key)
        assert ours[key].dtype == theirs[key].dtype


def assert_same_step(ours, theirs):
    assert_same_trees(ours[0], theirs[0])
    for mine, other in zip(ours[1:4], theirs[1:4], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert_same_infos(ours[4], theirs[4])


@pytest.mark.parametrize("on_success", ["terminate", "continue"])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_conforms_to_gymnasiums_sync_vector_env(grid_task, mode, on_success):
    """Bitwise: observations, rewards, flags, infos, masks, final observations; across many automatic resets."""
    ours = make(grid_task, autoreset_mode=mode, on_success=on_success)
    theirs = sync(grid_task, mode, on_success=on_success)
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is mode
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    ends, draw = 0, actions()
    for seed in (3, None):
        first = [env.reset(seed=seed) for env in (ours, theirs)]
        assert_same_trees(first[0][0], first[1][0])
        assert_same_infos(first[0][1], first[1][1])
        for _ in range(40):
            action = next(draw)
            step = [env.step(action) for env in (ours, theirs)]
            assert_same_step(*step)
            over = step[0][2] | step[0][3]
            ends += over.sum()
            if mode is AutoresetMode.DISABLED and over.any():
                again = [env.reset(options={"reset_mask": over.copy()}) for env in (ours, theirs)]
                assert_same_trees(again[0][0], again[1][0])
                assert_same_infos(again[0][1], again[1][1])
    assert ends > 20


@pytest.mark.parametrize("seed", [5, [5, None, 8, None]])
def test_a_masked_reset_seeds_the_masked_lanes_only(grid_task, seed):
    ours = make(grid_task, autoreset_mode=AutoresetMode.DISABLED)
    theirs = sync(grid_task, AutoresetMode.DISABLED)
    mask = np.array([True, False, False, True])
    for env in (ours, theirs):
        env.reset(seed=0)
    results = [env.reset(seed=seed, options={"reset_mask": mask.copy()}) for env in (ours, theirs)]
    assert_same_trees(results[0][0], results[1][0])
    for _ in range(2):
        results = [env.reset() for env in (ours, theirs)]
        assert_same_trees(results[0][0], results[1][0])


def test_lane_i_is_the_single_environment_seeded_with_s_plus_i(grid_task):
    envs, single = make(grid_task), GoalEnv(grid_task, horizon=HORIZON)
    observation, _ = envs.reset(seed=10)
    for i in range(NUM_ENVS):
        assert_same_trees({k: v[i] for k, v in observation.items()}, single.reset(seed=10 + i)[0])
    assert_same_trees(envs.reset(seed=[10, 11, 12, 13])[0], observation)


def test_consecutive_episodes_of_an_environment_have_different_goals(grid_task):
    """JaxGCRL #53: auto-reset replayed the first reset, so one goal served the whole training run."""
    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        envs = make(grid_task, autoreset_mode=mode, horizon=1)
        goals = [envs.reset(seed=0)[1]["goal"]]
        goals += [envs.step(np.zeros(NUM_ENVS, int))[4]["goal"] for _ in range(24)]
        goals = np.stack(goals)[:: 2 if mode is AutoresetMode.NEXT_STEP else 1]
        assert all(len(set(column.tolist())) > 4 for column in goals.T)
        assert len({tuple(column) for column in goals.T}) == NUM_ENVS


@pytest.mark.parametrize(
    ("wrapper", "mode"),
    [
        ("statistics", AutoresetMode.NEXT_STEP),
        ("statistics", AutoresetMode.SAME_STEP),
        ("flatten", AutoresetMode.NEXT_STEP),  # Gymnasium refuses SAME_STEP here
        ("info_list", AutoresetMode.NEXT_STEP),
        ("info_list", AutoresetMode.SAME_STEP),
        ("normalize", AutoresetMode.NEXT_STEP),
    ],
)
def test_gymnasiums_vector_wrappers_give_what_they_give_over_a_sync_vector_env(grid_task, wrapper, mode):
    wrap = {
        "statistics": RecordEpisodeStatistics,
        "flatten": FlattenObservation,
        "info_list": DictInfoToList,
        "normalize": NormalizeReward,
    }[wrapper]
    envs = [wrap(make(grid_task, autoreset_mode=mode)), wrap(sync(grid_task, mode))]
    for env in envs:
        env.reset(seed=1)
    draw, episodes = actions(1), 0
    for _ in range(20):
        action = next(draw)
        ours, theirs = (env.step(action) for env in envs)
        if wrapper == "flatten":
            np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5)
        if wrapper == "statistics":
            assert ("episode" in ours[4]) == ("episode" in theirs[4])
            if "episode" in ours[4]:
                episodes += ours[4]["_episode"].sum()
                for key in ("r", "l"):
                    np.testing.assert_allclose(ours[4]["episode"][key], theirs[4]["episode"][key])
        if wrapper == "info_list":
            assert len(ours[4]) == len(theirs[4]) == NUM_ENVS
            for mine, other in zip(ours[4], theirs[4], strict=True):
                assert mine["is_success"] == other["is_success"]
                np.testing.assert_array_equal(mine["all_goals"]["achieved"], other["all_goals"]["achieved"])
                assert ("final_info" in mine) == ("final_info" in other)
                if "final_info" in mine:
                    np.testing.assert_array_equal(
                        mine["final_obs"]["achieved_goal"], other["final_obs"]["achieved_goal"]
                    )
                    assert mine["final_info"]["goal"] == other["final_info"]["goal"]
    assert wrapper != "statistics" or episodes > 4


def test_final_observation_and_info_are_those_acted_into(grid_task):
    envs = make(grid_task, autoreset_mode=AutoresetMode.SAME_STEP)
    observation, info = envs.reset(seed=0)
    draw = actions()
    for _ in range(30):
        commanded = info["goal"]
        observation, reward, terminated, truncated, info = envs.step(next(draw))
        over = terminated | truncated
        if not over.any():
            assert "final_obs" not in info
            continue
        final = info["final_info"]
        for i in np.flatnonzero(over):
            last = info["final_obs"][i]
            assert final["goal"][i] == commanded[i] == last["desired_goal"].argmax()
            assert final["is_success"][i] == terminated[i] == bool(reward[i])
            np.testing.assert_array_equal(last["achieved_goal"], final["all_goals"]["achieved"][i])
            np.testing.assert_array_equal(observation["observation"][i], [2, 2])  # the next start, the centre


def test_numpy_arrays_are_fresh_and_writable(grid_task):
    envs = make(grid_task, autoreset_mode=AutoresetMode.SAME_STEP)
    twin = make(grid_task, autoreset_mode=AutoresetMode.SAME_STEP)
    draw = actions()
    results = envs.reset(seed=0)
    twin.reset(seed=0)
    for _ in range(20):
        for leaf in jax.tree.leaves(results):
            if isinstance(leaf, np.ndarray):
                assert leaf.flags.writeable
                leaf[...] = None if leaf.dtype == object else 1  # spoils nothing but the caller's copy
        action = next(draw)
        results = envs.step(action)
        assert_same_step(results, twin.step(action))


@pytest.mark.parametrize("array", ["jax", "torch"])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_other_libraries_carry_the_same_numbers(grid_task, array, mode):
    torch = pytest.importorskip("torch") if array == "torch" else None
    kind = torch.Tensor if torch else jax.Array
    envs, reference = (make(grid_task, autoreset_mode=mode, array=a) for a in (array, "numpy"))
    draw = actions()
    kept = [envs.reset(seed=2)]
    copies = [reference.reset(seed=2)]
    for _ in range(25):
        action = next(draw)
        kept.append(envs.step(torch.from_numpy(action) if torch else jax.numpy.asarray(action)))
        copies.append(reference.step(action))
        over = copies[-1][2] | copies[-1][3]
        if mode is AutoresetMode.DISABLED and over.any():
            kept.append(envs.reset(options={"reset_mask": over}))
            copies.append(reference.reset(options={"reset_mask": over}))
    for ours, theirs in zip(kept, copies, strict=True):  # after the last step: no old array was overwritten
        for leaf in jax.tree.leaves((ours[0], ours[1] if len(ours) > 2 else 0, ours[2] if len(ours) > 2 else 0)):
            assert isinstance(leaf, (kind, int))
        for name, value in theirs[0].items():
            np.testing.assert_array_equal(np.asarray(ours[0][name]), value)
        if len(ours) > 2:
            for mine, other in zip(ours[1:4], theirs[1:4], strict=True):
                np.testing.assert_array_equal(np.asarray(mine), other)
        for name in ("is_success", "goal", "_goal"):
            np.testing.assert_array_equal(np.asarray(ours[-1][name]), theirs[-1][name])
        np.testing.assert_array_equal(
            np.asarray(ours[-1]["all_goals"]["achieved"]), theirs[-1]["all_goals"]["achieved"]
        )
        if mode is AutoresetMode.SAME_STEP and len(ours) > 2:
            mask = np.asarray(ours[4]["_final_obs"])
            np.testing.assert_array_equal(mask, theirs[2] | theirs[3])
            for i in np.flatnonzero(mask):
                for name, value in theirs[4]["final_obs"][i].items():
                    np.testing.assert_array_equal(np.asarray(ours[4]["final_obs"][name])[i], value)
                assert ours[4]["final_info"]["goal"][i] == theirs[4]["final_info"]["goal"][i]


def test_torch_arrays_share_the_memory_of_the_jax_ones(grid_task):
    torch = pytest.importorskip("torch")
    envs = make(grid_task, array="torch")
    source = jax.numpy.arange(6.0).block_until_ready()
    assert envs._engine._convert(source).data_ptr() == source.unsafe_buffer_pointer()
    observation, _ = envs.reset(seed=0)
    assert observation["desired_goal"].dtype == torch.float32


@pytest.mark.parametrize("array", ["jax", "torch", "numpy"])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_step_compiles_once(grid_task, compilations, array, mode):
    torch = pytest.importorskip("torch") if array == "torch" else None
    envs = make(grid_task, array=array, autoreset_mode=mode)
    as_action = {"jax": jax.numpy.asarray, "torch": torch and torch.from_numpy, "numpy": np.asarray}[array]
    draw = actions()
    envs.reset(seed=0)
    for _ in range(2):
        envs.step(as_action(next(draw)))
    before = compilations.count
    for _ in range(12):
        envs.step(as_action(next(draw)))
    assert compilations.count == before


@pytest.mark.parametrize("kind", ["one name", "one index", "names", "indices", "index array", "arrays"])
def test_goals_are_commanded_for_all_environments_or_each(grid_task, kind):
    goals = grid_task.goals
    one = kind.startswith("one")
    wanted = [5] * NUM_ENVS if one else [3, 0, 5, 3]
    option = {
        "one name": goals.names[5],
        "one index": 5,
        "names": [goals.names[i] for i in wanted],
        "indices": wanted,
        "index array": np.array(wanted),
        "arrays": np.stack([goals.encode(i) for i in wanted]),
    }[kind]
    observation, info = make(grid_task).reset(seed=0, options={"goal" if one else "goals": option})
    assert info["goal"].tolist() == observation["desired_goal"].argmax(-1).tolist() == wanted


def test_a_masked_reset_commands_goals_in_its_lanes_only(grid_task):
    envs = make(grid_task, autoreset_mode=AutoresetMode.DISABLED)
    before = envs.reset(seed=0, options={"goal": 4})[0]
    mask = np.array([False, True, False, False])
    after, info = envs.reset(options={"goal": 7, "reset_mask": mask})
    assert after["desired_goal"].argmax(-1).tolist() == [4, 7, 4, 4]
    assert info["_goal"].tolist() == mask.tolist()
    np.testing.assert_array_equal(after["observation"][~mask], before["observation"][~mask])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goals": [1, 2]}, "sequence of 4"),
        ({"goal": "position/0-9"}, "nearest"),
        ({"goals": [0, 1, 2, 99]}, "outside"),
        ({"mask": 1}, "unknown reset option 'mask'"),
        ({"reset_mask": np.zeros(NUM_ENVS, bool)}, "reset_mask"),
        ({"reset_mask": np.ones(NUM_ENVS + 1, bool)}, "reset_mask"),
        ({"reset_mask": np.ones(NUM_ENVS, int)}, "reset_mask"),
    ],
)
def test_bad_reset_options_are_named(grid_task, options, message):
    envs = make(grid_task)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        envs.reset(options=options)


@pytest.mark.parametrize(
    "action", [[0, 1], np.zeros((NUM_ENVS, 1), int), [0.5] * NUM_ENVS, [np.nan] * NUM_ENVS, [0, 1, 2, 4]]
)
def test_bad_actions_are_value_errors(grid_task, action):
    envs = make(grid_task)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="action"):
        envs.step(action)


def test_wrong_use_is_named(grid_task):
    envs = make(grid_task, autoreset_mode="Disabled")
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(np.zeros(NUM_ENVS, int))
    with pytest.raises(gymnasium.error.ResetNeeded, match="all environments"):
        envs.reset(options={"reset_mask": np.array([True, False, False, False])})
    with pytest.raises(ValueError, match="3 seeds given for 4"):
        envs.reset(seed=[1, 2, 3])
    envs.reset(seed=0)
    for _ in range(HORIZON):
        result = envs.step(np.zeros(NUM_ENVS, int))
        if (result[2] | result[3]).any():
            break
    with pytest.raises(gymnasium.error.ResetNeeded, match="have ended"):
        envs.step(np.zeros(NUM_ENVS, int))
    for kwargs, message in (({"num_envs": 0}, "num_envs"), ({"array": "cupy"}, "cupy")):
        with pytest.raises(ValueError, match=message):
            GoalVectorEnv(grid_task, **kwargs)


def test_compute_reward_is_at_hand_without_unwrapping(grid_task):
    envs = make(grid_task)
    observation, _ = envs.reset(seed=0)
    draw = actions()
    for _ in range(10):
        desired = observation["desired_goal"]
        observation, reward, *_, info = envs.step(next(draw))
        same = (observation["desired_goal"] == desired).all(-1)  # not reset meanwhile
        judged = envs.compute_reward(observation["achieved_goal"], desired, info)
        np.testing.assert_array_equal(judged[same], reward[same])
        relabelled = envs.compute_reward(observation["achieved_goal"], observation["achieved_goal"], [info] * NUM_ENVS)
        np.testing.assert_array_equal(relabelled, 1)


def test_only_chosen_lanes_are_drawn(grid_task):
    envs = make(grid_task, render_mode="rgb_array", render_envs=[2, 0])
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.render()
    envs.reset(seed=0, options={"goals": [0, 1, 2, 3]})
    frames = envs.render()
    assert len(frames) == 2
    single = GoalEnv(grid_task, render_mode="rgb_array")
    for frame, goal in zip(frames, (2, 0), strict=True):
        single.reset(options={"goal": goal})
        np.testing.assert_array_equal(frame, single.render())
    envs.render_envs = [1]
    assert len(envs.render()) == 1


@pytest.mark.parametrize("array", ["numpy", "jax"])
def test_saved_state_goes_on_identically_here_and_elsewhere(grid_task, array):
    envs, other = (make(grid_task, array=array) for _ in range(2))
    draw = actions()
    envs.reset(seed=0)
    for _ in range(9):
        envs.step(next(draw))
    saved = envs.get_state()
    sequence = [next(draw) for _ in range(15)]
    runs = []
    for env in (envs, envs, other):
        env.set_state(saved)
        runs.append([jax.device_get(env.step(jax.numpy.asarray(a) if array == "jax" else a)) for a in sequence])
    for run in runs[1:]:
        jax.tree.map(np.testing.assert_array_equal, runs[0], run)


def test_death_ends_an_episode_but_is_no_success():
    envs = GoalVectorEnv(ChainTask(cliff=True, start=0), 2, on_success="terminate")
    envs.reset(seed=0, options={"goals": ["cell_2", "cell_0"]})
    envs.step(np.array([RIGHT, RIGHT]))
    _, reward, terminated, truncated, info = envs.step(np.array([RIGHT, RIGHT]))
    assert terminated.tolist() == [True, True]
    assert not truncated.any()
    assert reward.tolist() == [1, 0]
    assert info["is_success"].tolist() == [True, False]


PLACED = """
import jax, numpy as np
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.registration import make_task

assert len(jax.devices()) == 2
device = jax.devices()[1]
def check(tree):
    for leaf in jax.tree.leaves(tree):
        assert leaf.devices() == {device}, (leaf.devices(), leaf.shape)
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compiled.append(event) if event.endswith("backend_compile_duration") else None
)
for mode in ("NextStep", "SameStep"):
    envs = GoalVectorEnv(make_task("GC-Gridworld-v0", size=5), 4, array="jax", device=device, horizon=3,
                         autoreset_mode=mode)
    observation, info = envs.reset(seed=0)
    check((observation, envs._engine.envs, {k: v for k, v in info.items() if k[0] != "_" and k != "all_goals"}))
    for t in range(8):
        with jax.transfer_guard_device_to_host("disallow"):
            observation, reward, terminated, truncated, info = envs.step(
                jax.device_put(np.full(4, t % 4, np.int32), device)
            )
        check((observation, reward, terminated, truncated, envs._engine.envs, info["all_goals"]["achieved"]))
        if t == 1:
            before = len(compiled)
    assert len(compiled) == before, "a later step compiled again"
"""


def test_jax_arrays_stay_on_the_device_they_were_put_on(tmp_path):
    program = tmp_path / "placed.py"
    program.write_text(PLACED)
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, program], env=os.environ | flags, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("array", ["numpy", "jax"])
def test_a_step_does_not_fetch_the_random_keys(grid_task, array, monkeypatch):
    """On a GPU that would make every step wait for the device."""
    envs = GoalVectorEnv(grid_task, NUM_ENVS, array=array)
    envs.reset(seed=0)
    monkeypatch.setattr(type(envs._engine), "keys", property(lambda self: pytest.fail("a step fetched the keys")))
    envs.step(jax.numpy.zeros(NUM_ENVS, int) if array == "jax" else np.zeros(NUM_ENVS, int))


def test_a_state_of_another_environment_is_refused_and_nothing_is_lost(grid_task):
    states = {}
    for name, envs in {
        "size": GoalVectorEnv(make_task("GC-Gridworld-v0", size=7), 2),
        "count": GoalVectorEnv(grid_task, 3),
        "goals": GoalVectorEnv(make_task("GC-Gridworld-v0", size=5, goals=[0, 1]), 2),
        "map": GoalVectorEnv(make_task("GC-Gridworld-v0", size=5, map_seed=1), 2),
        "task": GoalVectorEnv(make_task("GC-ContinuousSeek-v0"), 2),
    }.items():
        envs.reset(seed=0)
        states[name] = envs.get_state()
    envs = GoalVectorEnv(grid_task, 2)
    envs.reset(seed=0)
    before = envs.get_state()
    for state in states.values():
        with pytest.raises(
            ValueError, match=r"this is a state of . x \w+Task with .* and the environment is 2 x Gridworld"
        ):
            envs.set_state(state)
    broken = copy.deepcopy(before)
    broken["engine"]["done"] = np.zeros(3, bool)
    with pytest.raises(ValueError, match=r"state's \['done'\] is bool \(3,\), and the environment's is bool \(2,\)"):
        envs.set_state(broken)
    for junk in (None, {}, {"engine": before["engine"]}, [before]):
        with pytest.raises(ValueError, match="set_state takes what get_state returned"):
            envs.set_state(junk)
    jax.tree.map(np.testing.assert_array_equal, envs.get_state()["engine"], before["engine"])
    envs.set_state(before)


def test_infos_have_the_same_keys_after_a_reset_a_new_goal_and_a_step(grid_task):
    for mode in AutoresetMode:
        envs = GoalVectorEnv(grid_task, 3, horizon=1, autoreset_mode=mode)
        first = envs.reset(seed=0)[1]
        kinds = {name: (value.dtype, value.shape) for name, value in first.items() if name.strip("_") != "all_goals"}
        assert first["goal_name"].tolist() == [grid_task.goals.names[goal] for goal in first["goal"]]
        assert not first["diverged"].any()
        stepped = envs.step(np.zeros(3, int))[4]
        final = stepped.pop("final_info", first)
        for info in (envs.set_goal(0)[1], stepped, final):
            assert {n: (v.dtype, v.shape) for n, v in info.items() if n in kinds} == kinds
            assert set(info) - {"final_obs", "_final_obs", "_final_info"} == set(first)
    single = GoalEnv(grid_task)
    first = single.reset(seed=0)[1]
    for info in (single.set_goal(0)[1], single.step(0)[4]):
        assert {name: type(value) for name, value in info.items()} == {name: type(v) for name, v in first.items()}
