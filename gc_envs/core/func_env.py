"""Episodes of a JAX task as pure functions, in the manner of Gymnasium's `FuncEnv`.

The environments and the learners all step through `FuncGoalEnv`; they differ only in when environments are reset.
Letter: N environments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp

from gc_envs.core.episode import EnvState, OnSuccess, StepOutcome, begin, evaluate_step, resample
from gc_envs.core.goal_info import all_goals, goal_observation
from gc_envs.core.goals import GoalSpace
from gc_envs.core.task import Task

Array = jax.Array
SampleGoal = Callable[[Array, Any, Array], Array]  # (key, state, achieved) -> desired goal [D]


@dataclass(frozen=True)
class FuncGoalEnv:
    """Goal-conditioned episodes of `task`.

    `reset`, `step` and `observe` take one environment and can be vmapped; the methods whose names end in `_where` or
    `_all` take N of them. All are pure, and the object hashes by identity, so they can be jitted.

    Args:
        task: The task.
        horizon: The number of steps after which an episode is truncated.
        on_success: What reaching the desired goal does.
        pool: The number of start states that `reset_where` computes at a time; default `default_pool` of N.
        checks_discrete: Whether a discrete action out of range makes its step diverge; without, it must be in range.
            The check keeps the state before the step, which for Craftax is large.
    """

    task: Task[Any]
    horizon: int
    on_success: OnSuccess
    pool: int | None = None
    checks_discrete: bool = False

    @property
    def goals(self) -> GoalSpace:
        """The task's goal space."""
        return self.task.goals

    @property
    def can_diverge(self) -> bool:
        """Whether a step can diverge; where it cannot, `StepOutcome.diverged` is constant."""
        return self.checks_discrete or not isinstance(self.task.action_space, gymnasium.spaces.Discrete)

    def reset(self, key: Array, sample_goal: SampleGoal | None = None) -> EnvState:
        """Start an episode.

        Args:
            key: Raw key, uint32 [2]; it is consumed, and its successor is kept in the state.
            sample_goal: What gives the desired goal; default the task's own `sample_goal`.
        """
        key, start_key, goal_key = _split(key, 3)
        state = self.task.reset(_typed(start_key))
        achieved = self.task.achieved(state)
        desired = (sample_goal or self.task.sample_goal)(_typed(goal_key), state, achieved)
        return EnvState(state, achieved, begin(self.goals, desired), key)

    def step(self, env: EnvState, action: Array, sample_goal: SampleGoal | None = None) -> tuple[EnvState, StepOutcome]:
        """Take one step; an episode that ends is not reset.

        A step diverges where the action is none of the action space or the simulation breaks down. The environment then
        stays in the state that it was in, and its episode is truncated.

        Args:
            env: One environment's state.
            action: One member of the task's action space.
            sample_goal: What gives the next desired goal under `OnSuccess.RESAMPLE`; default the task's own.
        """
        key, step_key, goal_key = _split(env.key, 3)
        state, diverged = self.task.step(_typed(step_key), env.state, action), jnp.array(False)
        if self.can_diverge:
            diverged = ~self._is_action(action) | self.task.diverged(state)
            state = jax.tree.map(lambda old, new: jnp.where(diverged, old, new), env.state, state)
        achieved = self.task.achieved(state)
        episode, outcome = evaluate_step(
            self.goals, env.episode, achieved, terminal=self.task.terminated(state), diverged=diverged,
            horizon=self.horizon, on_success=self.on_success,
        )  # fmt: skip
        if self.on_success is OnSuccess.RESAMPLE:
            candidate = (sample_goal or self.task.sample_goal)(_typed(goal_key), state, achieved)
            episode = resample(self.goals, episode, outcome, candidate)
        return EnvState(state, achieved, episode, key), outcome

    def _is_action(self, action: Array) -> Array:
        """Return whether `action` is in range if actions are discrete, and finite if they are numbers, bool []."""
        if isinstance(self.task.action_space, gymnasium.spaces.Discrete):
            return jnp.logical_and(action >= 0, action < self.task.action_space.n)
        return jnp.isfinite(action).all()

    def observe(self, env: EnvState) -> dict[str, Any]:
        """Return Gymnasium's goal dictionary for one environment."""
        return goal_observation(self.goals, self.task.observe(env.state), env.achieved, env.episode.desired)

    def observe_all(self, envs: EnvState) -> dict[str, Any]:
        """Return Gymnasium's goal dictionary for N environments."""
        observation: dict[str, Any] = for_each(self.observe, envs)
        return observation

    def all_goals(self, envs: EnvState) -> dict[str, Array]:
        """Return `info["all_goals"]` for one environment or many: `achieved` and `reward`, [..., G] each."""
        return all_goals(self.goals, envs.achieved, envs.episode.desired)

    def step_where(self, envs: EnvState, actions: Array, mask: Array | None) -> tuple[EnvState, StepOutcome]:
        """Step the environments of `mask` [N], None for all; the others will be reset.

        The others are stepped too, because a compiled program gains nothing by leaving them out, but keep their keys,
        so that what they are reset to does not depend on it. Their outcomes are to be ignored.
        """
        stepped: EnvState
        stepped, outcome = for_each(self.step, envs, actions)
        if mask is None:
            return stepped, outcome
        return stepped._replace(key=jnp.where(mask[:, None], stepped.key, envs.key)), outcome

    def reset_where(
        self,
        envs: EnvState,
        mask: Array,
        sample_goal: SampleGoal | None = None,
        *,
        desired: Array | None = None,
        given: Array | None = None,
        observation: Any = None,
    ) -> tuple[EnvState, Any]:
        """Start new episodes in the environments of `mask`.

        Start states are computed in batches of `pool` inside a while loop: no work when nothing is to be reset (a start
        state can cost as much as 15 steps), and never a start state that two environments share.

        Args:
            envs: The states of N environments.
            mask: Which environments, bool [N].
            sample_goal: What gives the desired goals; default the task's own `sample_goal`.
            desired: Goals, float32 [N, D], to use instead of sampled ones where `given`.
            given: Where they are used, bool [N]; required with `desired`.
            observation: Observations [N, ...] of `envs`, to be brought up to date where `mask`.

        Returns:
            The states, and the observations (None if none were given).
        """

        pool = self.pool or default_pool(mask.shape[0])

        def reset(index: Array) -> Any:
            keys = envs.key.at[index].get(mode="clip")
            if desired is None or given is None:
                return for_each(lambda key: self.reset(key, sample_goal), keys)

            def reset_one(key: Array, goal: Array, is_given: Array) -> EnvState:
                sample = sample_goal or self.task.sample_goal
                return self.reset(key, lambda *args: jnp.where(is_given, goal, sample(*args)))

            return for_each(reset_one, keys, *(x.at[index].get(mode="clip") for x in (desired, given)))

        def reset_batch(carry: tuple[EnvState, Any, Array]) -> tuple[EnvState, Any, Array]:
            envs, observation, waiting = carry
            # The first `pool` waiting environments. Unused slots point one past the end, where writes are dropped.
            index = jnp.nonzero(waiting, size=pool, fill_value=mask.shape[0])[0]
            fresh = reset(index)
            envs = jax.tree.map(lambda old, new: _write(old, new, index), envs, fresh)
            if observation is not None:
                seen = self.observe_all(fresh)
                observation = jax.tree.map(lambda old, new: _write(old, new, index), observation, seen)
            return envs, observation, waiting.at[index].set(False, mode="drop")

        envs, observation, _ = jax.lax.while_loop(
            lambda carry: jnp.any(carry[2]), reset_batch, (envs, observation, jnp.asarray(mask))
        )
        return envs, observation

    def zeros(self, keys: Array) -> EnvState:
        """Return N states of zeros that hold `keys` [N, 2], for `reset_where` to fill."""
        shapes = jax.eval_shape(jax.vmap(self.reset), keys)
        zeros: EnvState = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return zeros._replace(key=keys)


