"""Hindsight goals: where they come from, and how often."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gc_envs.agents.relabel import hindsight_goals, pick

ACHIEVED = np.array([False, True, False, True, False, False])
SEEN = np.array([True, True, False, True, False, True])
STEPS, K = 20_000, 2


@pytest.mark.parametrize(
    ("allowed", "uniform", "expected"),
    [
        ([1, 0, 1, 1], [0.0, 0.33, 0.34, 0.66, 0.67, 0.999], [0, 0, 2, 2, 3, 3]),
        ([0, 1, 0, 0], [0.0, 0.5, 1 - 2**-24], [1, 1, 1]),
        ([0, 0, 0, 0], [0.0, 0.9], [4, 4]),
    ],
)
def test_pick_by_hand(allowed, uniform, expected):
    np.testing.assert_array_equal(pick(np.float32(uniform), np.array(allowed, bool)), expected)


def test_pick_has_a_set_of_allowed_goals_for_each_number():
    allowed = np.array([[[True, False, False]], [[False, True, True]]])
    np.testing.assert_array_equal(pick(np.float32([[0.1, 0.9], [0.1, 0.9]]), allowed), [[0, 0], [1, 2]])


def test_the_largest_number_below_one_picks_the_last_goal():
    for count in (3, 136, 511, 512):
        assert pick(np.nextafter(np.float32(1), np.float32(0)), np.ones(count, bool)) == count - 1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_shares_of_goals_that_the_step_achieved_and_of_those_that_were_seen(share):
    """Each goal's count lies within 4.5 standard deviations of what is expected."""
    achieved = np.broadcast_to(ACHIEVED, (STEPS, 6))
    goals = hindsight_goals(jax.random.key(0), achieved, SEEN, K, share)
    assert goals.shape == (STEPS, K)
    assert goals.dtype == jnp.int32
    probability = (1 - share) * ACHIEVED / ACHIEVED.sum() + share * SEEN / SEEN.sum()
    for column in np.asarray(goals).T:
        counts = np.bincount(column, minlength=6)
        assert (abs(counts - STEPS * probability) <= 4.5 * np.sqrt(STEPS * probability * (1 - probability))).all()
    agree = np.mean(np.asarray(goals)[:, 0] == np.asarray(goals)[:, 1])
    assert agree == pytest.approx((probability**2).sum(), abs=0.02), "the goals of a step are independent"


def test_a_step_that_achieved_nothing_gets_a_goal_that_was_seen():
    goals = hindsight_goals(jax.random.key(1), np.zeros((STEPS, 6), bool), SEEN, 1, 0.0)
    counts = np.bincount(np.asarray(goals)[:, 0], minlength=6)
    assert (counts[~SEEN] == 0).all()
    assert (abs(counts[SEEN] / STEPS - 1 / 4) < 0.02).all()


def test_before_any_goal_was_seen_all_count_as_seen():
    """As with some goals of a task only, none of which holds at the start."""
    nothing = np.zeros(6, bool)
    goals = hindsight_goals(jax.random.key(2), np.broadcast_to(nothing, (500, 6)), nothing, 1, 0.5)
    assert set(np.asarray(goals)[:, 0].tolist()) == set(range(6))
