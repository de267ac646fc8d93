"""LEO: learning everything all at once (arXiv 2605.23551, section 4).

Every transition updates the values of all G goals through one network pass, with the recipe of PQN (arXiv 2407.04811)
around it: parallel environments, short rollouts, a few epochs of minibatches, no replay and no target network.
Letters: T steps, N environments, B minibatch, G goals, A actions.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax

from gc_envs.agents.config import ActionValueConfig
from gc_envs.agents.explore import epsilon_at, epsilon_greedy
from gc_envs.agents.goal_stats import GoalStats
from gc_envs.agents.networks.leo import LEONetwork
from gc_envs.agents.on_policy import OnPolicy, State
from gc_envs.agents.sgd import minibatch_epochs
from gc_envs.agents.targets import all_goals_target
from gc_envs.agents.types import Array, TrainState, Transition, init_train_state
from gc_envs.core.task import Task

Variables = dict[str, Any]  # of the network: params and batch_stats


@dataclass(frozen=True)
class LEOConfig(ActionValueConfig):
    """Settings of LEO; the defaults are the published ones, except for the number of environments."""


class LEO(OnPolicy):
    """Learner of the values of all goals at once, on one task."""

    name = "leo"
    config_class = LEOConfig
    config: LEOConfig

    def __init__(self, task: Task[Any], config: LEOConfig) -> None:
        super().__init__(task, config)
        self.network = LEONetwork(
            self.one_hot_spec, self.num_goals, self.num_actions, config.width, config.depth, config.conv_features
        )  # fmt: skip
        self.optimizer = self.clipped(optax.radam(self.learning_rate()))

    def init_train(self, key: Array, observation: Any) -> TrainState:
        return init_train_state(self.network, self.optimizer, key, observation)

    def policy(self, train: TrainState, update: Array, key: Array, observation: Any, goal: Array) -> tuple[Array, Any]:
        q, features = self.q(train.variables, observation, goal)
        # The features are kept, because the targets need them again.
        return epsilon_greedy(key, q, self.scheduled(update)["epsilon"]), features

    def learn(
        self, key: Array, train: TrainState, update: Array, batch: Transition, last: Any, stats: GoalStats
    ) -> tuple[TrainState, dict[str, Array]]:
        target = self.targets(train.variables, batch, last)
        train, loss = minibatch_epochs(
            key, train, self.optimizer, self.loss, self.flatten((batch.observation, batch.action, target)),
            epochs=self.config.epochs, minibatch_size=self.config.minibatch_size,
        )  # fmt: skip
        return train, {"loss": loss, "target": target.mean()}

    def targets(self, variables: Variables, batch: Transition, last: Any) -> Array:
        """Return the targets of every goal, by default r[g] + gamma * max_a Q(s', a)[g]: [T, N, G].

        The network does not change during a rollout, so the best values of all its states are computed at once, at the
        speed of large matrix products, and no [G, A] table is ever stored.
        """
        features = self.apply(variables, "features", last)
        reached = jnp.concatenate([batch.extras[1:], features[None]])  # [T, N, width], features of the states reached
        best = self.apply(variables, "max_values", self.flatten(reached)).reshape(batch.achieved.shape)
        return all_goals_target(batch.achieved, batch.done, best, self.config.gamma, self.config.td_lambda)

    def loss(self, params: Any, batch_stats: Any, minibatch: tuple[Any, Array, Array]) -> tuple[Array, Any]:
        """Return half the mean squared error of the taken actions' values, and the new normalisation statistics."""
        observation, action, target = minibatch
        variables = {"params": params, "batch_stats": batch_stats}
        features, updated = self.network.apply(
            variables, observation, train=True, method="features", mutable=["batch_stats"]
        )
        values = self.apply(variables, "action_values", features, action)  # [B, G]
        return 0.5 * jnp.square(values - target).mean(), updated["batch_stats"]

    def scheduled(self, update: Array) -> dict[str, Array]:
        return {"epsilon": epsilon_at(self.config, self.num_updates, update)}

    def q(self, variables: Variables, observation: Any, goal: Array) -> tuple[Array, Array]:
        """Return Q [B, A] for one goal per row, and the features [B, width] that all goals share."""
        features = self.apply(variables, "features", observation)
        return self.apply(variables, "goal_values", features, goal), features

    def acting_state(self, state: State) -> Variables:
        train: TrainState = state.train
        return train.variables

    def act(self, acting_state: Variables, observation: Any, goal: Array) -> Array:
        return self.q(acting_state, observation, goal)[0].argmax(axis=-1)

    def q_values(self, acting_state: Variables, observation: Any) -> Array:
        return self.apply(acting_state, "__call__", observation)

    def apply(self, variables: Variables, method: str, *inputs: Any) -> Array:
        """Return what `method` of the network gives for `inputs`."""
        output: Any = self.network.apply(variables, *inputs, method=method)
        return output  # type: ignore[no-any-return]
