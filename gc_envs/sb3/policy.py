"""A trained Stable-Baselines3 model as a policy of this package."""

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from gc_envs.core.task import Task
from gc_envs.sb3.checkpoint import Arrays
from gc_envs.training.checkpoint import unflatten
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


def acting_arrays(arrays: Arrays, acts_with: tuple[str, ...]) -> Arrays:
    """Return the weights of the policy whose names begin with one of `acts_with`."""
    begins = tuple(f"weights/policy/{begin}" for begin in acts_with)
    return {name: array for name, array in arrays.items() if name.startswith(begins)}


def set_acting_weights(model: OffPolicyAlgorithm, acts_with: tuple[str, ...], arrays: Arrays) -> None:
    """Copy what `acting_arrays` returned into `model`.

    Raises:
        RunError: They are of other names or shapes.
    """
    wanted = {f"weights/policy/{name}": tensor.numpy(force=True) for name, tensor in model.policy.state_dict().items()}
    found = unflatten(acting_arrays(arrays, acts_with), acting_arrays(wanted, acts_with))
    weights = {name.removeprefix("weights/policy/"): torch.from_numpy(array) for name, array in found.items()}
    model.policy.load_state_dict(weights, strict=False)
