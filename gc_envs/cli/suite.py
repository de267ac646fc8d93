"""`gc-envs evaluate --suite`: an agent on all tasks of a suite."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from gc_envs.suite.suites import SUITES, SUMMARIES, suite_entries

Words = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME ...]", help_behavior_hint="")]
Agents = Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="[AGENT ...]", help_behavior_hint="")]


def suites(
    name: Annotated[Positional[str | None], tyro.conf.arg(metavar="[SUITE]", help_behavior_hint="")] = None,
) -> None:
    """List the suites, or the tasks of one.

    Args:
        name: List the tasks of this suite; without a name, list the suites.
    """
    if name is None:
        width = max(map(len, SUITES))
        for suite, entries in SUITES.items():
            print(f"{suite:<{width}}  {len(entries):>2} tasks  {SUMMARIES[suite.rpartition('-')[0]]}")
        return
    entries = suite_entries(name)
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        kwargs = " ".join([entry.env_id, *(f"{key}={value}" for key, value in entry.env_kwargs.items())])
        scale = f"{entry.metric}: random {entry.random_score:g}, reference {entry.reference:g}"
        print(f"{entry.name:<{width}}  {kwargs}, {entry.max_steps} steps; {scale}")


def evaluate_suite(
    agents: Agents = (),
    *,
    suite: str,
    policy: str | None = None,
    name: str | None = None,
    task: Words = (),
    json: Path | None = None,
    videos: int = 0,
    executor: Literal["local", "ray"] = "local",
    jobs: int | None = None,
    time_limit: float = 3600.0,
) -> None:
    """Score an agent on every task of a suite, and write the result as one JSON file to publish and compare.

    The suites are standard (16 tasks), quick (six of them in minutes), discrete and continuous; a name without a
    version, such as quick-v0, is the newest. `gc-envs compare` and `gc-envs report` show the files.

    Args:
        agents: Evaluate these run folders and Stable-Baselines3 model files, each on the task that it was trained on;
            TASK=PATH says it where that is not clear. Several for one task are averaged.
        suite: Evaluate on this suite.
        policy: Evaluate an agent of your own instead: MODULE:FUNCTION of this folder or an installed package. The
            function gets (env_spec, observation_space, action_space) of a task and returns a policy, which gets a batch
            of observations and returns a batch of actions, or None if the agent cannot do that task.
        name: Call the agent this in tables; by default, as the JSON file.
        task: Evaluate only these tasks of the suite; by default, all of them.
        json: Write the result to this JSON file. An evaluation that was stopped goes on with the same command.
        videos: Record this many successful and this many failed episodes of each task, beside the JSON file.
        executor: Run the tasks in processes of this machine, or on a Ray cluster (extra `ray`) whose nodes share the
            current folder.
        jobs: Evaluate this many tasks at a time; by default, one for each core, at most 8.
        time_limit: Stop a task after this many seconds, and go on with the others.
    """
    from gc_envs.suite.progress import ShowProgress, format_tasks
    from gc_envs.suite.run import evaluate_suite as run

    if bool(agents) == (policy is not None):
        raise ValueError("name what to evaluate: run folders or model files, or else --policy MODULE:FUNCTION")
    with ShowProgress() as reporter:
        result = run(
            policy or agents, suite, agent=name, tasks=task or None, json=json, executor=executor, jobs=jobs,
            time_limit=time_limit, videos=videos, reporter=reporter,
            command=_command(agents, suite, policy, name, task, videos),
        )  # fmt: skip
    print(format_tasks(result))
    if json is not None:
        print(f"wrote {json}")
    if any(done.status == "failed" for done in result.tasks.values()):
        raise ValueError("a task failed; the same command evaluates it again")


def _command(
    agents: tuple[str, ...], suite: str, policy: str | None, name: str | None, task: tuple[str, ...], videos: int
) -> str:
    """Return the command that evaluates the same again, without what changes nothing in the result."""
    words = ["gc-envs", "evaluate", *agents, "--suite", suite]
    words += ["--policy", policy] if policy else []
    words += ["--name", name] if name else []
    words += ["--task", *task] if task else []
    words += ["--videos", str(videos)] if videos else []
    return shlex.join(words)
