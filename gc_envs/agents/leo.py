"""LEO: learning everything all at once.

Every transition updates the values of all G goals through one network pass (arXiv 2605.23551, section 4), with the PQN
recipe around it: parallel lanes, short rollouts, a few epochs of minibatches, no replay and no target network.
Letters: T steps, N lanes, B minibatch, G goals, A actions.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gc_envs.agents.config import LearnerConfig, linear_schedule
from gc_envs.agents.networks import LEONetwork
from gc_envs.agents.rollout import Actors, collect, start_actors, training_program
from gc_envs.agents.targets import all_goals_targets
from gc_envs.agents.training import JaxLearner
from gc_envs.core.task import Task

Array = jax.Array


@dataclass(frozen=True)
class LEOConfig(LearnerConfig):
    """Hyperparameters of LEO; the defaults are the published ones, but for the number of lanes."""

    rollout_steps: int = 32  # steps per lane and update
    epochs: int = 2  # passes over a rollout
    minibatch_size: int = 512
    learning_rate: float = 2e-4
    anneal_learning_rate: bool = True  # linearly, to 0 at the end of training
    max_grad_norm: float = 1.0
    gamma: float = 0.99
    epsilon_start: float = 0.2
    epsilon_end: float = 0.01
    epsilon_fraction: float = 0.2  # of training, over which epsilon falls linearly
    seen_goals_only: bool = True  # command only goals that were seen; False: any goal
    width: int = 1024  # of the dense layers
    depth: int = 4  # dense layers
    conv_features: int = 32
    one_hot: bool = True  # encode categories as one-hot; False: feed them as they are (flat tasks only)


class LEOState(NamedTuple):
    """Everything training carries from update to update."""

    params: Any
    batch_stats: Any
    opt_state: Any
    actors: Actors
    key: Array  # [2] uint32
    update: Array  # int32, updates done


class LEO(JaxLearner):
    """The learner."""

    name = "leo"
    config_class = LEOConfig

    def __init__(self, task: Task, config: LEOConfig) -> None:
        config.check_minibatches(config.rollout_steps * config.num_envs, config.minibatch_size)
        self.task, self.config = task, config
        self.program = training_program(task, num_envs=config.num_envs)
        self.num_actions = int(task.action_space.n)  # type: ignore[attr-defined]
        spec = task.one_hot_spec if config.one_hot else None
        self.network = LEONetwork(
            spec, task.goals.num_goals, self.num_actions, config.width, config.depth, config.conv_features
        )
        self.steps_per_update = config.rollout_steps * config.num_envs
        self.num_updates = config.num_updates(self.steps_per_update)
        self.minibatches = self.steps_per_update // config.minibatch_size
        gradient_steps = self.num_updates * config.epochs * self.minibatches
        rate = config.learning_rate
        if config.anneal_learning_rate:
            rate = optax.linear_schedule(rate, 0.0, gradient_steps)
        self.optimizer = optax.chain(optax.clip_by_global_norm(config.max_grad_norm), optax.radam(rate))

    def init(self, key: Array) -> LEOState:
        """A state at update 0; `key` (typed) is consumed."""
        network_key, actors_key, key = jax.random.split(key, 3)
        actors = start_actors(self.program, actors_key, self.config.num_envs)
        observation = jax.vmap(self.task.observe)(actors.lanes.state)
        variables = self.network.init(network_key, observation)
        params, stats = variables["params"], variables["batch_stats"]
        return LEOState(
            params, stats, self.optimizer.init(params), actors, jax.random.key_data(key), jnp.zeros((), jnp.int32)
        )

    def update(self, state: LEOState) -> tuple[LEOState, dict[str, Array]]:
        """One rollout and the gradient steps on it."""
        config = self.config
        key, act_key, learn_key = jax.random.split(jax.random.wrap_key_data(state.key), 3)
        epsilon = self.epsilon(state.update)
        actors, transitions = collect(
            self.program, state.actors, act_key, lambda *args: self._act(state, epsilon, *args), config.rollout_steps,
            forgetting=config.success_forgetting, seen_only=config.seen_goals_only,
        )  # fmt: skip
        targets = self._targets(state, actors, transitions)
        batch = jax.tree.map(
            lambda x: x.reshape(self.steps_per_update, *x.shape[2:]),
            (transitions.observation, transitions.action, targets),
        )
        learned, loss = self._learn(state, batch, learn_key)
        metrics = {"loss": loss, "target": targets.mean(), "epsilon": epsilon, "ends": transitions.done.sum()}
        new = LEOState(*learned, actors, jax.random.key_data(key), state.update + 1)
        return new, metrics

    def epsilon(self, update: Array) -> Array:
        """Share of random actions at update number `update`."""
        c = self.config
        return linear_schedule(c.epsilon_start, c.epsilon_end, c.epsilon_fraction * self.num_updates, update)

    def _act(self, state: LEOState, epsilon: Array, key: Array, observation: Any, goal: Array) -> tuple[Array, Array]:
        """Epsilon-greedy for the commanded goal; the features are kept, for the targets need them again."""
        features = self._apply(self.variables(state), "features", observation)
        greedy = self._apply(self.variables(state), "goal_values", features, goal).argmax(axis=-1)
        coin_key, action_key = jax.random.split(key)
        action = jax.random.randint(action_key, greedy.shape, 0, self.num_actions)
        return jnp.where(jax.random.uniform(coin_key, greedy.shape) < epsilon, action, greedy), features

    def _targets(self, state: LEOState, actors: Actors, transitions: Any) -> Array:
        """[T, N, G]. The network does not change during a rollout, so the best values of all its states are worked
        out at once, at the speed of large matrix products, and no [G, A] table is ever stored."""
        observation = jax.vmap(self.task.observe)(actors.lanes.state)
        last = self._apply(self.variables(state), "features", observation)
        features = jnp.concatenate([transitions.extra[1:], last[None]])  # [T, N, width] of the states reached
        values = self._apply(self.variables(state), "max_values", features.reshape(-1, self.config.width))
        next_value = values.reshape(*features.shape[:2], -1)
        return all_goals_targets(transitions.achieved, transitions.done, next_value, self.config.gamma)

    def _learn(
        self, state: LEOState, batch: tuple[Any, Array, Array], key: Array
    ) -> tuple[tuple[Any, Any, Any], Array]:
        """Epochs of minibatches over `batch`, [T * N] observations, actions and targets: (params, stats, optimiser)."""

        def loss_fn(params: Any, stats: Any, observation: Any, action: Array, target: Array) -> tuple[Array, Any]:
            variables = {"params": params, "batch_stats": stats}
            features, updated = self.network.apply(
                variables, observation, train=True, method="features", mutable=["batch_stats"]
            )
            values = self._apply(variables, "action_values", features, action)
            return 0.5 * jnp.square(values - target).mean(), updated["batch_stats"]

        def step(carry: tuple[Any, Any, Any], rows: Array) -> tuple[tuple[Any, Any, Any], Array]:
            params, stats, opt_state = carry
            minibatch = jax.tree.map(lambda x: x[rows], batch)
            (loss, stats), gradients = jax.value_and_grad(loss_fn, has_aux=True)(params, stats, *minibatch)
            updates, opt_state = self.optimizer.update(gradients, opt_state, params)
            return (optax.apply_updates(params, updates), stats, opt_state), loss

        order = jax.vmap(lambda k: jax.random.permutation(k, self.steps_per_update))(
            jax.random.split(key, self.config.epochs)
        )
        rows = order.reshape(-1, self.config.minibatch_size)
        learned, losses = jax.lax.scan(step, (state.params, state.batch_stats, state.opt_state), rows)
        return learned, losses.mean()

    def variables(self, state: LEOState) -> dict[str, Any]:
        """What acting needs of a state."""
        return {"params": state.params, "batch_stats": state.batch_stats}

    def values(self, variables: dict[str, Any], observation: Any) -> Array:
        """Q [B, G, A]."""
        return self._apply(variables, "__call__", observation)

    def greedy(self, variables: dict[str, Any], observation: Any, goal: Array) -> Array:
        """The best action for `goal` [B] int: [B] int."""
        features = self._apply(variables, "features", observation)
        return self._apply(variables, "goal_values", features, goal).argmax(axis=-1)

    def _apply(self, variables: dict[str, Any], method: str, *args: Any) -> Array:
        return self.network.apply(variables, *args, method=method)  # type: ignore[return-value]
