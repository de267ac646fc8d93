"""Goal dictionaries as plain vectors, for libraries without dictionary observations.

* ``FlattenGoal`` - joins the parts of an observation into one vector
* ``FlattenGoalVector`` - the same for a vector environment

N is the number of environments, P of numbers in the chosen parts together.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from gc_envs.wrappers.common import Environment, EpisodeVectorWrapper, check_single, goal_dictionary_of

__all__ = ["FlattenGoal", "FlattenGoalVector"]

PARTS = ("observation", "desired_goal")


class FlattenGoal(gymnasium.ObservationWrapper, RecordConstructorArgs):
    """Makes observations of `parts` of the goal dictionary, one after the other: float32 [P], with the parts' bounds.

    A part that is an array of several axes is read row by row. Wrappers that need the dictionary go below this one.

    Args:
        env: An environment with goal dictionaries.
        parts: The keys of the parts, in the order in which they are joined.

    Raises:
        TypeError: If observations are no goal dictionaries, or a part is no Box (such as Craftax's
            `observation="compact"`, which is a dictionary itself).
        ValueError: If there are no parts, or the dictionary does not have one of them.

    >>> env = FlattenGoal(gymnasium.make("gc_envs:GC-Gridworld-v0", size=5))
    >>> observation, _ = env.reset(seed=0)
    >>> observation.shape == env.observation_space.shape, observation[:2]
    (True, array([2., 2.], dtype=float32))
    """

    def __init__(self, env: gymnasium.Env, parts: Sequence[str] = PARTS) -> None:
        check_single(self, env)
        RecordConstructorArgs.__init__(self, parts=parts)
        gymnasium.ObservationWrapper.__init__(self, env)
        self.parts = tuple(parts)
        self.observation_space = _joined_space(env, self.parts)

    def observation(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([np.ravel(observation[part]) for part in self.parts]).astype(np.float32, copy=False)


class FlattenGoalVector(EpisodeVectorWrapper):
    """`FlattenGoal` for a vector environment, whose observations are float32 [N, P].

    In SAME_STEP, `infos["final_obs"]` has vectors [P] as well.

    Arguments and errors are those of `FlattenGoal`.

    >>> envs = FlattenGoalVector(gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=3, size=5))
    >>> envs.reset(seed=0)[0].shape == envs.observation_space.shape
    True
    """

    def __init__(self, env: VectorEnv, parts: Sequence[str] = PARTS) -> None:
        super().__init__(env)
        self.parts = tuple(parts)
        self.single_observation_space = _joined_space(env, self.parts)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def _on_reset(self, observations: Any, infos: dict[str, Any], mask: np.ndarray) -> tuple[Any, dict[str, Any]]:
        return self._join(observations, self.num_envs), infos

    def step(self, actions: Any) -> tuple[np.ndarray, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        if "final_obs" in infos:
            final = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(infos["_final_obs"]).tolist():
                final[i] = self._join(infos["final_obs"][i], 1)[0]
            infos = {**infos, "final_obs": final}
        return self._join(observations, self.num_envs), rewards, terminated, truncated, infos

    def _join(self, observations: dict[str, np.ndarray], count: int) -> np.ndarray:
        """Return the parts of `count` observations as float32 [count, P]."""
        rows = [np.reshape(observations[part], (count, -1)) for part in self.parts]
        return np.concatenate(rows, axis=1).astype(np.float32, copy=False)


def _joined_space(env: Environment, parts: tuple[str, ...]) -> Box:
    """Return the space of the joined `parts` of one observation, float32 [P]."""
    spaces = goal_dictionary_of(env)
    unknown = [part for part in parts if part not in spaces]
    if unknown or not parts:
        raise ValueError(f"parts={parts!r} must name some of {sorted(spaces)}")
    boxes = []
    for part in parts:
        space = spaces[part]
        if not isinstance(space, Box):
            raise TypeError(f"only a Box can be joined to a vector, but {part!r} is {space}")
        boxes.append(space)
    low, high = (
        np.concatenate([np.ravel(getattr(box, bound)) for box in boxes]).astype(np.float32) for bound in ("low", "high")
    )
    return Box(low, high, dtype=np.float32)
