"""The tasks that run folders and model files are for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

from gc_envs.core.goal_env_mixin import goal_dictionary
from gc_envs.core.task import Task
from gc_envs.registration import get_row, make_task
from gc_envs.suite.suites import AGENT_ARGUMENTS, SuiteEntry
from gc_envs.training.run_dir import RunDir, open_run

Spaces = dict[str, gymnasium.Space[Any]]  # of "observations" and "actions"


def paths_by_task(words: Sequence[str], entries: Sequence[SuiteEntry]) -> dict[str, list[str]]:
    """Return the task that each run folder or model file is for.

    Args:
        words: Run folders, names of pretrained agents, and model files; "TASK=PATH" says what a path is for.
        entries: All rows of the suite.

    Raises:
        ValueError: A path is for no task, for several, for one with other spaces, or is named twice.
        ImportError: The package that saved a model file is not installed.
        OSError: A model file cannot be read.
    """
    by_name = {entry.name: entry for entry in entries}
    found: dict[str, list[str]] = {}
    for word in words:
        task, path = _split(word, by_name)
        agent = _Agent.of(path)
        if task is None:
            task = _only_task(path, agent, entries)
        elif difference := agent.difference(by_name[task]):
            raise ValueError(f"{path} cannot be evaluated on {task}: {difference}")
        if path in found.setdefault(task, []):
            raise ValueError(f"{path} is named twice")
        found[task].append(path)
    return found


def is_model_file(path: str) -> bool:
    """Return whether a path names a model file, and no run folder."""
    return path.endswith(".zip")


def agent_kwargs(run: RunDir) -> dict[str, Any]:
    """Return the arguments of a run's environment that are for an agent to choose."""
    return {name: value for name, value in run.env_kwargs.items() if name in AGENT_ARGUMENTS}


def _split(word: str, known: dict[str, SuiteEntry]) -> tuple[str | None, str]:
    """Return the task, or None, and the path in "TASK=PATH" or "PATH", which may have an equals sign in it, too."""
    task, separator, path = word.partition("=")
    if task in known and separator:
        return task, path
    if separator and not Path(word).exists():
        raise ValueError(f"{word!r} names no task of this suite; it has: {', '.join(known)}")
    return None, word


@dataclass(frozen=True)
class _Agent:
    """What a run folder or model file acts in.

    Attributes:
        spaces: Its spaces.
        env_kwargs: The arguments of the environment that it chooses.
        run: The run, if it is one.
    """

    spaces: Spaces
    env_kwargs: dict[str, Any]
    run: RunDir | None

    @classmethod
    def of(cls, path: str) -> "_Agent":
        """Return what the agent in `path` acts in."""
        if is_model_file(path):
            from gc_envs.sb3.model_file import load_model

            model = load_model(path)
            return cls({"observations": model.observation_space, "actions": model.action_space}, {}, None)
        run = open_run(path)
        return cls(_spaces(make_task(run.env_id, **run.env_kwargs)), agent_kwargs(run), run)

    def difference(self, entry: SuiteEntry) -> str | None:
        """Return how its spaces differ from those of a task, or None if they do not."""
        try:
            has = _spaces(make_task(entry.env_id, **entry.env_kwargs, **self.env_kwargs))
        except ImportError as error:
            return str(error)
        different = next((name for name, space in self.spaces.items() if space != has[name]), None)
        return different and f"it wants {different} {self.spaces[different]}, the task has {has[different]}"

    def is_for(self, entry: SuiteEntry) -> bool:
        """Return whether it was made for a task: a run for what it was trained on, a model for any of its spaces."""
        return self.difference(entry) is None if self.run is None else _is_trained_on(self.run, entry)


def _only_task(path: str, agent: _Agent, entries: Sequence[SuiteEntry]) -> str:
    """Return the name of the only task that an agent is for; ValueError if there are several or none."""
    fitting = [entry.name for entry in entries if agent.is_for(entry)]
    if not fitting:
        wants = " and ".join(f"{name} {space}" for name, space in agent.spaces.items())
        raise ValueError(f"{path} is for no task of this suite: it wants {wants}")
    if len(fitting) > 1:
        raise ValueError(f"which task is {path} for? it fits {', '.join(fitting)}; write TASK={path}")
    return fitting[0]


def _is_trained_on(run: RunDir, entry: SuiteEntry) -> bool:
    """Return whether a run has the environment of a task; the horizon, say, may have differed while it trained."""
    if get_row(run.env_id).id != entry.env_id:
        return False
    trained_on, evaluated_on = make_task(run.env_id, **run.env_kwargs), make_task(entry.env_id, **entry.env_kwargs)
    same_names = trained_on.goals.names == evaluated_on.goals.names
    return same_names and trained_on.goals.desired_space == evaluated_on.goals.desired_space


def _spaces(task: Task[Any]) -> Spaces:
    """Return the spaces of an environment over `task`."""
    return {"observations": goal_dictionary(task), "actions": task.action_space}
