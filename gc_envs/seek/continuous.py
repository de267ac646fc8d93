"""ContinuousSeek: reach a point of a box by bounded steps.

Source: "Goal-Conditioned Q-learning as Knowledge Distillation" (arXiv 2208.13298), section "Toy Example Experiments".
"""

from collections.abc import Sequence

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.arrays import Array, array_namespace
from gc_envs.core.goals import BoxGoals
from gc_envs.core.goals.base import point_text
from gc_envs.core.task import Task
from gc_envs.seek.state import SeekState

SIZE, THRESHOLD = 5.0, 0.1  # the source's D and epsilon
MAX_DIM = 21_201  # of the Sobol sequence that anchor goals are points of


class ContinuousSeekTask(Task[SeekState]):
    """A point in [-5, 5]^dim that every action moves by up to 1 along each axis: s' = clip(s + a).

    The observation and the achieved goal are the position, float32 [dim]. A goal is a position, reached within 0.1 in
    max-norm. The reward is 0 where the goal is reached and -1 elsewhere. Every episode starts at the origin. An action
    beyond [-1, 1] is clipped.

    Args:
        dim: The number of coordinates.
        num_anchor_goals: The number of fixed positions that `info["all_goals"]` reports on.

    Raises:
        ValueError: If `dim` lies outside 1..21201, or `num_anchor_goals` is below 1.
    """

    horizon = 10
    on_success = "continue"
    renders_history = True

    def __init__(self, dim: int = 5, num_anchor_goals: int = 64) -> None:
        if not 1 <= dim <= MAX_DIM:
            raise ValueError(f"dim must lie in 1..{MAX_DIM}, got {dim}")
        self.dim = dim
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (dim,), np.float32)
        self.observation_space = gymnasium.spaces.Box(-SIZE, SIZE, (dim,), np.float32)
        self.goals = BoxGoals(
            np.full(dim, -SIZE), np.full(dim, SIZE), threshold=THRESHOLD, distance=max_norm,
            num_anchor_goals=num_anchor_goals,
        )  # fmt: skip

    def reset(self, key: jax.Array) -> SeekState:
        return SeekState(jnp.zeros(self.dim, jnp.float32))

    def step(self, key: jax.Array, state: SeekState, action: jax.Array) -> SeekState:
        return SeekState(jnp.clip(state.position + jnp.clip(action, -1, 1), -SIZE, SIZE))

    def observe(self, state: SeekState) -> jax.Array:
        return state.position

    def achieved(self, state: SeekState) -> jax.Array:
        return state.position

    def describe_goal(self, desired: np.ndarray) -> str:
        return f"be within {THRESHOLD} of {point_text(desired)} along every axis"

    def render(
        self, state: SeekState, desired_goal: np.ndarray | None = None, history: Sequence[SeekState] = ()
    ) -> np.ndarray:
        from gc_envs.seek.render import draw_pairs, path_of

        return draw_pairs(path_of(state, history, self.horizon), desired_goal, SIZE, THRESHOLD)


def max_norm(achieved: Array, desired: Array) -> Array:
    """Return the largest difference along an axis [...] of points [..., d], for any array library."""
    xp = array_namespace(achieved, desired)
    return xp.max(xp.abs(achieved - desired), axis=-1)
