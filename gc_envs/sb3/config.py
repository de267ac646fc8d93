"""Settings of the Stable-Baselines3 agents; every field is a flag of `gc-envs train`."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from gc_envs.agents.config import check_ranges
from gc_envs.core.goals import BoxGoals
from gc_envs.core.task import Task
from gc_envs.sb3.losses import check_share, check_weight, clip_values, penalize_actions
from gc_envs.sb3.multi_reengage import PointSetPolicy
from gc_envs.sb3.normalize import NormalizedExtractor


@dataclass(frozen=True)
class OffPolicyConfig:
    """Settings that all algorithms share; the defaults are those of ReenGAGE (arXiv 2208.13298, appendix, table 1)."""

    total_steps: int = 100_000
    """Environment steps of the whole run, summed over all environments and rounded up to whole rollouts."""

    num_envs: int = 1
    """Number of environments that are stepped together."""

    seed: int = 0
    """Seed of the initial weights, of exploration, of replay sampling and of the environments."""

    learning_rate: float = 1e-3
    """Learning rate of the Adam optimisers."""

    batch_size: int = 256
    """Number of transitions in an update, relabelled ones included."""

    buffer_size: int = 1_000_000
    """Capacity of the replay buffer in transitions, over all environments."""

    learning_starts: int = 1_000
    """Environment steps, over all environments, that are taken with random actions before the first update."""

    train_every: int = 1
    """Number of steps that each environment takes between two rounds of updates."""

    gradient_steps: int = 1
    """Number of updates in a round."""

    gamma: float = 0.95
    """Discount factor per step."""

    tau: float = 0.005
    """Fraction of the way that the target networks move towards the trained networks at a time, in (0, 1]."""

    her_goals: int = 4
    """Number of relabelled transitions per original one in a batch, with goals that were achieved later in the same
    episode (strategy "future" of Hindsight Experience Replay, arXiv 1707.01495); 0 switches relabelling off."""

    width: int = 256
    """Number of units in each hidden layer."""

    depth: int = 2
    """Number of hidden layers."""

    normalize: bool = False
    """Whether the networks normalise their inputs by running means and standard deviations, as in the code of
    Hindsight Experience Replay (arXiv 1707.01495, appendix)."""

    device: str = "auto"
    """Device of the networks: "auto" (CUDA if there is one), "cpu" or "cuda"."""

    threads: int = 0
    """Number of processor threads that torch computes with; 0 measures for about a second at the start which number is
    fastest, and says it. Other numbers round differently, so a resumed run keeps the number that it had."""

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        """Return the arguments of the Stable-Baselines3 class for `task`."""
        policy: dict[str, Any] = {"net_arch": [self.width] * self.depth}
        if self.normalize:
            policy["features_extractor_class"] = NormalizedExtractor
        return {
            "policy": "MultiInputPolicy",
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "buffer_size": min(self.buffer_size, self.final_step),  # the rest of a larger one would stay empty
            "learning_starts": self.learning_starts,
            "train_freq": self.train_every,
            "gradient_steps": self.gradient_steps,
            "gamma": self.gamma,
            "tau": self.tau,
            "policy_kwargs": policy,
            "seed": self.seed,
            "device": self.device,
        }

    def modify_losses(self, model: OffPolicyAlgorithm, task: Task) -> None:
        """Add the loss terms to a new `model` that are no arguments of its class."""

    @property
    def schedules(self) -> tuple[str, ...]:
        """The settings, in words, whose course over the run depends on `total_steps`."""
        return ()

    @property
    def final_step(self) -> int:
        """`total_steps` rounded up to whole rollouts."""
        rollout = self.num_envs * self.train_every
        return -(-self.total_steps // rollout) * rollout

    def check(self) -> None:
        """Raise ValueError, naming the field, if a number is out of its range."""
        for name in ("total_steps", "num_envs", "batch_size", "buffer_size", "train_every", "gradient_steps", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("learning_starts", "her_goals", "depth", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        check_ranges(self)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise ValueError(f"device={self.device!r} is none of auto, cpu, cuda and cuda:N")


@dataclass(frozen=True)
class DDPGConfig(OffPolicyConfig):
    """Settings of DDPG and TD3."""

    action_noise: float = 0.03
    """Standard deviation of the Gaussian exploration noise, for actions scaled to [-1, 1]."""

    random_share: float = 0.0
    """Probability that an environment's exploring action is uniformly random instead of the policy's with noise;
    OpenAI Baselines' code of Hindsight Experience Replay has 0.3 (arXiv 1707.01495, appendix: 0.2)."""

    action_l2: float = 0.0
    """Weight of the mean squared action in the actor's loss (arXiv 1707.01495, appendix: 1); 0 leaves it out."""

    clip_values: bool = False
    """Whether target values are clipped to the range of possible discounted returns (arXiv 1707.01495, appendix)."""

    def check(self) -> None:
        """Raise ValueError, naming the field, if a number is out of its range."""
        super().check()
        check_share("random_share", self.random_share)
        check_weight("action_l2", self.action_l2)
        if self.clip_values and not 0 <= self.gamma < 1:
            raise ValueError(f"clip_values needs gamma in [0, 1), as returns have no bound at {self.gamma}")

    def modify_losses(self, model: OffPolicyAlgorithm, task: Task) -> None:
        """Add the penalty on actions, and clip the target values."""
        if self.action_l2:
            penalize_actions(model.actor, self.action_l2)
        if self.clip_values:
            low, high = task.goals.reward_range
            steps = 1 / (1 - self.gamma)  # discounted number of steps in an endless episode
            # After the end of an episode rewards are 0.
            clip_values(model.critic_target, min(low, 0) * steps, max(high, 0) * steps)  # type: ignore[attr-defined]

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        """Return the arguments of the Stable-Baselines3 class for `task`."""
        zero = np.zeros(task.action_space.shape or ())
        noise = NormalActionNoise(zero, zero + self.action_noise)
        return {**super().model_kwargs(task), "action_noise": noise, "random_share": self.random_share}


