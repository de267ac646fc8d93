"""What the wrappers share: the goals of an environment, and the ends of episodes in a vector environment.

N is the number of environments, G of goals in the all-goals set, D of numbers in a goal.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper

from gc_envs.core.goal_env_mixin import check_mask
from gc_envs.core.goals import GoalSpace, PointSetGoals

Environment = gymnasium.Env | VectorEnv


def lookup(env: Environment, name: str) -> Any:
    """Return the attribute `name` of the outermost layer of `env` that has it, or None.

    For Gymnasium's own vector environments this is the attribute of the first environment.
    """
    layer: Any = env
    while not hasattr(layer, name):
        if isinstance(layer, SyncVectorEnv):
            layer = layer.envs[0]
        elif isinstance(layer, AsyncVectorEnv):
            return layer.get_attr(name)[0] if layer.call("has_wrapper_attr", name)[0] else None
        elif layer is layer.unwrapped:
            return None
        else:
            layer = layer.env
    return getattr(layer, name)


def goal_dictionary_of(env: Environment) -> dict[str, gymnasium.Space]:
    """Return the parts of the observation space of one environment.

    Raises:
        TypeError: If observations are not the dictionaries of a goal environment.
    """
    space = env.single_observation_space if isinstance(env, VectorEnv) else env.observation_space
    parts = space.spaces if isinstance(space, gymnasium.spaces.Dict) else {}
    for key in ("achieved_goal", "desired_goal"):
        if key not in parts or parts[key].shape is None:
            raise TypeError(f"observations must be dictionaries with an array under {key!r}, got the space {space}")
    return dict(parts)


def num_goals(env: Environment) -> int:
    """Return G, the number of goals that `info["all_goals"]` and `info["goal"]` refer to.

    Raises:
        TypeError: If the environment has no goal set.
    """
    source = _goal_source(env)
    return source.num_goals if isinstance(source, GoalSpace) else len(source)


def goal_array(env: Environment) -> np.ndarray:
    """Return the desired goals [G, D] to which the index `info["goal"]` refers.

    Raises:
        TypeError: If the environment has no goal set, or another one in every episode.
    """
    source = _goal_source(env)
    if not isinstance(source, GoalSpace):
        return source
    if isinstance(source, PointSetGoals):
        raise TypeError(
            f"the goals of {env} differ in every episode: give it a set of them with AllGoalsInfo(env, goals)"
        )
    return np.stack([source.encode(index) for index in range(source.num_goals)])


def check_all_goals(env: Environment) -> None:
    """Check that `env` reports `info["all_goals"]`.

    Raises:
        TypeError: If it does not.
    """
    if isinstance(_goal_source(env), GoalSpace) and not lookup(env, "all_goals_info"):
        raise TypeError(f"{env} was made with all_goals_info=False; this wrapper needs all_goals_info=True")


def _goal_source(env: Environment) -> np.ndarray | GoalSpace:
    """Return the goals given to an AllGoalsInfo wrapper, or else the environment's own goal space."""
    given = lookup(env, "goal_array")
    source = lookup(env, "goals") if given is None else given
    if not isinstance(source, (np.ndarray, GoalSpace)):
        raise TypeError(f"{env} has no goal set of its own: wrap it in AllGoalsInfo first")
    return source


def check_single(wrapper: gymnasium.Wrapper, env: Any) -> None:
    """Check that `env`, which `wrapper` is given, is a single environment.

    Raises:
        TypeError: If it is not; for a vector environment the message names the wrapper's vector form.
    """
    name = type(wrapper).__name__
    if isinstance(env, VectorEnv):
        raise TypeError(f"{name} takes a single environment, got the vector environment {env}: use {name}Vector")
    if not isinstance(env, gymnasium.Env):
        raise TypeError(f"{name} takes a gymnasium.Env, got {env!r}")


class StepMasks(NamedTuple):
    """What a step did to each environment."""

    moved: np.ndarray  # bool [N], took the step (in NEXT_STEP, those that ended before are reset instead)
    ended: np.ndarray  # bool [N], the step ended the episode
    reset: np.ndarray  # bool [N], the returned observation begins an episode


class EpisodeVectorWrapper(VectorWrapper):
    """A vector wrapper that knows in which environments an episode begins or ends, in any autoreset mode.

    Raises:
        TypeError: If `env` is no vector environment, does not name its autoreset mode, or its arrays are not NumPy's.
    """

    def __init__(self, env: VectorEnv) -> None:
        name = type(self).__name__
        if not isinstance(env, VectorEnv):
            single = f": use {name.removesuffix('Vector')} for a single one" if isinstance(env, gymnasium.Env) else ""
            raise TypeError(f"{name} takes a vector environment, got {env!r}{single}")
        super().__init__(env)
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise TypeError(f"metadata['autoreset_mode'] of {env} must be an AutoresetMode, got {mode!r}")
        library = getattr(env.unwrapped, "array", "numpy")
        if library != "numpy":
            raise TypeError(f"{name} works on NumPy arrays: make {env} without array={library!r}")
        self._done = np.zeros(self.num_envs, bool)  # [N], where the last step ended the episode

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        options = dict(options or {})  # a copy: Gymnasium's vector environments take the mask out of theirs
        mask = check_mask(options.get("reset_mask"), self.num_envs)
        if options.get("reset_mask") is not None:
            options["reset_mask"] = mask.copy()
        observations, infos = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        self._done = self._done & ~mask
        return self._on_reset(observations, infos, mask)

    def _on_reset(self, observations: Any, infos: dict[str, Any], mask: np.ndarray) -> tuple[Any, dict[str, Any]]:
        """Return what `reset` returns.

        Args:
            observations: The observations of the wrapped environment after its reset.
            infos: Its infos.
            mask: The environments that were reset, bool [N].
        """
        return observations, infos

    def _track_step(self, terminated: np.ndarray, truncated: np.ndarray) -> StepMasks:
        """Return which environments the step just taken moved, ended and reset."""
        previous, self._done = self._done, terminated | truncated
        mode = self.metadata["autoreset_mode"]  # read on every step, because this package's environments can change it
        if mode is AutoresetMode.NEXT_STEP:
            return StepMasks(~previous, self._done, previous)
        reset = self._done if mode is AutoresetMode.SAME_STEP else np.zeros_like(previous)
        return StepMasks(np.ones_like(previous), self._done, reset)


def before_reset(infos: Mapping[str, Any], *keys: str) -> np.ndarray:
    """Return `infos[keys[0]][keys[1]]...` [N, ...] about the states to which the step led.

    Where SAME_STEP has reset an environment in the meantime, this is the entry of `final_info`.
    """
    value: Any = infos
    for key in keys:
        value = value[key]
    if "final_info" not in infos:
        return value
    final = before_reset(infos["final_info"], *keys)
    ended = infos["_final_info"].reshape(-1, *(1,) * (value.ndim - 1))
    return np.where(ended, final, value)
