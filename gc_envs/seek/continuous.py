"""ContinuousSeek: reach a point of a box by bounded steps.

Source: "Goal-Conditioned Q-learning as Knowledge Distillation" (arXiv 2208.13298), section "Toy Example Experiments".
"""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.arrays import Array, array_namespace
from gc_envs.core.goals import BoxGoals
from gc_envs.core.task import Task
from gc_envs.seek.trail import SeekState, extend, start_trail

SIZE, THRESHOLD = 5.0, 0.1  # the source's D and epsilon


class ContinuousSeekTask(Task[SeekState]):
    """A point in [-5, 5]^dim that every action moves by up to 1 along each axis: s' = clip(s + a).

    Observation and achieved goal: the position, float32 [dim]. Goal: a position, reached within 0.1 in max-norm. The
    reward is 0 where it is reached and -1 elsewhere. Start: the origin. An action beyond [-1, 1] is clipped.

    Raises:
        ValueError: for dim or num_anchor_goals below 1.
    """

    horizon = 10
    on_success = "continue"

    def __init__(self, dim: int = 5, num_anchor_goals: int = 64) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        self.dim = dim
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (dim,), np.float32)
        self.observation_space = gymnasium.spaces.Box(-SIZE, SIZE, (dim,), np.float32)
        self.goals = BoxGoals(
            np.full(dim, -SIZE), np.full(dim, SIZE), threshold=THRESHOLD, distance=max_norm,
            num_anchor_goals=num_anchor_goals,
        )  # fmt: skip

    def reset(self, key: jax.Array) -> SeekState:
        return SeekState(start_trail(self.horizon, self.dim))

    def step(self, key: jax.Array, state: SeekState, action: jax.Array) -> SeekState:
        moved = jnp.clip(state.trail[-1] + jnp.clip(action, -1, 1), -SIZE, SIZE)
        return SeekState(extend(state.trail, moved))

    def observe(self, state: SeekState) -> jax.Array:
        return state.trail[-1]

    def achieved(self, state: SeekState) -> jax.Array:
        return state.trail[-1]

    def render(self, state: SeekState, desired_goal: np.ndarray | None = None) -> np.ndarray:
        from gc_envs.seek.render import draw_pairs

        return draw_pairs(np.asarray(state.trail), desired_goal, SIZE, THRESHOLD)


def max_norm(achieved: Array, desired: Array) -> Array:
    """The largest difference along an axis [...], of points [..., d] of any array library."""
    xp = array_namespace(achieved, desired)
    return xp.max(xp.abs(achieved - desired), axis=-1)
