"""Score an agent on a suite: each task in a worker process, resumed where an evaluation was killed."""

import dataclasses
import functools
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from gc_envs.device import describe_device
from gc_envs.executors import Command, Executor, Outcome, run_commands
from gc_envs.suite.member_paths import paths_by_task
from gc_envs.suite.members import MakePolicy, PolicySource, import_policy, members_of_function
from gc_envs.suite.result import SuiteResult, TaskResult, write_json
from gc_envs.suite.suites import SuiteEntry, suite_entries, suite_name
from gc_envs.suite.task import Part, Request, evaluate_task, time_limit_error
from gc_envs.training.run_dir import installed_versions

TIME_LIMIT = 3600.0  # seconds that a task may take by default
START_SECONDS = 60.0  # more than that until a worker is killed: it stops by itself between two steps, with its progress


class Reporter(Protocol):
    """What shows how far an evaluation is."""

    def start(self, tasks: Sequence[str]) -> None:
        """Show the names of the tasks that are to be evaluated."""

    def progress(self, task: str, done: int, total: int) -> None:
        """Show how many episodes of a task are finished."""

    def finish(self, task: str, part: Part) -> None:
        """Show the result of a task."""


def evaluate_suite(
    make_policy: MakePolicy | str | Sequence[str],
    suite: str = "standard-v0",
    *,
    agent: str | None = None,
    tasks: Sequence[str] | None = None,
    json: Path | str | None = None,
    jobs: int | None = None,
    executor: Executor = "local",
    time_limit: float | None = TIME_LIMIT,
    videos: int = 0,
    command: str | None = None,
    reporter: Reporter | None = None,
) -> SuiteResult:
    """Score an agent on every task of a suite.

    An agent that has a name is evaluated in worker processes: a hanging or crashing task does not disturb the others. A
    function is evaluated in this process, one task after another. What fails is part of the result.

    Args:
        make_policy: A function that is called with (env_spec, observation_space, action_space) of a single environment
            and returns what `evaluate` takes, or None for a task that the agent cannot do; "module:attribute" of such a
            function; or run folders and Stable-Baselines3 model files, each of which is for one task. Several runs for
            a task are members of the agent, which is scored by their mean. A policy's attribute `env_kwargs` may ask
            for another observation of the same states, such as {"observation": "compact"} of Craftax.
        suite: The name of the suite; without a version, the newest.
        agent: What the agent is called in tables; by default, the name of the file, or of the function.
        tasks: The only tasks to evaluate; by default, all of them.
        json: The JSON file to write. While tasks are unfinished or failed, the others are kept in a folder beside it,
            FILE.parts, and the next call with the same arguments evaluates only what is missing there.
        jobs: How many tasks run at a time; by default, one for each core, at most 8, or on Ray one for each core of the
            cluster.
        executor: "local" for processes of this machine, "ray" for a Ray cluster, whose nodes share the current folder.
        time_limit: The seconds that a task may take; None for as many as it needs. A policy that hangs in a single call
            is stopped in worker processes only.
        videos: How many successful and how many failed episodes of each task to record, as GIF files beside `json`.
        command: What to write into the result as the command that makes it again.
        reporter: What shows how far the evaluation is.

    Returns:
        The counts per goal and seed of every task, with what is needed to repeat them.

    Raises:
        ValueError: The suite, a task or what names the agent is not valid.
        ImportError: The module that `make_policy` names is not found.
    """
    suite = suite_name(suite)
    entries = suite_entries(suite, tasks)
    path = Path(json) if json else None
    if videos and path is None:
        raise ValueError(f"videos={videos} needs `json`: they are written beside that file")
    if callable(make_policy) and executor != "local":
        raise ValueError(
            f"executor={executor!r} needs an agent that has a name; a function is evaluated in this process"
        )
    started, reporter = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), reporter or _Silent()
    reporter.start([entry.name for entry in entries])
    source = None if callable(make_policy) else _source(make_policy, suite)
    name = _function_name(make_policy) if source is None else _source_name(source)
    request = Request(
        suite, source or PolicySource(), time_limit, videos, str(path.with_suffix(".videos")) if path else None
    )
    if source is None:
        parts = _in_this_process(make_policy, name, entries, request, reporter)  # type: ignore[arg-type]
    else:
        parts = _in_workers(request, entries, path, executor, jobs, reporter)
    result = SuiteResult(
        suite=suite,
        agent=agent or (path.stem if path else name),
        command=command or f"gc_envs.evaluate_suite({name}, {suite!r})",
        versions={"python": platform.python_version(), **installed_versions()},
        device=describe_device(),
        commit=_commit(),
        tasks={entry.name: parts[entry.name].result for entry in entries},
        times={"started": started, "seconds": {entry.name: parts[entry.name].seconds for entry in entries}},
    ).summarized()
    if path:
        result.save(path)
        if not any(task.status == "failed" for task in result.tasks.values()):
            shutil.rmtree(_parts_folder(path), ignore_errors=True)
    return result


