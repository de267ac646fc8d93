"""Bootstrap targets, by hand."""

import numpy as np

from gc_envs.agents.targets import all_goals_target, td_target


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


def test_a_value_that_is_not_bootstrapped_may_be_anything():
    targets = all_goals_target(np.array([[[True, False]]]), np.array([[True]]), np.full((1, 1, 2), np.nan), 0.9)
    np.testing.assert_array_equal(targets, [[[1.0, 0.0]]])
