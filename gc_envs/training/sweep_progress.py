"""How far a sweep is: a line for each running run, and a table at the end."""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from gc_envs.training.sweep import SweepResult
from gc_envs.training.sweep_runs import SweepRun

PAUSE = 1.0  # seconds between two looks at the logs of the runs
STEP = 0.25  # without a terminal, a line is printed for each such share of a run


class SweepProgress:
    """A bar for the sweep and for each running run, or plain lines where the output is not a terminal.

    Args:
        console: Where to write; by default stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(12), TextColumn("{task.fields[status]}"), TimeElapsedColumn(),
            console=self.console, disable=not self.console.is_terminal,
        )  # fmt: skip
        self.waiting: dict[str, SweepRun] = {}
        self.running: dict[str, tuple[SweepRun, TaskID]] = {}
        self.printed: dict[str, float] = {}  # share of a run of which a line has been printed
        self.ended, self.total, self.looked = 0, 0, 0.0

    def __enter__(self) -> "SweepProgress":
        self.bar.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.bar.stop()

    def start(self, runs: Sequence[SweepRun]) -> None:
        """Show the runs that are to be trained."""
        self.waiting, self.total = {run.name: run for run in runs}, len(runs)
        self.all = self.bar.add_task("all runs", total=len(runs), status=f"0/{len(runs)} ended")
        self._say(f"{len(runs)} runs to train")

    def tick(self) -> None:
        """Show how far the runs are, about once a second."""
        if time.monotonic() - self.looked < PAUSE:
            return
        self.looked = time.monotonic()
        for name in [name for name, run in self.waiting.items() if run.command.log.exists()]:
            run = self.waiting.pop(name)
            self.running[name] = run, self.bar.add_task(name, total=1.0, status="starting")
            self._say(f"{name}: started")
        for name, (run, task) in self.running.items():
            share = run.share_done()
            if share > 0:
                self.bar.update(task, completed=share, status=f"{share:.0%}")
            if share >= self.printed.get(name, 0.0) + STEP:
                self.printed[name] = share // STEP * STEP
                self._say(f"{name}: {share:.0%}")

    def finish(self, result: SweepResult) -> None:
        """Show how a run ended."""
        self.waiting.pop(result.name, None)
        if result.name in self.running:
            self.bar.remove_task(self.running.pop(result.name)[1])
        self.ended += 1
        self.bar.update(self.all, completed=self.ended, status=f"{self.ended}/{self.total} ended")
        words = result.error if result.status == "failed" else f"success {_number(result.success)}"
        self.console.print(
            f"{result.name}: {result.status}, {words}  ({self.ended}/{self.total} ended)",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip

    def _say(self, line: str) -> None:
        """Print a line where there is no terminal."""
        if not self.console.is_terminal:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def result_table(results: Sequence[SweepResult]) -> Table:
    """Return the runs of a sweep as a table."""
    table = Table("run", "success", "status", box=None, pad_edge=False)
    for result in results:
        table.add_row(result.name, _number(result.success), result.status)
    return table


def _number(success: float | None) -> str:
    return "-" if success is None else f"{success:.3f}"
