"""What a result has to fulfil to stand on a leaderboard, down to a second evaluation of attached weights."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scipy import stats

from gc_envs.core.goals import FiniteGoals
from gc_envs.registration import make_task
from gc_envs.suite.leaderboard import PAGE, build_page, rank_results
from gc_envs.suite.result import MemberResult, SuiteResult, SuiteResultError, TaskResult, load_suite_result
from gc_envs.suite.run import evaluate_suite
from gc_envs.suite.scores import Summary, summarize
from gc_envs.suite.suites import SUITES, suite_entries
from gc_envs.suite.task_scores import member_counts, member_returns
from gc_envs.training.run_dir import pretrained_names

NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
QUICK = "quick"  # the suite of which an agent with weights is evaluated again
CHANCE = 0.001  # how seldom an agent with true counts may be refused, for each of its members
SCATTER = 0.1  # of its width: how far a limit of a bootstrap may move with other versions of NumPy


def result_files(folder: Path) -> list[Path]:
    """Return the results in the folder of a suite.

    Raises:
        ValueError: It is no folder that is called as a suite.
    """
    if not folder.is_dir() or folder.resolve().name not in SUITES:
        raise ValueError(f"{folder} is no folder of results with the name of a suite: {', '.join(SUITES)}")
    return sorted(folder.glob("*.json"))


def page_of(folder: Path) -> str:
    """Return the page of a folder of checked results."""
    return build_page(folder.resolve().name, rank_results({path: check_file(path) for path in result_files(folder)}))


def check_page(folder: Path) -> None:
    """Check that the page in a folder is the one that its results make.

    Raises:
        ValueError: It is out of date, or not there.
    """
    page = folder / PAGE
    if not page.is_file() or page.read_text() != page_of(folder):
        raise ValueError(f"{page} is out of date: run gc-envs leaderboard build {folder}")


def check_file(path: Path) -> SuiteResult:
    """Read a result, and check everything that can be checked without its agent.

    Raises:
        SuiteResultError: It may not stand on the leaderboard; the message says why.
    """
    result = load_suite_result(path)
    problem = next(_problems(path, result), None)
    if problem is not None:
        raise SuiteResultError(f"{path}: {problem}")
    return result


def _problems(path: Path, result: SuiteResult) -> Iterator[str]:
    """Yield what is wrong with a result."""
    suite = path.resolve().parent.name
    if result.suite != suite:
        yield f"it is a result of {result.suite}, not of {suite}"
    if result.agent != path.stem or not re.fullmatch(NAME, result.agent):
        yield f"its agent is called {result.agent!r}: a file is called AGENT.json, with letters, digits and ._+- alone"
    summary = summarize(result)
    for status in ("failed", "missing"):
        if names := summary.names(status):
            yield f"it is incomplete: {status}: {', '.join(names)}"
    for name, task in result.tasks.items():
        if task.status == "done" and task.goals != _goal_names(task):
            yield f"{name}: its goals are not those of {task.env_id}"
        for member in task.members:
            yield from (f"{name}: {member.name}: {problem}" for problem in _impossible(member))
    if result.summary is None or (difference := _difference(result.summary, summary)):
        what = "no summary" if result.summary is None else f"a summary in which {difference}"
        yield f"it has {what}: load and save it with this version of gc_envs"


def _goal_names(task: TaskResult) -> list[str]:
    """Return the goals that a result of this task has, which are none where goals are sampled."""
    goals = make_task(task.env_id, **task.env_kwargs).goals
    return list(goals.names) if isinstance(goals, FiniteGoals) else []


def _impossible(member: MemberResult) -> Iterator[str]:
    """Yield which numbers cannot be, of those that the counts do not decide."""
    for one in member.seeds:
        if not 0 <= one.success_last <= one.success + 1e-9:
            yield f"success_last of seed {one.seed} is {one.success_last}, and success {one.success}"
    if member.training is not None and (member.training.steps < 0 or member.training.seconds < 0):
        yield f"it was trained for {member.training.steps} steps and {member.training.seconds} s"


def _difference(stored: Summary, computed: Summary) -> str | None:
    """Return the first number that differs between two summaries, in words; None if they agree."""
    found, expected = dict(_leaves(dataclasses.asdict(stored))), dict(_leaves(dataclasses.asdict(computed)))
    for name in expected | found:
        one, other = found.get(name), expected.get(name)
        if isinstance(one, (int, float)) and isinstance(other, (int, float)):
            scatter = 0.0
            if name.startswith(("iqm_ci", "mean_ci")):
                low, high = getattr(computed, name.partition(".")[0])
                scatter = SCATTER * (high - low)
            if abs(one - other) <= scatter + 1e-9:
                continue
        if one != other:
            return f"{name} is {one}, and {other} by its counts"
    return None


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number and word of nested dictionaries and lists, with its place."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}".lstrip("."))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{name}.{index}")
    else:
        yield name, value


def check_weights(path: Path, result: SuiteResult) -> list[str]:
    """Evaluate the policies whose weights are there again, on the tasks of the quick suite, and compare.

    Weights are run folders in the folder AGENT beside AGENT.json, each called as the member that it is; a member that
    is called as a pretrained agent of this package is that agent.

    Returns:
        The names of the tasks that were evaluated.

    Raises:
        SuiteResultError: The counts of a member differ by more than chance, or it cannot be evaluated.
    """
    folder = path.with_suffix("")
    attached = sorted(folder.iterdir()) if folder.is_dir() else []
    names = {member.name for task in result.tasks.values() for member in task.members}
    for place in attached:
        if not place.is_dir() or place.name not in names:
            raise SuiteResultError(f"{place} is no run folder that is called as a member of {path}")
    pretrained = pretrained_names()
    weights = _weights(result, dict(zip(pretrained, pretrained)) | {place.name: str(place) for place in attached})
    if not weights:
        return []
    words = [f"{name}={place}" for name, members in weights.items() for _, place in members]
    again = evaluate_suite(words, QUICK, agent=result.agent, tasks=list(weights))
    for name, members in weights.items():
        task = again.tasks[name]
        if task.status != "done":
            raise SuiteResultError(f"{path}: {name} cannot be evaluated again: {task.error}")
        for (before, _), now in zip(members, task.members, strict=True):
            if same_probability(task, before, now) < CHANCE:
                raise SuiteResultError(
                    f"{path}: {name}: {before.name} has {_in_words(task, before)}, and evaluated again it has "
                    f"{_in_words(task, now)}, which differs by more than chance"
                )
    return list(weights)


def _weights(result: SuiteResult, places: dict[str, str]) -> dict[str, list[tuple[MemberResult, str]]]:
    """Return the members whose weights are there, of each task of the quick suite, and where these are.

    Args:
        result: The result.
        places: Where the weights of members are, by their names.
    """
    rows = {entry.name: entry for entry in suite_entries(result.suite)}
    found: dict[str, list[tuple[MemberResult, str]]] = {}
    for entry in suite_entries(QUICK):
        row = rows.get(entry.name)
        if row is None or dataclasses.replace(entry, seeds=row.seeds) != row or entry.name not in result.tasks:
            continue
        members = [(one, places[one.name]) for one in result.tasks[entry.name].members if one.name in places]
        if members:
            found[entry.name] = members
    return found


def same_probability(task: TaskResult, before: MemberResult, now: MemberResult) -> float:
    """Return how probable two results of a member are that differ at least so much, if it is the same policy.

    Successes are compared by Fisher's exact test, and returns by Welch's t test. The episodes of the second are among
    those of the first, which makes differences less probable: true counts are refused more seldom than `CHANCE`.
    """
    if task.metric == "return":
        returns = [member_returns(member) for member in (before, now)]
        if all(values.std() == 0 for values in returns):
            return float(returns[0].mean() == returns[1].mean())
        return float(stats.ttest_ind(*returns, equal_var=False).pvalue)
    counts = [_successes(task, member) for member in (before, now)]
    return float(stats.fisher_exact([(done, total - done) for done, total in counts]).pvalue)


def _successes(task: TaskResult, member: MemberResult) -> tuple[int, int]:
    """Return how many episodes of a member succeeded, and how many there are."""
    counts, episodes = member_counts(task, member)
    return int(counts.sum()), len(counts) * episodes


def _in_words(task: TaskResult, member: MemberResult) -> str:
    """Return what a member did on a task."""
    if task.metric == "return":
        return f"a mean return of {member_returns(member).mean():.2f}"
    return "{} successes in {} episodes".format(*_successes(task, member))
