"""A trained Stable-Baselines3 model as a policy of this package."""

from typing import Any

import numpy as np
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from gc_envs.core.task import Task
from gc_envs.training.run_dir import RunDir


class SB3Policy:
    """Deterministic policy of a trained model.

    Args:
        model: The model; it is the attribute `model`, for everything else that Stable-Baselines3 can do with one.
        task: The task that it was trained on.
        run: The run that trained it.
    """

    def __init__(self, model: OffPolicyAlgorithm, task: Task, run: RunDir | None = None) -> None:
        self.model, self.task, self.run = model, task, run

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        """Return actions [B, ...] for `observation`, or one action for one observation without a batch axis.

        Raises:
            ValueError: The observation is of another kind than those that the agent was trained on.
        """
        return self.model.predict(observation, deterministic=True)[0]

    __call__ = act
