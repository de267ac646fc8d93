"""Initial weights."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

Array = jax.Array


def orthogonal(scale: float) -> Callable[..., Array]:
    """Return an initializer of [n, m] matrices with orthonormal rows or columns, times `scale`.

    The distribution is that of `nn.initializers.orthogonal` (QR of a Gaussian matrix). An elongated Gaussian matrix is
    so well conditioned that the Cholesky factor of its Gram matrix gives the same Q, many times faster than
    Householder's QR on a CPU.
    """

    def init(key: Array, shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
        long, short = max(shape), min(shape)
        if long < 2 * short:
            return nn.initializers.orthogonal(scale)(key, shape, dtype)
        gaussian = jax.random.normal(key, (long, short), dtype)
        factor = jnp.linalg.cholesky(gaussian.T @ gaussian, upper=True)
        q = jax.lax.linalg.triangular_solve(factor, gaussian, left_side=False, lower=False)
        return scale * (q if shape[0] >= shape[1] else q.T)

    return init
