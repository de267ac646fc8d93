"""Rollouts and goal statistics on scripted episodes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import LEFT, RIGHT, ChainTask

from gc_envs.agents.collect import collect, init_actors, training_env
from gc_envs.agents.goal_stats import init_goal_stats
from gc_envs.core.goal_subset import restrict


def rollout(task, script, *, num_envs=1, forgetting=1.0, seen_only=False):
    """Actors and transitions after `script`, actions [T], in every environment, from the start of an episode."""
    env = training_env(task)
    actors = init_actors(env, jax.random.key(0), num_envs)
    episode = actors.envs.episode
    actors = actors._replace(envs=actors.envs._replace(episode=episode._replace(clock=jnp.zeros_like(episode.clock))))

    @jax.jit
    def step(actors, action):
        act = lambda key, observation, goal: (jnp.full(num_envs, action), ())  # noqa: E731
        return collect(env, actors, jax.random.key(1), act, 1, forgetting=forgetting, seen_only=seen_only)

    transitions = []
    for action in script:
        actors, transition = step(actors, action)
        transitions.append(transition)
    return actors, jax.tree.map(lambda *leaves: np.concatenate(leaves), *transitions)


def test_environments_start_at_different_times_of_their_episodes(grid_task):
    clock = init_actors(training_env(grid_task), jax.random.key(0), 64).envs.episode.clock
    assert 0 <= clock.min() < clock.max() < grid_task.horizon
    assert len(np.unique(clock)) > 16


@pytest.mark.parametrize(
    ("goal", "script", "reached", "failed"),
    [
        ("cell_2", [RIGHT, RIGHT], 1, 0),  # reached on the last step of the episode: it counts
        ("cell_2", [RIGHT, LEFT], 0, 1),
        ("cell_1", [RIGHT, LEFT], 1, 0),  # reached early; the episode goes on and adds nothing
        ("cell_1", [RIGHT, RIGHT, RIGHT, RIGHT], 2, 0),
        ("cell_2", [RIGHT, RIGHT, LEFT, LEFT], 1, 1),
        ("cell_1", [LEFT], 0, 0),  # pending yet
    ],
)
def test_success_is_whether_the_first_goal_of_an_episode_is_reached_before_its_end(goal, script, reached, failed):
    """Episodes of 2 steps from cell 0, one goal."""
    actors, transitions = rollout(restrict(ChainTask(start=0, horizon=2), [goal]), script)
    assert (actors.stats.successes.tolist(), actors.stats.failures.tolist()) == ([reached], [failed])
    assert transitions.done[:, 0].tolist() == [t % 2 == 1 for t in range(len(script))]


def test_running_success_is_that_of_finished_episodes_and_goal_success_that_of_goals():
    stats = init_goal_stats(jnp.array([0, 0, 1, 2]), jnp.zeros(4, bool))
    assert stats.metrics()["running_success"] == 0
    yes, no = np.ones(4, bool), np.zeros(4, bool)
    stats = stats.after_step(np.array([True, False, False, False]), no, no, stats.episode_goal)
    assert stats.metrics()["running_success"] == 0, "none has finished"
    assert stats.metrics()["goal_success"] == pytest.approx(1 / 4)
    # The first has reached its goal before, the second reaches it with its last step, and the others never do.
    stats = stats.after_step(np.array([False, True, False, False]), yes, no, stats.episode_goal)
    assert stats.metrics()["running_success"] == pytest.approx(2 / 4)
    assert stats.metrics()["goal_success"] == pytest.approx((1 + 0 + 0 + 0) / 4)
    stats = stats.forget(0.5).after_step(np.array([False, False, True, False]), yes, no, stats.episode_goal)
    assert stats.metrics()["running_success"] == pytest.approx((2 * 0.5 + 1) / (4 * 0.5 + 4))


def test_counters_forget_once_per_rollout():
    task = restrict(ChainTask(start=0, horizon=2), ["cell_2"])
    actors, _ = rollout(task, [RIGHT, RIGHT, RIGHT, LEFT], forgetting=0.5)
    # reached at the second of four rollouts, failed at the fourth
    assert actors.stats.successes.tolist() == [0.5**3]
    assert actors.stats.failures.tolist() == [0.5]
    np.testing.assert_allclose(actors.stats.success_rate, [0.125 / 0.625], rtol=1e-5)


def test_counters_agree_with_a_plain_loop_over_the_rollout():
    """Many environments, several goals, random actions: the same numbers from the transitions, read one by one."""
    task = ChainTask(horizon=3)
    env = training_env(task)
    actors = init_actors(env, jax.random.key(3), 6)
    act = lambda key, observation, goal: (jax.random.randint(key, (6,), 0, 2), ())  # noqa: E731
    after, t = collect(env, actors, jax.random.key(4), act, 40, forgetting=1.0, seen_only=False)
    achieved, done, goal = (np.asarray(x) for x in (t.achieved, t.done, t.goal))
    reached, failed = np.zeros(3), np.zeros(3)
    for i in range(6):
        first, pending = goal[0, i], True
        for step in range(40):
            success = achieved[step, i, goal[step, i]]
            if pending and success:
                reached[first] += 1
            elif pending and done[step, i]:
                failed[first] += 1
            pending = pending and not success
            if done[step, i] and step < 39:
                first, pending = goal[step + 1, i], True
            if success and not done[step, i] and step < 39:
                continue  # a new goal is desired: goal[step + 1]
            if not success and not done[step, i] and step < 39:
                assert goal[step + 1, i] == goal[step, i]
    assert reached.sum() > 10
    assert failed.sum() > 5
    np.testing.assert_array_equal(after.stats.successes, reached)
    np.testing.assert_array_equal(after.stats.failures, failed)


def test_transitions_are_judged_before_any_reset():
    """The source judged goals after the reset: the start of the next episode was credited, the last step lost."""
    _, transitions = rollout(ChainTask(start=0, horizon=2), [RIGHT, RIGHT, RIGHT, LEFT])
    assert transitions.achieved[:, 0].argmax(-1).tolist() == [1, 2, 1, 0]
    assert transitions.observation[:, 0, 0].tolist() == [0, 1, 0, 1]


def test_all_goals_are_sampled_until_one_was_seen():
    task = restrict(ChainTask(start=0, horizon=2), ["cell_1", "cell_2"])
    actors, transitions = rollout(task, [LEFT] * 12, num_envs=8, seen_only=True)
    assert not actors.stats.seen.any()
    assert set(np.unique(transitions.goal[2:])) == {0, 1}, "also in the episodes after the first"


def test_only_goals_that_were_seen_are_sampled():
    task = ChainTask(start=0, horizon=1)
    actors, transitions = rollout(task, [LEFT] * 6, num_envs=8, seen_only=True)
    assert actors.stats.seen.tolist() == [True, False, False]
    assert (transitions.goal == 0).all()
    actors, transitions = rollout(task, [RIGHT] * 12, num_envs=8, seen_only=True)
    assert actors.stats.seen.tolist() == [True, True, False]
    assert set(transitions.goal[2:].reshape(-1).tolist()) == {0, 1}
    assert set(rollout(task, [LEFT] * 12, num_envs=8)[1].goal.reshape(-1).tolist()) == {0, 1, 2}
