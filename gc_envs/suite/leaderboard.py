"""Leaderboards: results of one suite, ranked, as a table of any kind and as the page of a folder."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gc_envs.suite.result import SuiteResult, SuiteResultError, load_suite_result
from gc_envs.suite.scores import Interval, Summary, TaskScore, summarize

PAGE = "README.md"  # the page of a folder, which code hosts show below its files
NOTHING = "-"
SIZES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
UNITS = ((3600, "h"), (60, "min"))


@dataclass(frozen=True)
class Standing:
    """One agent on a leaderboard.

    Attributes:
        rank: Its place, from 1; None for a result with failed or missing tasks, which stands below all others.
        path: The file of its result.
        result: Its result.
        summary: Its scores, computed from the counts.
    """

    rank: int | None
    path: Path
    result: SuiteResult
    summary: Summary

    @property
    def tasks(self) -> str:
        """How many tasks are done, and what is with the others."""
        numbers = {status: len(self.summary.names(status)) for status in ("done", "cannot", "failed", "missing")}
        return ", ".join(f"{number} {status}" for status, number in numbers.items() if number or status == "done")


def load_results(paths: Sequence[Path]) -> dict[Path, SuiteResult]:
    """Read the results that are to stand in one table.

    Raises:
        SuiteResultError: One is damaged, two are of different suites, or two have the same agent's name.
        OSError: One cannot be read.
    """
    if not paths:
        raise SuiteResultError("no result is named: give one or more JSON files of `gc-envs evaluate --suite`")
    results: dict[Path, SuiteResult] = {}
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such file")
        result = load_suite_result(path)
        for other, before in results.items():
            if before.suite != result.suite:
                raise SuiteResultError(
                    f"{other} is a result of {before.suite}, and {path} of {result.suite}: results of two suites do "
                    "not share a table"
                )
            if before.agent == result.agent or other == path:
                raise SuiteResultError(
                    f'{other} and {path} both name their agent {result.agent!r}: change "agent" in one of them'
                )
        results[path] = result
    return results


def rank_results(results: dict[Path, SuiteResult]) -> list[Standing]:
    """Return results in the order of a leaderboard: by interquartile mean, then by mean; incomplete ones last."""
    standings = [Standing(None, path, result, summarize(result)) for path, result in results.items()]
    standings.sort(key=lambda one: (not one.summary.is_complete, -one.summary.iqm, -one.summary.mean, one.result.agent))
    return [
        Standing(index if one.summary.is_complete else None, one.path, one.result, one.summary)
        for index, one in enumerate(standings, 1)
    ]


def build_page(suite: str, standings: Sequence[Standing]) -> str:
    """Return the page of a folder of results, as Markdown."""
    header = ["rank", "agent", "IQM [95%]", "mean [95%]", "tasks", "steps", "time", "trained on", "commit"]
    rows = [
        [
            NOTHING if one.rank is None else str(one.rank),
            f"[{escape(one.result.agent)}]({one.path.name})",
            format_score(one.summary.iqm, one.summary.iqm_ci),
            format_score(one.summary.mean, one.summary.mean_ci),
            one.tasks,
            format_count(one.summary.training_steps),
            format_seconds(one.summary.training_seconds),
            escape(one.summary.training_device or NOTHING),
            escape((one.result.commit or NOTHING)[:10]),
        ]
        for one in standings
    ]
    scores = [
        [name, *(format_task(one.summary.tasks[name]) for one in standings)]
        for name in (standings[0].summary.tasks if standings else ())
    ]
    parts = [
        f"# {suite}",
        "A score is 0 for random actions and 1 for the task's reference. IQM is the interquartile mean of the scores. "
        f"Made by `gc-envs leaderboard build {suite}`; [how to add an agent](../README.md).",
        _table(header, rows) if rows else "There is no result yet.",
    ]
    if rows:
        parts += ["## Score of each task", _table(["task", *(escape(one.result.agent) for one in standings)], scores)]
    return "\n\n".join(parts) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&])", r"\\\1", one_line(text))


def one_line(text: str) -> str:
    """Return text in one line, without characters that cannot be printed, such as those that colour a terminal."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def format_score(score: float, ci: Interval) -> str:
    """Return a score with its interval."""
    return f"{score:z.2f} [{ci[0]:z.2f}, {ci[1]:z.2f}]"


def format_task(task: TaskScore) -> str:
    """Return the score of a task with its interval, or why there is none."""
    return task.status if task.ci is None else format_score(task.score, task.ci)


def format_count(number: int | None) -> str:
    """Return a number of steps in few characters.

    >>> format_count(1_250_000)
    '1.25M'
    """
    if number is None:
        return NOTHING
    rounded = _three_digits(number)
    size, letter = next(((size, letter) for size, letter in SIZES if rounded >= size), (1, ""))
    return f"{rounded / size:g}{letter}"


def format_seconds(seconds: float | None) -> str:
    """Return a time in the largest unit of which it has two.

    >>> format_seconds(5400)
    '90 min'
    """
    if seconds is None:
        return NOTHING
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= 2 * size), (1, "s"))
    return f"{_three_digits(seconds / size):g} {unit}"


def _three_digits(number: float) -> float:
    """Return a number with its first three digits alone."""
    return float(f"{number:.3g}")
