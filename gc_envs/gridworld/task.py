"""A square grid with walls, and one goal per cell that can be reached.

Source: the Gridworld of "Goal-Conditioned Agents that Learn Everything All at Once" (arXiv 2605.23551). Walls come from
the same random numbers as there, so a map seed gives the same map; cells that no path reaches are no goals here.
"""

from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.forking import check_fork
from gc_envs.core.goals import FiniteGoals
from gc_envs.core.one_hot import GoalMask, OneHotSpec
from gc_envs.core.task import Task

MOVES = np.array([[0, -1], [0, 1], [-1, 0], [1, 0]], np.int32)  # left, right, up, down as (row, column)


class GridState(NamedTuple):
    """The position of the agent."""

    position: jax.Array  # [2] int32, (row, column)


class GridworldTask(Task[GridState]):
    """A `size` x `size` map with four moves; a move into a wall or the border leaves the agent where it is.

    The observation is the cell of the agent, (row, column), float32 [2] in 0..size-1. Every episode starts in the
    centre cell.

    Args:
        size: The number of rows and of columns.
        wall_density: The probability that a cell is a wall, in [0, 1).
        map_seed: The seed of the map, in 0..2^32-1, which does not depend on the seed of a reset.

    Raises:
        ValueError: If `size` is below 3, if `wall_density` lies outside [0, 1), if `map_seed` does not have 32 bits, or
            if walls enclose the centre cell.
    """

    horizon = 200
    action_space = gymnasium.spaces.Discrete(4)

    def __init__(self, size: int = 12, wall_density: float = 0.2, map_seed: int = 0) -> None:
        if size < 3:
            raise ValueError(f"size must be at least 3, got {size}")
        if not 0 <= wall_density < 1:
            raise ValueError(f"wall_density must lie in [0, 1), got {wall_density}")
        if not 0 <= map_seed < 2**32:  # JAX would drop the higher bits, and give two seeds the same map
            raise ValueError(f"map_seed must lie in 0..{2**32 - 1}, got {map_seed}")
        self.size = size
        self.start = np.array([size // 2, size // 2], np.int32)
        self.walls = make_walls(size, wall_density, map_seed)  # [size, size] bool
        self.cells = np.argwhere(reachable(self.walls, self.start))  # [G, 2]
        if len(self.cells) < 2:
            raise ValueError(f"map_seed={map_seed} encloses the start cell with walls at wall_density={wall_density}")
        self.goals = FiniteGoals([f"position/{row}-{column}" for row, column in self.cells], exclude_achieved=True)
        self.observation_space = gymnasium.spaces.Box(0, size - 1, (2,), np.float32)
        self.one_hot_spec = OneHotSpec(scalars=(("row", size), ("column", size)))
        nowhere = np.zeros(len(self.cells), np.int32)  # there is no map
        self.goal_mask = GoalMask(self.one_hot_spec.one_hot_scalars(self.cells), nowhere, nowhere)

    def reset(self, key: jax.Array) -> GridState:
        return GridState(jnp.asarray(self.start))

    def step(self, key: jax.Array, state: GridState, action: jax.Array) -> GridState:
        target = jnp.clip(state.position + jnp.asarray(MOVES)[action], 0, self.size - 1)
        blocked = jnp.asarray(self.walls)[target[0], target[1]]
        return GridState(jnp.where(blocked, state.position, target))

    def observe(self, state: GridState) -> jax.Array:
        return state.position.astype(jnp.float32)

    def achieved(self, state: GridState) -> jax.Array:
        return (jnp.asarray(self.cells, jnp.int32) == state.position).all(axis=-1)

    def describe_goal(self, desired: np.ndarray) -> str:
        row, column = self.cells[int(np.argmax(desired))]
        return f"stand in row {row}, column {column}, counted from 0 at the top left"

    def render(self, state: GridState, desired_goal: np.ndarray | None = None) -> np.ndarray:
        from gc_envs.gridworld.render import render_frame

        position = np.asarray(state.position)
        if desired_goal is None:
            return render_frame(self.walls, self.cells, position, None)
        goal = int(np.argmax(desired_goal))
        return render_frame(self.walls, self.cells, position, self.cells[goal], self.goals.names[goal])


def make_walls(size: int, density: float, seed: int) -> np.ndarray:
    """Return the map of the walls, bool [size, size]; the centre cell is always free."""
    check_fork()
    uniform = jax.random.uniform(jax.random.split(jax.random.PRNGKey(seed))[1], (size, size))
    walls = np.array(uniform) < density
    walls[size // 2, size // 2] = False
    return walls


def reachable(walls: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return which free cells a path of moves joins to `start` [2], bool [size, size]."""
    found = np.zeros_like(walls)
    found[tuple(start)] = True
    while True:
        padded = np.pad(found, 1)
        spread = found | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        spread &= ~walls
        if (spread == found).all():
            return found
        found = spread
