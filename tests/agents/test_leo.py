"""LEO on chains whose values can be written by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from probes import ChainTask
from tiny_learners import CHAIN, CLIFF, LEARNING, RANDOM_ACTIONS, assert_best_actions, cells, make, trained


@pytest.mark.parametrize(("cliff", "expected"), [(False, CHAIN), (True, CLIFF)], ids=["chain", "cliff"])
def test_learns_the_value_of_every_goal(cliff, expected):
    learner = make("leo", ChainTask(cliff=cliff), **LEARNING | RANDOM_ACTIONS)
    state = trained(learner)
    values = learner.q_values(learner.acting_state(state), cells(len(expected)))
    np.testing.assert_allclose(values, expected, atol=0.03)
    np.testing.assert_array_equal(state.actors.stats.seen, [True] * 3)
    assert_best_actions(learner, learner.acting_state(state), expected)


def test_epsilon_falls_linearly_and_stays():
    learner = make("leo", ChainTask(), total_steps=32 * 100, epsilon_start=0.2, epsilon_end=0.01, epsilon_fraction=0.2)
    found = [float(learner.scheduled(jnp.int32(update))["epsilon"]) for update in (0, 10, 20, 99)]
    np.testing.assert_allclose(found, [0.2, 0.105, 0.01, 0.01], rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minibatch_size": 50}, "minibatch_size=50 does not divide the 32 samples of an update; try 32"),
        ({"num_envs": 0}, "num_envs must be at least 1, got 0"),
        ({"width": 0}, "width must be at least 1"),
        ({"total_steps": 0}, "total_steps must be at least 1"),
    ],
)
def test_settings_that_cannot_be_trained_with_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        make("leo", ChainTask(), **change)
