"""Normalisation of inputs inside the networks of Stable-Baselines3's policies."""

import gymnasium
import torch
from stable_baselines3.common.torch_layers import CombinedExtractor

from gc_envs.sb3.losses import Tensor
from gc_envs.sb3.reengage import Observation

LEAST_STD = 0.01  # smallest standard deviation to divide by: inputs that vary less are treated as constant
CLIP = 5.0  # largest normalised input, in standard deviations
MEMORY = 10_000  # number of latest batches that the running moments are about


class NormalizedExtractor(CombinedExtractor):
    """All parts of a goal dictionary in one vector [B, F] of normalised inputs.

    Every input has its running mean subtracted and is divided by its running standard deviation, which is taken to be
    at least `LEAST_STD`; the result is clipped to [-`CLIP`, `CLIP`]. This follows the code of "Hindsight Experience
    Replay" (arXiv 1707.01495, appendix).

    The moments are those of the batches that the network is trained on. They are buffers of the network, and therefore
    part of its weights; Stable-Baselines3 copies them to target networks because their names contain "running_".
    Gradients with respect to goals are gradients with respect to the goals as observed.

    Args:
        observation_space: Space of the goal dictionaries.
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
        """Return the normalised inputs [B, F]; in training mode, update the moments with this batch first."""
        features = super().forward(observations)
        if self.training:
            self._update_moments(features.detach())
        with torch.no_grad():  # copies, because a backward pass may need these values after the moments have changed
            mean, std = self.running_mean.clone(), self.running_var.sqrt().clamp(min=LEAST_STD)
        return ((features - mean) / std).clamp(-CLIP, CLIP)

    @torch.no_grad()
    def _update_moments(self, features: Tensor) -> None:
        """Mix the moments of `features` [B, F] into the running ones."""
        self.running_count += 1
        weight = 1 / self.running_count.clamp(max=MEMORY)
        difference = features.mean(dim=0) - self.running_mean
        self.running_mean += weight * difference
        change = features.var(dim=0, correction=0) - self.running_var + (1 - weight) * difference.square()
        self.running_var += weight * change
