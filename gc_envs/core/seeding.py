"""Random keys for environments: NumPy's generators and JAX's keys over the same two numbers."""

import numpy as np


def sample_key(generator: np.random.Generator) -> np.ndarray:
    """Return a raw JAX key, uint32 [2], drawn with `generator`."""
    return generator.integers(0, 2**32, size=2, dtype=np.uint32)


def generator_of(key: np.ndarray) -> np.random.Generator:
    """Return NumPy's generator for a raw `key`, uint32 [2]."""
    return np.random.Generator(np.random.Philox(key=key.view(np.uint64)[0]))
