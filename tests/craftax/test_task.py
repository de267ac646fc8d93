"""Dynamics: fixed types, keys of both kinds, death without the clock, pickling, and a light import."""

import pickle
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gc_envs.craftax import scalars
from gc_envs.craftax.task import CraftaxTask
from gc_envs.craftax.variants import CLASSIC, Variant


def avals(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), tree)


def test_types_never_change(case):
    """States after a reset and a step have the same strong types, so a loop can carry them and nothing recompiles."""
    task = case.task
    for key in (jax.random.key(0), jax.random.PRNGKey(0)):
        start = jax.eval_shape(task.reset, key)
        after = jax.eval_shape(task.step, key, start, 0)
        assert avals(start) == avals(after) == avals(jax.eval_shape(task.step, key, after, jnp.int32(0)))
        assert not any(leaf.weak_type for leaf in jax.tree.leaves(start))
        assert (start.state_rng.shape, start.state_rng.dtype) == ((2,), np.uint32)


def test_typed_and_raw_keys_agree(monkeypatch):
    """Craftax gets the same raw words from both kinds of key (checked without compiling Craftax)."""
    received = []

    def record(key, *_):
        received.append(np.asarray(key))
        return key, 0.0

    stub = SimpleNamespace(generate=lambda *args: record(*args)[0], step=record, params=None, static_params=None)
    monkeypatch.setattr(Variant, "game", stub)
    task = object.__new__(CraftaxTask)
    task.variant = CLASSIC
    for key in (jax.random.key(5), jax.random.PRNGKey(5)):
        task.reset(key)
        task.step(key, None, 0)
    for words in received:
        assert words.dtype == np.uint32
        np.testing.assert_array_equal(words, jax.random.PRNGKey(5))


def test_terminated_is_game_over_without_the_clock(case):
    task, golden = case.task, case.states["golden"]
    logic = sys.modules[f"{task.variant.package}.game_logic"]
    game = task.variant.game
    extra = (game.static_params,) if task.variant.has_levels else ()
    states = {
        "as they are": golden,
        "dead": golden.replace(player_health=np.zeros_like(golden.player_health)),
    }
    if task.variant.has_levels:
        states["boss beaten"] = golden.replace(boss_progress=np.full_like(golden.boss_progress, 8))
    else:
        states["in lava"] = golden.replace(map=np.full_like(golden.map, game.blocks.LAVA.value))
    params = type(game.params)()  # Craftax's own, with its time limit
    for name, batch in states.items():
        ours = np.asarray(jax.vmap(task.terminated)(batch))
        in_time = batch.replace(timestep=np.zeros_like(golden.timestep))
        theirs = np.asarray(jax.vmap(lambda s: logic.is_game_over(s, params, *extra))(in_time))
        np.testing.assert_array_equal(ours, theirs, name)
        assert ours.all() == (name != "as they are"), name
    late = golden.replace(timestep=np.full_like(golden.timestep, 10**9))
    np.testing.assert_array_equal(jax.vmap(task.terminated)(late), jax.vmap(task.terminated)(golden))


def test_a_step_is_craftax_own(case):
    """Every transition of the rollout, replayed through Craftax's own environment with its default parameters.

    On Classic only, for the compile time; both games pass through the same lines.
    """
    if case.task.variant.has_levels:
        pytest.skip("compiling Craftax's own step once more takes half a minute")
    from craftax.craftax_classic.envs.craftax_symbolic_env import CraftaxClassicSymbolicEnvNoAutoReset

    env = CraftaxClassicSymbolicEnvNoAutoReset()
    replay = jax.jit(jax.vmap(lambda *args: env.step_env(*args, env.default_params)[1]))
    before, keys, actions = case.transitions
    after = jax.device_get(replay(jax.random.key_data(keys), before, actions))
    jax.tree.map(np.testing.assert_array_equal, case.states["rolled"], after)


def test_spaces_and_horizons():
    full, classic = CraftaxTask(), CraftaxTask("classic")
    assert (full.action_space.n, classic.action_space.n) == (43, 17)
    assert (full.horizon, classic.horizon) == (100_000, 10_000)
    assert (full.goals.num_goals, classic.goals.num_goals) == (512, 136)


def test_rows_agree_with_craftax(case):
    """The numbers written into the table are Craftax's own constants."""
    variant, constants, static = (
        case.task.variant,
        case.task.variant.game.constants,
        case.task.variant.game.static_params,
    )
    assert variant.num_actions == len(constants.Action)
    assert variant.num_blocks == len(constants.BlockType)
    assert variant.view == constants.OBS_DIM
    assert variant.agent_block_pixels == constants.BLOCK_PIXEL_SIZE_AGENT
    assert variant.inventory_rows == constants.INVENTORY_OBS_HEIGHT
    for group in variant.mobs:
        assert group.slots == getattr(static, f"max_{group.field}")
    if variant.num_items:
        assert variant.num_items == len(constants.ItemType)
        assert scalars.MONSTERS_TO_CLEAR_LEVEL == constants.MONSTERS_KILLED_TO_CLEAR_LEVEL


@pytest.mark.parametrize("observation", ["symbolic", "compact", "pixels"])
def test_pickles(observation):
    task = CraftaxTask("classic", observation)
    jax.eval_shape(task.observe, jax.eval_shape(task.reset, jax.random.key(0)))
    copy = pickle.loads(pickle.dumps(task))
    assert copy.goals.names == task.goals.names
    assert copy.observation_space == task.observation_space
    assert jax.eval_shape(copy.reset, jax.random.key(0)).map.shape == (64, 64)


def test_first_use_inside_jit():
    """Craftax computes tables when it is imported: a task unpickled into a new process may first be used inside jit."""
    program = (
        "import pickle, sys, jax; task = pickle.load(sys.stdin.buffer); "
        "assert 'craftax.craftax_classic.game_logic' not in sys.modules; "
        "jax.eval_shape(task.reset, jax.random.key(0)); jax.eval_shape(task.reset, jax.random.key(0))"
    )
    task = pickle.dumps(CraftaxTask("classic"))
    subprocess.run([sys.executable, "-c", program], input=task, check=True)


def test_import_is_light():
    program = "import sys, gc_envs.craftax; assert not {'jax', 'craftax', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
