"""How often each goal is reached.

* ``GoalStatistics`` - counts, per goal, the episodes that reached the goal with which they began
* ``GoalStatisticsVector`` - the same for a vector environment

G is the number of goals, N of environments.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv

from gc_envs.wrappers.common import EpisodeVectorWrapper, before_reset, check_single, goal_array

__all__ = ["GoalStatistics", "GoalStatisticsVector"]


class GoalRecord:
    """Attempts at each of G goals and their success, with forgetting.

    Args:
        num_goals: G.
        forgetting: A factor in (0, 1] by which every attempt at a goal multiplies the weight of the earlier attempts at
            that goal.

    Raises:
        ValueError: If `forgetting` lies outside (0, 1].
    """

    def __init__(self, num_goals: int, forgetting: float) -> None:
        if not 0 < forgetting <= 1:
            raise ValueError(f"forgetting must lie in (0, 1], got {forgetting}")
        self.forgetting = forgetting
        self.attempts = np.zeros(num_goals, np.int64)
        self._successes = np.zeros(num_goals)  # [G], weighted by forgetting
        self._weights = np.zeros(num_goals)  # [G], sum of the weights of all attempts

    @property
    def success_rates(self) -> np.ndarray:
        """Weighted share of successful attempts, float64 [G], nan where a goal was never tried."""
        unknown = np.full_like(self._weights, np.nan)
        return np.divide(self._successes, self._weights, out=unknown, where=self._weights > 0)

    def add(self, goal: int, success: bool) -> None:
        """Count one attempt; a goal outside the set (-1) is ignored."""
        if goal < 0:
            return
        self.attempts[goal] += 1
        self._successes[goal] = self._successes[goal] * self.forgetting + success
        self._weights[goal] = self._weights[goal] * self.forgetting + 1


class _StatisticsMixin:
    """The attributes that both wrappers have."""

    _record: GoalRecord

    @property
    def success_rates(self) -> np.ndarray:
        """Recent success of every goal, float64 [G] in [0, 1]; nan where the goal was never tried."""
        return self._record.success_rates

    @property
    def attempts(self) -> np.ndarray:
        """Number of attempts at every goal, int64 [G], without forgetting."""
        return self._record.attempts.copy()


class GoalStatistics(_StatisticsMixin, gymnasium.Wrapper, RecordConstructorArgs):
    """Success per goal: `success_rates` float64 [G] (nan where never tried) and `attempts` int64 [G].

    An attempt is an episode, and its goal is the desired goal of its start. It is a success on the first step that
    reaches the goal, and a failure when the episode ends before, by termination or truncation. What does not count:
    goals that follow in the same episode (`on_success="resample"`), a pending episode that is reset before its end, a
    goal that merely holds at the start, and a goal outside the set (`info["goal"]` -1), as a continuous goal space
    samples it unless a `GoalSampler` chooses. arXiv 2605.23551 counts the same attempts while training, but forgets
    otherwise: each update of the learner multiplies the weight of all past attempts, at any goal, by .999, and a goal
    that was never tried counts as never reached. The learners of this package report that number.

    Args:
        env: An environment with `info["goal"]` and `info["is_success"]`: one of this package, or an `AllGoalsInfo`.
        forgetting: A factor in (0, 1] by which every attempt at a goal multiplies the weight of the earlier attempts at
            that goal; 1 forgets nothing.

    Raises:
        TypeError: If the environment has no goal set, or another one in every episode.
        ValueError: If `forgetting` lies outside (0, 1].

    >>> env = GoalStatistics(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5))
    >>> _ = env.reset(seed=0, options={"goal": "position/2-1"})
    >>> _ = env.step(0)
    >>> env.success_rates[env.attempts > 0]
    array([1.])
    """

    def __init__(self, env: gymnasium.Env, forgetting: float = 0.99) -> None:
        check_single(self, env)
        RecordConstructorArgs.__init__(self, forgetting=forgetting)
        gymnasium.Wrapper.__init__(self, env)
        self._record = GoalRecord(len(goal_array(env)), forgetting)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        self._episode_goal, self._pending = info["goal"], True
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._pending and (info["is_success"] or terminated or truncated):
            self._record.add(self._episode_goal, info["is_success"])
            self._pending = False
        return observation, reward, terminated, truncated, info


class GoalStatisticsVector(_StatisticsMixin, EpisodeVectorWrapper):
    """`GoalStatistics` over the episodes of all environments, in any autoreset mode.

    Attempts that are decided on the same step are counted in the order of the environments. Arguments and errors are
    those of `GoalStatistics`.

    >>> envs = GoalStatisticsVector(gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=3, size=5))
    >>> _ = envs.reset(seed=0, options={"goal": "position/2-1"})
    >>> _ = envs.step(np.array([0, 0, 1]))
    >>> envs.attempts.sum(), envs.success_rates[envs.attempts > 0]
    (np.int64(2), array([1.]))
    """

    def __init__(self, env: VectorEnv, forgetting: float = 0.99) -> None:
        super().__init__(env)
        self._record = GoalRecord(len(goal_array(env)), forgetting)
        self._episode_goal = np.full(self.num_envs, -1)  # [N], index of the goal of each episode's start
        self._pending = np.zeros(self.num_envs, bool)  # [N], whether the attempt is undecided

    def _on_reset(self, observations: Any, infos: dict[str, Any], mask: np.ndarray) -> tuple[Any, dict[str, Any]]:
        self._episode_goal[mask] = infos["goal"][mask]
        self._pending |= mask
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        moved, ended, reset = self._track_step(terminated, truncated)
        success = before_reset(infos, "is_success") & moved
        decided = self._pending & (success | ended)
        for i in np.flatnonzero(decided).tolist():
            self._record.add(self._episode_goal[i], success[i])
        self._pending &= ~decided
        self._on_reset(observations, infos, reset)
        return observations, rewards, terminated, truncated, infos
