"""The agent that acts uniformly at random, whose score is 0 on every task of a suite."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec


def make_policy(
    env_spec: EnvSpec, observation_space: gymnasium.Space[Any], action_space: gymnasium.Space[Any]
) -> Callable[[dict[str, Any]], np.ndarray]:
    """Return a policy of uniformly random actions, the same ones in every process."""
    action_space.seed(0)

    def act(observation: dict[str, Any]) -> np.ndarray:
        return np.array([action_space.sample() for _ in observation["desired_goal"]])

    return act
