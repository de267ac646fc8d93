"""The all-goals head: Q [B, G, A] from features [B, H], and the parts of it that acting and learning need.

On Craftax the head is three quarters of the network's multiplications (512 goals x 43 actions), and no caller but
`values` needs all of it. The kernel is [A, G, H], so that one action's [G, H] is contiguous.
Letters: B batch, G goals, A actions, H features.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gc_envs.agents.networks.initializers import orthogonal
from gc_envs.agents.networks.single_action import single_action_product

Array = jax.Array


class AllGoalsHead(nn.Module):
    """A linear layer to [G, A] and a sigmoid, because the discounted return of a 0/1 reward lies in [0, 1]."""

    num_goals: int  # G
    num_actions: int  # A
    features: int  # H

    def setup(self) -> None:
        self.kernel = self.param("kernel", _orthogonal_head, (self.num_actions, self.num_goals, self.features))
        self.bias = self.param("bias", nn.initializers.zeros_init(), (self.num_actions, self.num_goals))

    def values(self, features: Array) -> Array:
        """Return Q of every goal and action, [B, G, A]."""
        return nn.sigmoid(jnp.einsum("bh,agh->bga", features, self.kernel) + self.bias.T)

    def max_values(self, features: Array) -> Array:
        """Return the best action's Q for every goal, [B, G].

        Actions are taken one at a time, so that [B, G, A] is never stored.
        """

        def step(best: Array, weights: tuple[Array, Array]) -> tuple[Array, None]:
            kernel, bias = weights
            return jnp.maximum(best, features @ kernel.T + bias), None

        lowest = jnp.full((features.shape[0], self.num_goals), -jnp.inf)
        return nn.sigmoid(jax.lax.scan(step, lowest, (self.kernel, self.bias))[0])

    def goal_values(self, features: Array, goal: Array) -> Array:
        """Return Q of every action for one goal per row: [B, A] for `goal` [B] int."""
        return nn.sigmoid(jnp.einsum("bh,abh->ba", features, self.kernel[:, goal]) + self.bias[:, goal].T)

    def action_values(self, features: Array, action: Array) -> Array:
        """Return Q of every goal for one action per row: [B, G] for `action` [B] int."""
        return nn.sigmoid(single_action_product(self.kernel, features, action) + self.bias[action])


def _orthogonal_head(key: Array, shape: tuple[int, int, int], dtype: Any = jnp.float32) -> Array:
    """Return a kernel [A, G, H] whose [H, G * A] matrix is orthogonal."""
    actions, goals, features = shape
    return orthogonal(1.0)(key, (features, goals * actions), dtype).reshape(features, goals, actions).transpose(2, 1, 0)
