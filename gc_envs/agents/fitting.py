"""Which learners are for which goals and actions, one table; the error messages of all learners read it."""

from typing import Any

import gymnasium

from gc_envs.agents import LEARNERS
from gc_envs.core.goals import FiniteGoals, PointSetGoals
from gc_envs.core.task import Task

IN_JAX = ("leo", "pqn", "pqn-her", "ppo", "dual-leo-pqn", "dual-leo-ppo")
FOR_NUMBERS = ("her-ddpg", "her-td3", "her-sac", "her-tqc", "reengage-ddpg", "reengage-td3", "reengage-sac")
FOR_CHOICES = ("her-dqn", "reengage-dqn")
FITTING: dict[tuple[str, str], tuple[str, ...]] = {  # kind of goals, kind of actions -> learners
    ("finite", "discrete"): (*IN_JAX, *FOR_CHOICES),
    ("finite", "numbers"): FOR_NUMBERS,
    ("points", "discrete"): FOR_CHOICES,
    ("points", "numbers"): FOR_NUMBERS,
    ("sets of points", "numbers"): ("multi-reengage",),
}


def fitting_learners(task: Task[Any]) -> tuple[str, ...]:
    """Return the names of the learners that are for the goals and actions of `task`, in the order of `LEARNERS`."""
    goals = {FiniteGoals: "finite", PointSetGoals: "sets of points"}.get(type(task.goals), "points")
    actions = "discrete" if isinstance(task.action_space, gymnasium.spaces.Discrete) else "numbers"
    names = FITTING.get((goals, actions), ())
    return tuple(name for name in LEARNERS if name in names)


def use_instead(task: Task[Any]) -> str:
    """Return the end of an error message: which learners are for `task`."""
    names = fitting_learners(task)
    return f"use {', '.join(names)}" if names else "no learner here is for that"
