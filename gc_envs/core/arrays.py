"""Helpers of array-API code: namespaces, casts, and constants in the library of another array."""

from typing import Any

import array_api_compat
import array_api_compat.numpy
import numpy as np

Array = Any  # NumPy, JAX or torch: whatever the array API covers
NUMPY = (np.ndarray, np.generic)


def array_namespace(*arrays: Array) -> Any:
    """Return the array library of `arrays`, as array-api-compat finds it, with a short cut for NumPy.

    A step of one environment asks for it dozens of times, which took longer than the step's arithmetic.
    """
    for array in arrays:
        if not isinstance(array, NUMPY):
            return array_api_compat.array_namespace(*arrays)
    return array_api_compat.numpy


def as_float32(x: Array) -> Array:
    """Return `x` as float32, without a copy where it is float32 already."""
    if isinstance(x, NUMPY):
        return x.astype(np.float32, copy=False)
    xp = array_namespace(x)
    return xp.astype(x, xp.float32, copy=False)


def as_bool(x: Array) -> Array:
    """Return `x` as bool; 1 is true, and every other number, NaN and infinity too, is false."""
    return x if x.dtype == array_namespace(x).bool else x == 1


def constant(values: np.ndarray, like: Array, dtype: Any = None) -> Array:
    """Return `values` as an array of the library, and on the device, of `like`."""
    if isinstance(like, NUMPY):
        return np.asarray(values, dtype)
    xp = array_namespace(like)
    if xp.__name__.endswith("torch"):
        return xp.asarray(values, device=like.device, dtype=dtype)
    return xp.asarray(values, dtype=dtype)
