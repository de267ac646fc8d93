"""PQN, with and without hindsight: samples of a rollout that was made by hand, and values that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import ChainTask
from tiny_learners import (
    CHAIN,
    CLIFF,
    LAST,
    LEARNING,
    RANDOM_ACTIONS,
    REACHED,
    ROLLOUT,
    assert_best_actions,
    cells,
    make,
    trained,
    values_of,
)  # fmt: skip

from gc_envs.agents import pqn
from gc_envs.agents.goal_stats import init_goal_stats

# Targets with gamma 0.5 and the values of `tiny_learners.VALUES`, [T, N].
DESIRED = {
    0.0: [[0.25, 0.1], [1, 0.25], [0.15, 0.1], [0, 0.25]],
    1.0: [[0.5, 0.03125], [1, 0.0625], [0, 0.125], [0, 0.25]],
}
# The same of every goal, [T, N, G].
EVERY = {
    0.0: [
        [[0.15, 1, 0.25], [1, 0.05, 0.1]],
        [[0.3, 0.35, 1], [0.15, 1, 0.25]],
        [[0.15, 1, 0.25], [1, 0.05, 0.1]],
        [[0, 0, 1], [0.15, 1, 0.25]],
    ],
    1.0: [
        [[0, 1, 0.5], [1, 0.5, 0.03125]],
        [[0, 0.5, 1], [0.5, 1, 0.0625]],
        [[0, 1, 0.5], [1, 0.5, 0.125]],
        [[0, 0, 1], [0.15, 1, 0.25]],
    ],
}
SEEN = np.array([True, False, True])


@pytest.fixture
def samples(monkeypatch):
    """The goals and targets of the rollout by hand, for a learner whose values are known."""

    def samples(learner, key=0):
        known = lambda variables, observation, goal: values_of(observation, goal)[:, None] - jnp.float32([0, 0.05])  # noqa: E731
        monkeypatch.setattr(learner, "q", known)
        batch = ROLLOUT._replace(extras=values_of(ROLLOUT.observation, ROLLOUT.goal))
        stats = init_goal_stats(batch.goal[0], SEEN)
        return learner.samples(jax.random.key(key), None, batch, LAST, stats)

    return samples


def hand(agent, **changes):
    return make(agent, ChainTask(), num_envs=2, rollout_steps=4, minibatch_size=8, gamma=0.5, **changes)


@pytest.mark.parametrize("td_lambda", [0.0, 1.0])
def test_samples_of_the_desired_goals(samples, td_lambda):
    goal, target = samples(hand("pqn", td_lambda=td_lambda))
    np.testing.assert_array_equal(goal[..., 0], ROLLOUT.goal)
    np.testing.assert_allclose(target[..., 0], DESIRED[td_lambda], rtol=1e-6)


@pytest.mark.parametrize("td_lambda", [0.0, 1.0])
def test_samples_of_every_goal(samples, td_lambda):
    goal, target = samples(hand("pqn-her", relabel="all", td_lambda=td_lambda))
    np.testing.assert_array_equal(goal, np.broadcast_to(np.arange(3), (4, 2, 3)))
    np.testing.assert_allclose(target, EVERY[td_lambda], rtol=1e-6)


@pytest.mark.parametrize("relabel", ["mixed", "random", "achieved"])
def test_samples_of_the_desired_goal_and_of_hindsight_goals(samples, relabel):
    achieved, random = 0, 0
    for key in range(8):
        goal, target = samples(hand("pqn-her", relabel=relabel, hindsight_goals=3), key)
        assert goal.shape == target.shape == (4, 2, 4)
        np.testing.assert_array_equal(goal[..., 0], ROLLOUT.goal)
        np.testing.assert_allclose(target[..., 0], DESIRED[0.0], rtol=1e-6)
        hindsight = np.asarray(goal[..., 1:])
        np.testing.assert_allclose(target[..., 1:], np.take_along_axis(np.float32(EVERY[0.0]), hindsight, -1))
        same = hindsight == REACHED[..., None]
        assert (same | SEEN[hindsight]).all()
        achieved, random = achieved + same.sum(), random + (~same).sum()
    # A random goal is one of two that were seen: in half of the steps, one of the two is the goal achieved.
    expected = {"mixed": 0.25 + 0.75 * 0.25, "random": 0.25, "achieved": 1.0}[relabel]
    assert achieved / (achieved + random) == pytest.approx(expected, abs=0.12)


@pytest.mark.parametrize("relabel", ["mixed", "all"])
def test_every_sample_is_learnt_with_the_observation_and_the_action_of_its_step(monkeypatch, relabel):
    learner = hand("pqn-her", relabel=relabel, hindsight_goals=2)
    train = learner.init_train(jax.random.key(0), LAST)
    learnt = {}

    def take_all(key, train, optimizer, loss, data, *, epochs, minibatch_size):
        assert (len(data[0]), epochs, minibatch_size) == (learner.samples_per_update, 1, 8)
        learnt["rows"] = loss(train.params, train.batch_stats, data)
        return train, 0.0

    monkeypatch.setattr(pqn, "minibatch_epochs", take_all)
    monkeypatch.setattr(learner, "loss", lambda params, batch_stats, *rows: rows)
    batch = ROLLOUT._replace(extras=values_of(ROLLOUT.observation, ROLLOUT.goal))
    stats = init_goal_stats(batch.goal[0], SEEN)
    learner.learn(jax.random.key(1), train, 0, batch, LAST, stats)
    observation, action, goal, target = learnt["rows"]
    sample_key, _ = jax.random.split(jax.random.key(1))
    goals, targets = learner.samples(sample_key, train.variables, batch, LAST, stats)
    row = 0
    for t, n, k in np.ndindex(*goals.shape):
        found = observation[row, 0], action[row], goal[row], target[row]
        assert found == (batch.observation[t, n, 0], batch.action[t, n], goals[t, n, k], targets[t, n, k])
        row += 1
    assert row == len(goal)


def test_the_loss_by_hand():
    learner = hand("pqn")
    train = learner.init_train(jax.random.key(0), LAST)
    observation, goal, action, target = cells(3), jnp.array([2, 0, 1]), jnp.array([0, 1, 1]), jnp.float32([1, 0.5, 0])
    loss, stats = learner.loss(train.params, train.batch_stats, observation, action, goal, target)
    q, updated = learner.network.apply(train.variables, observation, goal, train=True, mutable=["batch_stats"])
    error = [q[0, 0] - 1, q[1, 1] - 0.5, q[2, 1]]
    np.testing.assert_allclose(loss, np.square(error).mean() / 2, rtol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, stats, updated["batch_stats"])


@pytest.mark.parametrize(
    ("agent", "cliff", "changes"),
    [
        ("pqn", True, {"total_steps": 40_000}),
        ("pqn-her", False, {"relabel": "mixed"}),
        ("pqn-her", True, {"relabel": "all"}),
        *(pytest.param("pqn-her", True, {"relabel": m}, marks=pytest.mark.slow) for m in ("random", "achieved")),
    ],
)
def test_learns_the_value_of_every_goal(agent, cliff, changes):
    learner = make(agent, ChainTask(cliff=cliff), **LEARNING | RANDOM_ACTIONS | changes)
    state, expected = trained(learner), CLIFF if cliff else CHAIN
    values = learner.q_values(learner.acting_state(state), cells(len(expected)))
    np.testing.assert_allclose(values, expected, atol=0.05)
    assert_best_actions(learner, learner.acting_state(state), expected)


def test_learns_with_lambda_returns():
    """These are the values of what is done, which becomes the best."""
    learner = make(
        "pqn", ChainTask(), **LEARNING, td_lambda=0.5, epsilon_start=1.0, epsilon_end=0.05, epsilon_fraction=0.5
    )  # fmt: skip
    acting_state = learner.acting_state(trained(learner))
    assert_best_actions(learner, acting_state, CHAIN)
    np.testing.assert_allclose(learner.q_values(acting_state, cells(3)).max(-1), CHAIN.max(-1), atol=0.06)


def test_the_number_of_samples_is_that_of_steps_and_their_goals():
    assert hand("pqn").samples_per_update == 8
    assert hand("pqn-her", hindsight_goals=4).samples_per_update == 40
    assert hand("pqn-her", relabel="all").samples_per_update == 24
    rate = hand("pqn-her", hindsight_goals=4, total_steps=80, epochs=3, learning_rate=1.0).learning_rate()
    steps = 10 * 3 * (40 // 8)  # updates, epochs, minibatches
    np.testing.assert_allclose([rate(0), rate(steps // 2), rate(steps)], [1, 0.5, 0])


@pytest.mark.parametrize(
    ("agent", "changes", "message"),
    [
        ("pqn", {"td_lambda": 1.5}, "td_lambda must lie in 0..1, got 1.5"),
        ("pqn", {"minibatch_size": 3}, "minibatch_size=3 does not divide the 8 samples of an update; try 2"),
        ("pqn-her", {"minibatch_size": 7}, "minibatch_size=7 does not divide the 24 samples of an update; try 6"),
        ("pqn-her", {"random_share": -0.1}, "random_share must lie in 0..1, got -0.1"),
        ("pqn-her", {"hindsight_goals": 0}, "hindsight_goals must be at least 1, got 0"),
        ("pqn-her", {"relabel": "future"}, "relabel must be one of mixed, random, achieved, all, got 'future'"),
        (
            "pqn-her", {"td_lambda": 0.5},
            "td_lambda=0.5 needs the same goals at successive steps, which relabel=mixed does not give: "
            "set td_lambda=0, or relabel=all",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_trained_with_are_named(agent, changes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make(agent, ChainTask(), **{"num_envs": 2, "rollout_steps": 4, "minibatch_size": 8} | changes)
