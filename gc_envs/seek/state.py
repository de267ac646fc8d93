"""The state of the tasks in which the agent is a point: its position."""

from typing import NamedTuple

import jax


class SeekState(NamedTuple):
    """The position of the agent."""

    position: jax.Array  # [d] float32
