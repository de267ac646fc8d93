"""Lanes: only those that are done are reset, each with a start state and a goal of its own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import RIGHT, ChainTask

from gc_envs.core.episode import OnSuccess
from gc_envs.core.func_env import FuncGoalEnv

NUM_ENVS = 8


@functools.cache
def program(pool):
    return FuncGoalEnv(ChainTask(), horizon=4, on_success=OnSuccess.TERMINATE, pool=pool)


@functools.cache
def compiled(pool, method):
    return jax.jit(getattr(program(pool), method))


@functools.cache
def filled(lanes_program):
    keys = jax.random.key_data(jax.random.split(jax.random.key(0), NUM_ENVS))
    return jax.jit(lanes_program.reset_where)(lanes_program.zeros(keys), jnp.ones(NUM_ENVS, bool))[0]


@pytest.mark.parametrize("pool", [1, 2, 3, 8])
@pytest.mark.parametrize("waiting", [[], [5], [0, 7], [1, 3, 4], [0, 1, 2, 3, 5, 6, 7], list(range(NUM_ENVS))])
def test_masked_lanes_and_only_they_start_anew(pool, waiting):
    """Few waiting environments were where optimistic resets handed out start states wrongly (Craftax_Baselines #11)."""
    run = program(pool)
    before = filled(run)
    mask = np.isin(np.arange(NUM_ENVS), waiting)
    observation = jax.vmap(run.observe)(before)
    after, seen = compiled(pool, "reset_where")(before, mask, observation=observation)
    for i in range(NUM_ENVS):
        expected = compiled(1, "reset")(before.key[i]) if mask[i] else jax.tree.map(lambda x, i=i: x[i], before)
        jax.tree.map(np.testing.assert_array_equal, expected, jax.tree.map(lambda x, i=i: x[i], after))
    jax.tree.map(np.testing.assert_array_equal, seen, jax.vmap(run.observe)(after))


@pytest.mark.parametrize("pool", [1, 3, 8])
def test_every_reset_lane_gets_its_own_start_state_and_goal(pool):
    run = program(pool)
    envs = filled(run)
    starts = [np.asarray(envs.state.tag)]
    goals = [np.asarray(envs.episode.desired).argmax(-1)]
    for _ in range(12):
        envs = compiled(pool, "reset_where")(envs, jnp.ones(NUM_ENVS, bool))[0]
        starts.append(np.asarray(envs.state.tag))
        goals.append(np.asarray(envs.episode.desired).argmax(-1))
    assert len(np.unique(np.concatenate(starts), axis=0)) == 13 * NUM_ENVS
    goals = np.stack(goals)  # [resets, NUM_ENVS]
    assert all(len(set(column)) == 3 for column in goals.T), "an environment keeps its goal from episode to episode"
    assert len({tuple(column) for column in goals.T}) == NUM_ENVS, "two environments share their goals"


def test_reset_does_not_depend_on_the_pool():
    results = [program(pool).reset_where(filled(program(1)), jnp.arange(NUM_ENVS) % 3 == 0)[0] for pool in (1, 2, 3, 8)]
    for other in results[1:]:
        jax.tree.map(np.testing.assert_array_equal, results[0], other)


@pytest.mark.parametrize("on_success", OnSuccess)
def test_types_never_change_so_a_step_compiles_once(on_success, grid_task):
    for task in (ChainTask(), grid_task):
        run = FuncGoalEnv(task, horizon=3, on_success=on_success, pool=2)

        @jax.jit
        def step(envs, action, run=run):
            envs, outcome = jax.vmap(run.step)(envs, action)
            return run.reset_where(envs, outcome.done)[0]

        envs = filled(run)
        assert not any(leaf.weak_type for leaf in jax.tree.leaves(envs))
        types = jax.tree.map(lambda x: (x.shape, x.dtype), envs)
        for _ in range(5):
            envs = step(envs, np.full(NUM_ENVS, RIGHT, np.int32))
            assert jax.tree.map(lambda x: (x.shape, x.dtype), envs) == types
            assert not any(leaf.weak_type for leaf in jax.tree.leaves(envs))
        assert step._cache_size() == 1


def test_steps_and_resets_use_fresh_keys():
    run = program(1)
    envs = filled(run)
    keys = [np.asarray(envs.key)]
    for t in range(6):
        envs, _ = jax.vmap(run.step)(envs, jnp.zeros(NUM_ENVS, jnp.int32))
        keys.append(np.asarray(envs.key))
        if t % 2:
            envs = run.reset_where(envs, jnp.ones(NUM_ENVS, bool))[0]
            keys.append(np.asarray(envs.key))
    assert len(np.unique(np.concatenate(keys), axis=0)) == len(keys) * NUM_ENVS
