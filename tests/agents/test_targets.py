"""Bootstrap targets, by hand."""

import numpy as np
import pytest

from gc_envs.agents.targets import all_goals_target, gae, lambda_returns, reached_values, td_target


def test_td_target_by_hand():
    reward, done, next_value = np.float32([1, 0, 1]), np.array([False, False, True]), np.float32([0.5, 0.25, 9])
    np.testing.assert_allclose(td_target(reward, done, next_value, 0.8), [1.4, 0.2, 1.0], rtol=1e-6)


def test_bootstrapping_stops_at_a_reached_goal_and_at_the_end_of_the_episode():
    """One environment, two goals. Steps: neither; the first goal reached; episode over; reached on the last step."""
    achieved = np.array([[[0, 0]], [[1, 0]], [[0, 0]], [[0, 1]]], bool)
    done = np.array([[0], [0], [1], [1]], bool)
    next_value = np.array([[[0.5, 0.25]], [[0.9, 0.5]], [[0.9, 0.9]], [[0.9, 0.9]]], np.float32)
    expected = [[[0.4, 0.2]], [[1.0, 0.4]], [[0.0, 0.0]], [[0.0, 1.0]]]
    targets = all_goals_target(achieved, done, next_value, 0.8)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets, expected, rtol=1e-6)


@pytest.mark.parametrize("td_lambda", [0.0, 0.5])
def test_a_value_that_is_not_bootstrapped_may_be_anything(td_lambda):
    done = np.array([[True]])
    targets = all_goals_target(np.array([[[True, False]]]), done, np.full((1, 1, 2), np.nan), 0.9, td_lambda)
    np.testing.assert_array_equal(targets, [[[1.0, 0.0]]])


def test_lambda_returns_of_every_goal_by_hand():
    """One environment, two goals: the first is reached on the second step, and the episode goes on after it."""
    achieved = np.array([[[0, 0]], [[1, 0]], [[0, 0]]], bool)
    next_value = np.array([[[0.5, 0.25]], [[np.nan, 0.5]], [[0.25, 0.75]]], np.float32)
    targets = all_goals_target(achieved, np.zeros((3, 1), bool), next_value, 0.8, 0.5)
    # For each goal, from the last step to the first: 0.8 * (half the value of the state reached + half what follows).
    second = 0.8 * (0.5 * 0.5 + 0.5 * 0.6)
    expected = [[[0.8 * (0.25 + 0.5), 0.8 * (0.125 + 0.5 * second)]], [[1.0, second]], [[0.2, 0.6]]]
    np.testing.assert_allclose(targets, expected, rtol=1e-6)


REWARD = np.float32([0, 0, 1, 0, 0])
DONE = np.array([False, False, True, False, False])
NEXT_VALUE = np.float32([0.5, 0.25, np.nan, 0.5, 0.75])  # never read where the return ends
VALUE = np.float32([0.25, 0.5, 0.25, 0.5, 0.5])


@pytest.mark.parametrize(
    ("td_lambda", "expected"),
    [
        (0.0, [0.4, 0.2, 1.0, 0.4, 0.6]),
        (1.0, [0.64, 0.8, 1.0, 0.48, 0.6]),
        (0.5, [0.4, 0.5, 1.0, 0.44, 0.6]),  # .8 (.5 * .5 + .5 * .5); .8 (.5 * .25 + .5); 1; .8 (.5 * .5 + .5 * .6); .6
    ],
)
def test_lambda_returns_by_hand(td_lambda, expected):
    """Five steps with gamma 0.8; the third reaches the goal, the last is bootstrapped."""
    np.testing.assert_allclose(lambda_returns(REWARD, DONE, NEXT_VALUE, 0.8, td_lambda), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("gae_lambda", "expected"),
    [
        (0.0, [0.15, -0.3, 0.75, -0.1, 0.1]),
        (1.0, [0.39, 0.3, 0.75, -0.02, 0.1]),  # the returns .64, .8, 1, .48, .6 less the values
        (0.5, [0.15, 0.0, 0.75, -0.06, 0.1]),  # each error and .4 times what follows
    ],
)
def test_generalised_advantages_by_hand(gae_lambda, expected):
    found = gae(REWARD, DONE, VALUE, NEXT_VALUE, 0.8, gae_lambda)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_targets_of_many_environments_and_goals_are_those_of_each_alone():
    random = np.random.default_rng(0)
    reward, done = random.random((7, 3, 2), np.float32), random.random((7, 3, 2)) < 0.3
    value = random.random((7, 3, 2), np.float32)
    next_value = reached_values(value, random.random((3, 2), np.float32))
    returns = lambda_returns(reward, done, next_value, 0.9, 0.7)
    advantages = gae(reward, done, value, next_value, 0.9, 1.0)
    np.testing.assert_array_equal(
        lambda_returns(reward, done, next_value, 0.9, 0), td_target(reward, done, next_value, 0.9)
    )
    np.testing.assert_allclose(advantages + value, lambda_returns(reward, done, next_value, 0.9, 1), rtol=1e-5)
    for place in np.ndindex(3, 2):
        alone = [x[(slice(None), *place)] for x in (reward, done, next_value)]
        np.testing.assert_allclose(lambda_returns(*alone, 0.9, 0.7), returns[(slice(None), *place)], rtol=1e-6)


def test_the_state_reached_is_the_one_that_is_left_next():
    values, last = np.arange(6.0).reshape(3, 2), np.array([9.0, 8.0])
    np.testing.assert_array_equal(reached_values(values, last), [[2, 3], [4, 5], [9, 8]])
