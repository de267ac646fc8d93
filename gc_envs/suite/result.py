"""What an agent did on a suite, as one JSON file: counts per goal and seed, and what is needed to repeat them.

Everything but `times` is the same, bit for bit, when the same evaluation is made again on the same machine.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import msgspec

from gc_envs.suite.scores import Summary, summarize
from gc_envs.suite.suites import SuiteEntry, suite_entries

SCHEMA = 1
Status = Literal["done", "cannot", "failed"]


class SuiteResultError(ValueError):
    """A file that is no suite result, or not one that can be used here."""


@dataclass(frozen=True)
class SeedResult:
    """The episodes of one member with one seed.

    Attributes:
        seed: The seed.
        success: The share of episodes in which the desired goal held at some step.
        success_last: The share of episodes in which it held at the last step.
        mean_return: The mean sum of rewards.
        successes: The number of successful episodes of each goal, [G]; [1] where goals are sampled.
        returns: The sum of rewards of each episode, [E], where it is the task's metric; otherwise empty.
    """

    seed: int
    success: float
    success_last: float
    mean_return: float
    successes: list[int]
    returns: list[float] = field(default_factory=list)

    def value(self, metric: str) -> float:
        """Return a metric, "success" or "return"."""
        return self.mean_return if metric == "return" else self.success


@dataclass(frozen=True)
class Training:
    """How a member was trained, as its run folder says.

    Attributes:
        agent: The name of the learner.
        seed: The seed of the run.
        steps: Environment steps.
        seconds: Seconds of training, without evaluations and pauses.
        device: What it was trained on; None where the run does not say.
        command: The command that trains it.
        curve: Its evaluations: "step" and the task's metric, lists of the same length.
    """

    agent: str
    seed: int
    steps: int
    seconds: float
    device: str | None
    command: str
    curve: dict[str, list[float]]


@dataclass(frozen=True)
class MemberResult:
    """One of the policies that an agent has for a task: one for every training run or model file.

    Attributes:
        name: The name of the run folder or file, or of the policy.
        seeds: The results with each seed of the task, in order.
        training: How it was trained, where that is known.
    """

    name: str
    seeds: list[SeedResult]
    training: Training | None = None

    def value(self, metric: str) -> float:
        """Return the mean of a metric, "success" or "return", over the seeds."""
        return fmean(one.value(metric) for one in self.seeds)


@dataclass(frozen=True)
class Video:
    """A recorded episode, one of those that were counted.

    Attributes:
        file: The GIF file, relative to the folder of the JSON file.
        member: The name of the member that acts.
        goal: The name of the desired goal; None where goals are sampled.
        seed: The seed of the episode, as `reset` takes it.
        success: Whether the desired goal held at some step.
        command: The command that records it again.
    """

    file: str
    member: str
    goal: str | None
    seed: int
    success: bool
    command: str


@dataclass(frozen=True)
class TaskResult:
    """What an agent did on one task.

    Attributes:
        env_id, env_kwargs, episodes, max_steps, metric, seeds: Those of the suite's row.
        status: "done"; "cannot" where the agent has no policy for the task; "failed" where it was stopped by an error.
        error: One line, where it failed.
        goals: The names of a finite goal set, [G]; empty where goals are sampled.
        members: The policies, at least one if `status` is "done".
        videos: Recorded episodes.
    """

    env_id: str
    env_kwargs: dict[str, Any]
    episodes: int
    max_steps: int
    metric: str
    seeds: list[int]
    status: Status
    error: str | None = None
    goals: list[str] = field(default_factory=list)
    members: list[MemberResult] = field(default_factory=list)
    videos: list[Video] = field(default_factory=list)

    @classmethod
    def of(cls, entry: SuiteEntry, status: Status, **rest: Any) -> "TaskResult":
        """Return the result of a suite's row; `rest` are the other attributes."""
        return cls(**_protocol(entry), status=status, **rest)

    def value(self) -> float:
        """Return the metric: the mean over the members, each of them the mean over its seeds."""
        return fmean(member.value(self.metric) for member in self.members)


