"""The README does what it says: its blocks run, in order, in an empty folder.

```python blocks share one namespace. ```bash lines that start with gc-envs run with few steps; installations, and
blocks marked `gpu` or `window` after the language, are only parsed.
"""

import importlib.util
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PARSED_ONLY = {"gpu", "window"}
COMMANDS = {"list", "goals", "train", "evaluate", "render", "play", "benchmark"}


@dataclass(frozen=True)
class Block:
    """A fenced block: what follows the fence, its first line number, its text."""

    language: str
    marks: frozenset[str]
    line: int
    text: str


def blocks(path: Path) -> list[Block]:
    found, text = [], path.read_text()
    for match in re.finditer(r"^```(\w+)(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE):
        line = text[: match.start(3)].count("\n") + 1
        found.append(Block(match[1], frozenset(match[2].split()), line, match[3]))
    return found


def commands(block: Block) -> list[list[str]]:
    """The commands of a shell block, as words."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [shlex.split(part) for line in lines for part in line.split("&&") if shlex.split(part, comments=True)]


def run_command(words: list[str]) -> None:
    from gc_envs.cli import main

    arguments = words[1:] + (["--total-steps", "2000"] if words[1] == "train" else [])
    assert main(arguments) == 0, f"{shlex.join(words)} failed"


def run_python(block: Block, path: Path, namespace: dict[str, Any]) -> None:
    # Padded, so that a traceback has the page's line numbers.
    exec(compile("\n" * (block.line - 1) + block.text, str(path), "exec"), namespace)


def test_every_block_runs_in_order(tmp_path, monkeypatch, capsys):
    pytest.importorskip("craftax")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "readme"}
    for block in blocks(README):
        if block.language == "python":
            run_python(block, README, namespace)
        elif block.language == "bash" and not block.marks & PARSED_ONLY:
            for words in commands(block):
                if words[0] == "gc-envs":
                    run_command(words)
    output = capsys.readouterr().out
    assert "GC-Gridworld-v0: success" in output, "training ends with a table"
    runs = sorted(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert len(runs) == 4, "three named runs and one of the first screen"
    for run in runs:
        for name in ("config.json", "metrics.csv", "evaluation.json", "learning_curve.png", "agent.gif", "checkpoints"):
            assert (run / name).exists(), f"{run.name} has no {name}"


def test_the_blocks_of_the_wrappers_page_run_in_order():
    """Those marked `robotics` need gymnasium_robotics, and are only parsed without it."""
    page = ROOT / "docs" / "wrappers.md"
    namespace: dict[str, Any] = {"__name__": "wrappers"}
    for block in blocks(page):
        assert block.marks <= {"robotics"}
        if block.marks and importlib.util.find_spec("gymnasium_robotics") is None:
            compile(block.text, str(page), "exec")
        else:
            run_python(block, page, namespace)
    assert namespace["env"].observation_space.shape == (109,)


def test_every_command_is_known():
    shells = [block for block in blocks(README) if block.language in ("bash", "shell", "sh")]
    assert shells
    for block in shells:
        assert block.marks <= PARSED_ONLY
        for words in commands(block):
            assert words[0] in ("pip", "gc-envs", "pytest"), f"line {block.line}: {words}"
            if words[0] == "gc-envs":
                assert words[1] in COMMANDS


def test_first_screen_is_two_commands():
    first, second = (block for block in blocks(README)[:2])
    assert first.text == 'pip install -c constraints.txt ".[craftax]" && gc-envs train leo GC-Gridworld-v0\n'
    assert second.text == 'pip install -c constraints.txt -e ".[dev]" && pytest\n'
    assert second.line < 25


def test_table_of_environments():
    """Ids, number of goals, actions, horizon and on_success are the registry's."""
    pytest.importorskip("craftax")
    from gymnasium.spaces import Discrete

    from gc_envs.registration import ROWS, make_task

    rows = re.findall(r"^\| `(GC-[^`]+)` \|(.*)\|$", README.read_text(), re.MULTILINE)
    assert [env_id for env_id, _ in rows] == [row.id for row in ROWS]
    for env_id, cells in rows:
        goals, _, actions, horizon, on_success = (cell.strip() for cell in cells.split("|"))
        task = make_task(env_id)
        assert str(task.goals.num_goals) in goals
        assert int(horizon.replace(",", "")) == task.horizon
        if isinstance(task.action_space, Discrete):
            assert int(actions) == task.action_space.n
        else:
            count = task.action_space.shape[0]
            assert actions in ("`dim` numbers", "1 number", f"{count} numbers")
        assert on_success == task.on_success


@pytest.mark.parametrize("path", [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))], ids=str)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize(("variant", "heading"), [("full", "Craftax"), ("classic", "Craftax-Classic")])
def test_craftax_tables(variant, heading):
    """docs/craftax.md: goal families add up and are contiguous, and index tables cover the observations."""
    pytest.importorskip("craftax")
    from gc_envs.registration import make_task

    env_id = "GC-Craftax-v0" if variant == "full" else "GC-Craftax-Classic-v0"
    task, spec = make_task(env_id), make_task(env_id, observation="compact").one_hot_spec
    assert spec is not None
    text = (ROOT / "docs" / "craftax.md").read_text()

    def table(title: str) -> list[list[str]]:
        body = text.split(f"### {heading}: {title}\n", 1)[1].split("\n#", 1)[0]
        rows = re.findall(r"^\|(.*)\|$", body, re.MULTILINE)
        return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]

    covered = 0
    for indices, family, count, example, _ in table("goals"):
        first, last = map(int, indices.split(".."))
        names = task.goals.names[first : last + 1]
        assert first == covered
        assert int(count) == len(names)
        assert all(name.startswith(family.strip("`") + "/") for name in names)
        assert example.strip("`") in names
        covered = last + 1
    assert covered == task.goals.num_goals

    for title, size in (("symbolic", task.observation_space.shape[0]), ("scalars", len(spec.scalars))):
        covered = 0
        for row in table(title):
            first, _, last = row[0].replace(",", "").partition("..")
            assert int(first) == covered, row
            covered = int(last or first) + 1
        assert covered == size
    names = [name for row in table("scalars") for name in re.findall(r"`([^`]+)`", row[1])]
    assert names == [name for name, _ in spec.scalars]
    classes = [int(row[2]) for row in table("scalars") for _ in re.findall(r"`([^`]+)`", row[1])]
    assert classes == [count for _, count in spec.scalars]
