"""Numbers of suite results: known values, and how often the intervals hold the truth."""

import dataclasses

import numpy as np
import pytest
from hand_made import GOALS, all_rates, entry_named, member, rate_member, suite_result, task_result, training
from scipy.stats import mannwhitneyu, t, trim_mean

from gc_envs.evaluation.intervals import success_interval
from gc_envs.suite import scores, task_scores
from gc_envs.suite.result import SuiteResult, load_suite_result
from gc_envs.suite.scores import (
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    summarize,
)
from gc_envs.suite.suites import SUITES, SuiteEntry, suite_entries

QUICK = [entry.name for entry in suite_entries("quick-v0")]


@pytest.fixture
def plain_suite(monkeypatch):
    """A suite of eight tasks in which the score is the success rate."""
    entries = tuple(
        SuiteEntry(f"task-{index}", "GC-ContinuousSeek-v0", {}, 100, 10, "success", 0.0, 1.0, "by hand")
        for index in range(8)
    )
    monkeypatch.setitem(SUITES, "plain-v0", entries)
    return entries


def plain(rates, agent="hand"):
    return suite_result({f"task-{index}": rate for index, rate in enumerate(rates)}, agent, "plain-v0")


# --- the interquartile mean


def test_the_interquartile_mean_of_eight_scores_is_the_mean_of_the_middle_four():
    by_task = [np.array([score]) for score in (0.9, 0.0, 0.1, 0.2, 0.3, 0.4, 0.8, 1.0)]
    assert interquartile_mean(by_task) == pytest.approx((0.2 + 0.3 + 0.4 + 0.8) / 4)


def test_a_score_on_the_edge_counts_with_its_part():
    # Of six scores, the middle half of the weight is half of the second, the third, the fourth and half of the fifth.
    by_task = [np.array([score]) for score in (0.0, 0.1, 0.2, 0.4, 0.6, 5.0)]
    assert interquartile_mean(by_task) == pytest.approx((0.5 * 0.1 + 0.2 + 0.4 + 0.5 * 0.6) / 3)


@pytest.mark.parametrize(("tasks", "members"), [(4, 1), (16, 1), (16, 5), (6, 10), (3, 4)])
def test_with_equal_numbers_of_members_it_is_scipys_trimmed_mean(tasks, members):
    matrix = np.random.default_rng(0).random((tasks, members))
    assert interquartile_mean(list(matrix)) == pytest.approx(trim_mean(matrix.ravel(), 0.25), abs=1e-12)


def test_every_task_has_the_same_weight_however_many_members_it_has():
    few = [np.array([score]) for score in (0.1, 0.3, 0.5, 0.9)]
    many = [np.array([0.1]), np.full(7, 0.3), np.full(2, 0.5), np.full(3, 0.9)]
    assert interquartile_mean(many) == pytest.approx(interquartile_mean(few)) == pytest.approx(0.4)


def test_it_has_any_batch_axes():
    draws = np.random.default_rng(0).random((2, 5, 4, 3))
    batched = interquartile_mean(list(draws.transpose(2, 0, 1, 3)))
    assert batched.shape == (2, 5)
    assert batched[1, 2] == pytest.approx(interquartile_mean(list(draws[1, 2])))


# --- scores of tasks


def test_a_score_is_0_for_random_actions_and_1_for_the_reference(monkeypatch):
    entry = dataclasses.replace(entry_named("DriveSeek"), random_score=2.3, reference=22.3)
    monkeypatch.setitem(SUITES, "one-v0", (entry,))
    for value, score in ((2.3, 0.0), (12.3, 0.5), (22.3, 1.0), (26.3, 1.2)):
        summary = summarize(suite_result({"DriveSeek": value}, suite="one-v0"))
        assert summary.tasks["DriveSeek"].score == pytest.approx(score, abs=1e-12)
        assert summary.tasks["DriveSeek"].value == pytest.approx(value)
        assert summary.iqm == summary.mean == pytest.approx(score, abs=1e-12)


