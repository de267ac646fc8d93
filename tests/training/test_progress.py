"""What is seen of a run while it trains."""

import io
import re

import pytest
from rich.console import Console

from gc_envs.training.progress import Progress

ROW = {
    "steps_per_s": 1_234_567.8, "running_success": 0.1234, "goals_seen": 105, "goals": 107, "episode_return": -123.456,
}  # fmt: skip


def shown(width, *, done):
    """The line of the bar in a terminal of `width` columns."""
    console = Console(width=width, force_terminal=True, file=io.StringIO(), record=True)
    progress = Progress(1_000_000_000, console)
    progress.update(int(done * 1_000_000_000), ROW)
    console.print(progress.bar)
    (line,) = console.export_text().splitlines()
    return line.rstrip()


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize(("done", "share"), [(0.001, "  0%"), (0.424, " 42%"), (1.0, "100%")])
def test_bar_share_and_times_stay_in_a_narrow_terminal(width, done, share):
    line = shown(width, done=done)
    assert len(line) <= width
    assert re.sub("[\u257a\u2578]", "\u2501", line).startswith("\u2501" * 12 + f" {share} 0:00:00 left ")
    assert line.split("left ")[1].startswith("-:--:--" if done < 1 else "0:00:00")
    assert "1,234,568 steps/s" in line
    assert line.endswith("\u2026"), "the figures are cut off, and say so"


def test_a_wide_terminal_shows_everything():
    assert shown(140, done=0.5).endswith("1,234,568 steps/s  success 0.123  goals seen 105/107  return -123.46")


def test_without_a_terminal_the_first_figures_come_at_once_and_then_every_twentieth(monkeypatch):
    console = Console(width=80, file=io.StringIO())
    progress = Progress(1000, console)
    progress.say("compiling ...")
    monkeypatch.setattr("time.monotonic", lambda: progress.started + 34)
    for step in range(10, 130, 10):
        progress.update(step, ROW)
    said, first, *others = console.file.getvalue().splitlines()
    assert said == "compiling ..."
    assert first.startswith("step 10/1,000  1,234,568 steps/s")
    assert first.endswith("(first figures after 34 s)")
    assert [line.split()[1] for line in others] == ["60/1,000", "110/1,000"]
