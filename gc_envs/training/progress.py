"""The training progress bar, or plain lines where the output is not a terminal."""

import math
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column

BAR_WIDTH = 12  # characters; with the share done and both times it leaves half of a line of 80 for the figures


class Progress:
    """Share of the run that is done, elapsed and remaining time, and the figures that a learner reports.

    In a narrow terminal the figures are cut off, and nothing else.

    Args:
        total_steps: Environment steps of the whole run.
        console: Where to write; by default stderr.
    """

    def __init__(self, total_steps: int, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.total, self.printed = total_steps, 0
        self.started, self.waits = time.monotonic(), True  # whether the first row of figures is still to come
        whole = Column(no_wrap=True)
        self.bar = Bar(
            BarColumn(BAR_WIDTH, table_column=whole),
            TaskProgressColumn(table_column=whole),
            TimeElapsedColumn(table_column=whole),
            TextColumn("left", table_column=whole),
            TimeRemainingColumn(table_column=whole),
            TextColumn("{task.fields[status]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            console=self.console,
            expand=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("", total=total_steps, status="")

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
        """Show a row of figures; without a terminal, print a line for the first one and for every 5% of the run."""
        status = f"{row['steps_per_s']:,.0f} steps/s"
        if not math.isnan(row["running_success"]):
            status += f"  success {row['running_success']:.3f}"
        if "goals_seen" in row:
            status += f"  goals seen {row['goals_seen']:.0f}/{row['goals']:.0f}"
        if not math.isnan(row.get("episode_return", math.nan)):
            status += f"  return {row['episode_return']:.2f}"
        self.bar.update(self.task, completed=step, status=status)
        if not self.console.is_terminal and (self.waits or (step - self.printed) * 20 >= self.total):
            self.printed = step
            after = f"  (first figures after {time.monotonic() - self.started:.0f} s)" if self.waits else ""
            self.console.print(f"step {step:,}/{self.total:,}  {status}{after}", highlight=False, soft_wrap=True)
        self.waits = False
