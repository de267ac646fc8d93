"""Simulations that run outside JAX: what a simulator offers so that episodes can be built on it."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class BatchSimulator(Protocol):
    """N simulations of one task, changed in place.

    They know nothing of goals. `indices` [n] int says which of them a call is about, in ascending order. Letters: A
    numbers in an action, d in an achieved goal. What the methods return are fresh arrays, which later steps do not
    change.
    """

    def reset(self, indices: np.ndarray, generators: Sequence[np.random.Generator]) -> None:
        """Put simulations `indices` [n] into start states, each sampled with its own one of the n `generators`."""
        ...

    def step(self, indices: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Step simulations `indices` [n] with `actions` [n, A], and return which of them diverged, bool [n].

        A simulation that breaks down, or whose action is not finite, is left in the state that it was in.
        """
        ...

    def observe(self) -> np.ndarray:
        """Return what policies see in all simulations, [N, ...]."""
        ...

    def achieved(self) -> np.ndarray:
        """Return what goals are evaluated on in all simulations, float32 [N, d]."""
        ...

    def render(self, index: int, desired_goal: np.ndarray) -> np.ndarray:
        """Return a frame of simulation `index` that shows `desired_goal` [D], uint8 [H, W, 3]."""
        ...

    def get_state(self) -> Any:
        """Return a copy of everything that decides what happens next, as a tree of arrays with a leading [N]."""
        ...

    def set_state(self, state: Any) -> None:
        """Go back to what `get_state` returned."""
        ...
