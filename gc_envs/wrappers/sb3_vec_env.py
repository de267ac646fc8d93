"""Gymnasium's vector environments as those of Stable-Baselines3."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from gc_envs.core.goals import FiniteGoals
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.wrappers.achieved_goal_her import NO_HINDSIGHT

# What the program of a GoalVectorEnv is compiled from: setting it afterwards would change nothing.
_COMPILED = ("task", "goals", "horizon", "on_success", "all_goals_info", "autoreset_mode", "num_envs")


class SB3VecEnv(VecEnv):
    """A `gymnasium.vector.VectorEnv` of N lanes for every algorithm and wrapper of Stable-Baselines3.

    The lanes are stepped together; only those that ended cost Python time. Their infos have `terminal_observation`,
    `TimeLimit.truncated` (out of time and not terminated) and what the environment said about the last state, such as
    `is_success`; the infos of other lanes are empty. Returns and lengths are `VecMonitor`'s. Observations and rewards
    are fresh arrays, seeds and options wait for the next `reset`.

    A GoalVectorEnv belongs to the bridge from here on: it is switched to SAME_STEP, which is SB3's contract, without
    all-goals information, which SB3 has no use for. Its lanes share one task, so attributes and methods answer for all
    of them: `env_method("compute_reward", achieved, desired, info, indices=[0])` is worked out once. Any other vector
    environment must be in SAME_STEP already; an AsyncVectorEnv calls methods in all its processes.

    Raises:
        TypeError: where `envs` is no vector environment.
        ValueError: for another autoreset mode (with the line of code that makes it SAME_STEP), or `array="jax" |
            "torch"`.

    >>> envs = SB3VecEnv(gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=4, size=5))
    >>> envs.seed(0), envs.reset()["observation"].shape
    ([0, 1, 2, 3], (4, 2))
    """

    def __init__(self, envs: VectorEnv) -> None:
        if not isinstance(envs, VectorEnv):
            raise TypeError(f"SB3VecEnv takes a gymnasium.vector.VectorEnv, got {type(envs).__name__}")
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

    def reset(self) -> VecEnvObs:
        # Gymnasium counts up from one seed exactly as SB3 did in `seed`.
        observation, infos = self.envs.reset(seed=self._seeds[0], options=self._options[0] or None)
        self.reset_infos = [_row(infos, lane) for lane in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return self._fresh(observation)

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        observation, reward, terminated, truncated, infos = self.envs.step(self._actions)
        done = np.logical_or(terminated, truncated)
        lane_infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for lane in np.flatnonzero(done).tolist():
            first = _row(infos, lane)  # about the next episode's first state, but for what is "final"
            last, observed = first.pop("final_info", {}), first.pop("final_obs")
            lane_infos[lane] = {
                **first,
                **last,
                "terminal_observation": observed,
                "TimeLimit.truncated": bool(truncated[lane] and not terminated[lane]),
            }
            self.reset_infos[lane] = first
        return self._fresh(observation), np.array(reward, np.float32), done, lane_infos

    def _fresh(self, observation: Any) -> Any:
        """`observation` in arrays that no later step writes to, as other vector environments may."""
        return observation if isinstance(self.envs, GoalVectorEnv) else deepcopy(observation)

    def set_options(self, options: list[dict] | dict | None = None) -> None:
        """Options of the next reset, as the vector environment takes them: one dictionary for all lanes.

        A list of N dictionaries, one per lane, is taken for a GoalVectorEnv: `[{"goal": "a"}, {"goal": "b"}]` is
        `{"goals": ["a", "b"]}`.

        Raises:
            ValueError: for a list that other vector environments cannot be given, or whose keys differ.
        """
        if isinstance(options, list):
            alike = len(options) == self.num_envs and all(set(lane) == set(options[0]) for lane in options)
            if not alike or not isinstance(self.envs.unwrapped, GoalVectorEnv):
                raise ValueError(
                    f"options must be one dictionary for all lanes, or for a GoalVectorEnv {self.num_envs} "
                    f"dictionaries with the same keys; got {options}"
                )
            options = {f"{key}s": [lane[key] for lane in options] for key in options[0]}  # "goal" -> "goals"
        self._options = [deepcopy(options or {})] * self.num_envs

    def env_method(self, method_name: str, *method_args, indices: VecEnvIndices = None, **method_kwargs) -> list[Any]:
        lanes, base = list(self._get_indices(indices)), self.envs.unwrapped
        if isinstance(base, SyncVectorEnv):
            methods = self.get_attr(method_name, lanes)
            return [method(*method_args, **method_kwargs) for method in methods]
        if isinstance(base, AsyncVectorEnv):
            answers = base.call(method_name, *method_args, **method_kwargs)
            return [answers[lane] for lane in lanes]
        if isinstance(base, GoalVectorEnv) and method_name == "compute_reward" and len(method_args) > 1:
            _check_commandable(base.goals, np.asarray(method_args[1]))
        return [_attribute(self.envs, method_name)(*method_args, **method_kwargs)] * len(lanes)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        lanes, base = list(self._get_indices(indices)), self.envs.unwrapped
        if isinstance(base, SyncVectorEnv):
            return [base.envs[lane].get_wrapper_attr(attr_name) for lane in lanes]
        if isinstance(base, AsyncVectorEnv):
            if not base.call("has_wrapper_attr", attr_name)[0]:  # asking for it would end the processes
                raise AttributeError(f"{base} has no attribute {attr_name!r}")
            answers = base.get_attr(attr_name)
            return [answers[lane] for lane in lanes]
        single = f"single_{attr_name}" if attr_name in ("observation_space", "action_space") else attr_name
        return [_attribute(self.envs, single)] * len(lanes)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the lanes `indices`.

        Raises:
            ValueError: for some of the lanes where they share one object or are only reached together, or for an
                attribute that a GoalVectorEnv is compiled from.
        """
        lanes, base = list(self._get_indices(indices)), self.envs.unwrapped
        if isinstance(base, SyncVectorEnv):
            for lane in lanes:
                base.envs[lane].set_wrapper_attr(attr_name, value)
        elif len(set(lanes)) != self.num_envs:
            raise ValueError(f"{attr_name} can only be set for all {self.num_envs} lanes at once, not for {lanes}")
        elif isinstance(base, AsyncVectorEnv):
            base.set_attr(attr_name, [value] * self.num_envs)
        elif isinstance(base, GoalVectorEnv) and attr_name in _COMPILED:
            raise ValueError(f"{attr_name} is compiled into the environment: give it to make_vec")
        else:
            setattr(base, attr_name, value)

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        lanes, base = list(self._get_indices(indices)), self.envs.unwrapped
        return [isinstance(base, SyncVectorEnv) and is_wrapped(base.envs[lane], wrapper_class) for lane in lanes]

    def get_images(self) -> Sequence[np.ndarray | None]:
        return self.envs.render() or [None] * self.num_envs  # type: ignore[return-value]

    def close(self) -> None:
        self.envs.close()


