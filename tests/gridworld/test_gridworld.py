"""The Gridworld: its map, the cells that can be reached, its moves, its goals as masks, and its frames."""

import jax
import numpy as np
import pytest

from gc_envs.core.goal_subset import restrict
from gc_envs.gridworld.task import GridState, GridworldTask, make_walls, reachable
from gc_envs.registration import make_task

LEFT, RIGHT, UP, DOWN = range(4)
DEFAULT_MAP = [
    "##...##.#...",
    "#...#.###...",
    "#......#..#.",
    "##.###...#..",
    "...#.#.#....",
    ".......#..#.",
    "........#.#.",
    "..#.........",
    "..#...#.#...",
    ".##.#......#",
    "............",
    "#...#.......",
]


@pytest.mark.parametrize(("size", "density", "seed"), [(12, 0.2, 0), (12, 0.2, 3), (5, 0.2, 0), (7, 0.5, 1)])
def test_walls_are_those_of_the_source(size, density, seed):
    expected = np.array(jax.random.uniform(jax.random.split(jax.random.PRNGKey(seed))[1], (size, size)) < density)
    expected[size // 2, size // 2] = False
    np.testing.assert_array_equal(make_walls(size, density, seed), expected)
    assert expected.any()


def test_the_default_map_never_changes():
    """Trained agents and published figures refer to its goals."""
    task = make_task("GC-Gridworld-v0")
    rows = ["".join("#" if wall else "." for wall in row) for row in task.walls]
    assert rows == DEFAULT_MAP
    assert task.goals.num_goals == 107


def test_cells_that_no_path_reaches_are_no_goals():
    walls = np.array([list(row) for row in ("..#..", "..###", "#....", "..#.#", "..#.#")]) == "#"
    found = reachable(walls, np.array([2, 2]))
    assert {tuple(cell) for cell in np.argwhere(found).tolist()} == {
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (2, 3), (2, 4), (3, 0), (3, 1), (3, 3), (4, 0), (4, 1), (4, 3)
    }  # fmt: skip
    for seed in range(5):
        task = GridworldTask(7, 0.4, seed)
        assert not task.walls[tuple(task.cells.T)].any()
        assert task.goals.names == tuple(f"position/{row}-{column}" for row, column in task.cells)
        assert set(visited(task)) == {tuple(cell) for cell in task.cells.tolist()}


def visited(task):
    """Return all cells that moves from the start lead to."""
    step = jax.jit(jax.vmap(task.step, in_axes=(None, GridState(0), 0)))
    cells, frontier = set(), {tuple(task.start.tolist())}
    while frontier:
        cells |= frontier
        start = np.repeat(np.array(sorted(cells), np.int32), 4, axis=0)
        padding = 4 * task.size**2 - len(start)  # one shape, one compilation
        start = np.concatenate([start, np.repeat(start[:1], padding, axis=0)])
        after = step(jax.random.key(0), GridState(start), np.resize(np.arange(4), len(start))).position
        frontier = {tuple(cell) for cell in np.asarray(after).tolist()} - cells
    return cells


def test_moves_and_what_blocks_them():
    task = GridworldTask(5, wall_density=0.0)
    task.walls[1, 2] = True
    move = lambda cell, action: tuple(  # noqa: E731
        np.asarray(task.step(jax.random.key(0), GridState(np.array(cell, np.int32)), action).position).tolist()
    )
    assert [move((2, 2), a) for a in (LEFT, RIGHT, UP, DOWN)] == [(2, 1), (2, 3), (2, 2), (3, 2)]
    assert [move((0, 0), a) for a in (LEFT, RIGHT, UP, DOWN)] == [(0, 0), (0, 1), (0, 0), (1, 0)]
    assert [move((4, 4), a) for a in (LEFT, RIGHT, UP, DOWN)] == [(4, 3), (4, 4), (3, 4), (4, 4)]


def test_one_goal_holds_everywhere_and_is_where_the_agent_is(grid_task):
    for index, cell in enumerate(grid_task.cells):
        state = GridState(np.asarray(cell, np.int32))
        assert np.flatnonzero(grid_task.achieved(state)).tolist() == [index]
        np.testing.assert_array_equal(grid_task.observe(state), cell)


def test_the_mask_of_a_goal_is_its_cell_as_it_is_observed(grid_task):
    cells, spec, mask = grid_task.cells, grid_task.one_hot_spec, grid_task.goal_mask
    expected = np.zeros((len(cells), 10))
    expected[np.arange(len(cells)), cells[:, 0]] = expected[np.arange(len(cells)), 5 + cells[:, 1]] = 1
    np.testing.assert_array_equal(mask.scalars, expected)
    np.testing.assert_array_equal(spec.one_hot_scalars(np.float32(cells)), expected)
    kept = [7, 0, 3]
    np.testing.assert_array_equal(restrict(grid_task, kept).goal_mask.scalars, expected[kept])


def test_starts_in_the_centre_and_never_samples_it_as_a_goal(grid_task):
    state = grid_task.reset(jax.random.key(0))
    np.testing.assert_array_equal(state.position, [2, 2])
    keys = jax.random.split(jax.random.key(1), 600)
    achieved = grid_task.achieved(state)
    goals = jax.vmap(lambda key: grid_task.sample_goal(key, state, achieved))(keys)
    counts = np.asarray(goals).sum(0)
    centre = grid_task.goals.names.index("position/2-2")
    assert counts[centre] == 0
    assert (np.delete(counts, centre) > 0.5 * 600 / (len(counts) - 1)).all()


@pytest.mark.parametrize("key", [jax.random.key, jax.random.PRNGKey])
def test_typed_and_raw_keys_both_work(grid_task, key):
    state = grid_task.reset(key(0))
    state = grid_task.step(key(1), state, 0)
    assert grid_task.sample_goal(key(2), state, grid_task.achieved(state)).sum() == 1


def test_frames_show_agent_goal_and_name():
    from gc_envs.gridworld.render import AGENT, GOAL, REACHED, WALL

    task = GridworldTask(5, 0.2)
    state = GridState(task.cells[0].astype(np.int32))

    def colours(frame):
        return {tuple(pixel) for pixel in frame.reshape(-1, 3).tolist()}

    bare, ring, reached = (task.render(state, goal) for goal in (None, task.goals.encode(3), task.goals.encode(0)))
    assert bare.dtype == np.uint8
    assert {AGENT, WALL} <= colours(bare)
    assert GOAL not in colours(bare)
    assert GOAL in colours(ring)
    assert REACHED in colours(reached)
    assert GOAL not in colours(reached)
    assert ring.shape[0] > bare.shape[0]  # the caption
    assert (task.render(state, task.goals.encode(4))[-30:] != ring[-30:]).any()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"size": 2}, "size must be at least 3"),
        ({"wall_density": 1.0}, r"wall_density must lie in \[0, 1\)"),
        ({"wall_density": -0.1}, "wall_density"),
        ({"size": 3, "wall_density": 0.99}, "encloses the start cell with walls"),
    ],
)
def test_maps_that_make_no_task_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        GridworldTask(**kwargs)