def for_each(function: Callable[..., Any], *trees: Any) -> Any:
    """Apply `function` to each of the N entries of `trees`, as `jax.vmap(function)(*trees)` does.

    A single entry is computed without a batch axis: batched conditionals compute all their branches, so that a step of
    one Craftax environment would take 4.5 times as long.
    """
    if jax.tree.leaves(trees)[0].shape[0] != 1:
        return jax.vmap(function)(*trees)
    result = function(*jax.tree.map(lambda leaf: leaf[0], trees))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], result)


def default_pool(num_envs: int) -> int:
    """Return the default number of start states to compute at a time.

    On a CPU, two Craftax worlds take no longer than one (9 and 11 ms), and four take 16 ms.
    """
    return min(2, num_envs) if jax.default_backend() == "cpu" else max(1, num_envs // 32)


def _write(old: Array, new: Array, index: Array) -> Array:
    """Replace rows `index` [pool] of `old` [N, ...] by `new` [pool, ...]; one row is written in place, by slice."""
    if index.shape[0] == 1:
        return jax.lax.dynamic_update_slice_in_dim(old, new, index[0], axis=0)
    return old.at[index].set(new, mode="drop")


def _typed(key: Array) -> Array:
    typed: Array = jax.random.wrap_key_data(key, impl="threefry2x32")
    return typed


def _split(key: Array, count: int) -> Array:
    return jax.random.key_data(jax.random.split(_typed(key), count))
