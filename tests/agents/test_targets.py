"""Bootstrap targets, by hand."""

import numpy as np

from gc_envs.agents.targets import all_goals_targets


def test_bootstrapping_stops_at_a_reached_goal_and_at_the_end_of_the_episode():
    """One lane, two goals. Steps: neither; the first goal reached; episode over; reached on the last step."""
    achieved = np.array([[[0, 0]], [[1, 0]], [[0, 0]], [[0, 1]]], bool)
    over = np.array([[0], [0], [1], [1]], bool)
    next_value = np.array([[[0.5, 0.25]], [[0.9, 0.5]], [[0.9, 0.9]], [[0.9, 0.9]]], np.float32)
    expected = [[[0.4, 0.2]], [[1.0, 0.4]], [[0.0, 0.0]], [[0.0, 1.0]]]
    targets = all_goals_targets(achieved, over, next_value, 0.8)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets, expected, rtol=1e-6)


def test_a_value_that_is_not_bootstrapped_may_be_anything():
    targets = all_goals_targets(np.array([[[True, False]]]), np.array([[True]]), np.full((1, 1, 2), np.nan), 0.9)
    np.testing.assert_array_equal(targets, [[[1.0, 0.0]]])
