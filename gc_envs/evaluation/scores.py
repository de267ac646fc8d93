"""Numbers of suite results: scores, means over tasks, and how much they would change if the evaluation were made again.

The definitions are those of Agarwal et al. 2021 (arXiv 2108.13264), whose runs are our members, for tasks that may have
different numbers of members. Tasks are fixed: intervals are about further members or episodes on the same tasks.
Letters: T tasks, M members of a task, N members of all tasks, D bootstrap draws, G goals, K thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gc_envs.evaluation.intervals import success_interval
from gc_envs.evaluation.suite import SuiteEntry, suite_entries

if TYPE_CHECKING:  # results hold summaries
    from gc_envs.evaluation.suite_result import MemberResult, SuiteResult, TaskResult

DRAWS = 2000
LIMITS = (0.025, 0.975)  # the quantiles of draws that are the limits of a 95% interval
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
    """Return the scores of an agent.

    Tasks that the agent cannot do, that failed or that are missing count as 0, the score of random actions, so that all
    agents are compared over the same tasks.
    """
    raise NotImplementedError


def performance_profile(result: "SuiteResult", taus: Sequence[float]) -> Profile:
    """Return the share of an agent's scores above each threshold (Agarwal et al. 2021, section 4.3)."""
    raise NotImplementedError


def probability_of_improvement(a: "SuiteResult", b: "SuiteResult") -> Improvement:
    """Return how probable it is that a member of `a` scores higher on a task than one of `b`.

    Raises:
        ValueError: They are results of different suites.
    """
    raise NotImplementedError
