"""The Stable-Baselines3 agents: which algorithm, which settings. A variant is a class of a few lines.

`her-*` are Stable-Baselines3's own algorithms with hindsight relabelling, `reengage-*` the same with the gradient term.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from sb3_contrib import TQC
from stable_baselines3 import DDPG, DQN, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from gc_envs.agents.sb3.learner import OffPolicyConfig, SB3Learner
from gc_envs.agents.sb3.losses import check_weight, clip_values, penalize_actions
from gc_envs.agents.sb3.multi import MultiReenGAGEDDPG, PointSetPolicy
from gc_envs.agents.sb3.reengage import ReenGAGEDDPG, ReenGAGEDQN, ReenGAGESAC, ReenGAGETD3
from gc_envs.core.goals import BoxGoals, PointSetGoals
from gc_envs.core.task import Task


@dataclass(frozen=True)
class DDPGConfig(OffPolicyConfig):
    """DDPG and TD3."""

    action_noise: float = 0.03  # standard deviation, where actions lie in [-1, 1]
    action_l2: float = 0.0  # weight of the mean squared action in the actor's loss
    clip_values: bool = False  # target values, to what a discounted return can be

    def check(self) -> None:
        super().check()
        check_weight("action_l2", self.action_l2)
        if self.clip_values and not 0 <= self.gamma < 1:
            raise ValueError(f"clip_values needs gamma in [0, 1), as returns have no bound at {self.gamma}")

    def prepare(self, model: OffPolicyAlgorithm, task: Task) -> None:
        if self.action_l2:
            penalize_actions(model.actor, self.action_l2)  # type: ignore[attr-defined]
        if self.clip_values:
            low, high = task.goals.reward_range  # and where an episode has ended, 0
            steps = 1 / (1 - self.gamma)
            clip_values(model.critic_target, min(low, 0) * steps, max(high, 0) * steps)  # type: ignore[attr-defined]

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        zero = np.zeros(task.action_space.shape or ())
        return {**super().model_kwargs(task), "action_noise": NormalActionNoise(zero, zero + self.action_noise)}


@dataclass(frozen=True)
class DQNConfig(OffPolicyConfig):
    """DQN."""

    exploration_fraction: float = 0.5  # of training, over which the share of random actions falls ...
    exploration_initial: float = 1.0  # ... from here ...
    exploration_final: float = 0.05  # ... to here
    target_update_every: int = 1  # steps between updates of the target network

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        return {
            **super().model_kwargs(task),
            "exploration_fraction": self.exploration_fraction,
            "exploration_initial_eps": self.exploration_initial,
            "exploration_final_eps": self.exploration_final,
            "target_update_interval": self.target_update_every,
        }


@dataclass(frozen=True)
class GradientTerm:
    """ReenGAGE's own settings, beside those of an algorithm."""

    alpha: float = 0.1  # weight of the gradient term, per goal dimension; 0: without it

    def check(self) -> None:
        super().check()  # type: ignore[misc]
        check_weight("alpha", self.alpha)

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        kwargs = super().model_kwargs(task)  # type: ignore[misc]
        dense = isinstance(task.goals, BoxGoals) and task.goals.dense
        reward = task.goals.reward if dense else None
        return {**kwargs, "alpha": self.alpha, "low_reward": task.goals.reward_range[0], "reward": reward}


@dataclass(frozen=True)
class ReenGAGEConfig(GradientTerm, OffPolicyConfig):
    """SAC with the gradient term."""


@dataclass(frozen=True)
class ReenGAGEDDPGConfig(GradientTerm, DDPGConfig):
    """DDPG and TD3 with the gradient term."""


@dataclass(frozen=True)
class ReenGAGEDQNConfig(GradientTerm, DQNConfig):
    """DQN with the gradient term."""

    temperature: float = 0.5  # of the softmax in the gradient's target

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        return {**super().model_kwargs(task), "temperature": self.temperature}


@dataclass(frozen=True)
class MultiReenGAGEConfig(GradientTerm, DDPGConfig):
    """Multi-ReenGAGE; the defaults are the paper's (appendix, table 4). Depth and width are the heads'."""

    alpha: float = 20.0  # weight of the gradient term, over the mean of the gates; 0: without it
    action_noise: float = 0.05
    her_goals: int = 0  # achieved positions are no goals here
    width: int = 400
    depth: int = 1
    encoder_width: int = 400
    encoder_depth: int = 2
    embedding: int = 20

    def check(self) -> None:
        super().check()
        if self.normalize:
            raise ValueError("normalize is for goals that are numbers; points are encoded as they are")

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        kwargs = super().model_kwargs(task)
        encoder = {"encoder_arch": (self.encoder_width,) * self.encoder_depth, "embedding": self.embedding}
        policy = {**kwargs["policy_kwargs"], "features_extractor_kwargs": encoder}
        return {**kwargs, "policy": PointSetPolicy, "policy_kwargs": policy}


class HerDDPG(SB3Learner):
    """DDPG with hindsight."""

    name, model_class, config_class = "her-ddpg", DDPG, DDPGConfig


class HerTD3(SB3Learner):
    """TD3 with hindsight."""

    name, model_class, config_class = "her-td3", TD3, DDPGConfig


class HerSAC(SB3Learner):
    """SAC with hindsight."""

    name, model_class, config_class = "her-sac", SAC, OffPolicyConfig


class HerTQC(SB3Learner):
    """TQC (truncated quantile critics, of SB3-Contrib) with hindsight."""

    name, model_class, config_class = "her-tqc", TQC, OffPolicyConfig


class HerDQN(SB3Learner):
    """DQN with hindsight."""

    name, model_class, config_class = "her-dqn", DQN, DQNConfig
    action_kind, others = gymnasium.spaces.Discrete, "her-ddpg, her-td3, her-sac, her-tqc or reengage-ddpg"


class HerReenGAGEDDPG(SB3Learner):
    """DDPG with hindsight and the gradient term."""

    name, model_class, config_class = "reengage-ddpg", ReenGAGEDDPG, ReenGAGEDDPGConfig


class HerReenGAGETD3(SB3Learner):
    """TD3 with hindsight and the gradient term."""

    name, model_class, config_class = "reengage-td3", ReenGAGETD3, ReenGAGEDDPGConfig


class HerReenGAGESAC(SB3Learner):
    """SAC with hindsight and the gradient term."""

    name, model_class, config_class = "reengage-sac", ReenGAGESAC, ReenGAGEConfig


class HerReenGAGEDQN(HerDQN):
    """DQN with hindsight and the gradient term."""

    name, model_class, config_class = "reengage-dqn", ReenGAGEDQN, ReenGAGEDQNConfig


class MultiReenGAGE(SB3Learner):
    """DDPG on sets of points, with the gradient term on their gates.

    Raises:
        ValueError: also where goals are no sets of points.
    """

    name, model_class, config_class = "multi-reengage", MultiReenGAGEDDPG, MultiReenGAGEConfig

    def __init__(self, task: Task, config: MultiReenGAGEConfig) -> None:
        if not isinstance(task.goals, PointSetGoals):
            kind = type(task).__name__
            raise ValueError(f"{self.name} needs goals that are sets of points, {kind} has others; use reengage-ddpg")
        super().__init__(task, config)