@dataclass(frozen=True)
class DQNConfig(OffPolicyConfig):
    """Settings of DQN."""

    exploration_fraction: float = 0.5
    """Fraction of the run over which the probability of a random action falls linearly."""

    exploration_initial: float = 1.0
    """Probability of a random action at the start of the run."""

    exploration_final: float = 0.05
    """Probability of a random action after `exploration_fraction` of the run."""

    target_update_every: int = 1
    """Environment steps, over all environments, between two moves of the target network."""

    @property
    def schedules(self) -> tuple[str, ...]:
        """The settings, in words, whose course over the run depends on `total_steps`."""
        return ("the probability of a random action",) if self.exploration_initial != self.exploration_final else ()

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        """Return the arguments of the Stable-Baselines3 class for `task`."""
        return {
            **super().model_kwargs(task),
            "exploration_fraction": self.exploration_fraction,
            "exploration_initial_eps": self.exploration_initial,
            "exploration_final_eps": self.exploration_final,
            "target_update_interval": self.target_update_every,
        }


@dataclass(frozen=True)
class ReenGAGEConfig(OffPolicyConfig):
    """Settings of SAC with the gradient term, and the term's weight for all algorithms that have it."""

    alpha: float = 0.1
    """Weight of the gradient term, per goal dimension (arXiv 2208.13298, equation 9); 0 is the plain algorithm."""

    def check(self) -> None:
        """Raise ValueError, naming the field, if a number is out of its range."""
        super().check()
        check_weight("alpha", self.alpha)

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        """Return the arguments of the Stable-Baselines3 class for `task`."""
        dense = isinstance(task.goals, BoxGoals) and task.goals.dense
        return {
            **super().model_kwargs(task),
            "alpha": self.alpha,
            "low_reward": task.goals.reward_range[0],
            "reward": task.goals.reward if dense else None,
        }


@dataclass(frozen=True)
class ReenGAGEDDPGConfig(ReenGAGEConfig, DDPGConfig):
    """Settings of DDPG and TD3 with the gradient term."""


@dataclass(frozen=True)
class ReenGAGEDQNConfig(ReenGAGEConfig, DQNConfig):
    """Settings of DQN with the gradient term."""

    temperature: float = 0.5
    """Temperature of the softmax over actions in the gradient's target (arXiv 2208.13298, appendix, equation 32), at
    least 0, where the softmax is the best action alone."""

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        """Return the arguments of the Stable-Baselines3 class for `task`."""
        return {**super().model_kwargs(task), "temperature": self.temperature}


@dataclass(frozen=True)
class MultiReenGAGEConfig(ReenGAGEDDPGConfig):
    """Settings of Multi-ReenGAGE; the defaults are those of the paper (arXiv 2208.13298, appendix, table 4)."""

    alpha: float = 20.0
    """Weight of the gradient term, which is averaged over the gates of a goal; 0 is the plain algorithm."""

    action_noise: float = 0.05
    """Standard deviation of the Gaussian exploration noise, for actions scaled to [-1, 1]."""

    her_goals: int = 0
    """Must be 0: achieved positions are not sets of points, so there is nothing to relabel with."""

    width: int = 400
    """Number of units in each hidden layer of the actor's and the critic's heads."""

    depth: int = 1
    """Number of hidden layers of the actor's and the critic's heads."""

    encoder_width: int = 400
    """Number of units in each hidden layer of the encoder of points."""

    encoder_depth: int = 2
    """Number of hidden layers of the encoder of points."""

    embedding: int = 20
    """Number of outputs of the encoder of points."""

    def check(self) -> None:
        """Raise ValueError, naming the field, if a number is out of its range."""
        super().check()
        if self.normalize:
            raise ValueError("normalize is for goals that are numbers; points are encoded as they are")

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        """Return the arguments of the Stable-Baselines3 class for `task`."""
        kwargs = super().model_kwargs(task)
        encoder = {"encoder_arch": (self.encoder_width,) * self.encoder_depth, "embedding": self.embedding}
        policy = {**kwargs["policy_kwargs"], "features_extractor_kwargs": encoder}
        return {**kwargs, "policy": PointSetPolicy, "policy_kwargs": policy}