def _same_step_line(envs: VectorEnv) -> str:
    """The line of code that makes `envs` as it is, but in SAME_STEP."""
    mode, spec = "gymnasium.vector.AutoresetMode.SAME_STEP", envs.spec
    if spec is None:
        return f"gymnasium.vector.SyncVectorEnv(env_fns, autoreset_mode={mode})"
    if isinstance(envs.unwrapped, GoalVectorEnv):
        return f'gymnasium.make_vec("{spec.id}", num_envs={envs.num_envs}, autoreset_mode={mode})'
    vectorization = "async" if isinstance(envs.unwrapped, AsyncVectorEnv) else "sync"
    return (
        f'gymnasium.make_vec("{spec.id}", num_envs={envs.num_envs}, vectorization_mode="{vectorization}", '
        f'vector_kwargs={{"autoreset_mode": {mode}}})'
    )


def _row(infos: dict[str, Any], lane: int) -> dict[str, Any]:
    """What Gymnasium's batched `infos` say about one lane: the entries whose `_key` mask, if any, is set there."""
    return {
        key: _row(value, lane) if isinstance(value, dict) else value[lane]
        for key, value in infos.items()
        if not key.startswith("_") and (f"_{key}" not in infos or infos[f"_{key}"][lane])
    }


def _attribute(envs: VectorEnv, name: str) -> Any:
    """`name` as the outermost of `envs` and its wrappers has it."""
    while isinstance(envs, VectorWrapper) and not hasattr(envs, name):
        envs = envs.env
    return getattr(envs, name)


def _check_commandable(goals: Any, desired: np.ndarray) -> None:
    """ValueError, with what to use instead, where HER commands goals [..., d] that are none."""
    shape = goals.desired_space.shape
    if desired.shape[-1:] != shape:
        reason = "" if goals.supports_hindsight else f": {NO_HINDSIGHT}"
        raise ValueError(f"desired goals of shape {desired.shape} given, expected [..., {shape[0]}]{reason}")
    if isinstance(goals, FiniteGoals) and not (desired.sum(axis=-1) == 1).all():
        raise ValueError(
            "a desired goal is one-hot, but a state achieves any number of goals, which HerReplayBuffer commands all "
            "at once; use gc_envs.wrappers.AchievedGoalHerReplayBuffer"
        )
