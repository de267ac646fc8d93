"""docs/manipulation.md says what the tasks do: the numbers in its tables, its code and its images."""

import inspect
import re
import tomllib
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from PIL import Image

import gc_envs
from gc_envs.manipulation.panda_variants import VARIANTS
from gc_envs.registration import ROWS, make_task, task_class

pytest.importorskip("gymnasium_robotics")
DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
TEXT = (DOCS / "manipulation.md").read_text()
IDS = [row.id for row in ROWS if row.family == "manipulation"]
COLUMNS = {"reach": "Reach", "push": "Push", "slide": "Slide", "pick_and_place": "PickAndPlace"}
HANDS = ["GC-HandReach-v0", "GC-HandManipulateBlock-v0"]


def section(heading):
    """The text under `heading`, up to the next one of any level."""
    return re.split(r"^#+ ", TEXT.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def tables(heading):
    """The tables of a section: rows of cells, their heads first."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", section(heading), re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if "---" not in line]
        for block in blocks
    ]


def parts(rows):
    """A table of two columns as a dictionary."""
    return {name.replace("`", ""): value for name, value in rows}


def ranges(text, size):
    """Bounds [size, 2] from "a .. b, c .. d" or from one range for all numbers."""
    numbers = {"pi": np.pi, "-pi": -np.pi, "pi/2": np.pi / 2, "-pi/2": -np.pi / 2}
    pairs = re.findall(r"(-?[\w./]+) \.\. (-?[\d./pi]+)", text)
    found = [[numbers[end] if end in numbers else float(end) for end in pair] for pair in pairs]
    return np.array(found * (size // len(found)))


def indices(text):
    """The slice of "a:b" or "a"."""
    first, _, last = text.partition(":")
    return slice(int(first), int(last or int(first) + 1))


def column(rows, head):
    """The first column of a table to the one under `head`."""
    place = rows[0].index(head)
    return {row[0]: row[place] for row in rows[1:]}


def assert_bounds(space, where, text):
    """The bounds of `space` at `where` are those of `text`."""
    low, high = ranges(text, where.stop - where.start).T
    np.testing.assert_allclose(space.low[where], low, atol=1e-6)
    np.testing.assert_allclose(space.high[where], high, atol=1e-6)


def assert_covered(space, where, bounds, start):
    """The slices `where` cover `space` from `start` on, without gaps, within `bounds`; both by name."""
    for name, here in where.items():
        assert here.start == start, name
        assert_bounds(space, here, bounds[name])
        start = here.stop
    assert (start,) == space.shape


def assert_common(task, said):
    """What the first table of every task says in the same words."""
    assert said["horizon"] == str(task.horizon)
    assert said["on_success"] == task.on_success
    assert said["reward"].startswith(
        f"{task.goals.rewards[0]:g}, and {task.goals.rewards[1]:g} where the goal is achieved"
    )
    assert said["a step"] == f"{task.substeps} substeps of 2 ms, {task.render_fps} steps to the second"
    assert task.model.opt.timestep == 0.002


def panda(variant, reward=""):
    return make_task(f"GC-Panda{COLUMNS[variant]}{reward}-v0", backend="c")


def hand(env_id):
    return make_task(env_id, backend="c")


def test_every_id_is_there_with_what_installs_it():
    (rows,) = tables("Manipulation")
    said = {row[0].strip("`"): row[2] for row in rows[1:]}
    named = set(said) | set(re.findall(r"`(GC-\w+Dense-v0)`", TEXT))
    assert named == set(IDS)
    assert said == {row.id: f"`{row.extra}`" for row in ROWS if row.id in said}
    extras = set(tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert {extra for found in re.findall(r"\.\[([\w,]+)\]", TEXT) for extra in found.split(",")} <= extras


@pytest.mark.parametrize("variant", COLUMNS)
def test_what_all_panda_tasks_share(variant):
    task, said = panda(variant), parts(tables("Panda")[0])
    assert_common(task, said)
    assert said["achieved"] == f"within {task.goals.threshold:g} m"
    assert "-1 .. 1" in said["action[0:3]"]
    assert "-1 .. 1" in said["action[3]"]
    seen = task.observe(task.initial_state(np.full(task.num_start_uniforms, 0.5)))
    place = re.search(r"end-effector at \((.*?)\)", said["start"])[1]
    np.testing.assert_allclose(seen[:3], np.array(place.split(","), float), atol=1e-3)
    np.testing.assert_allclose(seen[3:6], 0, atol=1e-6)
    dense = panda(variant, "Dense").goals
    assert dense.reward(dense.high - np.float32([0, 0.2, 0]), dense.high) == pytest.approx(-0.2, abs=1e-6)


@pytest.mark.parametrize("variant", COLUMNS)
def test_items_and_boxes_of_the_panda_tasks(variant):
    task, row, rows = panda(variant), VARIANTS[variant], tables("Panda")[1]
    said = column(rows, COLUMNS[variant])
    assert said["numbers in an action"] == str(task.action_space.shape[0])
    for axis, (name, low, high) in enumerate(zip("xyz", *row.goal_box)):
        sampled, _, more = said[f"goal box {name}, m"].partition(" (")
        assert sampled == (f"{low:g} .. {high:g}" if low < high else f"{low:g}")
        box = ranges(more if low == high else sampled, 1)[0]
        np.testing.assert_allclose([task.goals.low[axis], task.goals.high[axis]], box, atol=1e-6)
    assert ("30% of the goals at 0.02" in said["goal box z, m"]) == (row.on_table == 0.3)
    if row.item is None:
        assert said["item"] == "none"
        assert not said["its mass, kg"]
        return
    assert said["its mass, kg"] == f"{row.item.mass:g}"
    assert said["its friction on the table"] == f"{row.item.friction:g}"
    x, _, z = (200 * half for half in row.item.size)  # cm
    assert said["item"] == (f"cube, {x:g} cm" if row.item.shape == "box" else f"puck, {x:g} cm across, {z:g} cm high")
    assert [said[f"start box {name}, m"] for name in "xy"] == [f"{a:g} .. {b:g}" for a, b in zip(*row.start_box)]


@pytest.mark.parametrize("variant", COLUMNS)
def test_what_panda_tasks_observe(variant):
    task, rows = panda(variant), tables("Panda")[2]
    bounds = column(rows, "bounds")
    head = next(name for name in rows[0] if COLUMNS[variant] in name)
    where = {name: indices(cell) for name, cell in column(rows, head).items() if cell}
    assert_covered(task.observation_space, where, bounds, 0)
    state = task.initial_state(np.full(task.num_start_uniforms, 0.3))
    state = state._replace(sensordata=np.random.default_rng(0).uniform(0.1, 0.9, task.model.nsensordata))
    thing = "end-effector, position" if variant == "reach" else "item, position of its centre"
    np.testing.assert_array_equal(task.observe(state)[where[thing]], task.achieved(state))


@pytest.mark.parametrize("env_id", HANDS)
def test_what_the_hand_tables_say(env_id):
    task = hand(env_id)
    shared, joints = tables("Shadow Hand")
    space, model = task.observation_space, task.model
    assert [row[0] for row in shared[1:]] == ["0:24", "24:48"]
    assert_bounds(space, slice(24, 48), shared[2][3])
    moved = {}
    for number, (angle, name, text, action) in enumerate(joints[1:]):
        assert int(angle) == number
        low, high = ranges(text, 1)[0]
        np.testing.assert_allclose(model.jnt_range[number], [low, high], atol=1e-9, err_msg=name)
        assert_bounds(space, slice(number, number + 1), f"{low - 0.5} .. {high + 0.5}")
        if action:
            moved[int(re.fullmatch(r"`action\[(\d+)\]`", action)[1])] = number
    assert [moved[i] for i in range(model.nu)] == model.actuator_trnid[:, 0].tolist()
    np.testing.assert_allclose(model.actuator_ctrlrange, model.jnt_range[model.actuator_trnid[:, 0]])
    said = parts(tables(env_id)[0])
    assert_common(task, said)
    seen = {name: value.split("bounds ")[1] for name, value in said.items() if name.startswith("observation")}
    where = {name: indices(name.removeprefix("observation[").removesuffix("]")) for name in seen}
    assert_covered(space, where, seen, 48)
    state = task.initial_state(np.random.default_rng(0).random(task.num_start_uniforms))
    np.testing.assert_array_equal(task.observe(state)[-len(task.goals.low) :], task.achieved(state))


def test_the_hands_thresholds_and_goal_box():
    reach, block = (hand(env_id).goals for env_id in HANDS)
    assert parts(tables(HANDS[0])[0])["achieved"].startswith(f"within {reach.threshold:g} m, over all 15")
    assert parts(tables(HANDS[1])[0])["achieved"] == "position within 0.01 m and rotation within 0.1 rad"
    pose = block.anchors[0]
    assert block.distance(pose + np.float32([0.01, 0, 0, 0, 0, 0, 0]), pose) == pytest.approx(1, abs=1e-3)
    turned = np.float32([*pose[:3], np.cos(0.05), np.sin(0.05), 0, 0])  # by 0.1 rad
    assert block.distance(turned, np.float32([*pose[:3], 1, 0, 0, 0])) == pytest.approx(1, abs=1e-3)
    box = tables(HANDS[1])[1][1]
    np.testing.assert_allclose([block.low[:3], block.high[:3]], np.array([ranges(cell, 1)[0] for cell in box]).T)


def test_numbers_of_anchor_goals():
    assert f"HandReach has {hand(HANDS[0]).goals.num_goals} of them" in section("Goals")
    for env_id in IDS:
        if not env_id.startswith("GC-HandReach"):
            assert make_task(env_id, backend="c").goals.num_goals == 64


def test_arguments():
    """Every argument is in the table with its default, and every one of the table is taken by some task."""
    (rows,) = tables("Arguments")
    said = {row[0].strip("`"): row[1].strip("`").strip('"') for row in rows[1:]}
    taken = {}
    for row in ROWS:
        if row.family == "manipulation":
            found = inspect.signature(task_class(row)).parameters
            taken |= {name: str(p.default) for name, p in found.items() if name not in row.kwargs}
    assert taken == said


def test_its_code_runs():
    names = {"gymnasium": gymnasium, "gc_envs": gc_envs}
    for block in re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        exec(block, names)


def test_images_are_small():
    names = re.findall(r"\]\((images/[^)]+)\)", TEXT)
    assert len(names) == 4
    for name in names:
        is_video = name.endswith(".gif")
        assert (DOCS / name).stat().st_size < (500_000 if is_video else 150_000)
        assert Image.open(DOCS / name).width in ((240,) if is_video else (840, 1280))
