"""The trail: where the agent has been, kept in the state so that a frame can show it.

It has a fixed length of T + 1 positions, T being the task's horizon: the oldest first, the present one last. Before
step T the start is repeated; an episode that runs longer than T forgets its beginning.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class SeekState(NamedTuple):
    """A position, and how the agent got there."""

    trail: jax.Array  # [T + 1, d] float32; the last row is the position


def start_trail(horizon: int, dim: int) -> jax.Array:
    """The trail [horizon + 1, dim] of an episode that starts at the origin."""
    return jnp.zeros((horizon + 1, dim), jnp.float32)


def extend(trail: jax.Array, position: jax.Array) -> jax.Array:
    """`trail` [T + 1, d] after a step to `position` [d]."""
    return jnp.concatenate([trail[1:], position[None]])
