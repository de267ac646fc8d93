"""What the members of an agent scored on one task: the score, its interval, and draws of how it could have come out.

Letters: M members, D bootstrap draws, G goals.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from gc_envs.evaluation.intervals import success_interval
from gc_envs.suite.suites import SuiteEntry

if TYPE_CHECKING:  # results hold scores
    from gc_envs.suite.result import MemberResult, TaskResult

DRAWS = 2000  # of every bootstrap
LIMITS = (0.025, 0.975)  # the quantiles that are the limits of a 95% interval
Interval = tuple[float, float]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class TaskScore:
    """The score of an agent on one task.

    Attributes:
        status: "done", "cannot", "failed", or "missing" where the result has no such task.
        score: The mean of `members`; 0, the score of random actions, where `status` is not "done".
        ci: Lower and upper limit of its 95% interval; None where `status` is not "done".
        value: The metric, the mean over members; None where `status` is not "done".
        members: The score of each member, [M].
    """

    status: Literal["done", "cannot", "failed", "missing"]
    score: float = 0.0
    ci: Interval | None = None
    value: float | None = None
    members: tuple[float, ...] = ()


def task_score(entry: SuiteEntry, task: "TaskResult | None") -> TaskScore:
    """Return the score of an agent on a task.

    The interval has a formula, because the percentiles of a bootstrap of a few members, or of episodes that all
    succeed, are too narrow. With several members it is Student's t over members; with one it is
    `intervals.success_interval`, or Student's t over the returns of episodes.
    """
    if task is None or task.status != "done":
        return TaskScore("missing" if task is None else task.status)
    values = _member_values(task)
    value = float(values.mean())
    if len(values) > 1:
        low, high = _t_interval(values)
    elif task.metric == "return":
        low, high = _t_interval(member_returns(task.members[0]))
    else:
        low, high = success_interval(*member_counts(task, task.members[0]))
    if task.metric == "success":
        low, high = max(low, 0.0), min(high, 1.0)
    score, members = entry.score(value), tuple(entry.score(float(one)) for one in values)
    return TaskScore("done", score, (entry.score(low), entry.score(high)), value, members)


def member_scores(entry: SuiteEntry, task: "TaskResult | None") -> Array:
    """Return the score of each member of a task, [M]; a 0 if it is not done."""
    return np.array(task_score(entry, task).members or (0.0,))


def draw_scores(entry: SuiteEntry, task: "TaskResult | None", rng: np.random.Generator) -> Array:
    """Return draws of members' scores where there are several, else of the score of the only one by its episodes."""
    scores = member_scores(entry, task)
    if task is None or task.status != "done":
        return np.zeros((DRAWS, 1))
    if len(scores) > 1:
        return scores[rng.integers(len(scores), size=(DRAWS, len(scores) - 1))]
    if task.metric == "return":
        returns = member_returns(task.members[0])
        values = returns[rng.integers(len(returns), size=(DRAWS, len(returns) - 1))].mean(axis=1)
    else:
        counts, episodes = member_counts(task, task.members[0])
        if episodes == 1:  # nothing shows how a goal's episodes vary: draw from those of all goals
            counts, episodes = counts.sum(keepdims=True), len(counts)
        number = max(1, episodes - 1)
        values = rng.binomial(number, counts / episodes, size=(DRAWS, len(counts))).mean(axis=1) / number
    return np.array([[entry.score(value)] for value in values])


def _t_interval(values: Array) -> Interval:
    """Return Student's 95% interval of the mean of values [n]."""
    half = stdtrit(len(values) - 1, LIMITS[1]) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _member_values(task: "TaskResult") -> Array:
    """Return the metric of each member, the mean over seeds, [M]; exact sums, so that equal members are equal."""
    if task.metric == "return":
        return np.array([math.fsum(member_returns(member)) / len(member_returns(member)) for member in task.members])
    counts = [member_counts(task, member) for member in task.members]
    return np.array([successes.sum() / (len(successes) * episodes) for successes, episodes in counts])


def member_returns(member: "MemberResult") -> Array:
    """Return the sum of rewards of every episode of a member."""
    return np.concatenate([one.returns for one in member.seeds])


def member_counts(task: "TaskResult", member: "MemberResult") -> tuple[NDArray[np.int64], int]:
    """Return the successes of each goal over all seeds, [G], and the episodes of each goal."""
    return np.sum([one.successes for one in member.seeds], axis=0), task.episodes * len(member.seeds)