def test_members_of_a_task_are_averaged_and_tasks_too(plain_suite):
    summary = summarize(plain([[0.2, 0.4, 0.9], 1.0, *[0.5] * 6]))
    assert summary.tasks["task-0"].score == pytest.approx(0.5)
    assert summary.tasks["task-0"].members == pytest.approx((0.2, 0.4, 0.9))
    assert summary.mean == pytest.approx((0.5 + 1.0 + 3.0) / 8)
    assert summary.iqm == pytest.approx(0.5)


def test_tasks_that_are_not_done_count_as_zero():
    rates = all_rates(1.0)
    statuses = {"DriveSeek": "cannot", "NoisySeek": "failed"}
    rates.pop("PandaReach")
    summary = summarize(suite_result(rates, statuses=statuses))
    assert summary.mean == pytest.approx(3 / 6)
    assert [summary.tasks[name].score for name in ("DriveSeek", "NoisySeek", "PandaReach")] == [0.0] * 3
    assert [summary.tasks[name].ci for name in ("DriveSeek", "NoisySeek", "PandaReach")] == [None] * 3
    assert {status: summary.names(status) for status in ("done", "cannot", "failed", "missing")} == {
        "done": ["Gridworld", "ContinuousSeek-5", "BitFlip-20"],
        "cannot": ["DriveSeek"], "failed": ["NoisySeek"], "missing": ["PandaReach"],
    }  # fmt: skip
    assert not summary.is_complete
    assert summarize(suite_result(all_rates(1.0), statuses={"DriveSeek": "cannot"})).is_complete


def test_an_agent_that_can_do_nothing_has_score_zero():
    nothing = summarize(suite_result({}, statuses=dict.fromkeys(QUICK, "cannot")))
    assert (nothing.iqm, nothing.iqm_ci, nothing.mean, nothing.mean_ci) == (0.0, (0.0, 0.0), 0.0, (0.0, 0.0))
    assert nothing.training_steps is None


def test_training_is_the_sum_over_members_where_all_of_them_say():
    rates = {"Gridworld": [0.5, 0.6], "BitFlip-20": 0.1}
    known = summarize(suite_result(rates, trained=training(1000, 60.5)))
    assert (known.training_steps, known.training_seconds, known.training_device) == (3000, 181.5, "cpu: 2 cores")
    result = suite_result(rates, trained=training())
    members = [dataclasses.replace(result.tasks["BitFlip-20"].members[0], training=None)]
    result.tasks["BitFlip-20"] = dataclasses.replace(result.tasks["BitFlip-20"], members=members)
    partly = summarize(result)
    assert (partly.training_steps, partly.training_seconds, partly.training_device) == (None, None, None)


def test_members_with_the_same_counts_in_another_order_have_the_same_score():
    entry = entry_named("ContinuousSeek-5", "standard-v0")
    orders = [member(entry, [[10], [20], [33]]), member(entry, [[33], [10], [20]]), member(entry, [[21]] * 3)]
    first, second, third = task_scores.task_score(entry, task_result(entry, orders)).members
    assert first == second == third


# --- intervals of tasks


def test_one_member_has_the_interval_of_its_success_rate():
    entry = entry_named("ContinuousSeek-5", "standard-v0")
    ci = task_scores.task_score(entry, task_result(entry, [rate_member(entry, 1.0)])).ci
    assert ci == pytest.approx([entry.score(limit) for limit in success_interval(np.array([300]), 300)])
    assert entry.score(0.98) < ci[0] < ci[1] == entry.score(1.0)


def test_one_member_has_students_interval_of_its_returns():
    entry = entry_named("DriveSeek")
    returns = np.random.default_rng(0).normal(8, 3, size=(1, 100))
    ci = task_scores.task_score(entry, task_result(entry, [member(entry, [[0]], returns=returns)])).ci
    expected = t.interval(0.95, 99, returns.mean(), returns.std(ddof=1) / 10)
    assert ci == pytest.approx([entry.score(limit) for limit in expected])


