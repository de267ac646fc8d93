"""docs/seek.md agrees with the tasks: the numbers in its tables, its code and its pictures."""

import re
from pathlib import Path

import gymnasium
import pytest
from PIL import Image

from gc_envs.core.goals import PointSetGoals
from gc_envs.registration import ROWS, make_task

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
TEXT = (DOCS / "seek.md").read_text()
IDS = [row.id for row in ROWS if row.family == "seek"]


def table(env_id):
    """Return the rows of both tables of an id: the first column and the rest of the row."""
    section = TEXT.split(f"## {env_id}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)
    return {name.replace("`", ""): value for name, value in rows}


@pytest.mark.parametrize("env_id", IDS)
def test_tables_say_what_the_task_does(env_id):
    task, rows = make_task(env_id), table(env_id)
    assert rows["horizon"] == ("`bits`" if env_id == "GC-BitFlip-v0" else str(task.horizon))
    assert rows["on_success"] == task.on_success
    low, high = (0, 1) if isinstance(task.goals, PointSetGoals) else task.goals.rewards
    assert rows["reward"].startswith(f"{low:g}, and {high:g} where")
    for name, values in rows.items():
        if "|" in values and name != "argument":
            assert make_task(env_id, **{name: int(values.split(" | ")[0])}).goals.names == task.goals.names
    if isinstance(task.action_space, gymnasium.spaces.Box):
        assert f"{task.action_space.low[0]:g} .. {task.action_space.high[0]:g}" in rows["action"]
    first = next(value for name, value in rows.items() if name.startswith("observation"))
    low, high = task.observation_space.low[0], task.observation_space.high[0]
    assert f"{low:g} .. {high:g}" in first or (env_id == "GC-BitFlip-v0" and "0 or 1" in first)


def test_its_code_runs():
    for block in re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        exec(block, {"gymnasium": gymnasium})


@pytest.mark.parametrize("env_id", IDS)
def test_pictures_are_small(env_id):
    (name,) = re.findall(rf"## {env_id}\n.*?\]\((images/[^)]+)\)", TEXT, re.DOTALL)
    assert (DOCS / name).stat().st_size < 60_000
    assert Image.open(DOCS / name).width == 480
