"""Numbers of suite results: scores, means over tasks, and how much they would change if the evaluation were made again.

The definitions are those of Agarwal et al. 2021 (arXiv 2108.13264), whose runs are our members, for tasks that may have
different numbers of members. Tasks are fixed: intervals are about further members or episodes on the same tasks.
Letters: T tasks, M members of a task, N members of all tasks, D bootstrap draws, G goals, K thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gc_envs.suite.suites import SuiteEntry, suite_entries
from gc_envs.suite.task_scores import (
    LIMITS,
    Array,
    Interval,
    TaskScore,
    draw_scores,
    member_scores,
    task_score,
)

if TYPE_CHECKING:  # results hold summaries
    from gc_envs.suite.result import SuiteResult, TaskResult

__all__ = [
    "Improvement", "Interval", "Profile", "Summary", "TaskScore", "interquartile_mean", "performance_profile",
    "probability_of_improvement", "summarize",
]  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """The scores of an agent over all tasks of a suite.

    Attributes:
        iqm: The interquartile mean of the members' scores, in which every task has the same weight.
        iqm_ci: Lower and upper limit of its 95% interval.
        mean: The mean of the tasks' scores.
        mean_ci: Lower and upper limit of its 95% interval.
        tasks: The score of every task of the suite by name, in the suite's order.
        training_steps: Environment steps of training, the sum over all members; None where a member does not say.
        training_seconds: Seconds of training, likewise.
        training_device: What they were trained on; None where a member does not say.
    """

    iqm: float
    iqm_ci: Interval
    mean: float
    mean_ci: Interval
    tasks: dict[str, TaskScore]
    training_steps: int | None
    training_seconds: float | None
    training_device: str | None

    def names(self, status: str) -> list[str]:
        """Return the names of the tasks with a status: "done", "cannot", "failed" or "missing"."""
        return [name for name, task in self.tasks.items() if task.status == status]

    @property
    def is_complete(self) -> bool:
        """Whether no task failed or is missing."""
        return not self.names("failed") and not self.names("missing")


@dataclass(frozen=True)
class Profile:
    """A performance profile: how large a share of an agent's scores is above each threshold.

    Attributes:
        taus: The thresholds, [K].
        share: The share of members' scores above each, in which every task has the same weight, [K].
        low: The lower limits of pointwise 95% intervals, [K].
        high: Their upper limits, [K].
    """

    taus: tuple[float, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Improvement:
    """How probable it is that one agent is better than another.

    Attributes:
        probability: The mean over tasks.
        ci: Lower and upper limit of its 95% interval.
        tasks: The probability for each task by name.
    """

    probability: float
    ci: Interval
    tasks: dict[str, float]


def summarize(result: "SuiteResult") -> Summary:
    """Return the scores of an agent, with 95% intervals.

    Tasks that the agent cannot do, that failed or that are missing count as 0, the score of random actions, so that all
    agents are compared over the same tasks. The intervals of `iqm` and `mean` are percentiles of a bootstrap that is
    stratified by task (Agarwal et al. 2021, section 4.1). Where a task has two or more members, members are drawn: the
    interval is about training the agent again. Where it has one, the episodes of this member are drawn, within each
    goal that has several: the interval is about further episodes of the same policy, and says nothing about another
    training run. Of n members or episodes, n - 1 are drawn with replacement, so that the variance of their mean has no
    bias (McCarthy and Snowden 1985); with n of them, intervals of two or three would be too narrow.
    """
    entries = suite_entries(result.suite)
    tasks = {entry.name: task_score(entry, result.tasks.get(entry.name)) for entry in entries}
    scores, draws = _scores(result), _draws(result)
    iqm, mean = interquartile_mean(scores), _mean(scores)
    training = [member.training for task in result.tasks.values() for member in task.members]
    known = [one for one in training if one is not None]
    is_known = bool(training) and len(known) == len(training)
    devices = [one.device for one in known if one.device is not None]
    return Summary(
        iqm=float(iqm),
        iqm_ci=_interval(interquartile_mean(draws), iqm),
        mean=float(mean),
        mean_ci=_interval(_mean(draws), mean),
        tasks=tasks,
        training_steps=sum(one.steps for one in known) if is_known else None,
        training_seconds=round(sum(one.seconds for one in known), 1) if is_known else None,
        training_device="; ".join(dict.fromkeys(devices)) if is_known and len(devices) == len(known) else None,
    )


def performance_profile(result: "SuiteResult", taus: Sequence[float]) -> Profile:
    """Return the share of an agent's scores above each threshold (Agarwal et al. 2021, section 4.2).

    Every task has the same weight, and its members share it. Intervals are those of `summarize`, threshold by
    threshold.
    """

    def shares(by_task: Sequence[Array]) -> Array:
        return np.stack([_mean([(scores > tau).astype(float) for scores in by_task]) for tau in taus], axis=-1)

    share = shares(_scores(result))
    limits = _limits(shares(_draws(result)), share)
    low, high = (tuple(map(float, limit)) for limit in limits)
    return Profile(tuple(map(float, taus)), tuple(map(float, share)), low, high)


def probability_of_improvement(a: "SuiteResult", b: "SuiteResult") -> Improvement:
    """Return how probable it is that a member of `a` scores higher on a task than one of `b`.

    The probability of a task is the share of pairs of members in which that of `a` scores higher, ties counting half:
    the statistic of Mann and Whitney, divided by the number of pairs (Agarwal et al. 2021, section 4.3). Where both
    agents have one member it is 0, 0.5 or 1. The interval is of the bootstrap of `summarize`, in which such a pair is
    compared by drawn episodes: it says how often the comparison comes out the same with further episodes.

    Raises:
        ValueError: They are results of different suites.
    """
    if a.suite != b.suite:
        raise ValueError(f"{a.agent} was scored on {a.suite}, and {b.agent} on {b.suite}")

    def probabilities(a_scores: Sequence[Array], b_scores: Sequence[Array]) -> Array:
        pairs = [(x[..., :, None], y[..., None, :]) for x, y in zip(a_scores, b_scores, strict=True)]
        return np.stack([((x > y) + 0.5 * (x == y)).mean(axis=(-2, -1)) for x, y in pairs])

    tasks = probabilities(_scores(a), _scores(b))
    probability = tasks.mean()
    draws = probabilities(_draws(a), _draws(b, stream=1)).mean(axis=0)
    names = [entry.name for entry in suite_entries(a.suite)]
    return Improvement(
        float(probability), _interval(draws, probability), dict(zip(names, map(float, tasks), strict=True))
    )


def interquartile_mean(by_task: Sequence[Array]) -> Array:
    """Return the mean of the middle half of all members' scores (Agarwal et al. 2021, section 4.3).

    Every task has the same weight, and its members share it. A score that lies partly in the middle half of the weight
    counts with that part; where all tasks have the same number of members and N is a multiple of 4, this is
    `scipy.stats.trim_mean(scores, 0.25)`.

    Args:
        by_task: The scores of the members of each task, [T] arrays [..., M].

    Returns:
        The interquartile means, [...].
    """
    scores = np.concatenate(by_task, axis=-1)
    weights = np.concatenate([np.full(one.shape[-1], 1 / (len(by_task) * one.shape[-1])) for one in by_task])
    order = np.argsort(scores, axis=-1, kind="stable")
    above = np.cumsum(weights[order], axis=-1)
    middle = np.clip(above, 0.25, 0.75) - np.clip(above - weights[order], 0.25, 0.75)
    return np.asarray((np.take_along_axis(scores, order, axis=-1) * middle).sum(axis=-1) / middle.sum(axis=-1))


def _mean(by_task: Sequence[Array]) -> Array:
    """Return the mean over tasks of the means over members, [...], of [T] arrays [..., M]."""
    return np.asarray(np.mean([scores.mean(axis=-1) for scores in by_task], axis=0))


def _limits(draws: Array, estimate: Array) -> tuple[Array, Array]:
    """Return the limits [...] of the 95% percentile interval of draws [D, ...], widened to include the estimate."""
    low, high = np.quantile(draws, LIMITS, axis=0)
    return np.minimum(low, estimate), np.maximum(high, estimate)


def _interval(draws: Array, estimate: Array) -> Interval:
    """Return the limits of the 95% percentile interval of draws [D], as numbers."""
    low, high = _limits(draws, estimate)
    return float(low), float(high)


def _scores(result: "SuiteResult") -> list[Array]:
    """Return the scores of the members of each task, [T] arrays [M]; a 0 for tasks that are not done."""
    return [member_scores(entry, task) for entry, task in _by_entry(result)]


def _draws(result: "SuiteResult", stream: int = 0) -> list[Array]:
    """Return bootstrap draws of the scores of each task, [T] arrays [D, max(1, M - 1)].

    Args:
        result: The result.
        stream: A number; draws of two results with different numbers are independent.
    """
    return [
        draw_scores(entry, task, np.random.default_rng((stream, index)))
        for index, (entry, task) in enumerate(_by_entry(result))
    ]


def _by_entry(result: "SuiteResult") -> list[tuple[SuiteEntry, "TaskResult | None"]]:
    """Return every row of the suite with its result, None where that is missing."""
    return [(entry, result.tasks.get(entry.name)) for entry in suite_entries(result.suite)]
