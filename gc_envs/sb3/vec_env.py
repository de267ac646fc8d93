"""Gymnasium's vector environments as vector environments of Stable-Baselines3 (SB3)."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.sb3.her_buffer import resamples_goals

# Attributes that a GoalVectorEnv is compiled from: setting one afterwards would change nothing.
_COMPILED = ("task", "goals", "horizon", "on_success", "all_goals_info", "autoreset_mode", "num_envs")

# Arguments in `spec.kwargs` that say how an environment was vectorised, or which one it is.
_OF_MAKE_VEC = ("env_id", "num_envs", "vectorization_mode", "vector_kwargs", "autoreset_mode")


class SB3VecEnv(VecEnv):
    """A `gymnasium.vector.VectorEnv` of N environments, usable by every algorithm and wrapper of Stable-Baselines3.

    All environments are stepped together; Python time is spent only on those whose episode ended. Their infos have
    `terminal_observation`, `TimeLimit.truncated` (out of time and not terminated) and everything that the vector
    environment said about the last state, such as `is_success`; the infos of the other environments are empty. Episode
    returns and lengths come from `VecMonitor`. Observations and rewards are fresh arrays. Seeds and options are used by
    the next `reset`.

    With `on_success="resample"`, where this package's environments go on with another goal once theirs is reached, the
    step that reaches it is the last one of an episode for SB3: done and not out of time, with the reached goal in
    `terminal_observation`. No stored transition leads from one goal to another, and the lengths and successes of
    episodes are those of single goals.

    A GoalVectorEnv is changed by being wrapped: it is switched to autoreset mode SAME_STEP, which SB3 expects, and its
    all-goals information, which SB3 does not use, is switched off. Its environments share one task, so attributes and
    methods are evaluated once for all of them: `env_method("compute_reward", achieved, desired, info, indices=[0])` is
    one call. Any other vector environment must already be in SAME_STEP; an AsyncVectorEnv calls methods in all of its
    processes.

    Args:
        envs: The vector environment.

    Raises:
        TypeError: `envs` is no vector environment; the message has the line of code that makes a single one a vector.
        ValueError: `envs` has another autoreset mode (the message has the line of code that makes it in SAME_STEP),
            returns arrays of another library (`array="jax"` or `"torch"`), or has `on_success="resample"` and
            observations without a desired goal.

    >>> envs = SB3VecEnv(gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=4, size=5))
    >>> envs.seed(0), envs.reset()["observation"].shape
    ([0, 1, 2, 3], (4, 2))
    """

    def __init__(self, envs: VectorEnv) -> None:
        if not isinstance(envs, VectorEnv):
            line = f"; make it with: {_same_step_line(envs)}" if isinstance(envs, gymnasium.Env) else ""
            raise TypeError(f"SB3VecEnv takes a gymnasium.vector.VectorEnv, got {type(envs).__name__}{line}")
        if isinstance(envs.unwrapped, GoalVectorEnv) and envs.unwrapped.array != "numpy":
            raise ValueError(f'SB3 works on NumPy arrays: array={envs.unwrapped.array!r} must be "numpy"')
        if isinstance(envs, GoalVectorEnv):
            envs.all_goals_info = False
            envs.set_autoreset_mode(AutoresetMode.SAME_STEP)
        mode = envs.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise ValueError(f"SB3 needs autoreset mode SAME_STEP, got {mode}; make it with: {_same_step_line(envs)}")
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self.metadata, self.spec = dict(envs.metadata), envs.spec
        self._resamples = resamples_goals(self)
        if self._resamples and "desired_goal" not in getattr(self.observation_space, "spaces", {}):
            raise ValueError(
                "on_success='resample' needs observations with a desired_goal, which tells SB3 where a goal ends; got "
                f"{self.observation_space}"
            )
        self._goals: Any = self.get_attr("goals", [0])[0] if self._resamples else None

    def reset(self) -> VecEnvObs:
        """Reset all environments with the seeds and options set before; return the first observations."""
        # Gymnasium counts up from one seed exactly as SB3 did in `seed`.
        observation, infos = self.envs.reset(seed=self._seeds[0], options=self._options[0] or None)
        self.reset_infos = [_info_of(infos, i) for i in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        self.keep_goals(observation)
        return self._fresh(observation)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep `actions` [N, ...] for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step all environments; return observations, rewards [N], dones [N] and one info per environment."""
        observation, reward, terminated, truncated, infos = self.envs.step(self._actions)
        done = np.logical_or(terminated, truncated)
        step_infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done).tolist():
            # Outside of "final_info" and "final_obs", the info is about the first state of the next episode.
            first = _info_of(infos, i)
            last, last_observation = first.pop("final_info", {}), first.pop("final_obs")
            step_infos[i] = {
                **first,
                **last,
                "terminal_observation": last_observation,
                "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
            }
            self.reset_infos[i] = first
        if self._resamples:
            self._end_goals(observation, infos, done, step_infos)
        self.keep_goals(observation)
        return self._fresh(observation), np.array(reward, np.float32), done, step_infos

    def _end_goals(self, observation: Any, infos: dict[str, Any], done: np.ndarray, step_infos: list[dict]) -> None:
        """End an episode, in `done` [N] and `step_infos`, where the desired goal was reached and another one follows.

        Args:
            observation: What the step returned, with the next goals.
            infos: Infos of the step.
            done: Environments that the step has reset, bool [N]; changed in place.
            step_infos: Infos for SB3, one per environment; changed in place.
        """
        for i in np.flatnonzero(done).tolist():  # a goal that is reached at the last moment is no time-out
            step_infos[i]["TimeLimit.truncated"] &= not step_infos[i]["is_success"]
        for i in np.flatnonzero(infos["is_success"] & ~done).tolist():
            info, reached = _info_of(infos, i), self._desired[i]
            following = {name: part[i] for name, part in observation.items()}
            goal = int(self._goals.index(reached))
            named = {"goal_name": self._goals.names[goal] if goal >= 0 else ""} if "goal_name" in info else {}
            step_infos[i] = {
                **info,
                **named,
                "goal": goal,
                "terminal_observation": deepcopy({**following, "desired_goal": reached}),
                "TimeLimit.truncated": False,
            }
            holds = self._goals.success(following["achieved_goal"], following["desired_goal"])
            self.reset_infos[i] = {**info, "is_success": bool(holds)}
            done[i] = True

    def keep_goals(self, observation: Any) -> None:
        """Remember the desired goals of `observation`, the last one, if the next step may replace them."""
        if self._resamples:
            self._desired = observation["desired_goal"].copy()

    def _fresh(self, observation: Any) -> Any:
        """Return `observation` in arrays that no later step writes to, which some vector environments reuse."""
        return observation if isinstance(self.envs, GoalVectorEnv) else deepcopy(observation)

    def set_options(self, options: list[dict] | dict | None = None) -> None:
        """Set the options of the next reset.

        Args:
            options: One dictionary for all environments, passed to the vector environment as it is. For a
                GoalVectorEnv also a list of N dictionaries, one per environment: `[{"goal": "a"}, {"goal": "b"}]`
                becomes `{"goals": ["a", "b"]}`.

        Raises:
            ValueError: A list for another vector environment, of another length, or of dictionaries whose keys differ.
        """
        if isinstance(options, list):
            alike = len(options) == self.num_envs and all(set(one) == set(options[0]) for one in options)
            if not alike or not isinstance(self.envs.unwrapped, GoalVectorEnv):
                raise ValueError(
                    f"options must be one dictionary for all environments, or for a GoalVectorEnv {self.num_envs} "
                    f"dictionaries with the same keys; got {options}"
                )
            options = {f"{key}s": [one[key] for one in options] for key in options[0]}  # "goal" -> "goals"
        self._options = [deepcopy(options or {})] * self.num_envs

    def env_method(self, method_name: str, *method_args, indices: VecEnvIndices = None, **method_kwargs) -> list[Any]:
        """Call a method of the environments `indices` (default all); return one result per index."""
        chosen, base = list(self._get_indices(indices)), self.envs.unwrapped
        if isinstance(base, SyncVectorEnv):
            methods = self.get_attr(method_name, chosen)
            return [method(*method_args, **method_kwargs) for method in methods]
        if isinstance(base, AsyncVectorEnv):
            results = base.call(method_name, *method_args, **method_kwargs)
            return [results[i] for i in chosen]
        return [_attribute(self.envs, method_name)(*method_args, **method_kwargs)] * len(chosen)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of the environments `indices` (default all), one value per index."""
        chosen, base = list(self._get_indices(indices)), self.envs.unwrapped
        if isinstance(base, SyncVectorEnv):
            return [base.envs[i].get_wrapper_attr(attr_name) for i in chosen]
        if isinstance(base, AsyncVectorEnv):
            if not base.call("has_wrapper_attr", attr_name)[0]:  # reading a missing attribute would end the processes
                raise AttributeError(f"{base} has no attribute {attr_name!r}")
            values = base.get_attr(attr_name)
            return [values[i] for i in chosen]
        single = f"single_{attr_name}" if attr_name in ("observation_space", "action_space") else attr_name
        return [_attribute(self.envs, single)] * len(chosen)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the environments `indices` (default all).

        Raises:
            ValueError: `indices` are only some of the environments although they share one object or can only be
                reached together, or the attribute is one that a GoalVectorEnv is compiled from.
        """
        chosen, base = list(self._get_indices(indices)), self.envs.unwrapped
        if isinstance(base, SyncVectorEnv):
            for i in chosen:
                base.envs[i].set_wrapper_attr(attr_name, value)
        elif len(set(chosen)) != self.num_envs:
            raise ValueError(
                f"{attr_name} can only be set for all {self.num_envs} environments at once, not for {chosen}"
            )
        elif isinstance(base, AsyncVectorEnv):
            base.set_attr(attr_name, [value] * self.num_envs)
        elif isinstance(base, GoalVectorEnv) and attr_name in _COMPILED:
            raise ValueError(f"{attr_name} is compiled into the environment: give it to make_vec")
        else:
            setattr(base, attr_name, value)

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """Return whether each of the environments `indices` (default all) is inside a `wrapper_class`."""
        chosen, base = list(self._get_indices(indices)), self.envs.unwrapped
        return [isinstance(base, SyncVectorEnv) and is_wrapped(base.envs[i], wrapper_class) for i in chosen]

    def get_images(self) -> Sequence[np.ndarray | None]:
        """Return one frame per environment, or None where nothing is rendered."""
        return self.envs.render() or [None] * self.num_envs  # type: ignore[return-value]

    def close(self) -> None:
        """Close the vector environment."""
        self.envs.close()


