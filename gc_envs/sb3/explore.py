"""Exploration with uniformly random actions, for Stable-Baselines3's algorithms that act without randomness."""

from typing import Any

import numpy as np
from stable_baselines3 import DDPG, TD3
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from gc_envs.sb3.losses import check_share


class RandomActions(OffPolicyAlgorithm):
    """Base of algorithms that replace a share of their exploring actions by uniformly random ones.

    Each environment draws on every step, on its own, whether its action is replaced. OpenAI Baselines' code of
    "Hindsight Experience Replay" does so with probability 0.3 (the paper, arXiv 1707.01495, appendix: 0.2). The other
    actions keep the action noise.

    Args:
        args: Arguments of the Stable-Baselines3 class.
        random_share: Probability that an action is uniformly random; 0 draws nothing, which is the plain algorithm.
        kwargs: Arguments of the Stable-Baselines3 class.

    Raises:
        ValueError: `random_share` is outside [0, 1].
    """

    def __init__(self, *args: Any, random_share: float = 0.0, **kwargs: Any) -> None:
        check_share("random_share", random_share)
        self.random_share = random_share
        super().__init__(*args, **kwargs)

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the actions of N environments [N, A], and the same scaled to [-1, 1] for the replay buffer."""
        action, scaled = super()._sample_action(learning_starts, action_noise, n_envs)
        if not self.random_share:
            return action, scaled
        is_random = np.random.random((n_envs, 1)) < self.random_share  # noqa: NPY002 - the generator that SB3 seeds
        uniform = np.random.uniform(-1, 1, scaled.shape).astype(scaled.dtype)  # noqa: NPY002
        scaled = np.where(is_random, uniform, scaled)
        return self.policy.unscale_action(scaled), scaled


class ExploringDDPG(RandomActions, DDPG):
    """DDPG with a share of uniformly random actions."""


class ExploringTD3(RandomActions, TD3):
    """TD3 with a share of uniformly random actions."""
