"""Choosing the goal that each episode is given.

* ``GoalSampler`` - commands a goal at every reset, by a rule
* ``GoalSamplerVector`` - the same for every lane of a vector environment, automatic resets included

G goals, K candidates, D numbers in a goal, N lanes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv

from gc_envs.core.goals import GoalSpace
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.wrappers.common import (
    Environment,
    EpisodeVectorWrapper,
    before_reset,
    check_all_goals,
    goal_array,
    goal_dictionary_of,
    lookup,
)
from gc_envs.wrappers.goal_evaluator import check_goals

Weights = Callable[[np.ndarray], np.ndarray]  # success rates [G], nan where never tried -> weights [G]

__all__ = ["GoalSampler", "GoalSamplerVector", "favour_intermediate"]

RULES = ("seen", "success", "uniform", "cycle")


def favour_intermediate(success_rates: np.ndarray) -> np.ndarray:
    """Weights [G] for success rates [G]: p (1 - p) + 1/40, so that a goal reached half the time, or never tried, weighs
    eleven times as much as one that always or never succeeds, and none is dropped."""
    rate = np.nan_to_num(success_rates, nan=0.5)
    return rate * (1 - rate) + 0.025


class GoalSampler(gymnasium.Wrapper, RecordConstructorArgs):
    """Commands a goal at every reset, through `reset(options={"goal": ...})`; a goal in the caller's options wins.

    Rules: "seen" draws evenly from the goals achieved so far in any episode, start states included, and from all of
    them while there are none (arXiv 2605.23551); "success" draws with `weights` of the success rates of a
    `GoalStatistics` underneath; "uniform" draws evenly; "cycle" takes the goals in turn. A goal that already holds at
    the start can be drawn.

    The wrapper has random numbers of its own, which `reset(seed=...)` seeds. What was seen, and the place in the cycle,
    outlive it.

    Args:
        env: an environment that takes the option "goal", all of this package's do.
        rule: one of the four.
        goals: the candidates [K, D] (for this package's environments also names and indices) of "uniform" and "cycle".
            Default: the goals of the all-goals set, which is also what "seen" and "success" choose from.
        weights: for "success": success rates float64 [G] (nan where never tried) -> weights [G], not all of them zero.

    Raises:
        TypeError: for "success" without a `GoalStatistics` underneath, for an environment without goal dictionaries or
            without a goal set, and, at reset, for one that does not follow the option.
        ValueError: for another rule, no goals, goals outside the space, goals with "seen" or "success", or weights that
            are none.

    >>> env = GoalSampler(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5), "cycle", goals=["position/0-4", 4])
    >>> [env.reset()[1]["goal_name"] for _ in range(3)]
    ['position/0-4', 'position/1-4', 'position/0-4']
    """

    def __init__(
        self,
        env: gymnasium.Env,
        rule: str = "seen",
        *,
        goals: Sequence[Any] | np.ndarray | None = None,
        weights: Weights = favour_intermediate,
    ) -> None:
        RecordConstructorArgs.__init__(self, rule=rule, goals=goals, weights=weights)
        gymnasium.Wrapper.__init__(self, env)
        self._chooser = GoalChooser(env, rule, goals, weights)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._chooser.seed(seed)
        options = dict(options or {})
        chosen = None
        if options.get("goal") is None:
            chosen = options["goal"] = self._chooser.choose(1)[0]
        observation, info = self.env.reset(seed=seed, options=options)
        if chosen is not None and not np.array_equal(observation["desired_goal"], chosen):
            raise TypeError(
                f"{self.env} does not take reset(options={{'goal': ...}}): goal {chosen.tolist()} was commanded, and "
                f"{np.asarray(observation['desired_goal']).tolist()} is desired"
            )
        self._chooser.note(info)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._chooser.note(info)
        return observation, reward, terminated, truncated, info


class GoalSamplerVector(EpisodeVectorWrapper):
    """`GoalSampler` for this package's vector environments: what one lane sees counts for all of them.

    In NEXT_STEP and SAME_STEP, a lane that was reset automatically is reset once more, with its goal, before the step
    returns; start states are made twice then. In DISABLED, the goals are chosen in the caller's
    `reset(options={"reset_mask": mask})`.

    Arguments and errors are those of `GoalSampler`; other vector environments are refused with a TypeError.

    >>> envs = GoalSamplerVector(gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=3), "cycle", goals=[4, 7])
    >>> envs.reset(seed=0)[1]["goal"]
    array([4, 7, 4], dtype=int32)
    """

    def __init__(
        self,
        env: VectorEnv,
        rule: str = "seen",
        *,
        goals: Sequence[Any] | np.ndarray | None = None,
        weights: Weights = favour_intermediate,
    ) -> None:
        super().__init__(env)
        if not isinstance(env.unwrapped, GoalVectorEnv):
            raise TypeError(
                f"{env} can't be given one goal per lane: wrap the single environments instead, with "
                "make_vec(..., wrappers=[lambda env: GoalSampler(env, ...)])"
            )
        self._chooser = GoalChooser(env, rule, goals, weights)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._chooser.seed(seed)
        options = dict(options or {})
        if options.get("goal") is None and options.get("goals") is None:
            mask = options.get("reset_mask")
            options["goals"] = self._chooser.fill(np.ones(self.num_envs, bool) if mask is None else mask)
        return super().reset(seed=seed, options=options)

    def _began(self, observations: Any, infos: dict[str, Any], lanes: np.ndarray) -> tuple[Any, dict[str, Any]]:
        self._chooser.note(infos, lanes)
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        moved, _, fresh = self._note_step(terminated, truncated)
        self._chooser.note(infos, moved)
        if fresh.any():
            observations, anew = self.reset(options={"reset_mask": fresh})
            infos = _merged(infos, anew, fresh)
        return observations, rewards, terminated, truncated, infos


class GoalChooser:
    """Candidates [K, D], the rule to choose among them, and what the rule knows."""

    def __init__(self, env: Environment, rule: str, goals: Any, weights: Weights) -> None:
        if rule not in RULES:
            raise ValueError(f"rule={rule!r} is not one of {list(RULES)}")
        if goals is not None and rule in ("seen", "success"):
            raise ValueError(
                f"rule={rule!r} chooses from the all-goals set and takes no goals=; set them with make(id, goals=...) "
                "or AllGoalsInfo(env, goals)"
            )
        if rule == "success" and lookup(env, "success_rates") is None:
            raise TypeError(
                "rule='success' needs a GoalStatistics underneath: GoalSampler(GoalStatistics(env), 'success')"
            )
        if rule == "seen":
            check_all_goals(env)
        space = goal_dictionary_of(env)["desired_goal"]
        if goals is None:
            self.candidates = goal_array(env)
        else:
            own = lookup(env, "goals")
            self.candidates = check_goals(goals, space, own if isinstance(own, GoalSpace) else None)
        self._env, self._rule, self._weigh = env, rule, weights
        self._seen = np.zeros(len(self.candidates), bool)  # [G]
        self._taken = 0  # candidates chosen so far
        self._random = np.random.default_rng()

    def seed(self, seed: int | Sequence[int | None] | None) -> None:
        """Start a new stream of random numbers, apart from the environment's own of that seed."""
        given = [s for s in np.atleast_1d(np.asarray(seed, object)).tolist() if s is not None]
        if given:
            self._random = np.random.default_rng(np.random.SeedSequence(given, spawn_key=(1,)))

    def note(self, info: dict[str, Any], lanes: np.ndarray | None = None) -> None:
        """Remember what was achieved; of a vector environment's infos, in `lanes` [N]."""
        if self._rule == "seen":
            achieved = before_reset(info, "all_goals", "achieved")
            self._seen |= achieved if lanes is None else achieved[lanes].any(axis=0)

    def choose(self, count: int) -> np.ndarray:
        """`count` goals, [count, D]."""
        size = len(self.candidates)
        if self._rule == "cycle":
            index = (self._taken + np.arange(count)) % size
        else:
            weights = self._weights()
            index = self._random.choice(size, count, p=weights / weights.sum())
        self._taken += count
        return self.candidates[index]

    def fill(self, lanes: np.ndarray) -> np.ndarray:
        """A goal for each of `lanes` [N]: [N, D], any goal elsewhere."""
        goals = np.repeat(self.candidates[:1], len(lanes), axis=0)
        goals[lanes] = self.choose(int(lanes.sum()))
        return goals

    def _weights(self) -> np.ndarray:
        """[K], not all zero."""
        if self._rule == "seen" and self._seen.any():
            return self._seen.astype(float)
        if self._rule != "success":
            return np.ones(len(self.candidates))
        weights = np.asarray(self._weigh(lookup(self._env, "success_rates")), float)
        if (
            weights.shape != self._seen.shape
            or not np.isfinite(weights).all()
            or weights.min() < 0
            or not weights.any()
        ):
            raise ValueError(
                f"weights must be {len(self._seen)} finite numbers >= 0, not all zero; got {weights.shape}, "
                f"{weights.ravel()[:5].tolist()}"
            )
        return weights


def _merged(infos: dict[str, Any], anew: dict[str, Any], lanes: np.ndarray) -> dict[str, Any]:
    """`infos` with the entries of `lanes` [N] taken from `anew`."""
    result = dict(infos)
    for key, value in anew.items():
        if isinstance(value, dict):
            result[key] = _merged(infos[key], value, lanes)
        elif not key.startswith("_"):  # the masks of a step name all lanes already
            result[key] = np.where(lanes.reshape(-1, *(1,) * (value.ndim - 1)), value, infos[key])
    return result
