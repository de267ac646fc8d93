"""Models that Stable-Baselines3 (SB3), sb3-contrib and SBX have saved, whatever their class."""

import copy
import importlib
import importlib.util
import json
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

MODELS = {  # module of a saved policy's class -> module and class of its model
    "stable_baselines3.sac.policies": ("stable_baselines3", "SAC"),
    "stable_baselines3.td3.policies": ("stable_baselines3", "TD3"),  # DDPG's too, which acts alike
    "stable_baselines3.dqn.policies": ("stable_baselines3", "DQN"),
    "stable_baselines3.common.policies": ("stable_baselines3", "PPO"),  # A2C's and TRPO's too, which act alike
    "sb3_contrib.tqc.policies": ("sb3_contrib", "TQC"),
    "sb3_contrib.qrdqn.policies": ("sb3_contrib", "QRDQN"),
    "sb3_contrib.crossq.policies": ("sb3_contrib", "CrossQ"),
    "sb3_contrib.ars.policies": ("sb3_contrib", "ARS"),
    "sb3_contrib.common.maskable.policies": ("sb3_contrib", "MaskablePPO"),
    "sb3_contrib.common.recurrent.policies": ("sb3_contrib", "RecurrentPPO"),
    "sbx.sac.policies": ("sbx", "SAC"),
    "sbx.td3.policies": ("sbx", "TD3"),  # DDPG's too, which acts alike
    "sbx.ppo.policies": ("sbx", "PPO"),
    "sbx.dqn.policies": ("sbx", "DQN"),
    "sbx.tqc.policies": ("sbx", "TQC"),
    "sbx.crossq.policies": ("sbx", "CrossQ"),
}
INSTALL = {"stable_baselines3": '"gc_envs[sb3]"', "sb3_contrib": '"gc_envs[sb3]"', "sbx": "sbx-rl"}
# What acting needs nothing of, so that it is not unpickled: it may be code of another Python version or of the user,
# large, or, as a replay buffer with hindsight, ask for the environments of the training.
UNUSED: dict[str, Any] = {
    "learning_rate": 0.0, "lr_schedule": None, "exploration_schedule": None, "clip_range": 0.2, "clip_range_vf": None,
    "action_noise": None, "buffer_size": 1, "n_steps": 1, "optimize_memory_usage": False, "replay_buffer_class": None,
    "replay_buffer_kwargs": {}, "rollout_buffer_class": None, "rollout_buffer_kwargs": {}, "_last_obs": None,
    "_last_original_obs": None, "ep_info_buffer": None, "ep_success_buffer": None,
}  # fmt: skip


def load_model(path: Path | str) -> Any:
    """Load a model file for acting, after a line on stderr that says what this trusts.

    Raises:
        ValueError: It is no model file, is damaged, or is of a class that is not known here.
        ImportError: The package that saved it is not installed.
        OSError: It cannot be read.
    """
    module, name = MODELS[_policy_module(Path(path))]
    if importlib.util.find_spec(module) is None:
        raise ModuleNotFoundError(f"{path} needs {module}; install it with: pip install {INSTALL[module]}")
    print(
        f"{path}: a model file holds pickles, which can run any code; load only files that you trust", file=sys.stderr
    )
    model_class = getattr(importlib.import_module(module), name)
    try:
        return model_class.load(path, device="cpu", custom_objects=copy.deepcopy(UNUSED))
    except Exception as error:  # whatever unpickling may raise
        raise ValueError(f"{path} cannot be loaded as {module}.{name}: {type(error).__name__}: {error}") from error


def _policy_module(path: Path) -> str:
    """Return the module of the policy that a model file holds, without unpickling anything."""
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} in it is damaged")
            module = str(json.loads(archive.read("data"))["policy_class"]["__module__"])
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is no model file of Stable-Baselines3: {error}") from None
    if module not in MODELS:
        raise ValueError(
            f"{path} holds a policy of {module}, which is not known here; load it in a function of your own and pass "
            "that with --policy"
        )
    return module
