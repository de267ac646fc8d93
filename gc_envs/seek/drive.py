"""DriveSeek: drive over as many goal points as possible, at constant speed on a torus.

Source: "Goal-Conditioned Q-learning as Knowledge Distillation" (arXiv 2208.13298), section "Multi-ReenGAGE".
"""

from collections.abc import Sequence
from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.goals import PointSetGoals
from gc_envs.core.task import Task
from gc_envs.seek.points import point_set

BOUND = 10  # goal points lie in [-10, 10]^2 ...
EDGE = BOUND + 0.5  # ... and positions in [-10.5, 10.5)^2, which all round to such points
TURN = 0.5  # radians


class DriveState(NamedTuple):
    """The position of the car and the direction in which it is heading."""

    position: jax.Array  # [2] float32
    heading: jax.Array  # [] float32, radians from the x axis


class DriveSeekTask(Task[DriveState]):
    """A car on a torus of width 21 that turns by up to 0.5 rad and then moves by 1, on every step.

    The observation is (x, y, cos, sin) of position and heading, float32 [4]. The achieved goal is the rounded position.
    A goal is a set of 1 to `max_goals` distinct integer points, any number equally likely; every step whose rounded
    position is one of them earns 1. Every episode starts at the origin, heading along x. An action beyond [-1, 1] is
    clipped.

    Args:
        max_goals: The largest number of points in a goal.

    Raises:
        ValueError: If `max_goals` lies outside 1..441; there are 441 integer points.
    """

    goals: PointSetGoals
    horizon = 40
    on_success = "continue"
    renders_history = True
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
    observation_space = gymnasium.spaces.Box(
        np.array([-EDGE, -EDGE, -1, -1], np.float32), np.array([EDGE, EDGE, 1, 1], np.float32)
    )

    def __init__(self, max_goals: int = 200) -> None:
        cells = (2 * BOUND + 1) ** 2
        if not 1 <= max_goals <= cells:
            raise ValueError(f"max_goals must lie in 1..{cells}, got {max_goals}")
        self.goals = PointSetGoals(max_goals, -BOUND, BOUND)

    def reset(self, key: jax.Array) -> DriveState:
        return DriveState(jnp.zeros(2, jnp.float32), jnp.zeros((), jnp.float32))

    def step(self, key: jax.Array, state: DriveState, action: jax.Array) -> DriveState:
        heading = state.heading + TURN * jnp.clip(action[0], -1, 1)
        position = wrap(state.position + jnp.stack([jnp.cos(heading), jnp.sin(heading)]))
        return DriveState(position, heading)

    def observe(self, state: DriveState) -> jax.Array:
        return jnp.concatenate([state.position, jnp.cos(state.heading)[None], jnp.sin(state.heading)[None]])

    def achieved(self, state: DriveState) -> jax.Array:
        return jnp.round(state.position)

    def sample_goal(self, key: jax.Array, state: DriveState, achieved: jax.Array) -> jax.Array:
        number_key, cell_key = jax.random.split(key)
        n_max, width = self.goals.n_max, 2 * BOUND + 1
        number = jax.random.randint(number_key, (), 1, n_max + 1)
        cells = jax.random.permutation(cell_key, width * width)[:n_max]
        points = jnp.stack([cells % width, cells // width], axis=-1) - BOUND
        return point_set(points, jnp.arange(n_max) < number, BOUND)

    def render(
        self, state: DriveState, desired_goal: np.ndarray | None = None, history: Sequence[DriveState] = ()
    ) -> np.ndarray:
        from gc_envs.seek.render import draw_points, path_of

        path = path_of(state, history, self.horizon)
        return draw_points(path, desired_goal, edge=EDGE, heading=float(state.heading))


def wrap(position: jax.Array) -> jax.Array:
    """Return `position` [..., 2], at most one width outside the torus, wrapped into [-10.5, 10.5).

    Comparisons are used and not a remainder, which in float32 would round a position just below the edge onto it.
    """
    laps = (position >= EDGE).astype(position.dtype) - (position < -EDGE).astype(position.dtype)
    return position - 2 * EDGE * laps
