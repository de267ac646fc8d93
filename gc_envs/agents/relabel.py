"""Hindsight: which goals a step is learnt for beside the desired one. Letters: K goals of a step, G goals."""

import jax
import jax.numpy as jnp

Array = jax.Array


def hindsight_goals(key: Array, achieved: Array, seen: Array, num: int, random_share: float) -> Array:
    """Return goals to relabel steps with, indices [..., K] int32 (arXiv 2605.23551).

    Each is, with probability `random_share`, uniform over the goals that were seen, and else uniform over those that
    the step achieved; where it achieved none, one that was seen takes its place. All count as seen before any was.

    Args:
        key: Typed key; it is consumed.
        achieved: Goals that hold in the state reached, [..., G] bool.
        seen: Goals that have held at some time, [G] bool.
        num: K.
        random_share: Probability in [0, 1].
    """
    coin_key, goal_key = jax.random.split(key)
    shape = (*achieved.shape[:-1], num)
    random = jax.random.uniform(coin_key, shape) < random_share
    uniform = jax.random.uniform(goal_key, shape)
    from_achieved = ~random & achieved.any(axis=-1, keepdims=True)
    return jnp.where(from_achieved, pick(uniform, achieved[..., None, :]), pick(uniform, seen | ~seen.any()))


def pick(uniform: Array, allowed: Array) -> Array:
    """Return the index of one of the `allowed` [..., G] bool, chosen by `uniform` [...] in [0, 1); G where none is."""
    rank = jnp.cumsum(allowed, axis=-1)  # how many are allowed up to each
    chosen = jnp.floor(uniform * rank[..., -1])
    return (rank <= chosen[..., None]).sum(axis=-1, dtype=jnp.int32)
