"""LEO's network. Letters: B batch, G goals, A actions."""

from typing import Any

import jax
from flax import linen as nn

from gc_envs.agents.networks.encoder import Torso
from gc_envs.agents.networks.heads import AllGoalsHead
from gc_envs.core.one_hot import OneHotSpec

Array = jax.Array


class LEONetwork(nn.Module):
    """The action values of every goal in one pass (arXiv 2605.23551, section 4).

    The fields are those of `Torso` and `AllGoalsHead`. `features` is the costly part, from which each of the other
    methods takes just what is needed.
    """

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
        """Return the features [B, width] of observations [B, ...]; `train` updates the normalisation statistics."""
        return self.torso(observation, train)

    def values(self, features: Array) -> Array:
        """Return Q [B, G, A] from features."""
        return self.head.values(features)

    def max_values(self, features: Array) -> Array:
        """Return the best action's Q for every goal, [B, G], from features."""
        return self.head.max_values(features)

    def goal_values(self, features: Array, goal: Array) -> Array:
        """Return Q [B, A] from features for one goal per row, [B]."""
        return self.head.goal_values(features, goal)

    def action_values(self, features: Array, action: Array) -> Array:
        """Return Q [B, G] from features for one action per row, [B]."""
        return self.head.action_values(features, action)

    def __call__(self, observation: Any, train: bool = False) -> Array:
        """Return Q [B, G, A] of observations."""
        return self.values(self.features(observation, train))
