"""Tiny tasks whose right answers can be written by hand."""

from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.goals import BoxGoals, FiniteGoals
from gc_envs.core.one_hot import OneHotSpec
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
    one_hot_spec = OneHotSpec(scalars=(("cell", 3),))
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


class PointSimulator:
    """A `BatchSimulator` of points on a line: x' = x + a, starting in [-1, 1); one beyond 5 diverges."""

    def __init__(self, num_envs):
        self.position = np.zeros((num_envs, 1))

    def reset(self, indices, generators):
        self.position[indices] = [[generator.uniform(-1, 1)] for generator in generators]

    def step(self, indices, actions):
        moved = self.position[indices] + np.clip(actions, -1, 1)
        diverged = ~(np.abs(moved) <= 5).all(axis=1)  # true for NaN too
        self.position[indices[~diverged]] = moved[~diverged]
        return diverged

    def observe(self):
        return self.position.astype(np.float32)

    def achieved(self):
        return self.position.astype(np.float32)

    def render(self, index, desired_goal):
        return np.full((2, 2, 3), int(10 * self.position[index, 0]) % 256, np.uint8)

    def get_state(self):
        return self.position.copy()

    def set_state(self, state):
        self.position = state.copy()


def _apart(achieved, desired):
    return abs(achieved - desired)[..., 0]


class PointTask(Task[np.ndarray]):
    """`PointSimulator` with goals in [-2, 2], reached within half a unit; it has no dynamics inside JAX."""

    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    observation_space = gymnasium.spaces.Box(-5, 5, (1,), np.float32)
    horizon = 6
    on_success = "continue"
    backend = "points"

    def __init__(self):
        low, high = np.float32([-2]), np.float32([2])
        bounds = np.float32([-5]), np.float32([5])
        self.goals = BoxGoals(low, high, threshold=0.5, distance=_apart, achieved_bounds=bounds, num_anchor_goals=8)

    def reset(self, key):
        raise AssertionError("a task with a simulator is not run by JAX")

    step = observe = achieved = reset

    def make_simulator(self, num_envs):
        return PointSimulator(num_envs)
