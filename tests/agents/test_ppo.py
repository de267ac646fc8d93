"""PPO: advantages of a rollout that was made by hand, its objective, and that it learns to reach every goal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import ChainTask
from tiny_learners import CHAIN, LAST, LEARNING, ROLLOUT, assert_best_actions, cells, make, trained, values_of

from gc_envs.agents import ppo
from gc_envs.agents.distributions import categorical_entropy
from gc_envs.agents.losses import clipped_surrogate, clipped_value_loss
from gc_envs.agents.ppo import Acted, Samples


@pytest.fixture(scope="module")
def learner():
    return make("ppo", ChainTask(), num_envs=2, rollout_steps=4, minibatch_size=8, gamma=0.5, gae_lambda=0.5)


def test_advantages_and_targets_by_hand(learner, monkeypatch):
    """Gamma 0.5, lambda 0.5, values of `tiny_learners.VALUES`; environments as in `tiny_learners.ROLLOUT`."""
    monkeypatch.setattr(ppo, "minibatch_epochs", lambda key, train, optimizer, loss, data, **sizes: (data, sizes))
    monkeypatch.setattr(learner, "apply", lambda params, observation, goal: (None, values_of(observation, goal)))
    acted = Acted(jnp.arange(8.0).reshape(4, 2), values_of(ROLLOUT.observation, ROLLOUT.goal))
    train = learner.init_train(jax.random.key(0), LAST)
    samples, metrics = learner.learn(jax.random.key(0), train, 0, ROLLOUT._replace(extras=acted), LAST, None)
    assert metrics["loss"] == {"epochs": 1, "minibatch_size": 8}
    # Values .2 .5 .6 .3, errors .05 .5 -.45 -.3; nothing follows the goal and the end.
    first = [0.05 + 0.25 * 0.5, 0.5, -0.45 + 0.25 * -0.3, -0.3]
    # Values .2 .2 .5 .2, errors -.1 .05 -.4 .05.
    fourth, third = 0.05, -0.4 + 0.25 * 0.05
    second = 0.05 + 0.25 * third
    expected = np.stack([first, [-0.1 + 0.25 * second, second, third, fourth]], axis=1).reshape(8)
    np.testing.assert_allclose(samples.advantage, expected, rtol=1e-5)
    np.testing.assert_allclose(samples.target, expected + acted.value.reshape(8), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(samples.acted.log_prob, np.arange(8))
    np.testing.assert_array_equal(samples.goal, [2, 2, 2, 2, 0, 2, 0, 2])
    np.testing.assert_array_equal(samples.observation[:, 0], [0, 0, 1, 0, 2, 1, 1, 0])


def test_acting_keeps_the_log_probability_of_the_action_and_the_value(learner):
    train, goal = learner.init_train(jax.random.key(0), LAST), jnp.array([2, 0])
    logits, value = learner.apply(train.params, LAST, goal)
    taken = set()
    for key in range(20):
        action, acted = learner.policy(train, 0, jax.random.key(key), LAST, goal)
        np.testing.assert_allclose(acted.log_prob, jax.nn.log_softmax(logits)[np.arange(2), action], rtol=1e-6)
        np.testing.assert_array_equal(acted.value, value)
        taken.add(tuple(action.tolist()))
    assert len(taken) == 4, "actions are sampled"


def samples(seed=0, size=6):
    """Random samples to learn from, and new logits and values."""
    random = np.random.default_rng(seed)
    number = lambda *shape: random.normal(size=shape).astype(np.float32)  # noqa: E731
    acted = Acted(np.log(random.uniform(0.1, 0.9, size)).astype(np.float32), number(size))
    action = random.integers(0, 2, size).astype(np.int32)
    return Samples(None, None, action, acted, 3 + number(size), number(size)), number(size, 2), number(size)


def test_the_objective_is_made_of_its_three_parts(learner):
    batch, logits, value = samples()
    advantage = (batch.advantage - batch.advantage.mean()) / batch.advantage.std()
    log_prob = jax.nn.log_softmax(logits)[np.arange(6), batch.action]
    expected = (
        clipped_surrogate(log_prob, batch.acted.log_prob, advantage, 0.2)
        + 0.5 * clipped_value_loss(value, batch.acted.value, batch.target, 0.2)
        - 0.005 * categorical_entropy(logits).mean()
    )
    np.testing.assert_allclose(learner.objective(0, logits, value, batch), expected, rtol=1e-5)


def test_learns_to_reach_every_goal_and_what_that_is_worth():
    learner = make("ppo", ChainTask(), **LEARNING)
    acting_state = learner.acting_state(trained(learner))
    assert_best_actions(learner, acting_state, CHAIN)
    _, value = learner.apply(acting_state, cells(3).repeat(3, axis=0), jnp.tile(jnp.arange(3), 3))
    np.testing.assert_allclose(value.reshape(3, 3), CHAIN.max(-1), atol=0.03)


def test_it_has_no_values_of_actions(learner):
    with pytest.raises(NotImplementedError, match="ppo learns no values of all goals and actions"):
        learner.q_values(None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gae_lambda": 1.01}, "gae_lambda must lie in 0..1, got 1.01"),
        ({"clip": -0.2}, "clip must lie in 0..inf, got -0.2"),
        ({"entropy_weight": float("nan")}, "entropy_weight must lie in 0..inf, got nan"),
        ({"value_weight": -1.0}, "value_weight must lie in 0..inf, got -1.0"),
        ({"actor_depth": 0}, "actor_depth must be at least 1, got 0"),
        ({"minibatch_size": 12}, "minibatch_size=12 does not divide the 32 samples of an update; try 8"),
    ],
)
def test_settings_that_cannot_be_trained_with_are_named(changes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make("ppo", ChainTask(), **changes)
