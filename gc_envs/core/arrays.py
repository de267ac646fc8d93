"""Helpers of array-API code: namespaces, casts, and constants in the library of another array."""

from typing import Any

import array_api_compat
import array_api_compat.numpy
import numpy as np

Array = Any  # NumPy, JAX or torch: whatever the array API covers


def array_namespace(*arrays: Array) -> Any:
    """Return the array library of `arrays`, as array-api-compat finds it, with a short cut for NumPy.

    A step of one environment asks for it dozens of times, which took longer than the step's arithmetic.
    """
    if all(isinstance(array, (np.ndarray, np.generic)) for array in arrays):
        return array_api_compat.numpy
    return array_api_compat.array_namespace(*arrays)


def as_float32(x: Array) -> Array:
    """Return `x` as float32, without a copy where it is float32 already."""
    xp = array_namespace(x)
    return xp.astype(x, xp.float32, copy=False)


def as_bool(x: Array) -> Array:
    """Return `x` as bool; numbers above one half are true."""
    xp = array_namespace(x)
    return x if x.dtype == xp.bool else x > 0.5


def constant(values: np.ndarray, like: Array, dtype: Any = None) -> Array:
    """Return `values` as an array of the library, and on the device, of `like`."""
    xp = array_namespace(like)
    if xp.__name__.endswith("torch"):
        return xp.asarray(values, device=like.device, dtype=dtype)
    return xp.asarray(values, dtype=dtype)
