"""Exploration and how it falls over training. Letters: N environments, A actions."""

import jax
import jax.numpy as jnp

from gc_envs.agents.config import ActionValueConfig

Array = jax.Array


def linear_schedule(start: float, end: float, num_updates: float, update: Array) -> Array:
    """Return the value at `update`: linear from `start` at 0 to `end` at `num_updates`, and constant after."""
    return start + (end - start) * jnp.clip(update / max(num_updates, 1.0), 0.0, 1.0)


def epsilon_at(config: ActionValueConfig, num_updates: int, update: Array) -> Array:
    """Return the share of random actions after `update` of `num_updates` updates."""
    c = config
    return linear_schedule(c.epsilon_start, c.epsilon_end, c.epsilon_fraction * num_updates, update)


def epsilon_greedy(key: Array, q: Array, epsilon: Array) -> Array:
    """Return actions [N] int32 for `q` [N, A]: uniformly random ones with probability `epsilon`, else the best.

    `key` (typed) is consumed.
    """
    coin_key, action_key = jax.random.split(key)
    greedy = q.argmax(axis=-1)
    random = jax.random.randint(action_key, greedy.shape, 0, q.shape[-1])
    return jnp.where(jax.random.uniform(coin_key, greedy.shape) < epsilon, random, greedy)
