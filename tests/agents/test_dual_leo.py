"""Dual LEO, with PQN and with PPO: both learners learn as each would alone; how one helps the other."""

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
    QUICK,
    RANDOM_ACTIONS,
    ROLLOUT,
    assert_best_actions,
    cells,
    make,
    trained,
)

from gc_envs.agents.dual_leo import Pair
from gc_envs.agents.dual_leo_ppo import Taught
from gc_envs.agents.goal_stats import init_goal_stats
from gc_envs.agents.ppo import PPO, Acted, Samples

HAND = {"num_envs": 2, "rollout_steps": 4, "minibatch_size": 8}
GOAL = jnp.array([2, 0])
NAMES = ("dual-leo-pqn", "dual-leo-ppo")


def dual(agent, **changes):
    teacher = {"teacher_minibatch_size": 4} if agent == "dual-leo-ppo" else {}
    return make(agent, ChainTask(), **HAND | teacher | changes)


@pytest.mark.parametrize("agent", NAMES)
def test_both_learn_from_the_rollout_as_each_would_alone(agent):
    learner = dual(agent)
    train = jax.jit(learner.init_train, compiler_options=QUICK)(jax.random.key(0), LAST)
    acted = jax.vmap(lambda *inputs: learner.policy(train, 0, jax.random.key(1), *inputs)[1])
    batch = ROLLOUT._replace(extras=acted(ROLLOUT.observation, ROLLOUT.goal))
    stats = init_goal_stats(GOAL, jnp.ones(3, bool))
    learnt, metrics = learner.learn(jax.random.key(2), train, 0, batch, LAST, stats)
    for part, key in zip(Pair._fields, jax.random.split(jax.random.key(2)), strict=True):
        alone, before = getattr(learner, part), getattr(train, part)
        own = batch._replace(extras=getattr(batch.extras, part))
        expected, found = alone.learn(key, before, 0, own, LAST, stats)
        jax.tree.map(np.testing.assert_array_equal, getattr(learnt, part), expected)
        changed = jax.tree.map(lambda x, y: bool((x != y).any()), expected.params, before.params)
        assert any(jax.tree.leaves(changed))
        assert found == {name: metrics[f"{part}_{name}"] for name in found}
    assert len(metrics) == 4


def test_settings_of_both():
    pqn, ppo = dual("dual-leo-pqn", gamma=0.7, td_lambda=0.25, epochs=3), dual("dual-leo-ppo", gamma=0.7, epochs=3)
    for part in (pqn.teacher, pqn.student):
        assert (part.config.gamma, part.config.epochs, part.config.minibatch_size) == (0.7, 3, 8)
        assert part.config.td_lambda == 0.25
    assert (ppo.student.config.epochs, ppo.student.config.minibatch_size, ppo.student.config.gamma) == (3, 8, 0.7)
    assert (ppo.teacher.config.epochs, ppo.teacher.config.minibatch_size, ppo.teacher.config.gamma) == (2, 4, 0.7)
    assert ppo.teacher.config.conv_features == 16
    for learner in (pqn, ppo):  # both anneal their learning rates over the whole run
        assert learner.teacher.num_updates == learner.student.num_updates == learner.num_updates


@pytest.mark.parametrize(("share", "part"), [(0.0, "teacher"), (1.0, "student")])
def test_acts_by_one_alone_where_the_other_has_no_share(share, part):
    learner = dual("dual-leo-pqn", student_share=share)
    state, alone = jax.jit(learner.init, compiler_options=QUICK)(jax.random.key(0)), getattr(learner, part)
    acting_state, train = learner.acting_state(state), state.train
    own = getattr(acting_state, part)
    np.testing.assert_array_equal(learner.q_values(acting_state, cells(3)), alone.q_values(own, cells(3)))
    for goal in range(3):
        goals = jnp.full(3, goal)
        np.testing.assert_array_equal(learner.act(acting_state, cells(3), goals), alone.act(own, cells(3), goals))
    for key in map(jax.random.key, range(5)):
        action, kept = learner.policy(train, 0, key, LAST, GOAL)
        expected, _ = alone.policy(getattr(train, part), 0, key, LAST, GOAL)
        np.testing.assert_array_equal(action, expected)
        for each in Pair._fields:  # what each learns from is its own
            _, extras = getattr(learner, each).policy(getattr(train, each), 0, key, LAST, GOAL)
            np.testing.assert_array_equal(getattr(kept, each), extras)


def test_the_values_acted_by_are_a_weighted_mean():
    learner = dual("dual-leo-pqn")
    assert learner.config.student_share == 0.7
    acting_state = learner.acting_state(jax.jit(learner.init, compiler_options=QUICK)(jax.random.key(0)))
    taught = learner.teacher.q_values(acting_state.teacher, cells(3))
    own = learner.student.q_values(acting_state.student, cells(3))
    expected = 0.3 * taught + 0.7 * own
    np.testing.assert_allclose(learner.q_values(acting_state, cells(3)), expected, rtol=1e-6)
    for goal in range(3):
        action = learner.act(acting_state, cells(3), jnp.full(3, goal))
        np.testing.assert_array_equal(action, expected[:, goal].argmax(-1))


