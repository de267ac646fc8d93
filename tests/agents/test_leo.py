"""LEO on chains whose values can be written by hand, one seed at a time and several at once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import RIGHT, ChainTask

from gc_envs.agents.leo import LEO, LEOConfig

G = 0.9
CONFIG = LEOConfig(
    total_steps=60_000,
    num_envs=8,
    rollout_steps=8,
    epochs=2,
    minibatch_size=32,
    learning_rate=1e-2,
    gamma=G,
    epsilon_start=1.0,
    epsilon_end=1.0,
    width=16,
    depth=1,
)
# Q[cell][goal] = (LEFT, RIGHT): gamma to the power of the steps still to go after this one.
CHAIN = np.array([
    [(1, G), (G, 1), (G**2, G)],
    [(1, G**2), (G, G), (G**2, 1)],
    [(G, G**2), (1, G), (G, 1)],
])  # fmt: skip
# The same with death in cell 2, never left: from cell 1 a step RIGHT reaches goal 2 and nothing else ever after.
CLIFF = np.array([
    [(1, G), (G, 1), (G**2, G)],
    [(1, 0), (G, 0), (G**2, 1)],
])  # fmt: skip


def make(task, config):
    """The learner, and its whole training as a function of a key."""
    learner = LEO(task, config)

    @jax.jit
    def run(key):
        step = lambda _, state: learner.update(state)[0]  # noqa: E731
        return jax.lax.fori_loop(0, learner.num_updates, step, learner.init(key))

    return learner, run


@pytest.mark.parametrize(("cliff", "expected"), [(False, CHAIN), (True, CLIFF)], ids=["chain", "cliff"])
def test_learns_the_value_of_every_goal(cliff, expected):
    learner, run = make(ChainTask(cliff=cliff), CONFIG)
    state = run(jax.random.key(0))
    cells = jnp.arange(len(expected), dtype=jnp.float32)[:, None]
    values = learner.q_values(learner.acting_state(state), cells)
    np.testing.assert_allclose(values, expected, atol=0.03)
    np.testing.assert_array_equal(state.actors.stats.seen, [True] * 3)
    goal = np.array([2] * len(expected))
    np.testing.assert_array_equal(learner.act(learner.acting_state(state), cells, goal), [RIGHT] * len(expected))


def test_the_same_seed_gives_the_same_run_bitwise_and_another_seed_another():
    _, run = make(ChainTask(), dataclasses.replace(CONFIG, total_steps=64 * 20))
    states = [run(jax.random.key(seed)) for seed in (0, 0, 1)]
    jax.tree.map(np.testing.assert_array_equal, states[0], states[1])
    kernels = [np.asarray(state.train.params["head"]["kernel"]) for state in states]
    assert (kernels[0] != kernels[2]).any()


def test_seeds_trained_together_equal_seeds_trained_alone():
    """`init` and `update` may be vmapped; sums in another order make small differences, what is acted on is exact."""
    learner, run = make(ChainTask(), dataclasses.replace(CONFIG, total_steps=64 * 20))
    states = jax.jit(jax.vmap(learner.init))(jax.vmap(jax.random.key)(jnp.arange(3)))
    update = jax.jit(jax.vmap(learner.update))
    for _ in range(learner.num_updates):
        states, metrics = update(states)
    assert metrics.mean["loss"].shape == (3,)
    for seed in range(3):
        alone = run(jax.random.key(seed))
        together = jax.tree.map(lambda leaf, seed=seed: leaf[seed], states)
        jax.tree.map(np.testing.assert_array_equal, together.actors, alone.actors)
        kernels = [state.train.params["head"]["kernel"] for state in (together, alone)]
        np.testing.assert_allclose(*kernels, rtol=1e-3, atol=1e-4)


def test_types_never_change_so_an_update_compiles_once(grid_task):
    learner = LEO(grid_task, dataclasses.replace(CONFIG, num_envs=4, minibatch_size=16))
    state = jax.eval_shape(learner.init, jax.random.key(0))
    after, metrics = jax.eval_shape(learner.update, state)
    types = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree)  # noqa: E731
    assert types(after) == types(state)
    assert all(leaf.shape == () for leaf in jax.tree.leaves(metrics))


def test_epsilon_falls_linearly_and_stays():
    config = dataclasses.replace(
        CONFIG, total_steps=64 * 100, epsilon_start=0.2, epsilon_end=0.01, epsilon_fraction=0.2
    )
    learner = LEO(ChainTask(), config)
    found = [float(learner.scheduled(jnp.int32(update))["epsilon"]) for update in (0, 10, 20, 99)]
    np.testing.assert_allclose(found, [0.2, 0.105, 0.01, 0.01], rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minibatch_size": 50}, "minibatch_size=50 does not divide the 64 samples of an update; try 32"),
        ({"num_envs": 0}, "num_envs must be at least 1, got 0"),
        ({"width": 0}, "width must be at least 1"),
        ({"total_steps": 0}, "total_steps must be at least 1"),
    ],
)
def test_settings_that_cannot_be_trained_with_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        LEO(ChainTask(), dataclasses.replace(CONFIG, **change))
