"""Stochastic gradient descent over one batch of experience."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gc_envs.agents.sgd import clip_by_norm

GRADIENTS = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])}  # of norm 5


def clipped(transformation, gradients):
    return transformation.update(gradients, transformation.init(gradients))[0]


@pytest.mark.parametrize("max_norm", [1.0, 4.99, 5.0, 50.0])
def test_gradients_are_clipped_as_by_optax(max_norm):
    expected = clipped(optax.clip_by_global_norm(max_norm), GRADIENTS)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), clipped(clip_by_norm(max_norm), GRADIENTS), expected
    )


def test_gradients_within_the_norm_are_left_as_they_are():
    jax.tree.map(np.testing.assert_array_equal, clipped(clip_by_norm(5.1), GRADIENTS), GRADIENTS)
    zeros = jax.tree.map(jnp.zeros_like, GRADIENTS)
    jax.tree.map(np.testing.assert_array_equal, clipped(clip_by_norm(1.0), zeros), zeros)


def test_what_is_not_finite_stays_visible():
    gradients = GRADIENTS | {"b": jnp.array([[jnp.nan]])}
    assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(clipped(clip_by_norm(1.0), gradients)))
