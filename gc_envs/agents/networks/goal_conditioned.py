"""Networks of an observation and one goal. Letters: B batch, A actions."""

from typing import Any

import jax
import numpy as np
from flax import linen as nn

from gc_envs.agents.networks.encoder import Torso
from gc_envs.agents.networks.initializers import orthogonal
from gc_envs.core.one_hot import GoalMask, OneHotSpec

Array = jax.Array


class GoalQNetwork(nn.Module):
    """Q(s, g, .) of PQN (arXiv 2605.23551): a torso and a sigmoid. The fields are those of `Torso`."""

    spec: OneHotSpec | None
    goals: GoalMask
    num_actions: int  # A
    width: int = 1024
    depth: int = 4
    conv_features: int = 16

    @nn.compact
    def __call__(self, observation: Any, goal: Array, train: bool = False) -> Array:
        """Return Q [B, A] of observations [B, ...] and one goal index each; `train` updates the statistics."""
        torso = Torso(self.spec, self.width, self.depth, self.conv_features, self.goals, name="torso")
        head = nn.Dense(self.num_actions, kernel_init=orthogonal(1.0), name="head")
        return nn.sigmoid(head(torso(observation, train, goal)))


class GoalActorCritic(nn.Module):
    """PPO's policy and value of an observation and a goal (arXiv 2605.23551), without normalisation."""

    spec: OneHotSpec | None
    goals: GoalMask
    num_actions: int  # A
    width: int = 1024
    conv_features: int = 32
    embedding_depth: int = 1  # dense layers that actor and critic share
    actor_depth: int = 2
    critic_depth: int = 4

    @nn.compact
    def __call__(self, observation: Any, goal: Array) -> tuple[Array, Array]:
        """Return logits [B, A] and values [B] in (0, 1) of observations [B, ...] and one goal index each."""
        torso = Torso(
            self.spec, self.width, self.embedding_depth, self.conv_features, self.goals, normalize=False, name="torso"
        )  # fmt: skip
        embedding = torso(observation, False, goal)
        logits = self._branch("actor", embedding, self.actor_depth, self.num_actions, 0.01)
        value = self._branch("critic", embedding, self.critic_depth, 1, 1.0)
        return logits, nn.sigmoid(value[:, 0])

    def _branch(self, name: str, x: Array, depth: int, outputs: int, scale: float) -> Array:
        """Return `outputs` numbers per row after `depth` dense layers."""
        for layer in range(depth):
            x = nn.relu(nn.Dense(self.width, kernel_init=orthogonal(np.sqrt(2)), name=f"{name}_{layer}")(x))
        return nn.Dense(outputs, kernel_init=orthogonal(scale), name=f"{name}_head")(x)
