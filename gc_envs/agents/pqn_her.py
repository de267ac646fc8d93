"""PQN with hindsight: every step is also learnt for other goals (arXiv 2605.23551; HER, arXiv 1707.01495).

With `relabel="all"` it is learnt for every goal by a pass for each: all-goals relabelling, which LEO replaces.
Letters: T steps, N environments, K hindsight goals of a step, G goals.
"""

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from gc_envs.agents.goal_stats import GoalStats
from gc_envs.agents.pqn import PQN, PQNConfig, Variables
from gc_envs.agents.relabel import hindsight_goals
from gc_envs.agents.targets import lambda_returns
from gc_envs.agents.types import Array, Transition
from gc_envs.core.task import Task

RANDOM_SHARES = {"random": 1.0, "achieved": 0.0}


@dataclass(frozen=True)
class PQNHERConfig(PQNConfig):
    """Settings of PQN with hindsight; the defaults are the published ones, except for environments and minibatches."""

    minibatch_size: int = 128
    """Samples in a minibatch; it must divide those of an update: every step counts once for each of its goals."""

    learning_rate: float = 1e-4

    relabel: Literal["mixed", "random", "achieved", "all"] = "mixed"
    """Which goals a step is also learnt for: random ones that have held in this run, ones that hold in the state
    reached, a mixture of both, or all goals, each of them once."""

    hindsight_goals: int = 2
    """Number of these goals for each step, beside the desired one; unused with relabel=all."""

    random_share: float = 0.75
    """Probability that one of the goals of relabel=mixed is a random one."""


class PQNHER(PQN):
    """Learner of the values of one goal at a time, which learns several goals from each step."""

    name = "pqn-her"
    config_class = PQNHERConfig
    config: PQNHERConfig

    def __init__(self, task: Task[Any], config: PQNHERConfig) -> None:
        super().__init__(task, config)
        if config.td_lambda and config.relabel != "all":
            raise ValueError(
                f"td_lambda={config.td_lambda} needs the same goals at successive steps, which "
                f"relabel={config.relabel} does not give: set td_lambda=0, or relabel=all"
            )

    @property
    def samples_per_update(self) -> int:
        c = self.config
        return c.steps_per_update * (self.num_goals if c.relabel == "all" else 1 + c.hindsight_goals)

    def samples(
        self, key: Array, variables: Variables, batch: Transition, last: Any, stats: GoalStats
    ) -> tuple[Array, Array]:
        c = self.config
        if c.relabel == "all":
            goals = jnp.broadcast_to(jnp.arange(self.num_goals), batch.achieved.shape)
            return goals, self.relabelled_target(variables, batch, last, goals)
        share = RANDOM_SHARES.get(c.relabel, c.random_share)
        goals = hindsight_goals(key, batch.achieved, stats.seen, c.hindsight_goals, share)
        goal, target = super().samples(key, variables, batch, last, stats)
        relabelled = self.relabelled_target(variables, batch, last, goals)
        return jnp.concatenate([goal, goals], axis=-1), jnp.concatenate([target, relabelled], axis=-1)

    def relabelled_target(self, variables: Variables, batch: Transition, last: Any, goals: Array) -> Array:
        """Return the targets of goals [T, N, K] that were not desired, [T, N, K]."""
        observation = jax.tree.map(lambda x, y: jnp.concatenate([x[1:], y[None]]), batch.observation, last)
        reached = self.flatten(observation)
        one_of_each = lambda goal: self.q(variables, reached, goal.reshape(-1)).max(axis=-1)  # noqa: E731
        values = jax.lax.map(one_of_each, jnp.moveaxis(goals, -1, 0))  # [K, T * N]
        reward = jnp.take_along_axis(batch.achieved, goals, axis=-1)
        return lambda_returns(
            reward, reward | batch.done[..., None], jnp.moveaxis(values, 0, -1).reshape(goals.shape),
            self.config.gamma, self.config.td_lambda,
        )  # fmt: skip
