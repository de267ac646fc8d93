"""The ten Stable-Baselines3 agents, one row each.

`her-*` are Stable-Baselines3's own algorithms (TQC: truncated quantile critics, of SB3-Contrib) with hindsight
relabelling; `reengage-*` are the same algorithms with ReenGAGE's gradient term; `multi-reengage` is DDPG on sets of
points with that term.
"""

from gymnasium.spaces import Discrete
from sb3_contrib import TQC
from stable_baselines3 import DQN, SAC

from gc_envs.sb3.config import (
    DDPGConfig,
    DQNConfig,
    MultiReenGAGEConfig,
    OffPolicyConfig,
    ReenGAGEConfig,
    ReenGAGEDDPGConfig,
    ReenGAGEDQNConfig,
)
from gc_envs.sb3.explore import ExploringDDPG, ExploringTD3
from gc_envs.sb3.learner import Algorithm
from gc_envs.sb3.multi_reengage import MultiReenGAGEDDPG
from gc_envs.sb3.reengage import ReenGAGEDDPG, ReenGAGEDQN, ReenGAGESAC, ReenGAGETD3

ROWS = (
    Algorithm("her-ddpg", ExploringDDPG, DDPGConfig),
    Algorithm("her-td3", ExploringTD3, DDPGConfig),
    Algorithm("her-sac", SAC, OffPolicyConfig),
    Algorithm("her-tqc", TQC, OffPolicyConfig),
    Algorithm("her-dqn", DQN, DQNConfig, action_kind=Discrete, acts_with=("q_net.",)),
    Algorithm("reengage-ddpg", ReenGAGEDDPG, ReenGAGEDDPGConfig),
    Algorithm("reengage-td3", ReenGAGETD3, ReenGAGEDDPGConfig),
    Algorithm("reengage-sac", ReenGAGESAC, ReenGAGEConfig),
    Algorithm("reengage-dqn", ReenGAGEDQN, ReenGAGEDQNConfig, action_kind=Discrete, acts_with=("q_net.",)),
    Algorithm(
        "multi-reengage",
        MultiReenGAGEDDPG,
        MultiReenGAGEConfig,
        needs_point_sets=True,
        acts_with=("actor.", "critic.features_extractor."),
    ),
)
ALGORITHMS = {row.name: row for row in ROWS}
