"""Goals that are sets of integer points, as DriveSeek and NoisySeek draw them."""

import jax
import jax.numpy as jnp


def point_set(points: jax.Array, present: jax.Array, bound: int) -> jax.Array:
    """The desired goal of `PointSetGoals`: float32 [n_max * 3], rows (present, x, y) flattened.

    Every point is listed once, ordered by y and then by x, as in the source; rows of zeros fill the rest.

    Args:
        points: [n_max, 2] int32, coordinates within -bound .. bound.
        present: [n_max] bool, which of them are meant.
        bound: the largest coordinate.
    """
    width = 2 * bound + 1
    nothing = width * width  # sorts behind every point
    code = (points[:, 1] + bound) * width + points[:, 0] + bound
    code = jnp.sort(jnp.where(present, code, nothing))
    twice = jnp.concatenate([jnp.array([False]), code[1:] == code[:-1]])
    code = jnp.sort(jnp.where(twice, nothing, code))
    rows = jnp.stack([jnp.ones_like(code), code % width - bound, code // width - bound], axis=-1)
    return jnp.where(code[:, None] < nothing, rows, 0).astype(jnp.float32).reshape(-1)
