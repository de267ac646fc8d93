"""PQN (arXiv 2407.04811) on desired goals: LEO's rival that learns the values of one goal per step.

Q(s, g, .) is learnt from the goal that was desired at each step, by the recipe of LEO: parallel environments, short
rollouts, minibatches, no replay and no target network (arXiv 2605.23551).
Letters: T steps, N environments, B minibatch, K goals of a step, G goals, A actions.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from gc_envs.agents.config import ActionValueConfig
from gc_envs.agents.explore import epsilon_at, epsilon_greedy
from gc_envs.agents.goal_stats import GoalStats
from gc_envs.agents.networks.encoder import goal_inputs
from gc_envs.agents.networks.goal_conditioned import GoalQNetwork
from gc_envs.agents.on_policy import OnPolicy, State
from gc_envs.agents.sgd import minibatch_epochs
from gc_envs.agents.targets import lambda_returns, reached_values
from gc_envs.agents.types import Array, TrainState, Transition, init_train_state
from gc_envs.core.task import Task

Variables = dict[str, Any]  # of the network: params and batch_stats


@dataclass(frozen=True)
class PQNConfig(ActionValueConfig):
    """Settings of PQN; the defaults are the published ones, except for the number of environments and minibatches."""

    rollout_steps: int = 2
    epochs: int = 1
    minibatch_size: int = 64
    gamma: float = 0.995
    conv_features: int = 16
    epsilon_fraction: float = 0.5


class PQN(OnPolicy):
    """Learner of the values of one goal at a time, on one task."""

    name = "pqn"
    config_class = PQNConfig
    config: PQNConfig

    def __init__(self, task: Task[Any], config: PQNConfig) -> None:
        super().__init__(task, config)
        c, goals = config, goal_inputs(task, one_hot=config.one_hot)
        self.network = GoalQNetwork(self.one_hot_spec, goals, self.num_actions, c.width, c.depth, c.conv_features)
        self.optimizer = self.clipped(optax.radam(self.learning_rate()))

    def init_train(self, key: Array, observation: Any) -> TrainState:
        goal = jnp.zeros(len(jax.tree.leaves(observation)[0]), jnp.int32)
        return init_train_state(self.network, self.optimizer, key, observation, goal)

    def policy(self, train: TrainState, update: Array, key: Array, observation: Any, goal: Array) -> tuple[Array, Any]:
        q = self.q(train.variables, observation, goal)
        # The values are kept for the targets.
        return epsilon_greedy(key, q, self.scheduled(update)["epsilon"]), q.max(axis=-1)

    def scheduled(self, update: Array) -> dict[str, Array]:
        return {"epsilon": epsilon_at(self.config, self.num_updates, update)}

    def learn(
        self, key: Array, train: TrainState, update: Array, batch: Transition, last: Any, stats: GoalStats
    ) -> tuple[TrainState, dict[str, Array]]:
        sample_key, sgd_key = jax.random.split(key)
        goal, target = self.samples(sample_key, train.variables, batch, last, stats)  # [T, N, K]
        steps = self.flatten((batch.observation, batch.action))
        num_steps, num_goals = batch.done.size, goal.shape[-1]

        def loss(params: Any, batch_stats: Any, minibatch: tuple[Array, Array, Array]) -> tuple[Array, Any]:
            step, goal, target = minibatch
            observation, action = jax.tree.map(lambda x: x[step], steps)  # stored once, whatever K is
            return self.loss(params, batch_stats, observation, action, goal, target)

        data = (jnp.repeat(jnp.arange(num_steps), num_goals), goal.reshape(-1), target.reshape(-1))
        train, mean_loss = minibatch_epochs(
            sgd_key, train, self.optimizer, loss, data,
            epochs=self.config.epochs, minibatch_size=self.config.minibatch_size,
        )  # fmt: skip
        return train, {"loss": mean_loss, "target": target.mean()}

    def samples(
        self, key: Array, variables: Variables, batch: Transition, last: Any, stats: GoalStats
    ) -> tuple[Array, Array]:
        """Return the goals [T, N, K] that each step is learnt for, here the desired one, and their targets [T, N, K].

        A new goal comes only where the old one was reached or the episode ended, and nothing is bootstrapped there, so
        the values of the states reached are those that the rollout acted by.
        """
        reward = batch.reached
        last_value = self.q(variables, last, batch.goal[-1]).max(axis=-1)
        target = lambda_returns(
            reward, reward | batch.done, reached_values(batch.extras, last_value),
            self.config.gamma, self.config.td_lambda,
        )  # fmt: skip
        return batch.goal[..., None], target[..., None]

    def loss(
        self, params: Any, batch_stats: Any, observation: Any, action: Array, goal: Array, target: Array
    ) -> tuple[Array, Any]:
        """Return half the mean squared error of the taken actions' values, and the new normalisation statistics."""
        variables = {"params": params, "batch_stats": batch_stats}
        q, updated = self.network.apply(variables, observation, goal, train=True, mutable=["batch_stats"])
        value = jnp.take_along_axis(q, action[:, None], axis=-1)[:, 0]
        return 0.5 * jnp.square(value - target).mean(), updated["batch_stats"]

    def q(self, variables: Variables, observation: Any, goal: Array) -> Array:
        """Return Q [B, A] of observations [B, ...] and one goal each, [B]."""
        output: Any = self.network.apply(variables, observation, goal)
        return output  # type: ignore[no-any-return]

    def acting_state(self, state: State) -> Variables:
        train: TrainState = state.train
        return train.variables

    def act(self, acting_state: Variables, observation: Any, goal: Array) -> Array:
        return self.q(acting_state, observation, goal).argmax(axis=-1)

    def q_values(self, acting_state: Variables, observation: Any) -> Array:
        size = len(jax.tree.leaves(observation)[0])
        one_goal = lambda goal: self.q(acting_state, observation, jnp.full(size, goal))  # noqa: E731
        return jnp.moveaxis(jax.lax.map(one_goal, jnp.arange(self.num_goals)), 0, 1)
