"""The head's shortcuts give what the whole head gives, and so do their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gc_envs.agents.networks import heads, single_action
from gc_envs.agents.networks.heads import AllGoalsHead
from gc_envs.agents.networks.single_action import TILE, single_action_product

ACTIONS, GOALS, FEATURES = 5, 7, 6
BATCH = 3 * TILE + 5


def actions(kind, batch, random):
    skewed = np.where(random.random(batch) < 0.9, 1, random.integers(0, ACTIONS, batch))
    kinds = {
        "random": random.integers(0, ACTIONS, batch),
        "skewed": skewed,
        "single": np.full(batch, 3),
        "last": np.full(batch, ACTIONS - 1),
        "sorted": np.sort(random.integers(0, ACTIONS, batch)),
    }
    return kinds[kind].astype(np.int32)


def inputs(batch, kind):
    random = np.random.default_rng(batch)
    kernel = random.normal(size=(ACTIONS, GOALS, FEATURES)).astype(np.float32)
    features = random.normal(size=(batch, FEATURES)).astype(np.float32)
    weight = random.normal(size=(batch, GOALS)).astype(np.float32)
    return tuple(map(jnp.asarray, (kernel, features, actions(kind, batch, random), weight)))


def dense(kernel, features, action):
    return jnp.einsum("bh,bgh->bg", features, kernel[action])


@pytest.mark.parametrize("kind", ["random", "skewed", "single", "last", "sorted"])
@pytest.mark.parametrize("batch", [1, TILE - 1, TILE, 2 * TILE, BATCH])
def test_single_action_product_equals_the_dense_product(kind, batch):
    kernel, features, action, weight = inputs(batch, kind)
    np.testing.assert_allclose(
        jax.jit(single_action_product)(kernel, features, action), dense(kernel, features, action), rtol=1e-4, atol=1e-5
    )

    def gradient(product):
        return jax.jit(jax.grad(lambda k, f: (product(k, f, action) * weight).sum(), argnums=(0, 1)))(kernel, features)

    for ours, theirs in zip(gradient(single_action_product), gradient(dense), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["random", "single"])
def test_tiles_cover_every_row_once_and_hold_one_action(kind):
    action = np.asarray(inputs(BATCH, kind)[2])
    rows, tile_action, used = (np.asarray(x) for x in single_action._tiles(action, ACTIONS))
    real = rows[rows < BATCH]
    assert sorted(real.tolist()) == list(range(BATCH))
    assert (rows[used:] == BATCH).all()
    for tile, number in zip(rows, tile_action, strict=True):
        assert (action[tile[tile < BATCH]] == number).all()


@pytest.mark.parametrize("kind", ["random", "skewed", "single"])
def test_the_looped_and_the_batched_variant_agree(kind):
    """CPUs run the one, GPUs the other; here both run."""
    kernel, features, action, weight = inputs(BATCH, kind)
    rows, tile_action, used = single_action._tiles(action, ACTIONS)
    np.testing.assert_allclose(
        single_action._product_looped(kernel, features, rows, tile_action, used),
        single_action._product_batched(kernel, features, rows, tile_action),
        rtol=1e-5, atol=1e-5,
    )  # fmt: skip
    looped = single_action._gradient_looped(kernel, features, weight, rows, tile_action, used)
    batched = single_action._gradient_batched(kernel, features, weight, rows, tile_action)
    for ours, theirs in zip(looped, batched, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def head():
    module = AllGoalsHead(GOALS, ACTIONS, FEATURES)
    features = jnp.asarray(np.random.default_rng(0).normal(size=(BATCH, FEATURES)), jnp.float32)
    variables = module.init(jax.random.key(0), features, method="values")
    bias = jnp.asarray(np.random.default_rng(1).normal(size=(ACTIONS, GOALS)), jnp.float32)
    variables = {"params": {**variables["params"], "bias": bias}}
    values = module.apply(variables, features, method="values")
    assert values.shape == (BATCH, GOALS, ACTIONS)
    return lambda method, *args: module.apply(variables, features, *args, method=method), np.asarray(values)


def test_max_values_are_the_maximum_of_values(head):
    apply, values = head
    np.testing.assert_allclose(apply("max_values"), values.max(-1), rtol=1e-5)


def test_goal_values_are_the_row_of_that_goal(head):
    apply, values = head
    goal = np.random.default_rng(2).integers(0, GOALS, BATCH)
    np.testing.assert_allclose(apply("goal_values", goal), values[np.arange(BATCH), goal], rtol=1e-5)


def test_action_values_are_the_column_of_that_action(head):
    apply, values = head
    action = np.random.default_rng(3).integers(0, ACTIONS, BATCH)
    np.testing.assert_allclose(apply("action_values", action), values[np.arange(BATCH), :, action], rtol=1e-5)


def test_values_are_probabilities_and_the_kernel_is_orthogonal(head):
    _, values = head
    assert ((values > 0) & (values < 1)).all()
    kernel = heads._orthogonal_head(jax.random.key(0), (3, 4, 20))
    columns = np.asarray(kernel).reshape(12, 20)
    np.testing.assert_allclose(columns @ columns.T, np.eye(12), atol=1e-5)
