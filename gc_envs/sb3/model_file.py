"""Models that Stable-Baselines3, sb3-contrib and SBX have saved, whatever their class."""

import importlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from gc_envs.core.goal_env_mixin import goal_dictionary
from gc_envs.core.task import Task

MODELS = {  # module of a saved policy's class -> module and class of its model
    "stable_baselines3.sac.policies": ("stable_baselines3", "SAC"),
    "stable_baselines3.td3.policies": ("stable_baselines3", "TD3"),  # DDPG's too, which acts alike
    "stable_baselines3.dqn.policies": ("stable_baselines3", "DQN"),
    "stable_baselines3.common.policies": ("stable_baselines3", "PPO"),  # A2C's too, which acts alike
    "sb3_contrib.tqc.policies": ("sb3_contrib", "TQC"),
}


def load_model(path: Path | str) -> Any:
    """Load a model file, after a line on stderr that says what this trusts.

    Raises:
        ValueError: It is no model file, or of a class that is not known here.
        ImportError: The package that saved it is not installed.
        OSError: It cannot be read.
    """
    module, name = MODELS[_policy_module(Path(path))]
    print(
        f"{path}: a model file holds pickles, which can run any code; load only files that you trust", file=sys.stderr
    )
    return getattr(importlib.import_module(module), name).load(path, device="cpu")


def spaces_fit(model: Any, task: Task[Any]) -> bool:
    """Return whether a model has the spaces of a task."""
    return bool(model.observation_space == goal_dictionary(task) and model.action_space == task.action_space)


def _policy_module(path: Path) -> str:
    """Return the module of the policy that a model file holds, without unpickling anything."""
    try:
        with zipfile.ZipFile(path) as archive:
            module = str(json.loads(archive.read("data"))["policy_class"]["__module__"])
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is no model file of Stable-Baselines3: {error}") from None
    if module not in MODELS:
        raise ValueError(
            f"{path} holds a policy of {module}, which is not known here; load it in a function of your own and pass "
            "that with --policy"
        )
    return module
