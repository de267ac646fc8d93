"""LEO's network. Letters: B batch, G goals, A actions."""

from typing import Any

import jax
from flax import linen as nn

from gc_envs.agents.networks.encoder import Torso
from gc_envs.agents.networks.heads import AllGoalsHead
from gc_envs.core.one_hot import OneHotSpec

Array = jax.Array


class LEONetwork(nn.Module):
    """Every goal's action values in one pass (arXiv 2605.23551, section 4)."""

    spec: OneHotSpec | None
    num_goals: int
    num_actions: int
    width: int = 1024
    depth: int = 4
    conv_features: int = 32

    def setup(self) -> None:
        self.torso = Torso(self.spec, self.width, self.depth, self.conv_features)
        self.head = AllGoalsHead(self.num_goals, self.num_actions, self.width)

    def features(self, observation: Any, train: bool = False) -> Array:
        """[B, width]; the head's methods take it from there."""
        return self.torso(observation, train)

    def values(self, features: Array) -> Array:
        """[B, G, A]; see `AllGoalsHead` for this and the next three."""
        return self.head.values(features)

    def max_values(self, features: Array) -> Array:
        """[B, G]."""
        return self.head.max_values(features)

    def goal_values(self, features: Array, goal: Array) -> Array:
        """[B, A] for goal [B]."""
        return self.head.goal_values(features, goal)

    def action_values(self, features: Array, action: Array) -> Array:
        """[B, G] for action [B]."""
        return self.head.action_values(features, action)

    def __call__(self, observation: Any, train: bool = False) -> Array:
        """[B, G, A]."""
        return self.values(self.features(observation, train))