def _same_step_line(envs: gymnasium.Env | VectorEnv) -> str:
    """Return the line of code that makes `envs` with the same arguments, but vectorised and in SAME_STEP."""
    mode, spec, base = "gymnasium.vector.AutoresetMode.SAME_STEP", envs.spec, envs.unwrapped
    if spec is None:
        return f"gymnasium.vector.SyncVectorEnv(env_fns, autoreset_mode={mode})"
    arguments = {"num_envs": str(getattr(envs, "num_envs", 1))}
    if isinstance(base, GoalEnv | GoalVectorEnv):
        arguments["autoreset_mode"] = mode
    else:
        arguments["vectorization_mode"] = '"async"' if isinstance(base, AsyncVectorEnv) else '"sync"'
        options = {name: repr(value) for name, value in spec.kwargs.get("vector_kwargs", {}).items()}
        pairs = (f'"{name}": {value}' for name, value in {**options, "autoreset_mode": mode}.items())
        arguments["vector_kwargs"] = f"{{{', '.join(pairs)}}}"
    if not isinstance(envs, VectorEnv) and spec.max_episode_steps != gymnasium.spec(spec.id).max_episode_steps:
        arguments["max_episode_steps"] = str(spec.max_episode_steps)
    given = {name: repr(value) for name, value in spec.kwargs.items() if name not in _OF_MAKE_VEC}
    given |= arguments
    return f'gymnasium.make_vec("{spec.id}", {", ".join(f"{name}={value}" for name, value in given.items())})'


def _info_of(infos: dict[str, Any], index: int) -> dict[str, Any]:
    """Return the info of environment `index`: all entries of `infos` that have no mask `_key`, or one that is set."""
    return {
        key: _info_of(value, index) if isinstance(value, dict) else value[index]
        for key, value in infos.items()
        if not key.startswith("_") and (f"_{key}" not in infos or infos[f"_{key}"][index])
    }


def _attribute(envs: VectorEnv, name: str) -> Any:
    """Return the attribute `name` of the outermost wrapper around `envs` that has it, or else of `envs` itself."""
    while isinstance(envs, VectorWrapper) and not hasattr(envs, name):
        envs = envs.env
    return getattr(envs, name)
