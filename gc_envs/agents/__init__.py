"""Learners, by name. A new one is a file here and a row in `LEARNERS`."""

import importlib
from typing import Any

LEARNERS = {"leo": "gc_envs.agents.leo:LEO"}  # name -> "module:class"


def get_learner(name: str) -> Any:
    """The learner class called `name`; ValueError lists the names."""
    if name not in LEARNERS:
        raise ValueError(f"unknown agent {name!r}; known: {', '.join(LEARNERS)}")
    module, attribute = LEARNERS[name].split(":")
    return getattr(importlib.import_module(module), attribute)
