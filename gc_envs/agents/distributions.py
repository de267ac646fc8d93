"""Distributions of actions. Letter: A actions."""

import jax
import jax.numpy as jnp

Array = jax.Array


def categorical_log_prob(logits: Array, action: Array) -> Array:
    """Return the log-probability [...] of actions [...] int under logits [..., A]."""
    return jnp.take_along_axis(jax.nn.log_softmax(logits), action[..., None], axis=-1)[..., 0]


def categorical_entropy(logits: Array) -> Array:
    """Return the entropy [...], in nats, of the distributions with logits [..., A]."""
    log_probs = jax.nn.log_softmax(logits)
    return -(jnp.exp(log_probs) * log_probs).sum(axis=-1)