def test_members_have_students_interval_within_what_is_possible():
    entry = entry_named("ContinuousSeek-5")
    rates = np.array([0.5, 0.6, 0.4, 0.7, 0.55])
    ci = task_scores.task_score(entry, task_result(entry, [rate_member(entry, rate) for rate in rates])).ci
    expected = t.interval(0.95, 4, rates.mean(), rates.std(ddof=1) / 5**0.5)
    assert ci == pytest.approx([entry.score(limit) for limit in expected])
    ci = task_scores.task_score(entry, task_result(entry, [rate_member(entry, rate) for rate in (0.1, 0.9)])).ci
    assert ci == (entry.score(0.0), entry.score(1.0))


# --- intervals over tasks


def test_the_same_result_has_the_same_intervals_bit_for_bit(tmp_path):
    result = suite_result(all_rates(0.4) | {"BitFlip-20": [0.1, 0.4, 0.9]}, trained=training())
    path = tmp_path / "a.json"
    result.save(path)
    loaded = load_suite_result(path)
    assert loaded.summary == summarize(result) == summarize(loaded)
    before = path.read_bytes()
    loaded.save(path)
    assert path.read_bytes() == before


def test_draws_of_two_agents_are_independent_and_those_of_tasks_too(plain_suite):
    result = plain([0.5] * 8)
    first, again, other = scores._draws(result), scores._draws(result), scores._draws(result, stream=1)
    assert all((x == y).all() for x, y in zip(first, again, strict=True))
    correlations = np.corrcoef(np.concatenate([*first, *other], axis=1).T)
    assert np.abs(correlations - np.eye(16)).max() < 0.1


def test_the_variance_of_drawn_means_is_that_of_the_mean(plain_suite):
    rates = np.array([0.1, 0.4, 0.45, 0.8])
    drawn = task_scores.draw_scores(plain_suite[0], plain([rates]).tasks["task-0"], np.random.default_rng(0))
    assert drawn.shape == (2000, 3)
    assert drawn.mean(axis=1).var() == pytest.approx(rates.var(ddof=1) / 4, rel=0.1)


def test_episodes_of_one_member_are_drawn_within_goals():
    entry = entry_named("Gridworld", "standard-v0")
    always_or_never = [[1] * 60 + [0] * 47] * 3
    by_chance = [[1] * 60 + [0] * 47, [0] * 47 + [1] * 60, [1] * 30 + [0] * 47 + [1] * 30]
    for counts, spread in ((always_or_never, 0.0), (by_chance, None)):
        task = task_result(entry, [member(entry, counts)])
        drawn = task_scores.draw_scores(entry, task, np.random.default_rng(0))[:, 0]
        rates = np.sum(counts, axis=0) / 3
        expected = np.sqrt((rates * (1 - rates)).sum() / 2) / 107 if spread is None else spread
        scale = entry.score(1.0) - entry.score(0.0)
        assert drawn.std() == pytest.approx(expected * scale, rel=0.1)
        assert drawn.mean() == pytest.approx(entry.score(60 / 107), abs=0.01)


def test_one_episode_for_each_goal_is_drawn_from_all_of_them():
    entry = entry_named("Gridworld")
    task = task_result(entry, [rate_member(entry, 60 / 107)])
    drawn = task_scores.draw_scores(entry, task, np.random.default_rng(0))[:, 0]
    rate = 60 / 107
    assert drawn.std() == pytest.approx((rate * (1 - rate) / 106) ** 0.5 * (entry.score(1) - entry.score(0)), rel=0.1)


def hits(make_result, iqm, mean, repetitions):
    """Return how often the intervals of `make_result()` hold the true interquartile mean and the true mean."""
    summaries = [summarize(make_result()) for _ in range(repetitions)]
    return np.mean([
        (one.iqm_ci[0] <= iqm <= one.iqm_ci[1], one.mean_ci[0] <= mean <= one.mean_ci[1]) for one in summaries
    ], axis=0)  # fmt: skip


