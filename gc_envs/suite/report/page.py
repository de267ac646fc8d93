"""What a report shows, as data: the only thing that its scripts read."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import gc_envs
from gc_envs.evaluation.evaluate import episode_seeds
from gc_envs.suite.report.measurements import Measurement
from gc_envs.suite.report.pictures import data_uri, read_picture
from gc_envs.suite.result import MemberResult, SuiteResult, TaskResult, Video
from gc_envs.suite.scores import Summary, TaskScore, summarize
from gc_envs.suite.suites import SuiteEntry, suite_entries

CURVE_POINTS = 200  # of a learning curve; a drawing has no more pixels to show


@dataclass(frozen=True)
class Source:
    """A result, and the folder that its videos are relative to; None if that is not known."""

    result: SuiteResult
    folder: Path | None


@dataclass(frozen=True)
class Agent:
    """A row of the leaderboard.

    Attributes:
        name: The name in the result; where several have the same, with a number.
        summary: Means, intervals and training, without the tasks.
        counts: How many tasks have each status.
        command, device, commit, versions, started, seconds: Those of the result; seconds of all tasks together.
    """

    name: str
    summary: dict[str, Any]
    counts: dict[str, int]
    command: str
    device: str
    commit: str | None
    versions: dict[str, str]
    started: str
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What one agent did on one task.

    Attributes:
        score: The score, its interval and the value of the metric.
        error: One line, where it failed.
        members: The policies, as in the result.
    """

    score: TaskScore
    error: str | None
    members: list[MemberResult]


@dataclass(frozen=True)
class Clip:
    """A video.

    Attributes:
        agent: The index of the agent.
        video: The video, as in the result.
        source: A data URI; None where the file is missing, is no GIF, or there are too many of them.
    """

    agent: int
    video: Video
    source: str | None


@dataclass(frozen=True)
class Task:
    """A task, with the outcomes of all agents in their order.

    Attributes:
        entry: The suite's row.
        goals: The names of a finite goal set, [G]; empty where goals are sampled.
        episode_seeds: The seed of each episode of a finite goal set, for each seed of the row.
        outcomes: One for each agent.
        clips: The videos of all agents.
    """

    entry: SuiteEntry
    goals: list[str]
    episode_seeds: list[list[int]]
    outcomes: list[Outcome]
    clips: list[Clip]


@dataclass(frozen=True)
class Page:
    """All that a report shows."""

    suite: str
    version: str
    written: str
    agents: list[Agent]
    tasks: list[Task]
    measurements: list[Measurement] = field(default_factory=list)


def page_of(sources: Sequence[Source], max_video_bytes: int) -> Page:
    """Return what a report of results shows.

    Raises:
        ValueError: There are no results, or they are of different suites or versions of a suite.
    """
    if not sources:
        raise ValueError("a report needs at least one result")
    first = sources[0].result
    for source in sources[1:]:
        if source.result.suite != first.suite:
            raise ValueError(
                f"{first.agent} was scored on {first.suite} and {source.result.agent} on {source.result.suite}; "
                "a report has results of one suite and version"
            )
    names = _distinct([source.result.agent for source in sources])
    summaries = [summarize(source.result) for source in sources]
    clips = _clips(sources, max_video_bytes)
    tasks = []
    for entry in suite_entries(first.suite):
        found = [source.result.tasks.get(entry.name) for source in sources]
        goals = next((task.goals for task in found if task is not None and task.goals), [])
        outcomes = [_outcome(summary.tasks[entry.name], task) for summary, task in zip(summaries, found, strict=True)]
        seeds = [episode_seeds(seed, len(goals) * entry.episodes) for seed in entry.seeds if goals]
        tasks.append(Task(entry, goals, seeds, outcomes, clips.get(entry.name, [])))
    agents = [_agent(name, one.result, summary) for name, one, summary in zip(names, sources, summaries, strict=True)]
    written = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Page(first.suite, gc_envs.__version__, written, agents, tasks)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names of which those that come again have a number.

    >>> _distinct(["leo", "her", "leo"])
    ['leo', 'her', 'leo (2)']
    """
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _agent(name: str, result: SuiteResult, summary: Summary) -> Agent:
    """Return an agent's row of the leaderboard."""
    statuses = ("done", "cannot", "failed", "missing")
    return Agent(
        name=name,
        summary={key: value for key, value in vars(summary).items() if key != "tasks"},
        counts={status: len(summary.names(status)) for status in statuses},
        command=result.command, device=result.device, commit=result.commit, versions=result.versions,
        started=str(result.times.get("started", "")), seconds=sum(result.times.get("seconds", {}).values()),
    )  # fmt: skip


def _outcome(score: TaskScore, task: TaskResult | None) -> Outcome:
    """Return what an agent did on a task."""
    return Outcome(
        score, task.error if task else None, [_with_short_curve(one) for one in task.members] if task else []
    )


def _with_short_curve(member: MemberResult) -> MemberResult:
    """Return a member whose learning curve has at most `CURVE_POINTS` evaluations, the last among them."""
    training = member.training
    if training is None:
        return member
    curve = {name: _thinned(values) for name, values in training.curve.items()}
    return dataclasses.replace(member, training=dataclasses.replace(training, curve=curve))


def _thinned(values: list[float]) -> list[float]:
    """Return at most `CURVE_POINTS` of `values`, evenly spread; the last one is kept."""
    kept = np.linspace(0, len(values) - 1, min(len(values), CURVE_POINTS)).round().astype(int)
    return [values[i] for i in kept]


def _clips(sources: Sequence[Source], max_bytes: int) -> dict[str, list[Clip]]:
    """Return the videos of each task; `max_bytes` are shared evenly among agents, tasks and outcomes."""
    rank: Counter[Any] = Counter()
    order = []
    for index, source in enumerate(sources):
        for name, task in source.result.tasks.items():
            for video in task.videos:
                rank[index, name, video.success] += 1
                order.append((rank[index, name, video.success], index, name, video))
    found: dict[str, list[Clip]] = {}
    for clip_of in _with_pictures(sorted(order, key=lambda one: one[0]), sources, max_bytes):
        found.setdefault(clip_of[0], []).append(clip_of[1])
    return {name: sorted(clips, key=lambda clip: (clip.agent, not clip.video.success)) for name, clips in found.items()}


def _with_pictures(
    order: Sequence[tuple[int, int, str, Video]], sources: Sequence[Source], max_bytes: int
) -> Iterator[tuple[str, Clip]]:
    """Yield the name of the task and the clip of each video, with its picture until `max_bytes` are used."""
    left = max_bytes
    for _, index, name, video in order:
        contents = read_picture(sources[index].folder, video.file, "gif")
        source = None
        if contents is not None and len(contents) <= left:
            left -= len(contents)
            source = data_uri(contents, "gif")
        yield name, Clip(index, video, source)
