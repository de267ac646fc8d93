"""The standard suites: fixed lists of tasks, each a row, on which any agent is scored.

A task's score is 0 for uniformly random actions and 1 for the row's reference: success of every episode, or the best
published return. What decides a score never changes under a name: any change of a row makes a new version.
"""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

AGENT_ARGUMENTS = ("observation",)  # environment arguments that an agent may choose: how it is shown the same states


@dataclass(frozen=True)
class Published:
    """A published value of a task's metric: a mark in reports, and no part of any score.

    Attributes:
        value: The value of the metric.
        agent: The agent that reached it.
        protocol: How it was measured, where that differs from the suite, and where it is published.
    """

    value: float
    agent: str
    protocol: str


@dataclass(frozen=True)
class SuiteEntry:
    """One task of a suite.

    Attributes:
        name: What the task is called in results, tables and reports.
        env_id: The id of the environment.
        env_kwargs: The arguments of the environment.
        episodes: The episodes of one seed: for each goal of a finite set, or in total where goals are sampled.
        max_steps: The steps that an episode may take.
        metric: "success", the share of episodes in which the desired goal held at some step, or "return", the mean sum
            of rewards.
        random_score: The metric of uniformly random actions, measured with the seeds of `standard-v0`, to four digits.
        reference: The metric whose score is 1.
        source: Where `reference` comes from.
        seeds: The seeds of start states, dynamics and sampled goals; every seed is an evaluation of its own.
        published: Published values of the metric.
    """

    name: str
    env_id: str
    env_kwargs: dict[str, Any]
    episodes: int
    max_steps: int
    metric: Literal["success", "return"]
    random_score: float
    reference: float
    source: str
    seeds: tuple[int, ...] = (0, 1, 2)
    published: tuple[Published, ...] = field(default=())

    def score(self, value: float) -> float:
        """Return the score of a value of the metric: 0 for random actions, 1 for the reference; it is not clipped."""
        return (value - self.random_score) / (self.reference - self.random_score)


ALL_REACHED = "every episode reaches its goal"
LEO = "arXiv 2605.23551: 1e9 steps, training episodes with exploration, goal by goal"
REENGAGE = "arXiv 2208.13298"
PANDA = "arXiv 2312.13788, read off its plots: its own model and rewards, one environment"


def _finite(name: str, max_steps: int, random_score: float, *published: Published, **env_kwargs: Any) -> SuiteEntry:
    """Return the row of a task with a finite goal set, each goal of which is the desired goal of an episode a seed."""
    return SuiteEntry(
        name, f"GC-{name}-v0", env_kwargs, 1, max_steps, "success", random_score, 1.0, ALL_REACHED, published=published
    )


def _sampled(
    name: str, env_id: str, max_steps: int, random_score: float, *published: Published, **env_kwargs: Any
) -> SuiteEntry:
    """Return the row of a task whose goals are sampled, 100 of them a seed."""
    return SuiteEntry(
        name, env_id, env_kwargs, 100, max_steps, "success", random_score, 1.0, ALL_REACHED, published=published
    )


def _return(name: str, random_score: float, reference: float, *published: Published) -> SuiteEntry:
    """Return the row of a task whose metric is the return of 40 steps, which varies much with the sampled goals."""
    source = f"{REENGAGE}, figure 4: mean return of ReenGAGE after 160,000 steps"
    return SuiteEntry(
        name, f"GC-{name}-v0", {}, 300, 40, "return", random_score, reference, source, published=published
    )


