"""NoisySeek: stay on goal points while noise pushes the agent about.

Source: "Goal-Conditioned Q-learning as Knowledge Distillation" (arXiv 2208.13298), section "Multi-ReenGAGE" and the
appendix on its environments.
"""

from collections.abc import Sequence

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.goals import PointSetGoals
from gc_envs.core.task import Task
from gc_envs.seek.points import point_set
from gc_envs.seek.state import SeekState

BOUND = 200  # the source has none; 40 steps do not lead there
CLUSTER_CHANCE = 0.15  # parameter of the geometric distribution of the number of clusters, whose mean is 1 / 0.15
MAX_CLUSTERS = 128  # more have a chance of 0.85^128 = 1e-9, below the resolution of a float32 uniform number
CENTRE_SIGMA, POINT_SIGMA = 10.0, 2.0  # of cluster centres about the origin, and of points about their centre


class NoisySeekTask(Task[SeekState]):
    """A point in the plane that moves by the action, of length 1 at most, and by normal noise: s' = s + a + N(0, I).

    The observation is the position, float32 [2], clipped to +-200. The achieved goal is the rounded position. A goal is
    a set of up to `max_goals` integer points in clusters; every step whose rounded position is one of them earns 1.
    Every episode starts at the origin. An action is clipped to [-1, 1] along each axis, then shortened to length 1 if
    it is longer.

    Args:
        max_goals: The largest number of points in a goal.

    Raises:
        ValueError: If `max_goals` is below 1.
    """

    goals: PointSetGoals
    horizon = 40
    on_success = "continue"
    renders_history = True
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    observation_space = gymnasium.spaces.Box(-BOUND, BOUND, (2,), np.float32)

    def __init__(self, max_goals: int = 200) -> None:
        if max_goals < 1:
            raise ValueError(f"max_goals must be at least 1, got {max_goals}")
        self.goals = PointSetGoals(max_goals, -BOUND, BOUND)

    def reset(self, key: jax.Array) -> SeekState:
        return SeekState(jnp.zeros(2, jnp.float32))

    def step(self, key: jax.Array, state: SeekState, action: jax.Array) -> SeekState:
        action = jnp.clip(action, -1, 1)
        move = action / jnp.maximum(1, jnp.linalg.norm(action))
        position = state.position + move + jax.random.normal(key, (2,))
        return SeekState(jnp.clip(position, -BOUND, BOUND))

    def observe(self, state: SeekState) -> jax.Array:
        return state.position

    def achieved(self, state: SeekState) -> jax.Array:
        return jnp.round(state.position)

    def sample_goal(self, key: jax.Array, state: SeekState, achieved: jax.Array) -> jax.Array:
        """Sample n ~ U{1..max_goals} points, each in a cluster that is chosen with weights from Dirichlet(1)."""
        number_key, clusters_key, weight_key, choice_key, centre_key, point_key = jax.random.split(key, 6)
        n_max = self.goals.n_max
        number = jax.random.randint(number_key, (), 1, n_max + 1)
        clusters = jax.random.geometric(clusters_key, CLUSTER_CHANCE)
        # Dirichlet(1) is exponential weights over their sum; a point's cluster is where its share of the sum falls.
        weights = jax.random.exponential(weight_key, (MAX_CLUSTERS,))
        cumulative = jnp.cumsum(jnp.where(jnp.arange(MAX_CLUSTERS) < clusters, weights, 0))
        cluster = jnp.searchsorted(cumulative, cumulative[-1] * jax.random.uniform(choice_key, (n_max,)))
        centres = CENTRE_SIGMA * jax.random.normal(centre_key, (MAX_CLUSTERS, 2))
        points = centres[cluster] + POINT_SIGMA * jax.random.normal(point_key, (n_max, 2))
        points = jnp.clip(jnp.round(points), -BOUND, BOUND).astype(jnp.int32)
        return point_set(points, jnp.arange(n_max) < number, BOUND)

    def render(
        self, state: SeekState, desired_goal: np.ndarray | None = None, history: Sequence[SeekState] = ()
    ) -> np.ndarray:
        from gc_envs.seek.render import draw_points, path_of

        return draw_points(path_of(state, history, self.horizon), desired_goal)