@pytest.mark.parametrize("rates", [np.linspace(0, 1, 8), np.full(8, 0.5), np.full(8, 0.99)], ids=["all", "0.5", "0.99"])
def test_with_one_member_intervals_hold_the_truth_about_95_times_in_100(rates, plain_suite, monkeypatch):
    monkeypatch.setattr(task_scores, "DRAWS", 400)
    rng = np.random.default_rng(0)
    truth = [np.array([rate]) for rate in rates]

    def one() -> SuiteResult:
        counts = rng.binomial(100, rates, size=(3, 8))
        tasks = {
            entry.name: task_result(entry, [member(entry, counts[:, [index]])])
            for index, entry in enumerate(plain_suite)
        }
        return dataclasses.replace(plain(rates), tasks=tasks)

    held = hits(one, interquartile_mean(truth), rates.mean(), 400)
    assert (held > 0.915).all()  # 3 standard deviations of such a share are 0.033
    assert rates[0] != 0.5 or (held < 0.99).all()


@pytest.mark.parametrize(("members", "least"), [(2, 0.84), (5, 0.90), (10, 0.90)])  # measured .90 .94 .94
def test_with_several_members_intervals_hold_the_truth_of_further_members(members, least, plain_suite, monkeypatch):
    monkeypatch.setattr(task_scores, "DRAWS", 400)
    rng = np.random.default_rng(0)
    centres = np.linspace(0.1, 0.9, 8)
    many = rng.beta(8 * centres, 8 * (1 - centres), size=(200_000, 8))
    held = hits(
        lambda: plain(list(rng.beta(8 * centres, 8 * (1 - centres), size=(members, 8)).T)),
        interquartile_mean(list(many.T)), many.mean(), 300,
    )  # fmt: skip
    assert (held > least).all()
    assert (held < 0.99).all()


# --- performance profiles


def test_a_profile_is_the_share_of_scores_above_each_threshold(plain_suite):
    profile = performance_profile(plain([0.0, 0.2, 0.4, [0.1, 0.9], 0.6, 0.7, 0.8, 1.0]), [0.0, 0.2, 0.5, 1.0])
    assert profile.taus == (0.0, 0.2, 0.5, 1.0)
    assert profile.share == pytest.approx((7 / 8, 5.5 / 8, 4.5 / 8, 0.0))
    assert all(low <= share <= high for low, share, high in zip(profile.low, profile.share, profile.high, strict=True))
    assert profile.low[1] < profile.share[1]  # the task at 0.2 may be below 0.2 the next time
    assert (profile.low[3], profile.high[3]) == (0.0, 0.0)


# --- probability of improvement


def test_the_probability_of_improvement_is_that_of_mann_and_whitney(plain_suite):
    rng = np.random.default_rng(0)
    x, y = rng.integers(30, 60, size=(8, 5)) / 100, rng.integers(30, 60, size=(8, 3)) / 100
    found = probability_of_improvement(plain(list(x), "x"), plain(list(y), "y"))
    expected = [mannwhitneyu(one, other).statistic / 15 for one, other in zip(x, y, strict=True)]
    assert list(found.tasks.values()) == pytest.approx(expected)
    assert found.probability == pytest.approx(np.mean(expected))
    assert found.ci[0] < found.probability < found.ci[1]
    back = probability_of_improvement(plain(list(y), "y"), plain(list(x), "x"))
    assert back.probability == pytest.approx(1 - found.probability)


def test_with_one_member_each_it_is_the_share_of_tasks_won(plain_suite):
    a, b = plain([0.1, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9]), plain([0.9, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    found = probability_of_improvement(a, b)
    assert list(found.tasks.values()) == [0.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert found.probability == pytest.approx(6 / 8)
    assert found.ci == (pytest.approx(5 / 8), pytest.approx(7 / 8))  # further episodes decide the two that are equal


def test_an_agent_is_no_improvement_over_itself():
    result = suite_result(all_rates(0.3))
    found = probability_of_improvement(result, result)
    assert found.probability == 0.5
    assert found.ci[0] < 0.5 < found.ci[1]


def test_results_of_two_suites_are_not_compared():
    with pytest.raises(ValueError, match="a was scored on quick-v0, and b on standard-v0"):
        probability_of_improvement(suite_result({}, "a"), suite_result({}, "b", "standard-v0"))


def test_the_goals_of_hand_made_results_are_as_many_as_those_of_the_environments():
    import gc_envs

    assert GOALS["Gridworld"] == len(gc_envs.make_task("GC-Gridworld-v0").goals.names)
