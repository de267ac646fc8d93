"""The policies that an agent has for a task of a suite, from whatever names them: code, run folders, model files."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from gc_envs.agents import get_learner, load_agent
from gc_envs.agents.presets import preset
from gc_envs.imports import import_for
from gc_envs.suite.member_paths import agent_kwargs, is_model_file
from gc_envs.suite.result import Training
from gc_envs.suite.suites import AGENT_ARGUMENTS, SuiteEntry
from gc_envs.training.flags import env_kwargs_flags, setting_flags
from gc_envs.training.logger import read_csv
from gc_envs.training.run_dir import RunDir

MakePolicy = Callable[[EnvSpec, gymnasium.Space[Any], gymnasium.Space[Any]], Any]


@dataclass(frozen=True)
class Member:
    """One policy of an agent for one task.

    Attributes:
        name: The name of the run folder or model file, or of the policy.
        policy: What `evaluate` takes.
        env_kwargs: The arguments of the environment that the agent chooses, of those named in `AGENT_ARGUMENTS`.
        training: How it was trained, where that is known.
        path: The run folder or model file, if it comes from one.
    """

    name: str
    policy: Any
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    training: Training | None = None
    path: str | None = None


@dataclass(frozen=True)
class PolicySource:
    """What is evaluated, in words that mean the same in any process; one of the two is given.

    Attributes:
        policy: "module:attribute" of a function that makes policies, as `evaluate_suite` takes it.
        paths: The run folders and model files of each task, by its name.
    """

    policy: str | None = None
    paths: dict[str, list[str]] = field(default_factory=dict)

    def members(self, entry: SuiteEntry) -> list[Member]:
        """Return the policies for a task; none if the agent cannot do it.

        Raises:
            ValueError: Something that was named cannot be used.
            ImportError: A module cannot be imported.
        """
        if self.policy is not None:
            return members_of_function(import_policy(self.policy), entry, self.policy)
        return [_member_of_path(path, entry) for path in self.paths.get(entry.name, ())]


def import_policy(name: str) -> MakePolicy:
    """Import what "module:attribute" names.

    Raises:
        ValueError: If it is not written so, the module has no such attribute, or it cannot be called.
        ImportError: If the module is not found, or its import fails.
    """
    module, separator, attribute = name.partition(":")
    if not (module and separator and attribute):
        raise ValueError(f"a policy is written MODULE:FUNCTION, such as my_module:make_policy, got {name!r}")
    imported = import_for(module, name)
    found = getattr(imported, attribute, None)
    if not callable(found):
        own = [(key, value) for key, value in vars(imported).items() if not key.startswith("_")]
        functions = [key for key, value in own if callable(value) and getattr(value, "__module__", None) == module]
        problem = f"has no {attribute!r}" if found is None else f"has a {attribute!r} that cannot be called"
        raise ValueError(f"{module} {problem}; what can be called there: {', '.join(functions) or 'nothing'}")
    return found  # type: ignore[no-any-return]


def members_of_function(make_policy: MakePolicy, entry: SuiteEntry, name: str) -> list[Member]:
    """Return the policy that a function makes for a task, or nothing if it returns None.

    Raises:
        ValueError: The policy chooses an argument of the environment that is not for agents to choose.
    """
    env = gymnasium.make(entry.env_id, horizon=entry.max_steps, **entry.env_kwargs)
    assert env.spec is not None
    policy = make_policy(env.spec, env.observation_space, env.action_space)
    env.close()
    if policy is None:
        return []
    chosen = dict(getattr(policy, "env_kwargs", {}))
    if set(chosen) - set(AGENT_ARGUMENTS):
        allowed = ", ".join(AGENT_ARGUMENTS)
        raise ValueError(f"the env_kwargs {chosen} of its policy change the task; a policy may choose only: {allowed}")
    return [Member(name, policy, chosen)]


def _member_of_path(path: str, entry: SuiteEntry) -> Member:
    """Return the policy of a run folder or model file."""
    if is_model_file(path):
        from gc_envs.sb3.model_file import load_model

        return Member(Path(path).name, load_model(path), path=path)
    policy = load_agent(path)
    return Member(policy.run.folder.name, policy, agent_kwargs(policy.run), training_of(policy.run, entry.metric), path)


def training_of(run: RunDir, metric: str) -> Training:
    """Return how a run was trained, and its evaluations during training."""
    metrics = read_csv(run.folder / "metrics.csv", ("step", "steps_per_s"))
    evaluations = read_csv(run.folder / "evaluations.csv", ("step", metric))
    steps = [0.0, *metrics.get("step", ())]
    seconds = float(np.sum(np.diff(steps) / metrics.get("steps_per_s", ())))
    return Training(
        agent=run.agent, seed=run.config.get("seed", 0), steps=int(steps[-1]), seconds=round(seconds, 1),
        device=run.device, command=train_command(run),
        curve={name: list(evaluations.get(name, ())) for name in ("step", metric)},
    )  # fmt: skip


def train_command(run: RunDir) -> str:
    """Return the command that trains a run, with every setting that the command would choose otherwise."""
    default = get_learner(run.agent).config_class(**preset(run.agent, "default", run.env_id, run.env_kwargs))
    changed = {name: value for name, value in run.config.items() if value != getattr(default, name, None)}
    return shlex.join(
        ["gc-envs", "train", run.agent, run.env_id, *env_kwargs_flags(run.env_kwargs), *setting_flags(changed)]
    )