def test_both_learn_the_value_of_every_goal():
    learner = make("dual-leo-pqn", ChainTask(cliff=True), **LEARNING | RANDOM_ACTIONS)
    acting_state = learner.acting_state(trained(learner))
    for part in Pair._fields:
        values = getattr(learner, part).q_values(getattr(acting_state, part), cells(2))
        np.testing.assert_allclose(values, CLIFF, atol=0.06)
    assert_best_actions(learner, acting_state, CLIFF)


def test_ppo_reaches_every_goal_and_its_teacher_learns_the_values():
    learner = make("dual-leo-ppo", ChainTask(), **LEARNING, teacher_epochs=4)
    state = trained(learner)
    acting_state = learner.acting_state(state)
    assert_best_actions(learner, acting_state, CHAIN)
    _, value = learner.student.apply(acting_state, cells(3).repeat(3, axis=0), jnp.tile(jnp.arange(3), 3))
    np.testing.assert_allclose(value.reshape(3, 3), CHAIN.max(-1), atol=0.03)
    taught = learner.teacher.q_values(state.train.teacher.variables, cells(3))
    np.testing.assert_allclose(taught, CHAIN, atol=0.05)


def test_ppo_acts_alone_and_keeps_the_greedy_action_of_its_teacher():
    learner = dual("dual-leo-ppo")
    train, key = learner.init_train(jax.random.key(0), LAST), jax.random.key(1)
    action, kept = learner.policy(train, 0, key, LAST, GOAL)
    expected, acted = learner.student.policy(train.student, 0, key, LAST, GOAL)
    np.testing.assert_array_equal(action, expected)
    best = learner.teacher.act(train.teacher.variables, LAST, GOAL)
    jax.tree.map(np.testing.assert_array_equal, kept.student, Taught(acted.log_prob, acted.value, best))


@pytest.mark.parametrize(("anneal", "expected"), [(True, [0.4, 0.3, 0.2, 0.1]), (False, [0.4] * 4)])
def test_the_weight_of_cloning_falls_linearly_over_the_run(anneal, expected):
    learner = dual("dual-leo-ppo", total_steps=4 * 8, clone_weight=0.4, anneal_clone=anneal)
    found = [learner.scheduled(jnp.int32(update))["clone_weight"] for update in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    words = {True: ("the learning rate", "the weight of cloning"), False: ("the learning rate",)}
    assert learner.config.schedules == words[anneal]


def test_cloning_pulls_the_policy_to_the_action_of_the_teacher():
    """The gradient of a mean cross-entropy: probabilities less one for the teacher's action, over the batch."""
    learner = dual("dual-leo-ppo", total_steps=4 * 8, clone_weight=0.4)
    random, size = np.random.default_rng(0), 5
    logits, value = random.normal(size=(size, 2)).astype(np.float32), random.normal(size=size).astype(np.float32)
    advantage, target = random.normal(size=(2, size)).astype(np.float32)
    action, teacher_action = random.integers(0, 2, (2, size)).astype(np.int32)
    taught = Taught(np.full(size, -0.7, np.float32), value, teacher_action)
    plain = Samples(None, None, action, Acted(taught.log_prob, taught.value), advantage, target)
    taught = plain._replace(acted=taught)

    def gradient(objective, samples, update):
        return jax.value_and_grad(lambda logits: objective(update, logits, value, samples))(logits)

    own, own_gradient = gradient(lambda *args: PPO.objective(learner.student, *args), plain, 0)
    for update, weight in ((0, 0.4), (2, 0.2)):
        found, slope = gradient(learner.student.objective, taught, update)
        log_probs = np.asarray(jax.nn.log_softmax(logits))
        expected = -log_probs[np.arange(size), teacher_action].mean()
        np.testing.assert_allclose(found - own, weight * expected, rtol=1e-4)
        pull = (np.exp(log_probs) - np.eye(2)[teacher_action]) / size
        np.testing.assert_allclose(slope - own_gradient, weight * pull, atol=1e-6)
    assert gradient(learner.student.objective, taught, 4)[0] == own, "at the end of the run, it is PPO"
    without = dual("dual-leo-ppo", clone_weight=0.0)
    assert gradient(without.student.objective, taught, 0)[0] == own


@pytest.mark.parametrize(
    ("agent", "changes", "message"),
    [
        ("dual-leo-pqn", {"student_share": 1.2}, "student_share must lie in 0..1, got 1.2"),
        ("dual-leo-pqn", {"td_lambda": -1.0}, "td_lambda must lie in 0..1, got -1.0"),
        ("dual-leo-ppo", {"clone_weight": -0.1}, "clone_weight must lie in 0..inf, got -0.1"),
        ("dual-leo-ppo", {"teacher_depth": 0}, "teacher_depth must be at least 1, got 0"),
        (
            "dual-leo-ppo", {"teacher_minibatch_size": 512},
            "teacher_minibatch_size=512 does not divide the 8 samples of an update; try 8",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_trained_with_are_named(agent, changes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        dual(agent, **changes)
