"""What every goal of a given set says about each state, for any goal environment.

* ``AllGoalsInfo`` - adds `info["all_goals"]`, `info["goal"]` and `info["is_success"]`
* ``AllGoalsInfoVector`` - the same for a vector environment

G goals, D numbers in a goal, d in an achieved goal, N lanes, B any number of states.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AsyncVectorEnv, VectorEnv

from gc_envs.core.vector_env import masked
from gc_envs.wrappers.common import EpisodeVectorWrapper
from gc_envs.wrappers.goal_evaluator import GoalEvaluator, Success

__all__ = ["AllGoalsInfo", "AllGoalsInfoVector"]


class AllGoalsInfo(gymnasium.Wrapper, RecordConstructorArgs):
    """Adds what every goal of a set says about the state, on reset and on every step.

    `info["all_goals"]` is `{"achieved": bool [G], "reward": float32 [G]}`, about the observation returned;
    `info["goal"]` is the position of the commanded goal in the set (-1 where it is not in it), and
    `info["is_success"]` says whether the goal commanded before the step now holds. They replace the environment's own.

    Args:
        env: observations with `achieved_goal` and `desired_goal`, and `compute_reward`: Gymnasium-Robotics'
            interface. A `compute_reward` that takes no batches is called once per goal, with a warning.
        goals: the goals [G, D] (for this package's environments also names and indices), or how many to draw. They are
            the first distinct desired goals of resets of a second environment made from `env.spec`, so `env` and its
            random numbers are left alone.
        success: says which of B achieved goals meet which of B desired goals. Default: this package's environments
            know; elsewhere a goal is reached where the reward equals that of `compute_reward(goal, goal)`, which needs
            a reward of two values.
        seed: of the second environment.

    Raises:
        TypeError: for an environment without goals, or without a spec to make a second one from.
        ValueError: for a goal outside `desired_goal`'s space, for fewer distinct goals than asked for, or for a reward
            that does not tell which goals are reached.

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
        RecordConstructorArgs.__init__(self, goals=goals, success=success, seed=seed)
        gymnasium.Wrapper.__init__(self, env)
        self._evaluator = GoalEvaluator(env, goals, success, seed)
        self.goal_array = self._evaluator.goals  # [G, D]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._report(observation, info, np.array(observation["desired_goal"]))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._report(observation, info, self._commanded)

    def _report(self, observation: dict[str, Any], info: dict[str, Any], commanded: np.ndarray) -> dict[str, Any]:
        self._commanded = np.array(observation["desired_goal"])
        achieved = np.asarray(observation["achieved_goal"])
        outcome = self._evaluator.report(achieved[None], commanded[None], self._commanded[None], info)
        return {
            **info,
            "all_goals": {key: value[0] for key, value in outcome["all_goals"].items()},
            "is_success": bool(outcome["is_success"][0]),
            "goal": int(outcome["goal"][0]),
        }


class AllGoalsInfoVector(EpisodeVectorWrapper):
    """`AllGoalsInfo` for a vector environment: `achieved` bool [N, G], `reward` float32 [N, G], `goal` int32 [N] and
    `is_success` bool [N], each with Gymnasium's `_key` mask, which is that of the lanes reset in a partial reset.

    They are about the observation returned. In SAME_STEP, what the last observation of an ended episode says is in
    `info["final_info"]` under the same keys. `compute_reward` is called without infos here: one that reads them is
    served by wrapping the single environments, `make_vec(..., vectorization_mode="sync", wrappers=[...])`; and so are
    asynchronous environments.

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

    def _began(self, observations: Any, infos: dict[str, Any], lanes: np.ndarray) -> tuple[Any, dict[str, Any]]:
        self._commanded = observations["desired_goal"].copy()
        report = self._evaluator.report(observations["achieved_goal"], self._commanded, self._commanded)
        return observations, {**infos, **masked(report, lanes)}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        _, ended, fresh = self._note_step(terminated, truncated)
        before, self._commanded = self._commanded, observations["desired_goal"].copy()
        commanded = self._commanded.copy()
        commanded[~fresh] = before[~fresh]
        report = self._evaluator.report(observations["achieved_goal"], commanded, self._commanded)
        infos = {**infos, **masked(report, np.ones_like(ended))}
        if "final_obs" in infos:
            infos["final_info"] = {**infos.get("final_info", {}), **self._final(infos["final_obs"], before, ended)}
            infos["_final_info"] = ended.copy()
        return observations, rewards, terminated, truncated, infos

    def _final(self, final_obs: np.ndarray, commanded: np.ndarray, ended: np.ndarray) -> dict[str, Any]:
        """The report about the last observations of the lanes of `ended` [N]; zeros in the other lanes."""
        last = [np.stack([lane[key] for lane in final_obs[ended]]) for key in ("achieved_goal", "desired_goal")]
        return masked(_spread(self._evaluator.report(last[0], commanded[ended], last[1]), ended), ended)


def _spread(report: dict[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """Arrays [B, ...] about the lanes of `mask` [N] as arrays [N, ...], zero elsewhere."""
    result: dict[str, Any] = {}
    for key, value in report.items():
        if isinstance(value, dict):
            result[key] = _spread(value, mask)
        else:
            result[key] = np.zeros((len(mask), *value.shape[1:]), value.dtype)
            result[key][mask] = value
    return result
