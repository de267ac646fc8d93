"""How often each goal is reached.

* ``GoalStatistics`` - counts, per goal, the episodes that reached the goal they began with
* ``GoalStatisticsVector`` - the same for a vector environment

G goals, N lanes.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv

from gc_envs.wrappers.common import EpisodeVectorWrapper, before_reset, goal_array

__all__ = ["GoalStatistics", "GoalStatisticsVector"]


class GoalRecord:
    """Attempts at each of G goals and their success, with forgetting.

    Each attempt at a goal multiplies the weight of the earlier attempts at that goal by `forgetting`.
    """

    def __init__(self, size: int, forgetting: float) -> None:
        if not 0 < forgetting <= 1:
            raise ValueError(f"forgetting must lie in (0, 1], got {forgetting}")
        self.forgetting = forgetting
        self.attempts = np.zeros(size, np.int64)
        self._reached = np.zeros(size)
        self._tried = np.zeros(size)

    @property
    def success_rates(self) -> np.ndarray:
        """float64 [G], nan where a goal was never tried."""
        return np.divide(self._reached, self._tried, out=np.full_like(self._tried, np.nan), where=self._tried > 0)

    def add(self, goal: int, reached: bool) -> None:
        """Count one attempt; a goal outside the set (-1) is passed over."""
        if goal < 0:
            return
        self.attempts[goal] += 1
        self._reached[goal] = self._reached[goal] * self.forgetting + reached
        self._tried[goal] = self._tried[goal] * self.forgetting + 1


class _Recording:
    """What both forms show of their record."""

    _record: GoalRecord

    @property
    def success_rates(self) -> np.ndarray:
        """Recent success of every goal, float64 [G] in [0, 1]; nan where it was never tried."""
        return self._record.success_rates

    @property
    def attempts(self) -> np.ndarray:
        """How often each goal was tried, int64 [G]; nothing is forgotten here."""
        return self._record.attempts.copy()


class GoalStatistics(_Recording, gymnasium.Wrapper, RecordConstructorArgs):
    """Success per goal: `success_rates` float64 [G] (nan where never tried) and `attempts` int64 [G].

    An attempt is an episode, and its goal the one commanded at its start: a success on the first step that reaches it,
    a failure when the episode ends first, by termination or truncation. Goals that follow in the same episode
    (`on_success="resample"`) do not count, nor does an pending episode that is reset before its end, a goal
    that merely holds at the start, or a goal outside the set (`info["goal"]` -1), which is what a continuous goal space
    draws unless a `GoalSampler` chooses for it. This is the success that arXiv 2605.23551 reports while training.

    Args:
        env: an environment with `info["goal"]` and `info["is_success"]`: one of this package, or an `AllGoalsInfo`.
        forgetting: factor in (0, 1] on the weight of a goal's earlier attempts with each new one; 1 forgets nothing.

    Raises:
        TypeError: for an environment without a goal set, or with another one in every episode.
        ValueError: for a forgetting factor outside (0, 1].

    >>> env = GoalStatistics(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5))
    >>> _ = env.reset(seed=0, options={"goal": "position/2-1"})
    >>> _ = env.step(0)
    >>> env.success_rates[env.attempts > 0]
    array([1.])
    """

    def __init__(self, env: gymnasium.Env, forgetting: float = 0.99) -> None:
        RecordConstructorArgs.__init__(self, forgetting=forgetting)
        gymnasium.Wrapper.__init__(self, env)
        self._record = GoalRecord(len(goal_array(env)), forgetting)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        self._goal, self._pending = info["goal"], True
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._pending and (info["is_success"] or terminated or truncated):
            self._record.add(self._goal, info["is_success"])
            self._pending = False
        return observation, reward, terminated, truncated, info


class GoalStatisticsVector(_Recording, EpisodeVectorWrapper):
    """`GoalStatistics` over the episodes of all lanes, in any autoreset mode.

    Lanes that decide an episode on the same step are counted in their order. Arguments and errors are those of
    `GoalStatistics`.

    >>> envs = GoalStatisticsVector(gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=3, size=5))
    >>> _ = envs.reset(seed=0, options={"goal": "position/2-1"})
    >>> _ = envs.step(np.array([0, 0, 1]))
    >>> envs.attempts.sum(), envs.success_rates[envs.attempts > 0]
    (np.int64(2), array([1.]))
    """

    def __init__(self, env: VectorEnv, forgetting: float = 0.99) -> None:
        super().__init__(env)
        self._record = GoalRecord(len(goal_array(env)), forgetting)
        self._goals = np.full(self.num_envs, -1)
        self._pending = np.zeros(self.num_envs, bool)

    def _began(self, observations: Any, infos: dict[str, Any], lanes: np.ndarray) -> tuple[Any, dict[str, Any]]:
        self._goals[lanes] = infos["goal"][lanes]
        self._pending |= lanes
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        moved, ended, fresh = self._note_step(terminated, truncated)
        success = before_reset(infos, "is_success") & moved
        decided = self._pending & (success | ended)
        for lane in np.flatnonzero(decided).tolist():
            self._record.add(self._goals[lane], success[lane])
        self._pending &= ~decided
        self._began(observations, infos, fresh)
        return observations, rewards, terminated, truncated, infos
