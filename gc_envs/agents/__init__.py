"""Learners by name. A new one is a file here and a row in `LEARNERS`."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

_SB3 = "gc_envs.sb3.algorithms"
_SB3_AGENTS = (
    "her-ddpg", "her-td3", "her-sac", "her-tqc", "her-dqn", "reengage-ddpg", "reengage-td3", "reengage-sac",
    "reengage-dqn", "multi-reengage",
)  # fmt: skip
LEARNERS = {  # name -> "module:attribute", where a learner or a table of learners by name is
    "leo": "gc_envs.agents.leo:LEO",
    "pqn": "gc_envs.agents.pqn:PQN",
    "pqn-her": "gc_envs.agents.pqn_her:PQNHER",
    "ppo": "gc_envs.agents.ppo:PPO",
    "dual-leo-pqn": "gc_envs.agents.dual_leo_pqn:DualLEOPQN",
    "dual-leo-ppo": "gc_envs.agents.dual_leo_ppo:DualLEOPPO",
    **dict.fromkeys(_SB3_AGENTS, f"{_SB3}:ALGORITHMS"),
}


def get_learner(name: str) -> Any:
    """Return the learner class called `name`, or a table's row that is called like one, a `TrainableLearner`.

    Raises:
        ValueError: The name is unknown; the message lists those there are.
        ModuleNotFoundError: The extra that it needs is not installed; the message has the pip command.
    """
    if name not in LEARNERS:
        raise ValueError(f"unknown agent {name!r}; known: {', '.join(LEARNERS)}")
    module, attribute = LEARNERS[name].split(":")
    if module == _SB3 and not all(map(importlib.util.find_spec, ("stable_baselines3", "sb3_contrib"))):
        raise ModuleNotFoundError(f'{name} needs Stable-Baselines3; install it with: pip install "gc_envs[sb3]"')
    found = getattr(importlib.import_module(module), attribute)
    return found[name] if isinstance(found, dict) else found


def load_agent(run: Path | str) -> Any:
    """Return the trained agent of a run folder, whatever trained it, a `training.types.Policy`.

    Args:
        run: The run folder.

    Raises:
        RunError: The folder is not a run, has no checkpoint, or is damaged.
    """
    from gc_envs.training.run_dir import open_run

    return get_learner(open_run(run).agent).load(run)
