"""A trained agent: observations in, actions and values out."""

from pathlib import Path
from typing import Any

import gymnasium
import jax
import numpy as np

from gc_envs.agents.checkpoint import nested
from gc_envs.agents.runs import Run, open_run, trained_arrays
from gc_envs.core.task import Task


class Policy:
    """Greedy policy of a learner's network. Call it with goal-dictionary observations, batched or not.

    `env_id` and `env_kwargs` say which environment gives the observations it was trained on.
    """

    def __init__(self, learner: Any, variables: dict[str, Any], run: Run | None = None) -> None:
        self.learner, self.variables, self.run = learner, variables, run
        self._greedy, self._values = jax.jit(learner.greedy), jax.jit(learner.values)

    @property
    def task(self) -> Task:
        """The task that it was trained on."""
        return self.learner.task

    @classmethod
    def load(cls, run: Path | str, learner_class: Any) -> "Policy":
        """The newest checkpoint of a run folder of `learner_class`, on whatever device JAX uses here.

        Raises:
            RunError: when the folder is not a run, has no checkpoint, is damaged, or holds another kind of agent.
        """
        opened = open_run(run)
        learner = opened.learner(learner_class)
        arrays = trained_arrays(opened)
        return cls(learner, {name: nested(arrays, name) for name in ("params", "batch_stats")}, opened)

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        """Actions for `observation`: int64 [B], or an int64 scalar array for one observation without a batch axis.

        Raises:
            ValueError: when the observation is of another kind than the agent was trained on; both are named.
        """
        goal = np.asarray(observation["desired_goal"]).argmax(axis=-1)
        batched, inputs = self._inputs(observation["observation"])
        action = np.asarray(self._greedy(self.variables, inputs, np.atleast_1d(goal)), np.int64)
        return action if batched else action[0]

    def q_values(self, observation: Any) -> np.ndarray:
        """Q of every goal and action, [B, G, A]; without B for one observation."""
        if isinstance(observation, dict) and "desired_goal" in observation:
            observation = observation["observation"]
        batched, inputs = self._inputs(observation)
        values = np.asarray(self._values(self.variables, inputs))
        return values if batched else values[0]

    def values(self, observation: Any) -> np.ndarray:
        """The value of every goal (its best action's Q), [B, G]; without B for one observation."""
        return self.q_values(observation).max(axis=-1)

    __call__ = act

    def _inputs(self, observation: Any) -> tuple[bool, Any]:
        """Whether there is a batch axis, and `observation` with one."""
        space = self.task.observation_space
        expected = {name: sub.shape for name, sub in _leaves(space).items()}
        found = {name: np.shape(leaf) for name, leaf in _leaves(observation).items()}
        if found == expected:
            return False, jax.tree.map(lambda leaf: np.asarray(leaf)[None], observation)
        if {name: shape[1:] for name, shape in found.items()} == expected:
            return True, observation
        raise ValueError(
            f"this agent acts on observations {expected}, not {found}; build the environment it was trained on"
        )


def _leaves(tree: Any) -> dict[str, Any]:
    if isinstance(tree, (dict, gymnasium.spaces.Dict)):
        return dict(tree.items())
    return {"observation": tree}
