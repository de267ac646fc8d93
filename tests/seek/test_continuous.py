"""ContinuousSeek: its steps, its goals and its rewards."""

import jax
import numpy as np
import pytest
from scipy.stats import qmc

from gc_envs.core.gym_env import GoalEnv
from gc_envs.registration import make_task
from gc_envs.seek.continuous import MAX_DIM, ContinuousSeekTask


def positions(task, actions):
    """Return the positions that `actions` lead to from the start, and the last state."""
    state, visited = task.reset(jax.random.key(0)), []
    for action in actions:
        state = task.step(jax.random.key(1), state, np.float32(action))
        visited.append(np.asarray(task.observe(state)).tolist())
    return visited, state


def test_an_action_is_added_within_the_box():
    visited, state = positions(ContinuousSeekTask(2), [[0.5, -1], [0.25, 1], [3, -0.5], [-9, 0]])
    assert visited == [[0.5, -1], [0.75, 0], [1.75, -0.5], [0.75, -0.5]]  # beyond [-1, 1] an action is clipped
    np.testing.assert_array_equal(state.position, visited[-1])
    visited, state = positions(ContinuousSeekTask(1), [[1]] * 7 + [[-1]] * 6)
    assert visited == [[x] for x in (1, 2, 3, 4, 5, 5, 5, 4, 3, 2, 1, 0, -1)]
    np.testing.assert_array_equal(state.position, visited[-1])


@pytest.mark.parametrize(
    ("goal", "reward"),
    [([0, 0, 0.1], 0), ([0.1, -0.1, 0.1], 0), ([0, 0, 0.1001], -1), ([0.09, -0.2, 0], -1), ([5, 5, 5], -1)],
)
def test_reward_is_minus_one_until_every_coordinate_is_within_a_tenth(goal, reward, to_library):
    goals = ContinuousSeekTask(3).goals
    found = goals.reward(to_library(np.zeros(3, np.float32)), to_library(np.float32(goal)))
    assert float(found) == reward
    assert bool(goals.success(to_library(np.zeros(3, np.float32)), to_library(np.float32(goal)))) == (reward == 0)


@pytest.mark.parametrize("dim", [1, 3])
def test_goals_are_uniform_in_the_box_and_not_where_the_episode_starts(dim):
    task = ContinuousSeekTask(dim)
    start = task.reset(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 5000)
    goals = np.asarray(jax.jit(jax.vmap(lambda key: task.sample_goal(key, start, task.achieved(start))))(keys))
    assert (np.abs(goals) <= 5).all()
    assert (np.abs(goals).max(axis=1) > 0.1).all()
    for column in goals.T:
        np.testing.assert_allclose(np.histogram(column, 10, (-5, 5))[0], 500, atol=100)
    assert dim == 1 or np.abs(np.corrcoef(goals.T) - np.eye(dim)).max() < 0.06


def test_reaching_the_goal_does_not_end_the_ten_steps():
    env = GoalEnv(make_task("GC-ContinuousSeek-v0", dim=2))
    env.reset(seed=0, options={"goal": [0.5, 0.0]})
    steps = [env.step([0.5, 0])] + [env.step([0, 0]) for _ in range(8)] + [env.step([0.2, 0])]
    assert [step[1] for step in steps] == [0.0] * 9 + [-1.0]
    assert [step[4]["is_success"] for step in steps] == [True] * 9 + [False]
    assert not any(step[2] for step in steps)
    assert [step[3] for step in steps] == [False] * 9 + [True]


def test_anchors_are_positions_with_their_coordinates_for_names():
    task = ContinuousSeekTask(5)
    assert task.goals.num_goals == 64
    index = 17
    name = task.goals.names[index]
    np.testing.assert_allclose([float(x) for x in name.strip("()").split(",")], task.goals.anchors[index], atol=0.005)
    np.testing.assert_array_equal(task.goals.encode(name), task.goals.anchors[index])
    assert not task.goals.all_achieved(np.zeros(5, np.float32), task.goals.anchors[0]).any()
    assert ContinuousSeekTask(2, num_anchor_goals=9).goals.num_goals == 9


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        *(({"dim": dim}, f"dim must lie in 1..21201, got {dim}") for dim in (0, -1, 21_202)),
        ({"num_anchor_goals": 0}, "num_anchor_goals must be at least 1, got 0"),
    ],
)
def test_sizes_that_make_no_task_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ContinuousSeekTask(**kwargs)


def test_the_largest_dimension_is_that_of_the_sobol_sequence():
    assert MAX_DIM == qmc.Sobol.MAXDIM
