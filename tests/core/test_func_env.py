"""Lanes: only those that are done are reset, each with a start state and a goal of its own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import RIGHT, ChainTask

from gc_envs.core.episode import OnSuccess
from gc_envs.core.func_env import FuncGoalEnv

LANES = 8


@functools.cache
def program(pool):
    return FuncGoalEnv(ChainTask(), horizon=4, on_success=OnSuccess.TERMINATE, pool=pool)


@functools.cache
def compiled(pool, method):
    return jax.jit(getattr(program(pool), method))


@functools.cache
def filled(lanes_program):
    keys = jax.random.key_data(jax.random.split(jax.random.key(0), LANES))
    return jax.jit(lanes_program.reset_where)(lanes_program.zeros(keys), jnp.ones(LANES, bool))[0]


@pytest.mark.parametrize("pool", [1, 2, 3, 8])
@pytest.mark.parametrize("waiting", [[], [5], [0, 7], [1, 3, 4], [0, 1, 2, 3, 5, 6, 7], list(range(LANES))])
def test_masked_lanes_and_only_they_start_anew(pool, waiting):
    """Few waiting lanes were where optimistic resets handed out start states wrongly (Craftax_Baselines #11)."""
    run = program(pool)
    before = filled(run)
    mask = np.isin(np.arange(LANES), waiting)
    observation = jax.vmap(run.observe)(before)
    after, seen = compiled(pool, "reset_where")(before, mask, observation=observation)
    for lane in range(LANES):
        expected = (
            compiled(1, "reset")(before.key[lane]) if mask[lane] else jax.tree.map(lambda x, i=lane: x[i], before)
        )
        jax.tree.map(np.testing.assert_array_equal, expected, jax.tree.map(lambda x, i=lane: x[i], after))
    jax.tree.map(np.testing.assert_array_equal, seen, jax.vmap(run.observe)(after))


@pytest.mark.parametrize("pool", [1, 3, 8])
def test_every_reset_lane_gets_its_own_start_state_and_goal(pool):
    run = program(pool)
    lanes = filled(run)
    starts = [np.asarray(lanes.state.tag)]
    goals = [np.asarray(lanes.episode.desired).argmax(-1)]
    for _ in range(12):
        lanes = compiled(pool, "reset_where")(lanes, jnp.ones(LANES, bool))[0]
        starts.append(np.asarray(lanes.state.tag))
        goals.append(np.asarray(lanes.episode.desired).argmax(-1))
    assert len(np.unique(np.concatenate(starts), axis=0)) == 13 * LANES
    goals = np.stack(goals)  # [resets, LANES]
    assert all(len(set(column)) == 3 for column in goals.T), "a lane keeps its goal from episode to episode"
    assert len({tuple(column) for column in goals.T}) == LANES, "two lanes share their goals"


def test_reset_does_not_depend_on_the_pool():
    results = [program(pool).reset_where(filled(program(1)), jnp.arange(LANES) % 3 == 0)[0] for pool in (1, 2, 3, 8)]
    for other in results[1:]:
        jax.tree.map(np.testing.assert_array_equal, results[0], other)


@pytest.mark.parametrize("on_success", OnSuccess)
def test_types_never_change_so_a_step_compiles_once(on_success, grid_task):
    for task in (ChainTask(), grid_task):
        run = FuncGoalEnv(task, horizon=3, on_success=on_success, pool=2)

        @jax.jit
        def step(lanes, action, run=run):
            lanes, outcome = jax.vmap(run.step)(lanes, action)
            return run.reset_where(lanes, outcome.done)[0]

        lanes = filled(run)
        assert not any(leaf.weak_type for leaf in jax.tree.leaves(lanes))
        types = jax.tree.map(lambda x: (x.shape, x.dtype), lanes)
        for _ in range(5):
            lanes = step(lanes, np.full(LANES, RIGHT, np.int32))
            assert jax.tree.map(lambda x: (x.shape, x.dtype), lanes) == types
            assert not any(leaf.weak_type for leaf in jax.tree.leaves(lanes))
        assert step._cache_size() == 1


def test_steps_and_resets_use_fresh_keys():
    run = program(1)
    lanes = filled(run)
    keys = [np.asarray(lanes.key)]
    for t in range(6):
        lanes, _ = jax.vmap(run.step)(lanes, jnp.zeros(LANES, jnp.int32))
        keys.append(np.asarray(lanes.key))
        if t % 2:
            lanes = run.reset_where(lanes, jnp.ones(LANES, bool))[0]
            keys.append(np.asarray(lanes.key))
    assert len(np.unique(np.concatenate(keys), axis=0)) == len(keys) * LANES
