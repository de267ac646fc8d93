"""Tiny tasks whose right answers can be written by hand."""

from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.goals import FiniteGoals
from gc_envs.core.layout import Layout
from gc_envs.core.task import Task

LEFT, RIGHT = 0, 1


class ChainState(NamedTuple):
    cell: jax.Array  # [] int32
    tag: jax.Array  # [2] uint32, the raw key of the start: two start states are never equal


class ChainTask(Task[ChainState]):
    """Cells 0, 1, 2 in a row; LEFT and RIGHT; one goal per cell; no end of the world, unless `cliff`: cell 2 is death.

    The start is `start`, or any cell that is not death when it is None.
    """

    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Box(0, 2, (1,), np.float32)
    layout = Layout(scalars=(("cell", 3),))
    on_success = "continue"

    def __init__(self, *, start: int | None = None, horizon: int = 1000, cliff: bool = False) -> None:
        self.start, self.horizon, self.cliff = start, horizon, cliff
        self.goals = FiniteGoals(["cell_0", "cell_1", "cell_2"])

    def reset(self, key):
        drawn = jax.random.randint(key, (), 0, 2 if self.cliff else 3, jnp.int32)
        cell = drawn if self.start is None else jnp.full((), self.start, jnp.int32)
        return ChainState(cell, jax.random.key_data(key))

    def step(self, key, state, action):
        return state._replace(cell=jnp.clip(state.cell + 2 * jnp.asarray(action, jnp.int32) - 1, 0, 2))

    def observe(self, state):
        return state.cell[None].astype(jnp.float32)

    def achieved(self, state):
        return jnp.arange(3) == state.cell

    def terminated(self, state):
        return (state.cell == 2) & self.cliff
