"""Stochastic gradient descent over one batch of experience. Letters: S samples of the batch, B of a minibatch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from gc_envs.agents import sharding
from gc_envs.agents.types import Array, TrainState

LossFn = Callable[[Any, Any, Any], tuple[Array, Any]]  # (params, batch_stats, minibatch) -> (loss, new batch_stats)


def minibatch_epochs(
    key: Array,
    train: TrainState,
    optimizer: optax.GradientTransformation,
    loss: LossFn,
    data: Any,
    *,
    epochs: int,
    minibatch_size: int,
) -> tuple[TrainState, Array]:
    """Take one gradient step on every minibatch of `data`, `epochs` times over in a new order each time.

    Args:
        key: Typed key; it is consumed.
        train: The network before.
        optimizer: What `train.opt_state` belongs to.
        loss: The function to minimise; its gradient is taken with respect to the first argument.
        data: Pytree with [S, ...] on every leaf.
        epochs: Passes over `data`.
        minibatch_size: B, a divisor of S. Of D devices, each has S / D samples and takes B / D of them at a time.

    Returns:
        The network after, and the mean of this device's losses.
    """

    def step(train: TrainState, rows: Array) -> tuple[TrainState, Array]:
        minibatch = jax.tree.map(lambda x: x[rows], data)
        gradient = jax.value_and_grad(loss, has_aux=True)
        (value, batch_stats), gradients = gradient(train.params, train.batch_stats, minibatch)
        updates, opt_state = optimizer.update(sharding.mean(gradients), train.opt_state, train.params)
        return TrainState(optax.apply_updates(train.params, updates), batch_stats, opt_state), value

    size = len(jax.tree.leaves(data)[0])
    order = jax.vmap(lambda key: jax.random.permutation(key, size))(jax.random.split(key, epochs))
    train, losses = jax.lax.scan(step, train, order.reshape(-1, sharding.own_size(minibatch_size)))
    return train, losses.mean()


def clip_by_norm(max_norm: float) -> optax.GradientTransformation:
    """Return a transformation that scales gradients down to the global norm `max_norm` where they exceed it.

    It is optax's `clip_by_global_norm` as a multiplication by one number. A compiler merges that with the optimizer's
    update; the clipped gradients of optax are written out and read again, which on a CPU doubles the time of the update
    for a network as large as LEO's on Craftax.
    """

    def update(gradients: Any, state: optax.EmptyState, params: Any = None) -> tuple[Any, optax.EmptyState]:
        norm = jnp.sqrt(sum(jnp.square(gradient).sum() for gradient in jax.tree.leaves(gradients)))
        factor = jnp.minimum(1.0, max_norm / norm)
        return jax.tree.map(lambda gradient: gradient * factor, gradients), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
