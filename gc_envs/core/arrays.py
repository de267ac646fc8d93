"""What array-API code needs in more than one place: casts, and constants in the library of another array."""

from typing import Any

import array_api_compat
import array_api_compat.numpy
import numpy as np

Array = Any  # NumPy, JAX or torch: whatever the array API covers


def array_namespace(*arrays: Array) -> Any:
    """The array library of `arrays`, as array-api-compat finds it, with a short cut for NumPy.

    A step of one environment asks dozens of times, which took longer than its arithmetic.
    """
    if all(isinstance(array, (np.ndarray, np.generic)) for array in arrays):
        return array_api_compat.numpy
    return array_api_compat.array_namespace(*arrays)


def as_float32(x: Array) -> Array:
    """`x` as float32, without a copy where it is that already."""
    xp = array_namespace(x)
    return xp.astype(x, xp.float32, copy=False)


def as_bool(x: Array) -> Array:
    """`x` as bool; numbers above one half are true."""
    xp = array_namespace(x)
    return x if x.dtype == xp.bool else x > 0.5


def constant(values: np.ndarray, like: Array, dtype: Any = None) -> Array:
    """`values` as an array of the library (and on the device) of `like`."""
    xp = array_namespace(like)
    if xp.__name__.endswith("torch"):
        return xp.asarray(values, device=like.device, dtype=dtype)
    return xp.asarray(values, dtype=dtype)