STANDARD_V0 = (
    _finite("Gridworld", 200, 0.3676),
    _finite(
        "Craftax-Classic", 512, 0.0956,
        Published(0.81, "Dual LEO (PPO)", LEO), Published(0.61, "LEO", LEO), Published(0.787, "PPO", LEO),
    ),
    _finite(
        "Craftax", 512, 0.0313,
        Published(0.264, "Dual LEO (PPO)", LEO), Published(0.158, "LEO", LEO), Published(0.131, "PPO", LEO),
    ),
    _sampled(
        "ContinuousSeek-5", "GC-ContinuousSeek-v0", 10, 0.0,
        Published(1.0, "ReenGAGE", f"{REENGAGE}: 12,000 steps"), Published(0.98, "HER", f"{REENGAGE}: 12,000 steps"),
        dim=5,
    ),
    _sampled(
        "ContinuousSeek-10", "GC-ContinuousSeek-v0", 10, 0.0,
        Published(0.95, "ReenGAGE", f"{REENGAGE}: 50,000 steps"), Published(0.82, "HER", f"{REENGAGE}: 50,000 steps"),
        dim=10,
    ),
    _sampled(
        "ContinuousSeek-20", "GC-ContinuousSeek-v0", 10, 0.0,
        Published(0.99, "ReenGAGE", f"{REENGAGE}: 400,000 steps"), Published(0.87, "HER", f"{REENGAGE}: 400,000 steps"),
        dim=20,
    ),
    _return("DriveSeek", 9.1244, 22.3, Published(21.5, "without ReenGAGE", f"{REENGAGE}: 160,000 steps")),
    _return("NoisySeek", 3.3144, 20.2, Published(17.5, "without ReenGAGE", f"{REENGAGE}: 160,000 steps")),
    _sampled("BitFlip-20", "GC-BitFlip-v0", 20, 0.0, bits=20),
    _sampled("BitFlip-40", "GC-BitFlip-v0", 40, 0.0, bits=40),
    _sampled("PandaReach", "GC-PandaReach-v0", 50, 0.15, backend="c"),
    _sampled(
        "PandaPush", "GC-PandaPush-v0", 50, 0.0,
        Published(0.99, "SAC + HER", f"{PANDA}; 300,000 steps"),
        Published(0.99, "TQC + HER", f"{PANDA}; 300,000 steps"),
        backend="c",
    ),
    _sampled(
        "PandaSlide", "GC-PandaSlide-v0", 50, 0.0,
        Published(0.85, "SAC + HER", f"{PANDA}; 1,000,000 steps"),
        Published(0.83, "TQC + HER", f"{PANDA}; 1,000,000 steps"),
        backend="c",
    ),
    _sampled(
        "PandaPickAndPlace", "GC-PandaPickAndPlace-v0", 50, 0.0,
        Published(1.0, "TQC + HER", f"{PANDA}; 500,000 steps"), Published(0.85, "SAC + HER", f"{PANDA}; 500,000 steps"),
        backend="c",
    ),
    _sampled("HandReach", "GC-HandReach-v0", 50, 0.0, backend="c"),
    _sampled("HandManipulateBlock", "GC-HandManipulateBlock-v0", 100, 0.0, backend="c"),
)  # fmt: skip

DISCRETE = ("Gridworld", "Craftax-Classic", "Craftax", "BitFlip-20", "BitFlip-40")
QUICK = ("Gridworld", "ContinuousSeek-5", "DriveSeek", "NoisySeek", "BitFlip-20", "PandaReach")

SUITES: dict[str, tuple[SuiteEntry, ...]] = {
    "standard-v0": STANDARD_V0,
    "quick-v0": tuple(dataclasses.replace(entry, seeds=(0,)) for entry in STANDARD_V0 if entry.name in QUICK),
    "discrete-v0": tuple(entry for entry in STANDARD_V0 if entry.name in DISCRETE),
    "continuous-v0": tuple(entry for entry in STANDARD_V0 if entry.name not in DISCRETE),
}
SUMMARIES = {
    "standard": "every task: three seeds, one episode for each of finitely many goals, or 100 sampled ones",
    "quick": "six small tasks with one seed, in minutes on two cores",
    "discrete": "those tasks of the standard suite whose actions are discrete",
    "continuous": "those tasks of the standard suite whose actions are numbers",
}


def suite_name(name: str) -> str:
    """Return the name of a suite with its version; a name without one stands for the newest version.

    Raises:
        ValueError: There is no such suite; the message lists those there are.

    >>> suite_name("quick")
    'quick-v0'
    """
    if name in SUITES:
        return name
    versions = [known for known in SUITES if re.sub(r"-v\d+$", "", known) == name]
    if not versions:
        raise ValueError(f"unknown suite {name!r}; known: {', '.join(SUITES)}")
    return max(versions, key=lambda known: int(known.rpartition("-v")[2]))


def suite_entries(name: str, tasks: Sequence[str] | None = None) -> tuple[SuiteEntry, ...]:
    """Return the rows of a suite.

    Args:
        name: The name of the suite; without a version, the newest.
        tasks: The names of the only tasks to return; by default, all of them.

    Raises:
        ValueError: There is no such suite, or no such task in it; the message lists those there are.
    """
    entries = SUITES[suite_name(name)]
    if tasks is None:
        return entries
    unknown = [task for task in tasks if task not in (entry.name for entry in entries)]
    if unknown:
        known = ", ".join(entry.name for entry in entries)
        raise ValueError(f"{suite_name(name)} has no task {unknown[0]!r}; it has: {known}")
    return tuple(entry for entry in entries if entry.name in tasks)
