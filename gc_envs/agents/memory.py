"""What training needs in memory at the least, said before anything is compiled. Letters: T steps, N environments."""

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from gc_envs.agents.on_policy import OnPolicy


class Memory(NamedTuple):
    """Bytes that training needs at the least; what a minibatch needs on its way through a network comes on top."""

    networks: int  # parameters, gradients and optimizers
    rollout: int  # T x N transitions


def needed_memory(learner: "OnPolicy") -> Memory:
    """Return the memory that a learner needs; nothing is computed for it."""
    c, space = learner.config, learner.task.observation_space
    parts = dict(space.items()) if isinstance(space, gymnasium.spaces.Dict) else space
    key = jax.eval_shape(lambda: jax.random.key(0))
    zeros: Any = jax.eval_shape(
        lambda: (
            jax.tree.map(lambda part: jnp.zeros((c.num_envs, *part.shape), part.dtype), parts),
            jnp.zeros(c.num_envs, jnp.int32), jnp.zeros((c.num_envs, learner.num_goals + 2), bool),
        )
    )  # fmt: skip
    observation, goal, flags = zeros  # achieved goals, terminated, truncated
    train = jax.eval_shape(learner.init_train, key, observation)
    acted = jax.eval_shape(learner.policy, train, jnp.int32(0), key, observation, goal)
    step = _bytes((observation, goal, flags, acted))
    gradients = _bytes(train) // 3  # of parameters and two moments
    return Memory(_bytes(train) + gradients, c.rollout_steps * step)


def check_memory(learner: "OnPolicy", devices: int = 1, runs: int = 1) -> None:
    """Raise ValueError, with the bytes, where `runs` of a learner do not fit the memory of each of the devices."""
    needed, available = needed_memory(learner), available_memory()
    networks, rollout = needed.networks * runs, needed.rollout // devices
    if networks + rollout > available:
        c = learner.config
        several = f"{runs} runs, each with " if runs > 1 else ""
        raise ValueError(
            f"training needs at least {networks + rollout:,} bytes of memory and {available:,} are there: "
            f"{networks:,} for {several}networks and optimizers (width={c.width}), {rollout:,} for a rollout of "
            f"{c.rollout_steps} steps in {c.num_envs // devices} environments; take less of these"
        )


def available_memory() -> int:
    """Return the bytes of memory of the device that JAX computes on, or of the machine where that is a CPU."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return int(stats.get("bytes_limit", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
