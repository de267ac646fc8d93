"""Which learners are for which goals and actions, by the table of all learners; their error messages say so."""

from typing import Any

import gymnasium

from gc_envs.agents import LEARNERS
from gc_envs.core.goals import FiniteGoals, PointSetGoals
from gc_envs.core.task import Task


def kind_of(task: Task[Any]) -> tuple[str, str]:
    """Return the kind of the goals and of the actions of a task."""
    goals = {FiniteGoals: "finite", PointSetGoals: "sets of points"}.get(type(task.goals), "points")
    return goals, "discrete" if isinstance(task.action_space, gymnasium.spaces.Discrete) else "numbers"


def fitting_learners(task: Task[Any]) -> tuple[str, ...]:
    """Return the names of the learners that are for the goals and actions of `task`, in the order of `LEARNERS`."""
    kind = kind_of(task)
    return tuple(name for name, row in LEARNERS.items() if kind in row.kinds)


def use_instead(task: Task[Any]) -> str:
    """Return the end of an error message: which learners are for `task`."""
    names = fitting_learners(task)
    return f"use {', '.join(names)}" if names else "no learner here is for that"
