"""Learners, by name. A new one is a file here and a row in `LEARNERS`."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

_SB3 = "gc_envs.sb3.algorithms"
LEARNERS = {  # name -> "module:attribute", a learner or a table of learners by name
    "leo": "gc_envs.agents.leo:LEO",
    "her-ddpg": f"{_SB3}:ALGORITHMS",
    "her-td3": f"{_SB3}:ALGORITHMS",
    "her-sac": f"{_SB3}:ALGORITHMS",
    "her-tqc": f"{_SB3}:ALGORITHMS",
    "her-dqn": f"{_SB3}:ALGORITHMS",
    "reengage-ddpg": f"{_SB3}:ALGORITHMS",
    "reengage-td3": f"{_SB3}:ALGORITHMS",
    "reengage-sac": f"{_SB3}:ALGORITHMS",
    "reengage-dqn": f"{_SB3}:ALGORITHMS",
    "multi-reengage": f"{_SB3}:ALGORITHMS",
}


def get_learner(name: str) -> Any:
    """The learner class called `name`.

    Raises:
        ValueError: for an unknown name, with those there are.
        ModuleNotFoundError: when the extra it needs is not installed, with the pip command.
    """
    if name not in LEARNERS:
        raise ValueError(f"unknown agent {name!r}; known: {', '.join(LEARNERS)}")
    module, attribute = LEARNERS[name].split(":")
    if module == _SB3 and not all(map(importlib.util.find_spec, ("stable_baselines3", "sb3_contrib"))):
        raise ModuleNotFoundError(f'{name} needs Stable-Baselines3; install it with: pip install "gc_envs[sb3]"')
    found = getattr(importlib.import_module(module), attribute)
    return found[name] if isinstance(found, dict) else found


def load_agent(run: Path | str) -> Any:
    """The trained agent of a run folder, whatever trained it: `.act(observation)`, `.run`, `.task`.

    Raises:
        RunError: when the folder is not a run, has no checkpoint, or is damaged.
    """
    from gc_envs.agents.runs import open_run

    return get_learner(open_run(run).agent).load(run)
