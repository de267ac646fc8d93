"""What JAX learners share: the shape of experience, of a trained network and of a learner itself.

Letters: T steps of a rollout, N environments, B batch, G goals, D numbers in a desired goal.
"""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from gc_envs.core.task import Task

Array = jax.Array


class Transition(NamedTuple):
    """One environment step; a rollout has [T, N] on every leaf."""

    observation: Any  # in which the action was taken
    goal: Array  # int32, index of the goal that was desired when the action was taken
    action: Array  # a member of the task's action space
    achieved: Array  # [G] bool, goals that hold in the state reached, before any reset
    terminated: Array  # bool, the task ended in the state reached
    truncated: Array  # bool, the episode ran out of time there
    extras: Any  # what the policy returned beside the action

    @property
    def done(self) -> Array:
        """Whether the episode ended with this step, bool."""
        return self.terminated | self.truncated

    @property
    def reached(self) -> Array:
        """Whether the desired goal holds in the state reached, bool."""
        found: Array = jnp.take_along_axis(self.achieved, self.goal[..., None], axis=-1)[..., 0]
        return found


class Metrics(NamedTuple):
    """Scalars that one update reports, by the name of their column in metrics.csv."""

    latest: dict[str, Array]  # running figures and counts: a row of several updates has those of the last
    mean: dict[str, Array]  # a row of several updates has the mean over them


class TrainState(NamedTuple):
    """A network and its optimizer."""

    params: Any
    batch_stats: Any  # running statistics of the network's normalisation layers
    opt_state: Any

    @property
    def variables(self) -> dict[str, Any]:
        """The variables that `network.apply` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def init_train_state(
    network: nn.Module, optimizer: optax.GradientTransformation, key: Array, *inputs: Any
) -> TrainState:
    """Return the state of a fresh network; `key` is consumed and `inputs` only give shapes."""
    variables = network.init(key, *inputs)
    params = variables["params"]
    return TrainState(params, variables.get("batch_stats", {}), optimizer.init(params))


class Learner(Protocol):
    """A JAX learner as pure functions of its state; `JaxTrainer` runs it and `JaxPolicy` acts with it.

    The state is any pytree whose leaves keep their shape and dtype. `init` and `update` may be transformed with
    `jax.jit` and, for several seeds at once, `jax.vmap`.
    """

    task: Task[Any]
    config: Any
    num_updates: int  # of the whole run
    steps_per_update: int  # environment steps, over all environments
    specs: Any  # how the state lies on several devices: a prefix of its tree with leaves of `sharding`

    def init(self, key: Array) -> Any:
        """Return the state before the first update; `key` (typed) is consumed."""

    def update(self, state: Any) -> tuple[Any, Metrics]:
        """Return the state after one more update, and what that update reports."""

    def acting_state(self, state: Any) -> Any:
        """Return what `act` and `q_values` need of `state`: a pytree that holds some of its leaves, unchanged."""

    def goal_input(self, desired_goal: Array) -> Array:
        """Return what `act` takes for the desired goals [B, D] of an observation."""

    def act(self, acting_state: Any, observation: Any, goal: Array) -> Array:
        """Return greedy actions [B] for observations [B, ...] and the goals that `goal_input` returned."""

    def q_values(self, acting_state: Any, observation: Any) -> Array:
        """Return Q [B, G, A] of every goal and action.

        Raises:
            NotImplementedError: The learner has no such values.
        """
