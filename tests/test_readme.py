"""The README and the pages under docs/ do what they say.

Each page runs in an empty folder of its own: ```python blocks in order, in one namespace, and the `gc-envs` commands of
```bash blocks with few steps. A word after the language names what the block needs: an extra (it is compiled, but not
run, where that is not installed), or `gpu` or `window` (it is never run). A word that ends with .py names a file: the
block is written to it instead of being run.
"""

import ast
import builtins
import importlib.util
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import gc_envs
from gc_envs.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
RUN_BY_OTHERS = {"seek.md", "manipulation.md"}  # tests/seek/test_docs.py and tests/manipulation/test_docs.py do
NEVER_RUN = {"gpu", "window"}
NEEDS = {  # mark of a block -> the module that it needs
    "craftax": "craftax",
    "manipulation": "mujoco",
    "hand": "gymnasium_robotics",
    "robotics": "gymnasium_robotics",
    "sb3": "stable_baselines3",
}
PROGRAMS = {"pip", "gc-envs", "pytest", "python", "ruff", "mypy", ".", ".ci/run", "apt-get"}
RUNS = {
    "README.md": 1,
    "learners.md": 1,
    "training.md": 4,
    "evaluation.md": 1,
    "pretrained.md": 1,
    "suite.md": 1,
    "own_environment.md": 1,
}  # page -> how many runs its commands train
RUN_FILES = ("config.json", "metrics.csv", "evaluation.json", "learning_curve.png", "agent.gif", "checkpoints")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words after that, its first line number, its text and the paragraph before."""

    language: str
    marks: frozenset[str]
    line: int
    text: str
    before: str

    @property
    def is_runnable(self) -> bool:
        """Whether everything that the block needs is here."""
        needs = self.marks - {self.file}
        return not needs & NEVER_RUN and all(importlib.util.find_spec(NEEDS[mark]) for mark in needs)

    @property
    def file(self) -> str | None:
        """The file that the block is to be put in, if any."""
        return next((mark for mark in self.marks if mark.endswith(".py")), None)


def blocks(path: Path) -> list[Block]:
    found, text = [], path.read_text()
    for match in re.finditer(r"^```(\w+)(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE):
        line = text[: match.start(3)].count("\n") + 1
        before = text[: match.start()].strip().rsplit("\n\n", 1)[-1]
        found.append(Block(match[1], frozenset(match[2].split()), line, match[3], before))
    return found


def shells(path: Path) -> list[Block]:
    return [block for block in blocks(path) if block.language in ("bash", "shell", "sh")]


def commands(block: Block) -> list[list[str]]:
    """The commands of a shell block, as words without leading VARIABLE=value."""
    lines = block.text.replace("\\\n", " ").splitlines()
    split = [shlex.split(part, comments=True) for line in lines for part in line.split("&&")]
    return [[word for i, word in enumerate(words) if "=" not in word or i > 0] for words in split if words]


def run_command(words: list[str]) -> None:
    from gc_envs.cli import main

    arguments = words[1:] + (["--total-steps", "2000"] if words[1] == "train" else [])
    assert main(arguments) == 0, f"{shlex.join(words)} failed"


def run_python(block: Block, path: Path, namespace: dict[str, Any]) -> None:
    # Padded, so that a traceback has the page's line numbers.
    code = compile("\n" * (block.line - 1) + block.text, str(path), "exec")
    if block.is_runnable:
        exec(code, namespace)


def run_page(path: Path) -> dict[str, Any]:
    """Run the blocks of a page in the current folder; return what its Python blocks defined."""
    namespace: dict[str, Any] = {"__name__": path.stem}
    for block in blocks(path):
        if block.file is not None:
            Path(block.file).write_text(block.text)
        elif block.language == "python":
            run_python(block, path, namespace)
        elif block.language == "bash" and block.is_runnable:
            for words in commands(block):
                if words[0] == "gc-envs":
                    run_command(words)
    return namespace


@pytest.mark.parametrize("path", [page for page in PAGES if page.name not in RUN_BY_OTHERS], ids=lambda path: path.stem)
def test_every_block_runs_in_order(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as for a script in that folder
    namespace = run_page(path)
    if path == README:
        assert "GC-Gridworld-v0: success" in capsys.readouterr().out, "training ends with a table"
    if path.name == "wrappers.md":
        assert namespace["env"].observation_space.shape == (109,)
    runs = sorted(folder for folder in (tmp_path / "runs").glob("*") if folder.is_dir())
    if all(block.is_runnable or block.marks & NEVER_RUN for block in blocks(path)):
        assert len(runs) == RUNS.get(path.name, 0)
    for run in runs:
        for name in RUN_FILES:
            assert (run / name).exists(), f"{run.name} has no {name}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_marks_and_commands_are_known(path):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(NEEDS) - {"robotics"} <= set(extras)
    for block in blocks(path):
        assert block.marks <= NEVER_RUN | set(NEEDS) | {block.file}, f"line {block.line}"
    for block in shells(path):
        for words in commands(block):
            assert words[0] in PROGRAMS, f"line {block.line}: {words}"
            if words[0] == "gc-envs":
                assert words[1] in COMMANDS
            if words[0] == "python" and words[1] != "-m":
                assert (ROOT / words[1]).exists()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_text_before_a_block_names_the_extras_that_it_needs(path):
    for block in blocks(path):
        for mark in block.marks & set(NEEDS):
            extra = {"robotics": "hand"}.get(mark, mark)
            assert re.search(rf"`{extra}`|\[{extra}\]", block.before), f"line {block.line} needs the extra {extra}"


@pytest.mark.parametrize("path", [page for page in PAGES if page.name not in RUN_BY_OTHERS], ids=lambda path: path.stem)
def test_blocks_are_marked_by_the_extras_of_their_ids(path):
    from gc_envs.registration import ROWS

    for block in blocks(path):
        for row in ROWS:
            if row.extra and re.search(rf"{row.id}\b", block.text) and not block.marks & NEVER_RUN:
                assert row.extra in block.marks, f"line {block.line}: {row.id}"


def names_from_elsewhere(code: str) -> set[str]:
    """The names that a block uses and does not define."""
    nodes = list(ast.walk(ast.parse(code)))
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    defined = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    defined |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    defined |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    defined |= {(node.asname or node.name).split(".")[0] for node in nodes if isinstance(node, ast.alias)}
    return used - defined - set(dir(builtins))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_block_stands_alone_or_says_that_it_goes_on(path):
    for block in blocks(path):
        if block.language == "python":
            missing = names_from_elsewhere(block.text)
            assert not missing or "on from the" in " ".join(block.before.split()), f"line {block.line}: {missing}"


def test_every_extra_is_in_the_table_of_installs():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rows = re.findall(r"^\| `pip install .*\.\[(\w+)\]", (DOCS / "install.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(extras)


def test_every_page_is_in_the_readme():
    linked = set(re.findall(r"\]\(docs/(\w+\.md)\)", README.read_text()))
    assert linked == {page.name for page in DOCS.glob("*.md")}


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

    rows = re.findall(r"^\| `(GC-[^`]+)` \|(.*)\|$", (DOCS / "environments.md").read_text(), re.MULTILINE)
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


def test_short_table_of_environments():
    """The README names every id but the Dense ones, with the extra that it needs."""
    from gc_envs.registration import ROWS

    found = {}
    for cells in re.findall(r"^\| \[(`GC-.*)\|$", README.read_text(), re.MULTILINE):
        ids, *_, extra = (cell.strip() for cell in cells.split(" | "))
        found |= {env_id: extra.strip("`") for env_id in re.findall(r"`(GC-[^`]+)`", ids)}
    assert found == {row.id: row.extra or "base" for row in ROWS if "Dense" not in row.id}


@pytest.mark.parametrize("path", [README, DOCS / "training.md"], ids=lambda path: path.stem)
def test_table_of_agents(path):
    from gc_envs.agents import LEARNERS

    section = path.read_text().split("## Agents\n", 1)[1].split("\n## ", 1)[0]
    first_cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    assert {name for cell in first_cells for name in re.findall(r"`([a-z][a-z0-9-]+)`", cell)} == set(LEARNERS)


def anchor(heading: str) -> str:
    """The fragment that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_links_lead_somewhere(path):
    for target, fragment in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", path.read_text()):
        if target.startswith("http"):
            continue
        page = path.parent / target if target else path
        assert page.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
            assert fragment in map(anchor, headings), f"{target}#{fragment}"


@pytest.mark.parametrize("path", sorted((DOCS / "images").iterdir()), ids=lambda path: path.name)
def test_pictures_are_small_and_shown(path):
    assert path.stat().st_size < 600_000
    assert any(path.name in page.read_text() for page in PAGES)


def test_citation():
    """CITATION.cff has the package's version, and every paper that the pages name as a source."""
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [gc_envs.__version__]
    named = {paper for page in PAGES for paper in re.findall(r"arxiv.org/abs/([\d.]+)", page.read_text())}
    assert named <= set(re.findall(r"arXiv:([\d.]+)", citation))


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
