"""Inputs brought to a common scale inside the networks of Stable-Baselines3's policies."""

import gymnasium
import torch
from stable_baselines3.common.torch_layers import CombinedExtractor

from gc_envs.agents.sb3.losses import Tensor
from gc_envs.agents.sb3.reengage import Observation

LEAST_STD = 0.01  # below which a number counts as constant
CLIP = 5.0  # standard deviations
MEMORY = 10_000  # batches; the mean is over about as many of the last ones


class NormalizedExtractor(CombinedExtractor):
    """All parts of a goal dictionary as one vector [B, F], each number less its running mean, in standard deviations.

    As in the code of "Hindsight Experience Replay" (arXiv 1707.01495, appendix): a standard deviation counts as
    `LEAST_STD` at least, and the result is clipped to `CLIP`. Statistics are those of the batches that a network is
    trained on; they are part of its weights, and target networks are given them by Stable-Baselines3, which looks for
    "running_" in their names. Gradients with respect to goals are with respect to goals as observed.
    """

    running_mean: Tensor  # [F]
    running_var: Tensor  # [F]
    running_count: Tensor  # [1], batches so far

    def __init__(self, observation_space: gymnasium.spaces.Dict) -> None:
        super().__init__(observation_space)
        self.register_buffer("running_mean", torch.zeros(self.features_dim))
        self.register_buffer("running_var", torch.ones(self.features_dim))
        self.register_buffer("running_count", torch.zeros(1))

    def forward(self, observations: Observation) -> Tensor:
        features = super().forward(observations)
        if self.training:
            self._learn(features.detach())
        with torch.no_grad():  # new tensors: a backward pass still needs them when these statistics have moved on
            mean, std = self.running_mean.clone(), self.running_var.sqrt().clamp(min=LEAST_STD)
        return ((features - mean) / std).clamp(-CLIP, CLIP)

    @torch.no_grad()
    def _learn(self, features: Tensor) -> None:
        """Mix the moments of `features` [B, F] into the running ones."""
        self.running_count += 1
        weight = 1 / self.running_count.clamp(max=MEMORY)
        apart = features.mean(dim=0) - self.running_mean
        self.running_mean += weight * apart
        spread = features.var(dim=0, correction=0) - self.running_var + (1 - weight) * apart.square()
        self.running_var += weight * spread
