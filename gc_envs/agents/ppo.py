"""PPO (arXiv 1707.06347) on desired goals, with a sigmoid critic (arXiv 2605.23551).

Letters: T steps, N environments, B minibatch, A actions.
"""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gc_envs.agents import sharding
from gc_envs.agents.config import OnPolicyConfig
from gc_envs.agents.distributions import categorical_entropy, categorical_log_prob
from gc_envs.agents.goal_stats import GoalStats
from gc_envs.agents.losses import clipped_surrogate, clipped_value_loss
from gc_envs.agents.networks.encoder import goal_inputs
from gc_envs.agents.networks.goal_conditioned import GoalActorCritic
from gc_envs.agents.on_policy import OnPolicy, State
from gc_envs.agents.sgd import minibatch_epochs
from gc_envs.agents.targets import gae, reached_values
from gc_envs.agents.types import Array, TrainState, Transition, init_train_state
from gc_envs.core.task import Task


@dataclass(frozen=True)
class PPOConfig(OnPolicyConfig):
    """Settings of PPO; the defaults are the published ones, except for the number of environments."""

    rollout_steps: int = 64
    epochs: int = 1
    minibatch_size: int = 2048
    gamma: float = 0.995

    gae_lambda: float = 0.95
    """Discount, beside gamma, of later errors in the advantage of an action."""

    clip: float = 0.2
    """Distance of probability ratios from 1, and of values from the old ones, beyond which nothing is gained."""

    entropy_weight: float = 0.005
    """Weight of the policy's entropy in the objective."""

    value_weight: float = 0.5
    """Weight of the critic's loss."""

    embedding_depth: int = 1
    """Number of dense layers that actor and critic share."""

    actor_depth: int = 2
    """Number of further dense layers of the actor before its head."""

    critic_depth: int = 4
    """Number of further dense layers of the critic before its head."""


class Acted(NamedTuple):
    """What is kept of acting, [N]."""

    log_prob: Array  # of the action
    value: Array  # of the state, for its goal


class Samples(NamedTuple):
    """What PPO learns from, [B]."""

    observation: Any
    goal: Array
    action: Array
    acted: Any  # an `Acted`, or more
    advantage: Array
    target: Array  # of the value


class PPO(OnPolicy):
    """Learner of a policy and its values for one goal at a time, on one task."""

    name = "ppo"
    config_class = PPOConfig
    config: PPOConfig

    def __init__(self, task: Task[Any], config: PPOConfig) -> None:
        super().__init__(task, config)
        c = config
        self.network = GoalActorCritic(
            self.one_hot_spec, goal_inputs(task, one_hot=c.one_hot), self.num_actions, c.width, c.conv_features,
            c.embedding_depth, c.actor_depth, c.critic_depth,
        )  # fmt: skip
        self.optimizer = self.clipped(optax.adam(self.learning_rate(), eps=1e-5))

    def init_train(self, key: Array, observation: Any) -> TrainState:
        goal = jnp.zeros(len(jax.tree.leaves(observation)[0]), jnp.int32)
        return init_train_state(self.network, self.optimizer, key, observation, goal)

    def policy(self, train: TrainState, update: Array, key: Array, observation: Any, goal: Array) -> tuple[Array, Any]:
        logits, value = self.apply(train.params, observation, goal)
        action = jax.random.categorical(key, logits)
        return action, Acted(categorical_log_prob(logits, action), value)

    def learn(
        self, key: Array, train: TrainState, update: Array, batch: Transition, last: Any, stats: GoalStats
    ) -> tuple[TrainState, dict[str, Array]]:
        c, value = self.config, batch.extras.value
        reward = batch.reached
        # A new goal comes only where nothing is bootstrapped, so values of the next steps are those of the old goal.
        last_value = self.apply(train.params, last, batch.goal[-1])[1]
        done = reward | batch.done
        advantage = gae(reward, done, value, reached_values(value, last_value), c.gamma, c.gae_lambda)
        samples = Samples(batch.observation, batch.goal, batch.action, batch.extras, advantage, advantage + value)
        train, loss = minibatch_epochs(
            key, train, self.optimizer, functools.partial(self.loss, update), self.flatten(samples),
            epochs=c.epochs, minibatch_size=c.minibatch_size,
        )  # fmt: skip
        return train, {"loss": loss, "value": value.mean()}

    def loss(self, update: Array, params: Any, batch_stats: Any, samples: Samples) -> tuple[Array, Any]:
        """Return the loss after `update` updates, and the normalisation statistics, of which there are none."""
        logits, value = self.apply(params, samples.observation, samples.goal)
        return self.objective(update, logits, value, samples), batch_stats

    def objective(self, update: Array, logits: Array, value: Array, samples: Samples) -> Array:
        """Return what is minimised, float32 [], for logits [B, A] and values [B] of `samples`."""
        c, acted = self.config, samples.acted
        advantage = samples.advantage - sharding.mean(samples.advantage.mean())
        advantage = advantage / (jnp.sqrt(sharding.mean(jnp.square(advantage).mean())) + 1e-8)
        log_prob = categorical_log_prob(logits, samples.action)
        policy_loss = clipped_surrogate(log_prob, acted.log_prob, advantage, c.clip)
        value_loss = clipped_value_loss(value, acted.value, samples.target, c.clip)
        return policy_loss + c.value_weight * value_loss - c.entropy_weight * categorical_entropy(logits).mean()

    def apply(self, params: Any, observation: Any, goal: Array) -> tuple[Array, Array]:
        """Return logits [B, A] and values [B] of observations [B, ...] and one goal each, [B]."""
        output: Any = self.network.apply({"params": params}, observation, goal)
        return output  # type: ignore[no-any-return]

    def acting_state(self, state: State) -> Any:
        return state.train.params

    def act(self, acting_state: Any, observation: Any, goal: Array) -> Array:
        return self.apply(acting_state, observation, goal)[0].argmax(axis=-1)
