"""Choice of the goal that each episode is given.

* ``GoalSampler`` - gives every episode a goal that it chooses by a rule
* ``GoalSamplerVector`` - the same for every environment of a vector environment, automatic resets included

G is the number of goals in the all-goals set, K of candidates, D of numbers in a goal, N of environments.
"""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv

from gc_envs.core.goal_env_mixin import check_mask
from gc_envs.core.goals import GoalSpace
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.wrappers.common import (
    Environment,
    EpisodeVectorWrapper,
    before_reset,
    check_all_goals,
    check_single,
    goal_array,
    goal_dictionary_of,
    lookup,
)
from gc_envs.wrappers.goal_evaluator import check_goals

Weights = Callable[[np.ndarray], np.ndarray]  # success rates [G], nan where never tried -> weights [G]

__all__ = ["GoalSampler", "GoalSamplerVector", "favour_intermediate"]

RULES = ("seen", "success", "uniform", "cycle")


def favour_intermediate(success_rates: np.ndarray) -> np.ndarray:
    """Return weights [G] for success rates [G]: p (1 - p) + 1/40.

    A goal that is reached half the time, or was never tried, thus weighs eleven times as much as one that always or
    never succeeds, and no goal is dropped.
    """
    rate = np.nan_to_num(success_rates, nan=0.5)
    return rate * (1 - rate) + 0.025


class GoalSampler(gymnasium.Wrapper, RecordConstructorArgs):
    """Gives every episode a goal, through `reset(options={"goal": ...})`; a goal in the caller's options has priority.

    There are four rules. "seen" samples evenly from the goals achieved so far in any episode, start states included,
    and from all goals while there are none (arXiv 2605.23551). "success" samples with `weights` of the success rates of
    a `GoalStatistics` below this wrapper. "uniform" samples evenly. "cycle" takes the goals in turn. A goal that
    already holds at the start can be sampled.

    The wrapper has its own random numbers, which `reset(seed=...)` seeds. Such a reset keeps the goals seen so far and
    the position in the cycle.

    Args:
        env: An environment that takes the option "goal", as all environments of this package do.
        rule: "seen", "success", "uniform" or "cycle".
        goals: The candidates [K, D] of "uniform" and "cycle" (for this package's environments also names and indices).
            The default is the all-goals set, from which "seen" and "success" always choose.
        weights: For "success", a function from success rates float64 [G] (nan where never tried) to weights [G] that
            are not all zero.

    Raises:
        TypeError: If the rule is "success" and no `GoalStatistics` lies below, if the environment has no goal
            dictionaries or no goal set, and, at reset, if the environment ignores the option.
        ValueError: If the rule is unknown, if there are no goals, goals outside the space, or goals with "seen" or
            "success", and if weights are invalid.

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
        check_single(self, env)
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
                f"{self.env} ignores reset(options={{'goal': ...}}): it was given {chosen.tolist()}, but its desired "
                f"goal is {np.asarray(observation['desired_goal']).tolist()}"
            )
        self._chooser.record(info)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._chooser.record(info)
        return observation, reward, terminated, truncated, info


class GoalSamplerVector(EpisodeVectorWrapper):
    """`GoalSampler` for this package's vector environments; goals seen in one environment count for all of them.

    In NEXT_STEP and SAME_STEP, an environment that was reset automatically is reset once more, with its goal, before
    the step returns, so its start state is computed twice. In DISABLED, the goals are chosen in the caller's
    `reset(options={"reset_mask": mask})`.

    Arguments and errors are those of `GoalSampler`; other vector environments raise a TypeError.

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
                f"{env} cannot take one goal per environment: wrap the single environments instead, with "
                "make_vec(..., wrappers=[lambda env: GoalSampler(env, ...)])"
            )
        self._chooser = GoalChooser(env, rule, goals, weights)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._chooser.seed(seed)
        options = dict(options or {})
        if options.get("goal") is None and options.get("goals") is None:
            mask = check_mask(options.get("reset_mask"), self.num_envs)
            options["goals"] = self._chooser.choose_where(mask)
        return super().reset(seed=seed, options=options)

    def _on_reset(self, observations: Any, infos: dict[str, Any], mask: np.ndarray) -> tuple[Any, dict[str, Any]]:
        self._chooser.record(infos, mask)
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        moved, _, reset = self._track_step(terminated, truncated)
        self._chooser.record(infos, moved)
        if reset.any():
            observations, reset_infos = self.reset(options={"reset_mask": reset})
            infos = _merged(infos, reset_infos, reset)
        return observations, rewards, terminated, truncated, infos


class GoalChooser:
    """A rule that chooses among candidates [K, D], and what it has recorded.

    Arguments and errors are those of `GoalSampler`.
    """

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
                "rule='success' needs a GoalStatistics below it: GoalSampler(GoalStatistics(env), 'success')"
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
        self._num_chosen = 0
        self._random = np.random.default_rng()

    def seed(self, seed: int | Sequence[int | None] | None) -> None:
        """Start a new stream of random numbers, which differs from the environment's own stream of that seed."""
        given = [s for s in np.atleast_1d(np.asarray(seed, object)).tolist() if s is not None]
        if given:
            self._random = np.random.default_rng(np.random.SeedSequence(given, spawn_key=(1,)))

    def record(self, info: dict[str, Any], mask: np.ndarray | None = None) -> None:
        """Record which goals were achieved; of a vector environment's infos, in the environments of `mask` [N]."""
        if self._rule == "seen":
            achieved = before_reset(info, "all_goals", "achieved")
            self._seen |= achieved if mask is None else achieved[mask].any(axis=0)

    def choose(self, count: int) -> np.ndarray:
        """Return `count` goals, [count, D]."""
        size = len(self.candidates)
        if self._rule == "cycle":
            index = (self._num_chosen + np.arange(count)) % size
        else:
            weights = self._weights()
            index = self._random.choice(size, count, p=weights / weights.sum())
        self._num_chosen += count
        return self.candidates[index]

    def choose_where(self, mask: np.ndarray) -> np.ndarray:
        """Return a chosen goal for every environment of `mask` [N], and any goal elsewhere, [N, D]."""
        goals = np.repeat(self.candidates[:1], len(mask), axis=0)
        goals[mask] = self.choose(int(mask.sum()))
        return goals

    def _weights(self) -> np.ndarray:
        """Return the weights of the candidates, [K], not all zero."""
        if self._rule == "seen" and self._seen.any():
            return self._seen.astype(float)
        if self._rule != "success":
            return np.ones(len(self.candidates))
        weights = np.asarray(self._weigh(lookup(self._env, "success_rates")), float)
        rule = f"weights must be {len(self._seen)} finite numbers >= 0, not all zero"
        if weights.shape != self._seen.shape:
            raise ValueError(f"{rule}; got an array of shape {weights.shape}")
        wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
        if len(wrong):
            raise ValueError(f"{rule}; got {weights[wrong[0]]} for goal {wrong[0]}")
        if not weights.any():
            raise ValueError(f"{rule}; got zeros alone")
        return weights


def _merged(infos: dict[str, Any], reset_infos: dict[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """Return `infos` with the entries of the environments of `mask` [N] taken from `reset_infos`."""
    result = dict(infos)
    for key, value in reset_infos.items():
        if isinstance(value, dict):
            result[key] = _merged(infos[key], value, mask)
        elif not key.startswith("_"):  # the masks of a step mark all environments already
            result[key] = np.where(mask.reshape(-1, *(1,) * (value.ndim - 1)), value, infos[key])
    return result
