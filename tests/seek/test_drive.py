"""DriveSeek: its steps on the torus, and how its goal points are sampled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gc_envs.core.gym_env import GoalEnv
from gc_envs.registration import make_task
from gc_envs.seek.drive import DriveSeekTask, DriveState, wrap


@pytest.fixture(scope="module")
def sampled_goals():
    """Return 4000 goals of a task with up to 30 points, [4000, 30, 3]."""
    task = DriveSeekTask(30)
    start = task.reset(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 4000)
    goals = jax.jit(jax.vmap(lambda key: task.sample_goal(key, start, task.achieved(start))))(keys)
    return np.asarray(goals).reshape(-1, 30, 3)


def test_it_turns_first_and_then_moves_by_one():
    task = DriveSeekTask()
    state = task.reset(jax.random.key(0))
    np.testing.assert_array_equal(task.observe(state), [0, 0, 1, 0])
    state = task.step(jax.random.key(0), state, np.float32([1]))
    np.testing.assert_allclose(task.observe(state), [np.cos(0.5), np.sin(0.5)] * 2, atol=1e-6)
    state = task.step(jax.random.key(0), state, np.float32([-7]))  # clipped to -1
    np.testing.assert_allclose(task.observe(state), [np.cos(0.5) + 1, np.sin(0.5), 1, 0], atol=1e-6)
    np.testing.assert_array_equal(task.achieved(state), [2, 0])
    np.testing.assert_allclose(state.position, task.observe(state)[:2])


def test_forty_steps_around_the_torus_are_those_of_the_formula():
    task = DriveSeekTask()
    actions = np.random.default_rng(0).uniform(-1, 1, (40, 1)).astype(np.float32) * 0.2
    state = task.reset(jax.random.key(0))
    step = jax.jit(task.step)
    position, angle, around = np.zeros(2), 0.0, 0
    for action in actions:
        state = step(jax.random.key(0), state, action)
        angle += 0.5 * float(action[0])
        position = position + [np.cos(angle), np.sin(angle)]
        around += bool((np.abs(position) > 10.5).any())
        position = (position + 10.5) % 21 - 10.5
        np.testing.assert_allclose(task.observe(state), [*position, np.cos(angle), np.sin(angle)], atol=1e-4)
        np.testing.assert_array_equal(task.achieved(state), np.rint(position))
        assert np.asarray(task.observe(state)) in task.observation_space
    assert around > 1


def test_the_edge_belongs_to_one_side_only():
    edge = np.float32(10.5)
    inside, outside = np.nextafter(edge, np.float32(0)), np.nextafter(edge, np.float32(20))
    cases = {edge: -edge, inside: inside, -edge: -edge, -outside: inside, -inside: -inside, np.float32(11.25): -9.75}
    for start, end in cases.items():
        assert float(wrap(jnp.array(start))) == end
    assert np.rint([inside, -edge]).tolist() == [10, -10]


def test_any_number_of_points_is_equally_likely(sampled_goals):
    numbers = sampled_goals[:, :, 0].sum(axis=1).astype(int)
    counts = np.bincount(numbers, minlength=31)
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:], 4000 / 30, atol=50)  # 4.4 standard deviations


def test_points_are_distinct_integers_spread_over_the_whole_square(sampled_goals):
    points = sampled_goals[sampled_goals[:, :, 0] > 0, 1:]
    np.testing.assert_array_equal(points, np.rint(points))
    assert np.abs(points).max() == 10
    for goal in sampled_goals:
        present = goal[goal[:, 0] > 0, 1:]
        assert len(np.unique(present, axis=0)) == len(present)
    cells = np.bincount(((points[:, 1] + 10) * 21 + points[:, 0] + 10).astype(int), minlength=441)
    expected = len(points) / 441
    assert np.abs(cells - expected).max() < 5 * np.sqrt(expected)


def test_points_are_listed_by_y_then_x_before_rows_of_zeros(sampled_goals):
    for goal in sampled_goals[:200]:
        number = int(goal[:, 0].sum())
        assert (goal[:number, 0] == 1).all()
        assert not goal[number:].any()
        np.testing.assert_array_equal(np.lexsort(goal[:number, 1:].T), np.arange(number))


def test_every_step_on_a_point_earns_one_for_forty_steps():
    env = GoalEnv(make_task("GC-DriveSeek-v0"))
    env.reset(seed=0, options={"goal": [[1, 0], [3, 0], [4, 0]]})
    steps = [env.step([0.0]) for _ in range(40)]
    # Straight along x, around the torus after 21 steps.
    hits = np.isin([((x + 10) % 21) - 10 for x in range(1, 41)], [1, 3, 4])
    assert [step[1] for step in steps] == hits.astype(float).tolist()
    assert sum(hits) == 6
    for step, hit in zip(steps, hits, strict=True):
        assert step[4]["is_success"] == hit
        assert step[4]["all_goals"]["achieved"].sum() == hit
        assert step[4]["all_goals"]["achieved"].shape == (200,)
    assert not any(step[2] for step in steps)
    assert [step[3] for step in steps] == [False] * 39 + [True]


def test_every_point_of_the_square_may_be_a_goal():
    task = DriveSeekTask(441)
    keys = jax.random.split(jax.random.key(0), 2000)
    goals = np.asarray(jax.jit(jax.vmap(lambda key: task.sample_goal(key, None, None)))(keys)).reshape(-1, 441, 3)
    full = goals[goals[:, :, 0].sum(axis=1) > 438]
    assert len(full)
    assert all(len(np.unique(goal, axis=0)) in (439 + 1, 440 + 1, 441) for goal in full)


@pytest.mark.parametrize("max_goals", [0, 442])
def test_numbers_of_points_that_there_are_not_are_refused(max_goals):
    with pytest.raises(ValueError, match=f"max_goals must lie in 1..441, got {max_goals}"):
        DriveSeekTask(max_goals)


def test_the_heading_is_part_of_the_state():
    task = DriveSeekTask()
    state = DriveState(task.reset(jax.random.key(0)).position, np.float32(np.pi / 2))
    np.testing.assert_allclose(task.observe(state), [0, 0, 0, 1], atol=1e-6)
    moved = task.step(jax.random.key(0), state, np.float32([0]))
    np.testing.assert_allclose(moved.position, [0, 1], atol=1e-6)
