"""`gc-envs compare`: the leaderboard of a few results."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gc_envs.cli.words import ResultFiles

if TYPE_CHECKING:
    from rich.table import Table

    from gc_envs.suite.leaderboard import Standing
    from gc_envs.suite.scores import Improvement

WIDTH = 100  # characters of a line where the output is no terminal
AGENTS = 3  # agents in one table of task scores: as many as fit


def compare(results: ResultFiles, *, json: Path | None = None) -> None:
    """Show agents side by side: the leaderboard of their results on a suite, and the score of every task.

    Args:
        results: Compare these files, which `gc-envs evaluate --suite` wrote.
        json: Write the numbers to this JSON file.
    """
    from rich.console import Console

    from gc_envs.suite.leaderboard import load_results, rank_results
    from gc_envs.suite.result import write_json
    from gc_envs.suite.scores import probability_of_improvement

    standings = rank_results(load_results(results))
    improvement = None
    if len(standings) == 2:
        improvement = probability_of_improvement(standings[0].result, standings[1].result)
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(_leaderboard(standings))
    for one in standings:
        for line in _holes(one):
            console.print(_text(line))
    for start in range(0, len(standings), AGENTS):
        console.print(_task_scores(standings[start : start + AGENTS]))
    if improvement is not None:
        console.print(_text(_in_words(standings, improvement)))
    if json is not None:
        json.parent.mkdir(parents=True, exist_ok=True)
        write_json(_as_json(standings, improvement), json)


def _leaderboard(standings: Sequence["Standing"]) -> "Table":
    """Return the table with a row for each agent."""
    from gc_envs.suite.leaderboard import NOTHING, format_count, format_score, format_seconds

    table = _table(standings[0].result.suite, ("", "agent", "IQM [95%]", "mean", "tasks", "steps", "time", "device"))
    for one in standings:
        summary = one.summary
        table.add_row(*map(_text, (
            NOTHING if one.rank is None else str(one.rank), one.result.agent, format_score(summary.iqm, summary.iqm_ci),
            f"{summary.mean:z.2f}", one.tasks, format_count(summary.training_steps),
            format_seconds(summary.training_seconds), summary.training_device or NOTHING,
        )))  # fmt: skip
    return table


def _holes(standing: "Standing") -> list[str]:
    """Return a line for each task that failed, and one for those that are missing."""
    agent, summary, failed = standing.result.agent, standing.summary, standing.summary.names("failed")
    lines = [f"{agent} is incomplete: {name} failed: {standing.result.tasks[name].error}" for name in failed]
    missing = ", ".join(summary.names("missing"))
    return lines + ([f"{agent} is incomplete: {missing}: missing"] if missing else [])


def _task_scores(standings: Sequence["Standing"]) -> "Table":
    """Return the table with a row for each task and a column for each agent."""
    from gc_envs.suite.leaderboard import format_task

    table = _table(None, ("score [95%]", *(one.result.agent for one in standings)))
    for name in standings[0].summary.tasks:
        table.add_row(*map(_text, (name, *(format_task(one.summary.tasks[name]) for one in standings))))
    return table


def _table(title: str | None, header: Sequence[str]) -> "Table":
    """Return an empty table whose header is shown as it is."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in header:
        table.add_column(_text(name), overflow="fold")
    return table


def _text(words: str) -> Any:
    """Return words as rich shows them without reading markup in them."""
    from rich.text import Text

    from gc_envs.suite.leaderboard import one_line

    return Text(one_line(words))


def _in_words(standings: Sequence["Standing"], improvement: "Improvement") -> str:
    """Return the probability of improvement in a sentence."""
    from gc_envs.suite.leaderboard import format_score

    first, second = (one.result.agent for one in standings)
    number = format_score(improvement.probability, improvement.ci)
    return f"Probability that {first} scores higher than {second} on a task: {number}"


def _as_json(standings: Sequence["Standing"], improvement: "Improvement | None") -> dict[str, Any]:
    """Return the numbers of all tables."""
    from dataclasses import asdict

    agents = [
        {"rank": one.rank, "agent": one.result.agent, "file": str(one.path), "summary": asdict(one.summary)}
        for one in standings
    ]
    return {
        "suite": standings[0].result.suite,
        "agents": agents,
        "probability_of_improvement": asdict(improvement) if improvement is not None else None,
    }
