"""Trained agents that come with this package: exported run folders, by name."""

import difflib
from typing import Any, overload

from gc_envs.agents import load_agent
from gc_envs.training.run_dir import PRETRAINED, pretrained_names


@overload
def pretrained() -> list[str]: ...
@overload
def pretrained(name: str) -> Any: ...
def pretrained(name: str | None = None) -> Any:
    """Return a trained agent that comes with this package, or the names of all of them.

    Args:
        name: The name of the agent; by default, the names are returned.

    Returns:
        The agent, as `evaluate` takes it; its attribute `run` says how it was trained.

    Raises:
        ValueError: There is no such agent; the message names the nearest, and all there are.
        ModuleNotFoundError: The extra that it needs is not installed.

    >>> "leo-gridworld" in pretrained()
    True
    """
    names = pretrained_names()
    if name is None:
        return names
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown pretrained agent {name!r}; {hint}known: {', '.join(names)}")
    return load_agent(PRETRAINED / name)
