"""Rewards with one entry per goal.

* ``PerGoalReward`` - the reward of a step has one entry per goal
* ``PerGoalRewardVector`` - the same for a vector environment

G is the number of goals, N of environments.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv

from gc_envs.wrappers.common import (
    Environment,
    EpisodeVectorWrapper,
    before_reset,
    check_all_goals,
    check_single,
    num_goals,
)

__all__ = ["PerGoalReward", "PerGoalRewardVector"]


class PerGoalReward(gymnasium.Wrapper, RecordConstructorArgs):
    """Returns `info["all_goals"]["reward"]`, float32 [G], as the reward; that of the desired goal is `info["reward"]`.

    The conventions are those of MO-Gymnasium: `reward_space` is a Box [G] and `reward_dim` is G, here and on the
    unwrapped environment, where its wrappers and learners read them. The box is unbounded, because an environment does
    not state the range of its rewards. Gymnasium's checker and most of its reward wrappers expect a number, so this
    wrapper is applied last.

    Raises:
        TypeError: If the environment has no all-goals information; wrap it in `AllGoalsInfo` first.

    >>> env = PerGoalReward(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5))
    >>> _ = env.reset(seed=0)
    >>> _, reward, _, _, info = env.step(0)
    >>> reward.shape == env.reward_space.shape, reward.sum(), info["reward"]
    (True, np.float32(1.0), 0.0)
    """

    def __init__(self, env: gymnasium.Env) -> None:
        check_single(self, env)
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)
        self.reward_space, self.reward_dim = _declare(env)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, info["all_goals"]["reward"].copy(), terminated, truncated, {**info, "reward": reward}


class PerGoalRewardVector(EpisodeVectorWrapper):
    """`PerGoalReward` for a vector environment: the rewards of a step are float32 [N, G], and `infos["reward"]` [N].

    Row i is about the state to which the step of environment i led, before any automatic reset. In NEXT_STEP it is zero
    where the environment was reset instead of taking a step.

    Raises:
        TypeError: If the environment has no all-goals information; wrap it in `AllGoalsInfoVector` first.

    >>> envs = PerGoalRewardVector(gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=3, size=5))
    >>> _ = envs.reset(seed=0)
    >>> _, rewards, _, _, infos = envs.step(np.array([0, 1, 2]))
    >>> rewards.sum(axis=1), infos["reward"].shape
    (array([1., 1., 1.], dtype=float32), (3,))
    """

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env)
        self.reward_space, self.reward_dim = _declare(env)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, scalar, terminated, truncated, infos = self.env.step(actions)
        moved = self._track_step(terminated, truncated).moved
        rewards = np.where(moved[:, None], before_reset(infos, "all_goals", "reward"), np.float32(0))
        return observations, rewards, terminated, truncated, {**infos, "reward": scalar, "_reward": moved}


def _declare(env: Environment) -> tuple[gymnasium.spaces.Box, int]:
    """Return the space and the size of the reward, and set both on the unwrapped environment."""
    check_all_goals(env)
    size = num_goals(env)
    space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
    base: Any = env.unwrapped
    base.reward_space, base.reward_dim = space, size
    return space, size
