"""Simulations that run outside JAX: what a simulator offers so that episodes can be built on it."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class BatchSimulator(Protocol):
    """N goal-free simulations of one task, changed in place. `lanes` [n] int says which; A numbers in an action.

    What it returns are fresh arrays, which later steps do not change.
    """

    def reset(self, lanes: np.ndarray, generators: Sequence[np.random.Generator]) -> None:
        """Put `lanes` [n] into start states, each drawn with its own one of the n `generators`."""
        ...

    def step(self, lanes: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Apply `actions` [n, A] in `lanes` [n]; bool [n] says where that broke the simulation.

        A broken simulation, and one whose action is not finite, is left in the state it was in.
        """
        ...

    def observe(self) -> np.ndarray:
        """What policies see in all lanes: [N, ...]."""
        ...

    def achieved(self) -> np.ndarray:
        """What goals are judged on: float32 [N, d]."""
        ...

    def render(self, lane: int, desired_goal: np.ndarray) -> np.ndarray:
        """A frame of one lane, uint8 [H, W, 3]."""
        ...

    def get_state(self) -> Any:
        """A copy of everything that decides what happens next, as a tree of arrays with a leading [N]."""
        ...

    def set_state(self, state: Any) -> None:
        """Go back to what `get_state` returned."""
        ...
