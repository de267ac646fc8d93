"""Which goals of a given set hold in each state, and their rewards, for any goal environment.

* ``AllGoalsInfo`` - adds `info["all_goals"]`, `info["goal"]` and `info["is_success"]`
* ``AllGoalsInfoVector`` - the same for a vector environment

G is the number of goals, D of numbers in a desired goal, d in an achieved goal, N of environments, B of states.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AsyncVectorEnv, VectorEnv

from gc_envs.core.vector_env import masked
from gc_envs.wrappers.common import EpisodeVectorWrapper, check_single
from gc_envs.wrappers.goal_evaluator import GoalEvaluator, Success

__all__ = ["AllGoalsInfo", "AllGoalsInfoVector"]


class AllGoalsInfo(gymnasium.Wrapper, RecordConstructorArgs):
    """Adds which goals of a set hold, and their rewards, to the infos of resets and steps.

    `info["all_goals"]` is `{"achieved": bool [G], "reward": float32 [G]}` for the returned observation. `info["goal"]`
    is the index of the desired goal in the set, -1 where it is not in the set. `info["is_success"]` says whether the
    goal that was desired before the step now holds. These entries replace the environment's own, except that
    `is_success` of this package's environments stays as it is where no `success` is given, for `set_goal` can change
    their desired goal between two steps.

    Args:
        env: An environment with `achieved_goal` and `desired_goal` in its observations and with `compute_reward`, the
            interface of Gymnasium-Robotics. A `compute_reward` that takes no batches is called once per goal, with a
            warning.
        goals: The goals [G, D] (for this package's environments also names and indices), or how many to sample. Sampled
            goals are the first distinct desired goals of resets of a second environment made from `env.spec`, so `env`
            and its random numbers do not change.
        success: A function that says for B pairs whether the achieved goal meets the desired goal. By default this
            package's environments have their own; elsewhere a goal is reached where the reward equals that of
            `compute_reward(goal, goal)`, which needs a reward of two values.
        seed: The seed of the second environment.

    Raises:
        TypeError: If the environment has no goals, or no spec to make a second one from.
        ValueError: If a goal lies outside the space of `desired_goal`, if there are fewer distinct goals than asked
            for, or if the reward does not say which goals are reached.

    >>> env = AllGoalsInfo(gymnasium.make("gc_envs:GC-Gridworld-v0"), goals=["position/6-6", "position/6-7"])
    >>> observation, info = env.reset(seed=0)
    >>> info["all_goals"]["achieved"], info["all_goals"]["reward"]
    (array([ True, False]), array([1., 0.], dtype=float32))
    """

    def __init__(
        self,
        env: gymnasium.Env,
        goals: Sequence[Any] | np.ndarray | int,
        *,
        success: Success | None = None,
        seed: int = 0,
    ) -> None:
        check_single(self, env)
        RecordConstructorArgs.__init__(self, goals=goals, success=success, seed=seed)
        gymnasium.Wrapper.__init__(self, env)
        self._evaluator = GoalEvaluator(env, goals, success, seed)
        self.goal_array = self._evaluator.goals  # [G, D]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._report(observation, info, np.array(observation["desired_goal"]))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._report(observation, info, self._desired)

    def _report(self, observation: dict[str, Any], info: dict[str, Any], success_goal: np.ndarray) -> dict[str, Any]:
        """Return `info` with the entries of this wrapper; `success_goal` [D] is the goal of `is_success`."""
        self._desired = np.array(observation["desired_goal"])
        achieved = np.asarray(observation["achieved_goal"])
        outcome = self._evaluator.report(achieved[None], success_goal[None], self._desired[None], info)
        result = {
            **info,
            "all_goals": {key: value[0] for key, value in outcome["all_goals"].items()},
            "goal": int(outcome["goal"][0]),
        }
        if "is_success" in outcome:
            result["is_success"] = bool(outcome["is_success"][0])
        return result


class AllGoalsInfoVector(EpisodeVectorWrapper):
    """`AllGoalsInfo` for a vector environment.

    Infos have `achieved` bool [N, G], `reward` float32 [N, G], `goal` int32 [N] and `is_success` bool [N] for the
    returned observations, each with Gymnasium's `_key` mask; after a partial reset, the mask marks the environments
    that were reset. In SAME_STEP, `info["final_info"]` has the same keys for the last observation of an episode that
    ended. `compute_reward` is called without infos. Where it needs them, and for asynchronous environments, wrap the
    single environments instead: `make_vec(..., vectorization_mode="sync", wrappers=[...])`.

    Arguments and errors are those of `AllGoalsInfo`.

    >>> envs = AllGoalsInfoVector(gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=2), goals=4)
    >>> observations, infos = envs.reset(seed=0)
    >>> infos["all_goals"]["achieved"].shape, infos["_all_goals"]
    ((2, 4), array([ True,  True]))
    """

    def __init__(
        self, env: VectorEnv, goals: Sequence[Any] | np.ndarray | int, *, success: Success | None = None, seed: int = 0
    ) -> None:
        super().__init__(env)
        if isinstance(env.unwrapped, AsyncVectorEnv):
            raise TypeError(
                "an AsyncVectorEnv computes rewards in other processes: wrap the single environments instead, with "
                "make_vec(..., wrappers=[lambda env: AllGoalsInfo(env, goals)])"
            )
        self._evaluator = GoalEvaluator(env, goals, success, seed)
        self.goal_array = self._evaluator.goals  # [G, D]

    def _on_reset(self, observations: Any, infos: dict[str, Any], mask: np.ndarray) -> tuple[Any, dict[str, Any]]:
        self._desired = observations["desired_goal"].copy()
        report = self._evaluator.report(observations["achieved_goal"], self._desired, self._desired)
        return observations, {**infos, **masked(report, mask)}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        _, ended, reset = self._track_step(terminated, truncated)
        previous, self._desired = self._desired, observations["desired_goal"].copy()
        success_goal = previous.copy()
        success_goal[reset] = self._desired[reset]
        report = self._evaluator.report(observations["achieved_goal"], success_goal, self._desired)
        infos = {**infos, **masked(report, np.ones_like(ended))}
        if "final_obs" in infos:
            infos["final_info"] = {**infos.get("final_info", {}), **self._final(infos["final_obs"], previous, ended)}
            infos["_final_info"] = ended.copy()
        return observations, rewards, terminated, truncated, infos

    def _final(self, final_obs: np.ndarray, success_goal: np.ndarray, ended: np.ndarray) -> dict[str, Any]:
        """Return the report about the last observations where `ended` [N], and zeros elsewhere."""
        achieved, desired = (
            np.stack([observation[key] for observation in final_obs[ended]])
            for key in ("achieved_goal", "desired_goal")
        )
        return masked(_scatter(self._evaluator.report(achieved, success_goal[ended], desired), ended), ended)


def _scatter(report: dict[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """Return arrays [B, ...] about the environments of `mask` [N] as arrays [N, ...], zero elsewhere."""
    result: dict[str, Any] = {}
    for key, value in report.items():
        if isinstance(value, dict):
            result[key] = _scatter(value, mask)
        else:
            result[key] = np.zeros((len(mask), *value.shape[1:]), value.dtype)
            result[key][mask] = value
    return result
