"""What the wrappers share: the goals of an environment, and what a vector environment says about each lane.

N lanes, G goals in the all-goals set, D numbers in a goal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper

from gc_envs.core.goals import GoalSpace, PointSetGoals

Environment = gymnasium.Env | VectorEnv


def lookup(env: Environment, name: str) -> Any:
    """The attribute `name` of the outermost layer of `env` that has it, or None; Gymnasium's own vector environments
    answer for their first lane."""
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
    """The parts of one lane's observation space; TypeError unless it is that of a goal environment."""
    space = env.single_observation_space if isinstance(env, VectorEnv) else env.observation_space
    parts = space.spaces if isinstance(space, gymnasium.spaces.Dict) else {}
    for key in ("achieved_goal", "desired_goal"):
        if key not in parts or parts[key].shape is None:
            raise TypeError(f"observations must be dictionaries with an array under {key!r}, got the space {space}")
    return dict(parts)


def num_goals(env: Environment) -> int:
    """G, the goals that `info["all_goals"]` and `info["goal"]` are about; TypeError for an environment without them."""
    source = _goal_source(env)
    return source.num_goals if isinstance(source, GoalSpace) else len(source)


def goal_array(env: Environment) -> np.ndarray:
    """The desired goals [G, D] that `info["goal"]` counts through; TypeError for an environment without such a set."""
    source = _goal_source(env)
    if not isinstance(source, GoalSpace):
        return source
    if isinstance(source, PointSetGoals):
        raise TypeError(
            f"the goals of {env} differ in every episode: give it a set of them with AllGoalsInfo(env, goals)"
        )
    return np.stack([source.encode(index) for index in range(source.num_goals)])


def check_all_goals(env: Environment) -> None:
    """TypeError unless `env` reports `info["all_goals"]`."""
    if isinstance(_goal_source(env), GoalSpace) and not lookup(env, "all_goals_info"):
        raise TypeError(f"{env} was made with all_goals_info=False; this wrapper needs all_goals_info=True")


def _goal_source(env: Environment) -> np.ndarray | GoalSpace:
    """The goals given to an AllGoalsInfo wrapper, or else the environment's own goal space."""
    given = lookup(env, "goal_array")
    source = lookup(env, "goals") if given is None else given
    if not isinstance(source, (np.ndarray, GoalSpace)):
        raise TypeError(f"{env} has no goal set of its own: wrap it in AllGoalsInfo first")
    return source


class EpisodeVectorWrapper(VectorWrapper):
    """A vector wrapper that knows which lanes begin and end an episode, in any autoreset mode.

    Raises:
        TypeError: for an environment that does not name its autoreset mode, or whose arrays are not NumPy's.
    """

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env)
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise TypeError(f"metadata['autoreset_mode'] of {env} must be an AutoresetMode, got {mode!r}")
        library = getattr(env.unwrapped, "array", "numpy")
        if library != "numpy":
            raise TypeError(f"{type(self).__name__} works on NumPy arrays: make {env} without array={library!r}")
        self._over = np.zeros(self.num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        options = dict(options or {})  # a copy: Gymnasium's vector environments take the mask out of theirs
        mask = options.get("reset_mask")
        observations, infos = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        mask = np.ones_like(self._over) if mask is None else mask.copy()
        self._over = self._over & ~mask
        return self._began(observations, infos, mask)

    def _began(self, observations: Any, infos: dict[str, Any], lanes: np.ndarray) -> tuple[Any, dict[str, Any]]:
        """What `reset` returns, given what it got and which `lanes` [N] it began anew."""
        return observations, infos

    def _note_step(self, terminated: np.ndarray, truncated: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Three masks, bool [N], about the step just taken.

        moved: the lanes that took it (in NEXT_STEP, those that ended before are reset instead); ended: those whose
        episode it ended; fresh: those whose returned observation begins an episode.
        """
        previous, self._over = self._over, terminated | truncated
        mode = self.metadata["autoreset_mode"]  # read anew, because this package's environments can change it
        if mode is AutoresetMode.NEXT_STEP:
            return ~previous, self._over, previous
        fresh = self._over if mode is AutoresetMode.SAME_STEP else np.zeros_like(previous)
        return np.ones_like(previous), self._over, fresh


def before_reset(infos: Mapping[str, Any], *keys: str) -> np.ndarray:
    """`infos[keys[0]][keys[1]]...` [N, ...] about the state that each lane's step led to: where SAME_STEP has reset a
    lane in the meantime, the entry of `final_info`."""
    value: Any = infos
    for key in keys:
        value = value[key]
    if "final_info" not in infos:
        return value
    final = before_reset(infos["final_info"], *keys)
    ended = infos["_final_info"].reshape(-1, *(1,) * (value.ndim - 1))
    return np.where(ended, final, value)
