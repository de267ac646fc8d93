"""Learners by name. A new one is a file here and a row in `LEARNERS`."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

# What a learner is for: kinds of goals and of actions, as `fitting.kind_of` names them.
_FINITE = (("finite", "discrete"),)
_CHOICES = (("finite", "discrete"), ("points", "discrete"))
_NUMBERS = (("finite", "numbers"), ("points", "numbers"))
_SETS = (("sets of points", "numbers"),)
_SB3 = "gc_envs.sb3.algorithms"


class LearnerRow(NamedTuple):
    """A row of `LEARNERS`."""

    path: str  # "module:attribute", where a learner or a table of learners by name is
    kinds: tuple[tuple[str, str], ...]  # what it is for


LEARNERS = {
    "leo": LearnerRow("gc_envs.agents.leo:LEO", _FINITE),
    "pqn": LearnerRow("gc_envs.agents.pqn:PQN", _FINITE),
    "pqn-her": LearnerRow("gc_envs.agents.pqn_her:PQNHER", _FINITE),
    "ppo": LearnerRow("gc_envs.agents.ppo:PPO", _FINITE),
    "dual-leo-pqn": LearnerRow("gc_envs.agents.dual_leo_pqn:DualLEOPQN", _FINITE),
    "dual-leo-ppo": LearnerRow("gc_envs.agents.dual_leo_ppo:DualLEOPPO", _FINITE),
    **dict.fromkeys(("her-ddpg", "her-td3", "her-sac", "her-tqc"), LearnerRow(f"{_SB3}:ALGORITHMS", _NUMBERS)),
    "her-dqn": LearnerRow(f"{_SB3}:ALGORITHMS", _CHOICES),
    **dict.fromkeys(("reengage-ddpg", "reengage-td3", "reengage-sac"), LearnerRow(f"{_SB3}:ALGORITHMS", _NUMBERS)),
    "reengage-dqn": LearnerRow(f"{_SB3}:ALGORITHMS", _CHOICES),
    "multi-reengage": LearnerRow(f"{_SB3}:ALGORITHMS", _SETS),
}


def get_learner(name: str) -> Any:
    """Return the learner class called `name`, or a table's row that is called like one, a `TrainableLearner`.

    Raises:
        ValueError: The name is unknown; the message lists those there are.
        ModuleNotFoundError: The extra that it needs is not installed; the message has the pip command.
    """
    if name not in LEARNERS:
        raise ValueError(f"unknown agent {name!r}; known: {', '.join(LEARNERS)}")
    module, attribute = LEARNERS[name].path.split(":")
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
