"""A trained JAX agent: observations in, actions and values out. Letters: B batch, G goals, A actions."""

import copy
from pathlib import Path
from typing import Any, Self

import gymnasium
import jax
import numpy as np

from gc_envs.agents.types import Array, Learner
from gc_envs.core.task import Task
from gc_envs.training.checkpoint import flatten, unflatten
from gc_envs.training.run_dir import RunDir, open_run, trained_arrays


class JaxPolicy:
    """The greedy policy of a learner. Call it with goal-dictionary observations, batched or not.

    Args:
        learner: What trained it.
        acting_state: What `learner.acting_state` returned.
        run: The run that it comes from.
    """

    def __init__(self, learner: Learner, acting_state: Any, run: RunDir | None = None) -> None:
        self.learner, self.acting_state, self.run = learner, acting_state, run

        def act(acting_state: Any, observation: Any, desired_goal: Array) -> Array:
            return learner.act(acting_state, observation, learner.goal_input(desired_goal))

        self._act, self._q_values = jax.jit(act), jax.jit(learner.q_values)

    @classmethod
    def load(cls, run: Path | str, learner_class: Any) -> "JaxPolicy":
        """Return the agent of a run's newest checkpoint, on whatever device JAX uses here.

        Args:
            run: The run folder.
            learner_class: The class that trained it.

        Raises:
            RunError: The folder is not a run, has no checkpoint, is damaged, or holds another kind of agent.
        """
        opened = open_run(run)
        learner = opened.learner(learner_class)
        return cls(learner, load_acting_state(learner, trained_arrays(opened)), opened)

    def with_state(self, acting_state: Any, run: RunDir | None = None) -> Self:
        """Return the policy of another state, of another run if one is given; compiled programs are shared."""
        other = copy.copy(self)
        other.acting_state, other.run = acting_state, run or self.run
        return other

    @property
    def task(self) -> Task[Any]:
        """The task that it was trained on."""
        return self.learner.task

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        """Return greedy actions.

        Args:
            observation: Goal-dictionary observations, with a batch axis [B] or without.

        Returns:
            Actions [B, ...] of the action space's dtype, or one action for one observation.

        Raises:
            ValueError: The observation is of another kind than the agent was trained on; the message names both.
        """
        batched, inputs = self._inputs(observation["observation"])
        goal = np.asarray(observation["desired_goal"], np.float32)
        actions = self._act(self.acting_state, inputs, goal if batched else goal[None])
        result: np.ndarray = np.asarray(actions, self.task.action_space.dtype)
        return result if batched else result[0]

    def q_values(self, observation: Any) -> np.ndarray:
        """Return Q of every goal and action, [B, G, A], or [G, A] for one observation, with or without its goals."""
        if isinstance(observation, dict) and "desired_goal" in observation:
            observation = observation["observation"]
        batched, inputs = self._inputs(observation)
        values: np.ndarray = np.asarray(self._q_values(self.acting_state, inputs))
        return values if batched else values[0]

    def values(self, observation: Any) -> np.ndarray:
        """Return the value of every goal (its best action's Q), [B, G], or [G] for one observation."""
        best: np.ndarray = self.q_values(observation).max(axis=-1)
        return best

    __call__ = act

    def _inputs(self, observation: Any) -> tuple[bool, Any]:
        """Return whether `observation` has a batch axis, and the observation with one."""
        expected = {name: space.shape for name, space in _parts(self.task.observation_space).items()}
        found = {name: np.shape(leaf) for name, leaf in _parts(observation).items()}
        if found == expected:
            return False, jax.tree.map(lambda leaf: np.asarray(leaf)[None], observation)
        if {name: shape[1:] for name, shape in found.items()} == expected:
            return True, observation
        raise ValueError(
            f"this agent acts on observations {expected}, not {found}; build the environment it was trained on"
        )


def load_acting_state(learner: Learner, arrays: dict[str, np.ndarray]) -> Any:
    """Return what `learner` needs for acting out of the arrays of a checkpoint.

    The other arrays are not looked at, so a trained agent is still usable when the state of an environment changes.

    Raises:
        RunError: An array is missing or of another shape.
    """
    state = jax.eval_shape(learner.init, jax.random.key(0))
    wanted = _acting_names(learner, state)
    template = dict(zip(jax.tree.leaves(wanted), jax.tree.leaves(learner.acting_state(state)), strict=True))
    found = unflatten({name: array for name, array in arrays.items() if name in template}, template)
    return jax.device_put(jax.tree.map(lambda name: found[name], wanted))


def acting_arrays(learner: Learner, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return those of a checkpoint's arrays that `load_acting_state` looks at."""
    wanted = jax.tree.leaves(_acting_names(learner, jax.eval_shape(learner.init, jax.random.key(0))))
    return {name: array for name, array in arrays.items() if name in wanted}


def _acting_names(learner: Learner, state: Any) -> Any:
    """Return what `learner.acting_state` takes of a state, with the names of the arrays as leaves."""
    return learner.acting_state(jax.tree.unflatten(jax.tree.structure(state), list(flatten(state))))


def _parts(observation: Any) -> dict[str, Any]:
    if isinstance(observation, (dict, gymnasium.spaces.Dict)):
        return dict(observation.items())
    return {"observation": observation}
