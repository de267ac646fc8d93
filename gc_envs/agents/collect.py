"""Rollouts of many environments at once on a finite goal set. Letters: T steps, N environments, G goals."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.agents import sharding
from gc_envs.agents.fitting import use_instead
from gc_envs.agents.goal_stats import GOAL_STATS_SPECS, GoalStats, init_goal_stats
from gc_envs.agents.sharding import SHARDED
from gc_envs.agents.types import Array, Transition
from gc_envs.core.episode import EnvState, OnSuccess, begin
from gc_envs.core.func_env import FuncGoalEnv, SampleGoal
from gc_envs.core.goals import FiniteGoals
from gc_envs.core.task import Task

# (key, observation [N, ...], goal [N] int32) -> (action [N], extras [N, ...])
ActFn = Callable[[Array, Any, Array], tuple[Array, Any]]


class Actors(NamedTuple):
    """What acting carries from one rollout to the next."""

    envs: EnvState  # [N]
    stats: GoalStats


ACTORS_SPECS = Actors(SHARDED, GOAL_STATS_SPECS)


def training_env(task: Task[Any]) -> FuncGoalEnv:
    """Return the environment to train in: reaching the desired goal brings a new one, and the episode goes on.

    Raises:
        ValueError: The task has no finite goal set or no discrete actions, where the message names agents for the
            others, or its observations are images, which no network here is made for.
    """
    space = task.observation_space
    if isinstance(space, gymnasium.spaces.Box) and len(space.shape) == 3 and space.dtype == np.uint8:
        raise ValueError(
            f"this learner reads vectors of numbers or categories; {type(task).__name__} has images of {space.shape}: "
            "choose another observation, for Craftax observation=compact or observation=symbolic"
        )
    if not isinstance(task.goals, FiniteGoals) or not isinstance(task.action_space, gymnasium.spaces.Discrete):
        goals, kind = type(task.goals).__name__, type(task).__name__
        raise ValueError(
            f"this learner needs a finite goal set and discrete actions; {kind} has {goals} and {task.action_space}: "
            f"{use_instead(task)}"
        )
    return FuncGoalEnv(task, task.horizon, OnSuccess.RESAMPLE)


def init_actors(env: FuncGoalEnv, key: Array, num_envs: int) -> Actors:
    """Return `num_envs` fresh episodes, over all devices; `key` (typed) is consumed.

    Desired goals are sampled from those that some start state achieves. The episodes start at random times between 0
    and the horizon, so that environments whose episodes last equally long do not all end at once.
    """
    goals = finite_goals(env)
    envs_key, goals_key, clock_key = jax.random.split(key, 3)
    keys = sharding.own_rows(jax.random.key_data(jax.random.split(envs_key, num_envs)))
    envs, _ = env.reset_where(env.zeros(keys), jnp.ones(len(keys), bool))
    seen = sharding.union(envs.achieved.any(axis=0))
    # Which goals have been seen is known only after the reset, so the episodes get their first goals here.
    sample = sample_among(goals, seen)
    goal_keys = sharding.own_rows(jax.random.split(goals_key, num_envs))
    desired = jax.vmap(lambda key: sample(key, None, seen))(goal_keys)
    clock = sharding.own_rows(jax.random.randint(clock_key, (num_envs,), 0, env.horizon))
    envs = envs._replace(episode=begin(goals, desired)._replace(clock=clock))
    return Actors(envs, init_goal_stats(envs.episode.goal, seen))


def collect(
    env: FuncGoalEnv, actors: Actors, key: Array, act: ActFn, length: int, *, forgetting: float, seen_only: bool
) -> tuple[Actors, Transition]:
    """Step all environments `length` times.

    Args:
        env: What `training_env` returned.
        actors: Where the previous rollout ended.
        key: Typed key; it is consumed.
        act: The policy.
        length: T.
        forgetting: Weight of the success counts after the rollout.
        seen_only: Whether new goals are sampled from those seen before this rollout, or else from all goals.

    Returns:
        The actors after the rollout, and its transitions [T, N].
    """
    goals = finite_goals(env)
    sample = sample_among(goals, actors.stats.seen if seen_only else jnp.ones_like(actors.stats.seen))

    def step(actors: Actors, key: Array) -> tuple[Actors, Transition]:
        observation = observe(env, actors)
        goal = actors.envs.episode.goal
        action, extras = act(key, observation, goal)
        envs, outcome = jax.vmap(lambda state, action: env.step(state, action, sample))(actors.envs, action)
        transition = Transition(
            observation, goal, action, envs.achieved, outcome.terminated, outcome.truncated, extras
        )  # fmt: skip
        envs, _ = env.reset_where(envs, transition.done, sample)
        holding = (transition.achieved | envs.achieved).any(axis=0)
        stats = actors.stats.after_step(outcome.success, transition.done, holding, envs.episode.goal)
        return Actors(envs, stats), transition

    actors = actors._replace(stats=actors.stats.split())
    actors, transitions = jax.lax.scan(step, actors, jax.random.split(key, length))
    return actors._replace(stats=actors.stats.merge().forget(forgetting)), transitions


def observe(env: FuncGoalEnv, actors: Actors) -> Any:
    """Return the observations [N, ...] of the present states, without goals."""
    return jax.vmap(env.task.observe)(actors.envs.state)


def sample_among(goals: FiniteGoals, allowed: Array) -> SampleGoal:
    """Return a goal sampler that is uniform over the goals of `allowed` [G] bool, or over all where none is."""
    allowed = allowed | ~allowed.any()

    def sample(key: Array, state: Any, achieved: Array) -> Array:
        goal: Array = goals.one_hot(jax.random.categorical(key, jnp.where(allowed, 0.0, -jnp.inf)))
        return goal

    return sample


def finite_goals(env: FuncGoalEnv) -> FiniteGoals:
    """Return the goals of an environment that `training_env` returned."""
    assert isinstance(env.task.goals, FiniteGoals)
    return env.task.goals
