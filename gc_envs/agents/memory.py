"""What training needs in memory at the least, said before anything is compiled. Letters: T steps, N environments."""

import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gc_envs.agents.on_policy import OnPolicy


class Memory(NamedTuple):
    """Bytes that training needs at the least; what a minibatch needs on its way through a network comes on top."""

    networks: int  # parameters, gradients and optimizers
    rollout: int  # T x N transitions


def needed_memory(learner: OnPolicy) -> Memory:
    """Return the memory that a learner needs; nothing is computed for it."""
    size = learner.config.num_envs
    observation = jax.tree.map(
        lambda space: jax.ShapeDtypeStruct((size, *space.shape), space.dtype), _leaves(learner.task.observation_space)
    )
    goal = jax.ShapeDtypeStruct((size,), jnp.int32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    train = jax.eval_shape(learner.init_train, key, observation)
    acted = jax.eval_shape(learner.policy, train, jax.ShapeDtypeStruct((), jnp.int32), key, observation, goal)
    achieved = jax.ShapeDtypeStruct((size, learner.num_goals), jnp.bool)
    step = _bytes((observation, goal, acted, achieved)) + 2 * size  # terminated and truncated
    gradients = _bytes(train) // 3  # of parameters and two moments
    return Memory(_bytes(train) + gradients, learner.config.rollout_steps * step)


def check_memory(learner: OnPolicy, devices: int = 1) -> None:
    """Raise ValueError, with the bytes, where a learner does not fit the memory of each of `devices` devices."""
    needed, available = needed_memory(learner), available_memory()
    rollout = needed.rollout // devices
    if needed.networks + rollout > available:
        c = learner.config
        raise ValueError(
            f"training needs at least {needed.networks + rollout:,} bytes of memory and {available:,} are there: "
            f"{needed.networks:,} for networks and optimizers (width={c.width}), {rollout:,} for a rollout of "
            f"{c.rollout_steps} steps in {c.num_envs // devices} environments; take less of these"
        )


def available_memory() -> int:
    """Return the bytes of memory of the device that JAX computes on, or of the machine where that is a CPU."""
    stats = jax.devices()[0].memory_stats() or {}
    return int(stats.get("bytes_limit", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))


def _leaves(space: Any) -> Any:
    return dict(space.items()) if hasattr(space, "items") else space


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
