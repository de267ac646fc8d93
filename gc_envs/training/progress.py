"""The training progress bar, or plain lines where the output is not a terminal."""

import math
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """Steps done, steps/s, running success, and goals seen or returns, whichever a learner reports.

    Args:
        total_steps: Environment steps of the whole run.
        title: Text before the bar.
    """

    def __init__(self, total_steps: int, title: str) -> None:
        self.console = Console(stderr=True)
        self.total, self.printed = total_steps, 0
        self.bar = Bar(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(title, total=total_steps, status="")

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.bar.stop()

    def say(self, status: str) -> None:
        """Show `status` instead of figures."""
        self.bar.update(self.task, status=status)
        if not self.console.is_terminal:
            self.console.print(status, highlight=False)

    def update(self, step: int, row: dict[str, float]) -> None:
        """Show a row of metrics.csv; without a terminal, print a line for every 5% of the run."""
        status = f"{row['steps_per_s']:,.0f} steps/s"
        if not math.isnan(row["running_success"]):
            status += f"  success {row['running_success']:.3f}"
        if "goals_seen" in row:
            status += f"  goals seen {row['goals_seen']}/{row['goals']}"
        if not math.isnan(row.get("episode_return", math.nan)):
            status += f"  return {row['episode_return']:.2f}"
        self.bar.update(self.task, completed=step, status=status)
        if not self.console.is_terminal and (step - self.printed) * 20 >= self.total:
            self.printed = step
            self.console.print(f"step {step:,}/{self.total:,}  {status}", highlight=False)
