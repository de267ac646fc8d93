"""Intervals of success rates: known values, and how often they hold the true rate."""

import numpy as np
import pytest
from scipy.stats import binomtest

from gc_envs.evaluation.intervals import success_interval


@pytest.mark.parametrize(("successes", "episodes"), [(0, 20), (1, 7), (50, 100), (100, 100)])
def test_one_group_has_wilsons_interval(successes, episodes):
    wilson = binomtest(successes, episodes).proportion_ci(method="wilson")
    assert success_interval(np.array([successes]), episodes) == pytest.approx((wilson.low, wilson.high), abs=1e-6)


def test_one_episode_per_goal_has_wilsons_interval_of_all_episodes():
    wilson = binomtest(30, 100).proportion_ci(method="wilson")
    assert success_interval(np.repeat([1, 0], [30, 70]), 1) == pytest.approx((wilson.low, wilson.high), abs=1e-6)


RATES = {
    "alike": np.full(100, 0.5),
    "seldom": np.full(100, 0.05),
    "all different": np.linspace(0, 1, 107),
    "always, never or half": np.repeat([0.0, 0.5, 1.0], [60, 20, 20]),
    "always or never": np.repeat([0.0, 1.0], [60, 40]),
}


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES)
@pytest.mark.parametrize("episodes", [1, 2, 5])
def test_the_interval_holds_the_true_rate_about_95_times_in_100(rates, episodes):
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        low, high = success_interval(rng.binomial(episodes, rates), episodes)
        held += low <= rates.mean() <= high
    assert held >= 920  # 2 standard deviations of this count are 14; the approximation costs up to 2% beyond that


def test_the_interval_narrows_where_goals_are_always_or_never_reached():
    deterministic = success_interval(np.repeat([0, 5], [60, 40]), 5)
    by_chance = success_interval(np.full(100, 2), 5)
    assert deterministic[1] - deterministic[0] < 0.15 * (by_chance[1] - by_chance[0])
    assert by_chance[0] < 0.4 < by_chance[1]