class _Silent:
    """A reporter that shows nothing."""

    def start(self, tasks: Sequence[str]) -> None: ...
    def progress(self, task: str, done: int, total: int) -> None: ...
    def finish(self, task: str, part: Part) -> None: ...


def _source(words: str | Sequence[str], suite: str) -> PolicySource:
    """Return what is evaluated, checked as far as that is possible before any task has begun."""
    if isinstance(words, str):
        import_policy(words)
        return PolicySource(policy=words)
    return PolicySource(paths=paths_by_task(words, suite_entries(suite)))


def _source_name(source: PolicySource) -> str:
    """Return what an agent is called that was given no name."""
    names = [Path(path).name.removesuffix(".zip") for paths in source.paths.values() for path in paths]
    return source.policy or "+".join(names)


def _function_name(function: object) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _in_this_process(
    make_policy: MakePolicy, name: str, entries: Sequence[SuiteEntry], request: Request, reporter: Reporter
) -> dict[str, Part]:
    """Evaluate a function, one task after another."""
    parts = {}
    for entry in entries:
        parts[entry.name] = evaluate_task(
            entry, functools.partial(members_of_function, make_policy, entry, name), request,
            functools.partial(reporter.progress, entry.name),
        )  # fmt: skip
        reporter.finish(entry.name, parts[entry.name])
    return parts


def _in_workers(
    request: Request,
    entries: Sequence[SuiteEntry],
    path: Path | None,
    executor: Executor,
    jobs: int | None,
    reporter: Reporter,
) -> dict[str, Part]:
    """Evaluate what has a name, each task in a process of its own, `jobs` of them at a time."""
    here = "." if executor == "ray" else None  # where all nodes see it
    folder = _parts_folder(path) if path else Path(tempfile.mkdtemp(prefix="gc_envs-suite-", dir=here))
    parts = _finished_parts(folder, request, path)
    if request.source.policy is None:  # what has no path needs no process to find that out
        nothing = [entry for entry in entries if entry.name not in request.source.paths]
        parts |= {entry.name: evaluate_task(entry, list, request) for entry in nothing}
    for entry in entries:
        if entry.name in parts:
            reporter.finish(entry.name, parts[entry.name])
    commands = [
        Command(
            entry.name, (sys.executable, "-m", "gc_envs.suite.task", str(folder), entry.name),
            folder / f"{entry.name}.log", request.time_limit and request.time_limit + START_SECONDS,
        )
        for entry in entries if entry.name not in parts
    ]  # fmt: skip
    by_name = {entry.name: entry for entry in entries}

    def on_line(name: str, line: str) -> None:
        done, _, total = line.partition(" ")
        if done.isdecimal() and total.isdecimal():
            reporter.progress(name, int(done), int(total))

    def on_done(name: str, outcome: Outcome) -> None:
        parts[name] = _part_of(folder, by_name[name], outcome, request)
        reporter.finish(name, parts[name])

    run_commands(commands, executor, jobs=jobs, on_line=on_line, on_done=on_done)
    if path is None:
        shutil.rmtree(folder)
    return parts


def _parts_folder(path: Path) -> Path:
    """Return the folder of the parts of an unfinished evaluation."""
    return path.with_name(f"{path.name}.parts")


def _finished_parts(folder: Path, request: Request, path: Path | None) -> dict[str, Part]:
    """Make the folder of the parts, or return those in it that an earlier call finished, without those that failed.

    Raises:
        ValueError: They are the parts of another evaluation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "request.json"
    if file.exists():
        before = msgspec.json.decode(file.read_bytes(), type=Request)
        if dataclasses.replace(before, time_limit=request.time_limit) != request:
            raise ValueError(
                f"{folder} has an unfinished evaluation of something else; delete it, or choose another file"
            )
    write_json(dataclasses.asdict(request), file)
    found = {}
    for part in sorted(folder.glob("*.json")):
        if part != file:
            found[part.stem] = msgspec.json.decode(part.read_bytes(), type=Part)
    return {name: part for name, part in found.items() if part.result.status != "failed"}


def _part_of(folder: Path, entry: SuiteEntry, outcome: Outcome, request: Request) -> Part:
    """Return what a worker has written, or the failure of one that could not."""
    file, log = folder / f"{entry.name}.json", folder / f"{entry.name}.log"
    if outcome.status == 0 and file.exists():
        return msgspec.json.decode(file.read_bytes(), type=Part)
    if outcome.timed_out and request.time_limit:
        error = time_limit_error(request.time_limit)
    elif outcome.error:
        error = outcome.error
    else:
        last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
        error = f"its process ended with status {outcome.status}" + (f": {last[0].strip()}" if last else "")
    return Part(TaskResult.of(entry, "failed", error=error), request.time_limit or 0.0 if outcome.timed_out else 0.0)


def _commit() -> str | None:
    """Return the commit of the working tree here, with "-dirty" if it has changes; None if there is none."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() or None
    except (OSError, subprocess.CalledProcessError):
        return None
