"""NoisySeek: its noise, its clustered goals, and what the greedy agent of the source earns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import ks_2samp

from gc_envs.seek.noisy import NoisySeekTask
from gc_envs.seek.state import SeekState

NUM_GOALS = 3000


@pytest.fixture(scope="module")
def task():
    return NoisySeekTask()


@pytest.fixture(scope="module")
def sampled_goals(task):
    """Return the points of each of `NUM_GOALS` goals, and the goals as they are encoded [NUM_GOALS, 200, 3]."""
    start = task.reset(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), NUM_GOALS)
    goals = jax.jit(jax.vmap(lambda key: task.sample_goal(key, start, task.achieved(start))))(keys)
    goals = np.asarray(goals, float).reshape(NUM_GOALS, 200, 3)
    return [goal[goal[:, 0] > 0, 1:] for goal in goals], goals


def reference_points(random):
    """Sample one goal as the source describes it, cluster by cluster."""
    number, clusters = random.integers(1, 201), random.geometric(0.15)
    sizes = random.multinomial(number, random.dirichlet(np.ones(clusters)))
    parts = [random.normal(random.normal(0, 10, 2), 2, (size, 2)) for size in sizes]
    return np.unique(np.rint(np.concatenate(parts)), axis=0)


def neighbour(points):
    """Return the median distance of a point to the nearest other one."""
    if len(points) == 1:
        return 0.0
    distance = np.linalg.norm(points[:, None] - points, axis=-1) + 1e9 * np.eye(len(points))
    return float(np.median(distance.min(axis=1)))


STATISTICS = {
    "number of points": len,
    "distance of the nearest point from the start": lambda points: np.linalg.norm(points, axis=1).min(),
    "place of their mean": lambda points: points.mean(axis=0)[0],
    "spread": lambda points: points.std(axis=0)[1],
    "crowding": neighbour,
}


@pytest.fixture(scope="module")
def reference():
    random = np.random.default_rng(0)
    return [reference_points(random) for _ in range(NUM_GOALS)]


@pytest.mark.parametrize("name", STATISTICS)
def test_goals_are_distributed_as_in_the_source(name, sampled_goals, reference):
    ours, theirs = ([STATISTICS[name](points) for points in sets] for sets in (sampled_goals[0], reference))
    assert ks_2samp(ours, theirs).statistic < 0.05  # chance .001 for samples of 3000


def test_goals_lie_about_the_origin(sampled_goals):
    """Rounding down would move them by half."""
    np.testing.assert_allclose(np.mean([points.mean() for points in sampled_goals[0]]), 0, atol=0.3)


def test_points_are_distinct_integers_listed_by_y_then_x_before_rows_of_zeros(sampled_goals, task):
    for points, goal in zip(sampled_goals[0][:300], sampled_goals[1], strict=False):
        number = len(points)
        assert 1 <= number <= 200
        np.testing.assert_array_equal(points, np.rint(points))
        assert len(np.unique(points, axis=0)) == number
        np.testing.assert_array_equal(np.lexsort(points.T), np.arange(number))
        np.testing.assert_array_equal(goal[:number, 0], 1)
        assert not goal[number:].any()
        assert goal.reshape(-1).astype(np.float32) in task.goals.desired_space


@pytest.mark.parametrize(
    ("action", "mean"),
    [([0, 0], [0, 0]), ([0.6, 0.3], [0.6, 0.3]), ([1, -1], [0.7071, -0.7071]), ([9, 1], [0.7071, 0.7071])],
)
def test_a_step_is_the_shortened_action_plus_noise(task, action, mean):
    start = task.reset(jax.random.key(0))
    keys = jax.random.split(jax.random.key(2), 4000)
    moved = jax.vmap(lambda key: task.step(key, start, jnp.float32(action)).position)(keys)
    np.testing.assert_allclose(np.mean(moved, axis=0), mean, atol=0.07)  # 4.4 standard errors
    np.testing.assert_allclose(np.cov(np.asarray(moved).T), np.eye(2), atol=0.1)


def test_noise_is_the_keys_alone(task):
    start = task.reset(jax.random.key(0))
    first, again, other = (task.step(jax.random.key(k), start, jnp.zeros(2)).position for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_positions_end_at_two_hundred(task):
    far = SeekState(np.float32([200, -200]))
    ends = [task.observe(task.step(jax.random.key(k), far, jnp.array([1.0, -1.0]))) for k in range(8)]
    assert all(np.asarray(end) in task.observation_space for end in ends)
    assert np.max(ends) == 200
    assert np.min(ends) == -200


def test_the_position_is_rounded_to_tell_what_it_achieves(task):
    for position, rounded in (([1.4, -0.6], [1, -1]), ([2.5, 3.5], [2, 4])):
        np.testing.assert_array_equal(task.achieved(SeekState(jnp.array(position))), rounded)


def test_the_greedy_agent_earns_what_it_does_in_the_source(task):
    """It goes to the nearest point. The source's figure has 12.0; an independent simulation, 12.04 +- .04."""

    def episode(key):
        goal_key, walk_key = jax.random.split(key)
        state = task.reset(goal_key)
        goal = task.sample_goal(goal_key, state, task.achieved(state))
        present, points = goal.reshape(-1, 3)[:, 0] > 0, goal.reshape(-1, 3)[:, 1:]

        def step(state, key):
            way = points - task.observe(state)
            nearest = way[jnp.argmin(jnp.where(present, (way**2).sum(-1), jnp.inf))]
            state = task.step(key, state, nearest / jnp.maximum(1, jnp.linalg.norm(nearest)))
            return state, task.goals.reward(task.achieved(state), goal)

        return jax.lax.scan(step, state, jax.random.split(walk_key, task.horizon))[1].sum()

    returns = jax.jit(jax.vmap(episode))(jax.random.split(jax.random.key(3), 10_000))
    assert 11.7 <= float(returns.mean()) <= 12.4


def test_fewer_points_than_one_are_refused():
    with pytest.raises(ValueError, match="max_goals must be at least 1, got 0"):
        NoisySeekTask(0)
