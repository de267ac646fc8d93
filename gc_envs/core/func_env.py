"""Lanes: many episodes of a JAX task side by side, as pure functions.

The single environment, the vector environment and the learners all step through `FuncGoalEnv`; what differs between
them is only when lanes are reset. N lanes is the batch axis.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp

from gc_envs.core.episode import Episode, OnSuccess, StepOutcome, begin, evaluate_step, resample
from gc_envs.core.task import Task

Array = jax.Array
GoalSampler = Callable[[Array, Any, Array], Array]  # (key, state, achieved) -> desired [D]


class EnvState(NamedTuple):
    """One episode in progress; with a leading [N] on every leaf, N of them."""

    state: Any  # the task's own state
    achieved: Array  # [G] bool or [d] float32, what `state` achieves
    episode: Episode
    key: Array  # [2] uint32: all randomness of the lane, start states and goals included, comes from this chain


@dataclass(frozen=True)
class FuncGoalEnv:
    """How lanes of `task` run. Pure and hashable by identity, so its methods can be jitted.

    `pool` start states are made at a time, for as long as lanes wait for one: none where no lane is done, and never a
    start state shared by two lanes.
    """

    task: Task
    horizon: int
    on_success: OnSuccess
    pool: int = 1

    def reset(self, key: Array, sampler: GoalSampler | None = None) -> EnvState:
        """A new episode; `key` [2] is consumed and its successor kept in the lane."""
        key, start_key, goal_key = _split(key, 3)
        state = self.task.reset(_typed(start_key))
        achieved = self.task.achieved(state)
        desired = (sampler or self.task.sample_goal)(_typed(goal_key), state, achieved)
        return EnvState(state, achieved, begin(desired), key)

    def step(self, lane: EnvState, action: Array, sampler: GoalSampler | None = None) -> tuple[EnvState, StepOutcome]:
        """One step of one lane; nothing is reset. `action` is one member of the task's action space.

        An action that is not finite and a simulation that breaks down are faults: the lane ends in the state it is in.
        """
        key, step_key, goal_key = _split(lane.key, 3)
        state, fault = self.task.step(_typed(step_key), lane.state, action), jnp.array(False)
        if self.can_diverge:
            fault = ~jnp.isfinite(action).all() | self.task.diverged(state)
            state = jax.tree.map(lambda old, new: jnp.where(fault, old, new), lane.state, state)
        achieved = self.task.achieved(state)
        episode, outcome = evaluate_step(
            self.task.goals, lane.episode, achieved, fault | self.task.terminated(state),
            horizon=self.horizon, on_success=self.on_success,
        )  # fmt: skip
        outcome = outcome._replace(diverged=fault)
        if self.on_success is OnSuccess.RESAMPLE:
            candidate = (sampler or self.task.sample_goal)(_typed(goal_key), state, achieved)
            episode = resample(episode, outcome, candidate, self.on_success)
        return EnvState(state, achieved, episode, key), outcome

    @property
    def can_diverge(self) -> bool:
        """Whether a step may be a fault; where not, `StepOutcome.diverged` is a constant."""
        return isinstance(self.task.action_space, gymnasium.spaces.Box)

    def observe(self, lane: EnvState) -> dict[str, Any]:
        """Gymnasium's goal dictionary for one lane."""
        return {
            "observation": self.task.observe(lane.state),
            "achieved_goal": self.task.goals.achieved_goal(lane.achieved),
            "desired_goal": lane.episode.desired,
        }

    def all_goals(self, lanes: EnvState) -> dict[str, Array]:
        """What every goal says about the states of `lanes` (one or many): `info["all_goals"]`, [..., G] each."""
        goals, desired = self.task.goals, lanes.episode.desired
        return {
            "achieved": goals.all_achieved(lanes.achieved, desired),
            "reward": goals.all_rewards(lanes.achieved, desired),
        }

    def reset_where(
        self, lanes: EnvState, mask: Array, sampler: GoalSampler | None = None, observation: Any = None
    ) -> tuple[EnvState, Any]:
        """New episodes in the lanes of `mask` [N], and `observation` [N, ...] (if given) brought up to date there.

        A start state can cost as much as 15 steps, so the loop runs once per `pool` waiting lanes: not at all when
        none is done, to the end when all are.
        """

        def replace_waiting(carry: tuple[EnvState, Any, Array]) -> tuple[EnvState, Any, Array]:
            lanes, observation, waiting = carry
            # The first `pool` waiting lanes. Unused slots point one past the end, where writes are dropped.
            index = jnp.nonzero(waiting, size=self.pool, fill_value=mask.shape[0])[0]
            fresh = jax.vmap(lambda key: self.reset(key, sampler))(lanes.key.at[index].get(mode="clip"))
            lanes = jax.tree.map(lambda old, new: _write(old, new, index), lanes, fresh)
            if observation is not None:
                seen = jax.vmap(self.observe)(fresh)
                observation = jax.tree.map(lambda old, new: _write(old, new, index), observation, seen)
            return lanes, observation, waiting.at[index].set(False, mode="drop")

        lanes, observation, _ = jax.lax.while_loop(
            lambda carry: jnp.any(carry[2]), replace_waiting, (lanes, observation, mask)
        )
        return lanes, observation

    def zeros(self, keys: Array) -> EnvState:
        """Lanes [N] of zeros that carry `keys` [N, 2], for `reset_where` to fill."""
        shapes = jax.eval_shape(jax.vmap(self.reset), keys)
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return zeros._replace(key=keys)


def default_pool(num_envs: int) -> int:
    """Start states to make at a time. Two Craftax worlds take a CPU no longer than one (9 and 11 ms), four 16 ms."""
    return min(2, num_envs) if jax.default_backend() == "cpu" else max(1, num_envs // 32)


def _write(old: Array, new: Array, index: Array) -> Array:
    """`old` [N, ...] with rows `index` [pool] replaced by `new` [pool, ...]; one row is written in place, by slice."""
    if index.shape[0] == 1:
        return jax.lax.dynamic_update_slice_in_dim(old, new, index[0], axis=0)
    return old.at[index].set(new, mode="drop")


def _typed(key: Array) -> Array:
    return jax.random.wrap_key_data(key, impl="threefry2x32")


def _split(key: Array, count: int) -> Array:
    return jax.random.key_data(jax.random.split(_typed(key), count))
