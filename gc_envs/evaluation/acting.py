"""How any policy acts in N environments: its actions, and its memory where it has one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ActFunction = Callable[[dict[str, Any]], np.ndarray]  # goal-dictionary observations [N, ...] -> actions [N, ...]
ResetFunction = Callable[[np.ndarray], Any]  # bool [N]: the environments in which a new episode begins


def _nothing(mask: np.ndarray) -> None:
    """Forget nothing, as a policy without a memory."""


@dataclass(frozen=True)
class ActingPolicy:
    """A policy in the form in which episodes are run; call it with observations.

    Attributes:
        act: What returns the actions.
        reset: Called before the first observation of new episodes.
    """

    act: ActFunction
    reset: ResetFunction = _nothing

    def __call__(self, observation: dict[str, Any]) -> np.ndarray:
        """Return actions [N, ...] for goal-dictionary observations [N, ...]."""
        return self.act(observation)


def as_policy(policy: Any) -> ActingPolicy:
    """Return how `policy` acts: its `.predict` as in Stable-Baselines3, its `.act`, or itself; with its `.reset`.

    Raises:
        TypeError: If it has neither method and is not callable.
    """
    if hasattr(policy, "predict"):
        model = _Model(policy)
        return ActingPolicy(model.act, model.reset)
    function: ActFunction = getattr(policy, "act", policy)
    if not callable(function):
        raise TypeError(f"a policy is an SB3 model, has .act, or is a callable; got {type(policy).__name__}")
    return ActingPolicy(function, getattr(policy, "reset", _nothing))


class _Model:
    """A model whose `predict` returns actions and a state, which is not None where it remembers (RecurrentPPO).

    Args:
        model: The model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.state: Any = None  # what `predict` returned last
        self.starts = np.zeros(0, bool)  # [N], environments in which an episode has begun since then

    def reset(self, mask: np.ndarray) -> None:
        """Forget the episodes before those that begin in the environments in `mask` [N]."""
        if mask.all():  # the number of environments may be another one than before
            self.state = None
        self.starts = self.starts | mask if len(self.starts) == len(mask) else mask
        getattr(self.model, "reset", _nothing)(mask)

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        """Return deterministic actions [N, ...]."""
        memory = {} if self.state is None else {"state": self.state, "episode_start": self.starts}
        actions: np.ndarray
        actions, self.state = self.model.predict(observation, deterministic=True, **memory)
        self.starts = np.zeros_like(self.starts)
        return actions
