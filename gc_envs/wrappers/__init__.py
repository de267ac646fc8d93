"""Wrappers for goal-conditioned environments, loaded when first used: only the Stable-Baselines3 ones need torch."""

import importlib
from typing import Any

# name -> the module that defines it, relative to this package: ".sb3" is `gc_envs.sb3`
_MODULES = {
    "AchievedGoalHerReplayBuffer": ".sb3.her_buffer",
    "AllGoalsInfo": "all_goals_info",
    "AllGoalsInfoVector": "all_goals_info",
    "favour_intermediate": "goal_sampler",
    "FlattenGoal": "flatten_goal",
    "FlattenGoalVector": "flatten_goal",
    "GoalSampler": "goal_sampler",
    "GoalSamplerVector": "goal_sampler",
    "GoalStatistics": "goal_statistics",
    "GoalStatisticsVector": "goal_statistics",
    "PerGoalReward": "per_goal_reward",
    "PerGoalRewardVector": "per_goal_reward",
    "SB3VecEnv": ".sb3.vec_env",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return list(__all__)
