"""The earlier states of the episodes under way, for tasks whose frames show how the present state came about."""

from typing import Any

import numpy as np

from gc_envs.core.engine import take


class History:
    """For each of N environments, the states of its episode before the present one, oldest first."""

    def __init__(self, num_envs: int) -> None:
        self._states: list[list[Any]] = [[] for _ in range(num_envs)]

    def append(self, states: Any, *, cleared: np.ndarray) -> None:
        """Add the states that a step left, a tree of arrays [N, ...]; forget all of the environments in `cleared`."""
        for index, earlier in enumerate(self._states):
            earlier.append(take(states, index))
        self.clear(cleared)

    def clear(self, mask: np.ndarray) -> None:
        """Forget the states of the environments in `mask`, bool [N]."""
        for index in np.flatnonzero(mask):
            self._states[index].clear()

    def of(self, index: int) -> tuple[Any, ...]:
        """Return the earlier states of environment `index`, without a batch axis."""
        return tuple(self._states[index])
