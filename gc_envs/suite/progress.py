"""What the command line shows while a suite is evaluated, and the table at the end."""

from collections.abc import Sequence
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from gc_envs.suite.result import SuiteResult, TaskResult
from gc_envs.suite.scores import summarize
from gc_envs.suite.suites import suite_entries
from gc_envs.suite.task import Part

TABLE_WIDTH = 100  # characters, where the output is no terminal


class ShowProgress:
    """A `Reporter` with one line for each task on stderr: a bar while it runs, then its result."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TextColumn("episodes"),
            TimeElapsedColumn(), console=self.console, disable=not self.console.is_terminal, transient=True,
        )  # fmt: skip
        self.ids: dict[str, TaskID] = {}
        self.width = 0

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.bars.stop()

    def start(self, tasks: Sequence[str]) -> None:
        """Keep the names of the tasks, so that all lines are aligned."""
        self.width = max(map(len, tasks))

    def progress(self, task: str, done: int, total: int) -> None:
        """Show how many episodes of a task are finished."""
        if task not in self.ids:
            self.ids[task] = self.bars.add_task(f"{task:<{self.width}}", total=total)
        self.bars.update(self.ids[task], completed=done, total=total)

    def finish(self, task: str, part: Part) -> None:
        """Replace the bar of a task by its result."""
        if task in self.ids:
            self.bars.remove_task(self.ids.pop(task))
        line = f"{task:<{self.width}}  {escape(describe(part.result))}  ({part.seconds:.0f} s)"
        self.console.print(line, highlight=False, soft_wrap=True)


def describe(task: TaskResult) -> str:
    """Return what an agent did on a task in a few words."""
    if task.status == "failed":
        return f"failed: {task.error}"
    return f"{task.metric} {task.value():.3f}" if task.status == "done" else "the agent has no policy for it"


def format_tasks(result: SuiteResult) -> str:
    """Format a result as a table with a line for each task."""
    table = Table(title=f"{escape(result.agent)} on {result.suite}", title_justify="left", box=None, pad_edge=False)
    for name, justify in (("task", "left"), ("metric", "left"), ("value", "right"), ("score", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for entry in suite_entries(result.suite, list(result.tasks)):
        task = result.tasks[entry.name]
        if task.status == "done":
            value = task.value()
            table.add_row(entry.name, task.metric, f"{value:.3f}", f"{entry.score(value):z.3f}")
        else:
            table.add_row(entry.name, "failed" if task.status == "failed" else "no policy", "-", "-")
    summary = result.summary or summarize(result)
    if summary.is_complete:
        table.add_section()
        for name, value, (low, high) in (
            ("interquartile mean", summary.iqm, summary.iqm_ci),
            ("mean", summary.mean, summary.mean_ci),
        ):
            table.add_row(name, f"95% {low:z.3f} to {high:z.3f}", "", f"{value:z.3f}")
    console = Console(width=None if Console().is_terminal else TABLE_WIDTH)
    with console.capture() as captured:
        console.print(table, highlight=False)
    return captured.get().rstrip()
