"""Evaluation of the states of any goal environment under every goal of a given set.

G is the number of goals, D of numbers in a desired goal, d in an achieved goal, B of states or of pairs.
"""

import copy
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from gc_envs.core.goals import GoalSpace
from gc_envs.wrappers.common import Environment, goal_dictionary_of, lookup

Success = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (achieved [B, d], desired [B, D]) -> bool [B]

_PASS_SUCCESS = "pass success=, a function (achieved [B, d], desired [B, D]) -> bool [B]"


class GoalEvaluator:
    """Evaluates states under every goal of a set, `goals` [G, D].

    Arguments and errors are those of `AllGoalsInfo`.
    """

    def __init__(self, env: Environment, goals: Any, success: Success | None, seed: int) -> None:
        spaces = goal_dictionary_of(env)
        self._compute_reward = lookup(env, "compute_reward")
        if self._compute_reward is None:
            raise TypeError(f"{env} has no compute_reward(achieved_goal, desired_goal, info)")
        own = lookup(env, "goals")
        own = own if isinstance(own, GoalSpace) else None
        if isinstance(goals, (int, np.integer)):
            self.goals = _sample_goals(env, int(goals), seed)
        else:
            self.goals = check_goals(goals, spaces["desired_goal"], own)
        probes = _probes(spaces["achieved_goal"], self.goals)
        self._batched = self._takes_batches(probes)
        if not self._batched:
            gymnasium.logger.warn(
                f"compute_reward of {env} takes one pair of goals, not a batch: it is called "
                f"{len(self.goals)} times for every state"
            )
        self._keeps_success = own is not None and success is None
        self._success = success or (own.success if own else self._by_reward(probes))
        success_shape = np.asarray(self._success(*self._pairs(probes))).shape
        if success_shape != (len(probes) * len(self.goals),):
            raise ValueError(
                f"success(achieved, desired) must take batches: it returned shape {success_shape} for "
                f"{len(probes) * len(self.goals)} pairs"
            )

    def report(
        self, achieved: np.ndarray, success_goal: np.ndarray, desired: np.ndarray, info: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the all-goals information about B states.

        Args:
            achieved: The achieved goals of the states, [B, d].
            success_goal: The goals of `is_success`, [B, D].
            desired: The desired goals, whose index in the set is `goal`, [B, D].
            info: The info that `compute_reward` gets.

        Returns:
            `all_goals` with `achieved` bool [B, G] and `reward` float32 [B, G], `goal` int32 [B], -1 where the goal is
            not in the set, and, unless the environment's own is right, `is_success` bool [B].
        """
        shape = (len(achieved), len(self.goals))
        pairs = self._pairs(achieved)
        same = (desired[:, None] == self.goals).reshape(*shape, -1).all(axis=-1)
        report = {
            "all_goals": {
                "achieved": np.asarray(self._success(*pairs), bool).reshape(shape),
                "reward": self._rewards(*pairs, info or {}).astype(np.float32).reshape(shape),
            },
            "goal": np.where(same.any(axis=-1), same.argmax(axis=-1), -1).astype(np.int32),
        }
        if not self._keeps_success:
            report["is_success"] = np.asarray(self._success(achieved, success_goal), bool)
        return report

    def _pairs(self, achieved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all pairs of `achieved` [B, d] with a goal, as [B * G, d] and [B * G, D]."""
        return np.repeat(achieved, len(self.goals), axis=0), np.concatenate([self.goals] * len(achieved))

    def _rewards(self, achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> np.ndarray:
        """Return the rewards of B pairs, [B]."""
        if self._batched:
            return np.asarray(self._compute_reward(achieved, desired, [info] * len(achieved)))
        return np.array([self._compute_reward(a, d, info) for a, d in zip(achieved, desired)], np.float64)

    def _takes_batches(self, probes: np.ndarray) -> bool:
        """Return whether `compute_reward` gives a batch of pairs the rewards that it gives them one by one."""
        achieved, desired = self._pairs(probes)
        try:
            together = np.asarray(self._compute_reward(achieved, desired, [{}] * len(achieved)))
            alone = [self._compute_reward(a, d, {}) for a, d in zip(achieved, desired)]
            return together.shape == (len(achieved),) and bool(np.allclose(together, alone))
        except Exception:  # a foreign function may fail in any way on arguments that it was not written for
            return False

    def _by_reward(self, probes: np.ndarray) -> Success:
        """Return a function that calls a goal reached where its reward is that of reaching a goal.

        Raises:
            ValueError: If the reward does not have two values.
        """
        try:
            at_goal = self._rewards(self.goals, self.goals, {})
            rewards = np.append(at_goal, self._rewards(*self._pairs(probes), {}))
        except Exception as error:
            raise ValueError(f"compute_reward(goal, goal, {{}}) fails ({error!r}): {_PASS_SUCCESS}") from error
        if np.ptp(at_goal) > 0 or len(np.unique(rewards)) > 2 or at_goal[0] < rewards.max():
            raise ValueError(
                f"rewards like {np.unique(rewards)[:5].tolist()} do not say which goals are reached: {_PASS_SUCCESS}"
            )
        return lambda achieved, desired: self._rewards(achieved, desired, {}) >= at_goal[0]


def check_goals(goals: Any, space: gymnasium.Space, own: GoalSpace | None) -> np.ndarray:
    """Return `goals` as an array [G, D] of members of `space`.

    Args:
        goals: G goals, as arrays or in any form that `own` encodes.
        space: The space of desired goals.
        own: The goal space of an environment of this package, or None.

    Raises:
        ValueError: If there are no goals, or one lies outside `space`.
    """
    if len(goals) == 0:
        raise ValueError("goals must have at least one goal, got none")
    array = np.stack([own.encode(goal) if own else np.asarray(goal, space.dtype) for goal in goals])
    for position, goal in enumerate(array):
        if not space.contains(goal):
            raise ValueError(f"goal {position}, {goal.tolist()}, is not in the space of desired goals, {space}")
    return array


def _sample_goals(env: Environment, count: int, seed: int) -> np.ndarray:
    """Return the first `count` distinct desired goals [count, D] of resets of a second environment like `env`."""
    if count < 1:
        raise ValueError(f"the number of goals must be at least 1, got {count}")
    if env.spec is None:
        raise TypeError(f"{env} has no spec to make a second one from: give a list of goals instead of their number")
    spec = copy.deepcopy(env.spec)
    spec.kwargs.pop("render_mode", None)
    if isinstance(env, VectorEnv):
        spec.kwargs["num_envs"] = 1
    second = gymnasium.make_vec(spec) if isinstance(env, VectorEnv) else gymnasium.make(spec)
    distinct: dict[bytes, np.ndarray] = {}
    for attempt in range(20 * count):
        desired = np.array(second.reset(seed=None if attempt else seed)[0]["desired_goal"])
        goal = desired[0] if isinstance(env, VectorEnv) else desired
        distinct.setdefault(goal.tobytes(), goal)
        if len(distinct) == count:
            break
    second.close()
    if len(distinct) < count:
        raise ValueError(f"{20 * count} resets gave {len(distinct)} distinct goals, fewer than the {count} asked for")
    return np.stack(list(distinct.values()))


def _probes(space: gymnasium.Space, goals: np.ndarray, count: int = 4) -> np.ndarray:
    """Return achieved goals [B, d] on which functions can be tried.

    Some are sampled from a copy of `space`, whose random numbers stay as they are. Where a goal can itself be achieved,
    others reach a goal.
    """
    space = copy.deepcopy(space)
    space.seed(0)
    samples = np.stack([space.sample() for _ in range(count)])
    return samples if samples.shape[1:] != goals.shape[1:] else np.concatenate([samples, goals[:count]])