@dataclass(frozen=True)
class SuiteResult:
    """What an agent did on a suite.

    Attributes:
        suite: The name of the suite with its version.
        agent: What the agent is called in tables.
        command: The command, or the call, that evaluates it again.
        versions: The versions of Python and of the packages that decide the result.
        device: What it was evaluated on.
        commit: The commit of the working tree that the evaluation was started in, if it was one.
        tasks: The results by task name, in the order of the suite; tasks that were not asked for are missing.
        times: Seconds of the evaluation of each task, and "started", a UTC time: all that differs between repetitions.
        schema: The version of this layout.
        summary: The scores, as `save` computes them; None for a result that comes from no file.
    """

    suite: str
    agent: str
    command: str
    versions: dict[str, str]
    device: str
    commit: str | None
    tasks: dict[str, TaskResult]
    times: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA
    summary: Summary | None = None

    def summarized(self) -> "SuiteResult":
        """Return the result with its scores, computed from the counts."""
        return dataclasses.replace(self, summary=summarize(self))

    def save(self, path: Path | str) -> None:
        """Write the JSON file, with its scores, whole or not at all, and make the folders on the way."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(dataclasses.asdict(self.summarized()), path)


@dataclass(frozen=True)
class _Schema:
    schema: int


def load_suite_result(path: Path | str) -> SuiteResult:
    """Read a JSON file that `SuiteResult.save` wrote.

    Raises:
        SuiteResultError: It is damaged, of a newer schema, or does not follow the rows of its suite.
        OSError: It cannot be read.
    """
    path = Path(path)
    contents = path.read_bytes()
    try:
        schema = msgspec.json.decode(contents, type=_Schema).schema
        if schema > SCHEMA:
            raise ValueError(f"its schema is {schema}, and this version reads up to {SCHEMA}; upgrade gc_envs")
        result = msgspec.json.decode(contents, type=SuiteResult)
        check_protocol(result)
    except msgspec.MsgspecError as error:
        raise SuiteResultError(f"{path} is no result of `gc-envs evaluate --suite`: {error}") from None
    except ValueError as error:
        raise SuiteResultError(f"{path}: {error}") from None
    return result


def check_protocol(result: SuiteResult) -> None:
    """Check that the tasks are those of the suite and that every count is possible.

    Raises:
        ValueError: If they are not; the message names the first difference.
    """
    entries = {entry.name: entry for entry in suite_entries(result.suite)}
    for name, task in result.tasks.items():
        if name not in entries:
            raise ValueError(f"{result.suite} has no task {name!r}")
        for key, expected in _protocol(entries[name]).items():
            if getattr(task, key) != expected:
                raise ValueError(f"{name}: {key} is {getattr(task, key)!r}, in {result.suite} it is {expected!r}")
        if (task.status == "done") != bool(task.members):
            raise ValueError(f"{name}: status is {task.status!r} with {len(task.members)} members")
        for member in task.members:
            _check_member(f"{name}: {member.name}", task, member)


def _check_member(where: str, task: TaskResult, member: MemberResult) -> None:
    """Raise ValueError unless a member has the seeds, goals and episodes of its task."""
    if [one.seed for one in member.seeds] != task.seeds:
        raise ValueError(f"{where}: seeds are {[one.seed for one in member.seeds]}, not {task.seeds}")
    groups = len(task.goals) or 1
    for one in member.seeds:
        if len(one.successes) != groups or not all(0 <= count <= task.episodes for count in one.successes):
            raise ValueError(f"{where}: successes of seed {one.seed} are not {groups} counts up to {task.episodes}")
        if abs(one.success - sum(one.successes) / (groups * task.episodes)) > 1e-9:
            raise ValueError(f"{where}: success of seed {one.seed} is not that of its counts")
        if task.metric == "return" and len(one.returns) != groups * task.episodes:
            raise ValueError(f"{where}: seed {one.seed} has {len(one.returns)} returns")
        if task.metric == "return" and abs(one.mean_return - sum(one.returns) / len(one.returns)) > 1e-6:
            raise ValueError(f"{where}: mean_return of seed {one.seed} is not that of its returns")


def _protocol(entry: SuiteEntry) -> dict[str, Any]:
    """Return what a result repeats of its suite's row."""
    return {
        "env_id": entry.env_id, "env_kwargs": entry.env_kwargs, "episodes": entry.episodes,
        "max_steps": entry.max_steps, "metric": entry.metric, "seeds": list(entry.seeds),
    }  # fmt: skip


def write_json(contents: Any, path: Path) -> None:
    """Write JSON whose innermost lists stand on one line each, whole or not at all."""
    whole = path.with_name(f".{path.name}.tmp")
    whole.write_text(_format(contents) + "\n")
    whole.rename(path)


def _format(value: Any, indent: str = "") -> str:
    """Return JSON in which lists of numbers or words are one line, and everything else has a line per entry."""
    if isinstance(value, dict) and value:
        entries = [f"{indent}  {json.dumps(key)}: {_format(item, indent + '  ')}" for key, item in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "[\n" + ",\n".join(f"{indent}  {_format(item, indent + '  ')}" for item in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)
