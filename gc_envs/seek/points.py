"""Goals that are sets of integer points, as DriveSeek and NoisySeek sample them."""

import jax
import jax.numpy as jnp


def point_set(points: jax.Array, present: jax.Array, bound: int) -> jax.Array:
    """Return the desired goal of `PointSetGoals` that consists of the `present` ones of `points`.

    Every point is listed once, ordered by y and then by x, as in the source; rows of zeros fill the rest.

    Args:
        points: Coordinates within -bound .. bound, int32 [n_max, 2].
        present: Which of the points belong to the goal, bool [n_max].
        bound: The largest coordinate.

    Returns:
        Rows (present, x, y) flattened, float32 [n_max * 3].
    """
    width = 2 * bound + 1
    absent = width * width  # sorts behind every point
    code = (points[:, 1] + bound) * width + points[:, 0] + bound
    code = jnp.sort(jnp.where(present, code, absent))
    repeated = jnp.concatenate([jnp.array([False]), code[1:] == code[:-1]])
    code = jnp.sort(jnp.where(repeated, absent, code))
    rows = jnp.stack([jnp.ones_like(code), code % width - bound, code // width - bound], axis=-1)
    return jnp.where(code[:, None] < absent, rows, 0).astype(jnp.float32).reshape(-1)
