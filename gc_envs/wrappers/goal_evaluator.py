"""Judging the states of any goal environment by every goal of a given set.

G goals, D numbers in a goal, d in an achieved goal, B any number of states.
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
    """Judges states by every goal of a set: `goals` [G, D].

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
            self.goals = _draw_goals(env, int(goals), seed)
        else:
            self.goals = check_goals(goals, spaces["desired_goal"], own)
        probes = _probes(spaces["achieved_goal"], self.goals)
        self._batched = self._takes_batches(probes)
        if not self._batched:
            gymnasium.logger.warn(
                f"compute_reward of {env} takes one pair of goals, not a batch: it is called "
                f"{len(self.goals)} times for every state"
            )
        self._success = success or (own.success if own else self._by_reward(probes))
        met = np.asarray(self._success(*self._pairs(probes)))
        if met.shape != (len(probes) * len(self.goals),):
            raise ValueError(
                f"success(achieved, desired) must take batches: it made {met.shape} out of "
                f"{len(probes) * len(self.goals)} pairs"
            )

    def report(
        self, achieved: np.ndarray, commanded: np.ndarray, desired: np.ndarray, info: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """All-goals information on `achieved` [B, d] as arrays [B, ...]: success is that of `commanded` [B, D], and
        `goal` the position of `desired` [B, D]."""
        shape = (len(achieved), len(self.goals))
        pairs = self._pairs(achieved)
        same = (desired[:, None] == self.goals).reshape(*shape, -1).all(axis=-1)
        return {
            "all_goals": {
                "achieved": np.asarray(self._success(*pairs), bool).reshape(shape),
                "reward": self._rewards(*pairs, info or {}).astype(np.float32).reshape(shape),
            },
            "is_success": np.asarray(self._success(achieved, commanded), bool),
            "goal": np.where(same.any(axis=-1), same.argmax(axis=-1), -1).astype(np.int32),
        }

    def _pairs(self, achieved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each of `achieved` [B, d] with each goal: [B * G, d] and [B * G, D]."""
        return np.repeat(achieved, len(self.goals), axis=0), np.concatenate([self.goals] * len(achieved))

    def _rewards(self, achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> np.ndarray:
        """The reward of each of B pairs, [B]."""
        if self._batched:
            return np.asarray(self._compute_reward(achieved, desired, [info] * len(achieved)))
        return np.array([self._compute_reward(a, d, info) for a, d in zip(achieved, desired)], np.float64)

    def _takes_batches(self, probes: np.ndarray) -> bool:
        """Whether `compute_reward` gives a batch of pairs the rewards that it gives them one by one."""
        achieved, desired = self._pairs(probes)
        try:
            together = np.asarray(self._compute_reward(achieved, desired, [{}] * len(achieved)))
            alone = [self._compute_reward(a, d, {}) for a, d in zip(achieved, desired)]
            return together.shape == (len(achieved),) and bool(np.allclose(together, alone))
        except Exception:  # whatever a foreign function makes of an argument that it was not written for
            return False

    def _by_reward(self, probes: np.ndarray) -> Success:
        """Success as the reward of reaching a goal, where the reward has two values."""
        try:
            reached = self._rewards(self.goals, self.goals, {})
            rewards = np.append(reached, self._rewards(*self._pairs(probes), {}))
        except Exception as error:
            raise ValueError(f"compute_reward(goal, goal, {{}}) fails ({error!r}): {_PASS_SUCCESS}") from error
        if np.ptp(reached) > 0 or len(np.unique(rewards)) > 2 or reached[0] < rewards.max():
            raise ValueError(
                f"rewards as {np.unique(rewards)[:5].tolist()} don't say which are reached: {_PASS_SUCCESS}"
            )
        return lambda achieved, desired: self._rewards(achieved, desired, {}) >= reached[0]


def check_goals(goals: Any, space: gymnasium.Space, own: GoalSpace | None) -> np.ndarray:
    """`goals` as an array [G, D] of members of `space`."""
    if len(goals) == 0:
        raise ValueError("goals must have at least one goal, got none")
    array = np.stack([own.encode(goal) if own else np.asarray(goal, space.dtype) for goal in goals])
    for position, goal in enumerate(array):
        if not space.contains(goal):
            raise ValueError(f"goal {position}, {goal.tolist()}, is not in the space of desired goals, {space}")
    return array


def _draw_goals(env: Environment, count: int, seed: int) -> np.ndarray:
    """The first `count` distinct desired goals [count, D] of resets of a second environment like `env`."""
    if count < 1:
        raise ValueError(f"the number of goals must be at least 1, got {count}")
    if env.spec is None:
        raise TypeError(f"{env} has no spec to make a second one from: give a list of goals instead of their number")
    spec = copy.deepcopy(env.spec)
    spec.kwargs.pop("render_mode", None)
    if isinstance(env, VectorEnv):
        spec.kwargs["num_envs"] = 1
    second = gymnasium.make_vec(spec) if isinstance(env, VectorEnv) else gymnasium.make(spec)
    found: dict[bytes, np.ndarray] = {}
    for attempt in range(20 * count):
        desired = np.array(second.reset(seed=None if attempt else seed)[0]["desired_goal"])
        goal = desired[0] if isinstance(env, VectorEnv) else desired
        found.setdefault(goal.tobytes(), goal)
        if len(found) == count:
            break
    second.close()
    if len(found) < count:
        raise ValueError(f"{20 * count} resets gave {len(found)} distinct goals, fewer than the {count} asked for")
    return np.stack(list(found.values()))


def _probes(space: gymnasium.Space, goals: np.ndarray, count: int = 4) -> np.ndarray:
    """Achieved goals [B, d] to try functions on: some of `space`, whose random numbers stay as they are, and, where a
    goal can itself be achieved, some that do reach a goal."""
    space = copy.deepcopy(space)
    space.seed(0)
    samples = np.stack([space.sample() for _ in range(count)])
    return samples if samples.shape[1:] != goals.shape[1:] else np.concatenate([samples, goals[:count]])
