"""Learners by name. A new one is a file here and a row in `LEARNERS`."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

_SB3 = "gc_envs.agents.sb3.algorithms"
LEARNERS = {  # name -> "module:class"
    "leo": "gc_envs.agents.leo:LEO",
    "her-ddpg": f"{_SB3}:HerDDPG",
    "her-td3": f"{_SB3}:HerTD3",
    "her-sac": f"{_SB3}:HerSAC",
    "her-tqc": f"{_SB3}:HerTQC",
    "her-dqn": f"{_SB3}:HerDQN",
    "reengage-ddpg": f"{_SB3}:HerReenGAGEDDPG",
    "reengage-td3": f"{_SB3}:HerReenGAGETD3",
    "reengage-sac": f"{_SB3}:HerReenGAGESAC",
    "reengage-dqn": f"{_SB3}:HerReenGAGEDQN",
    "multi-reengage": f"{_SB3}:MultiReenGAGE",
}


def get_learner(name: str) -> Any:
    """Return the learner class called `name`, a `training.types.TrainableLearner`.

    Raises:
        ValueError: The name is unknown; the message lists those there are.
        ModuleNotFoundError: The extra that it needs is not installed; the message has the pip command.
    """
    if name not in LEARNERS:
        raise ValueError(f"unknown agent {name!r}; known: {', '.join(LEARNERS)}")
    module, attribute = LEARNERS[name].split(":")
    if module == _SB3 and not all(map(importlib.util.find_spec, ("stable_baselines3", "sb3_contrib"))):
        raise ModuleNotFoundError(f'{name} needs Stable-Baselines3; install it with: pip install "gc_envs[sb3]"')
    return getattr(importlib.import_module(module), attribute)


def load_agent(run: Path | str) -> Any:
    """Return the trained agent of a run folder, whatever trained it, a `training.types.Policy`.

    Args:
        run: The run folder.

    Raises:
        RunError: The folder is not a run, has no checkpoint, or is damaged.
    """
    from gc_envs.training.run_dir import open_run

    return get_learner(open_run(run).agent).load(run)
