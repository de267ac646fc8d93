"""Acting in many lanes at once, for every learner: rollouts, which goals were seen, and how often goals are reached.

Letters: T steps of a rollout, N lanes, G goals.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp

from gc_envs.core.episode import OnSuccess, begin
from gc_envs.core.func_env import EnvState, FuncGoalEnv, GoalSampler, default_pool
from gc_envs.core.goals import FiniteGoals
from gc_envs.core.task import Task

Array = jax.Array
Act = Callable[[Array, Any, Array], tuple[Array, Any]]  # (key, observation [N], goal [N]) -> (action [N], extra [N])


class Actors(NamedTuple):
    """What acting carries from one rollout to the next."""

    lanes: EnvState  # [N]
    episode_goal: Array  # [N] int32, the goal commanded at the start of the episode
    pending: Array  # [N] bool, whether the first goal is still to be reached in this episode
    seen: Array  # [G] bool, goals that held in any lane at any time
    successes: Array  # [G] float32, first goals reached before their episode ended, with forgetting
    failures: Array  # [G] float32, first goals that were not

    @property
    def success(self) -> Array:
        """Running success rate of every goal, [G]; 0 where it was never tried."""
        return self.successes / (self.successes + self.failures + 1e-7)


class Transitions(NamedTuple):
    """A rollout, [T, N] on every leaf."""

    observation: Any
    goal: Array  # int32, commanded when acting
    action: Array
    achieved: Array  # [G] bool, judged on the state reached, before any reset
    done: Array  # bool, the episode ended here
    extra: Any  # what `Act` added


def training_program(task: Task, pool: int | None = None, num_envs: int = 1) -> FuncGoalEnv:
    """Lanes as LEO and its rivals train in: a lane that reaches its goal is given a new one and goes on.

    Raises:
        ValueError: for a task without a finite goal set or discrete actions; it names agents for the others.
    """
    if not isinstance(task.goals, FiniteGoals) or not isinstance(task.action_space, gymnasium.spaces.Discrete):
        goals, kind = type(task.goals).__name__, type(task).__name__
        raise ValueError(
            f"this learner needs a finite goal set and discrete actions; {kind} has {goals} and {task.action_space}: "
            "use an agent for Stable-Baselines3, such as her-ddpg or her-dqn"
        )
    return FuncGoalEnv(task, task.horizon, OnSuccess.RESAMPLE, pool or default_pool(num_envs))


def start_actors(program: FuncGoalEnv, key: Array, num_envs: int) -> Actors:
    """`num_envs` fresh episodes; their goals are drawn from what their start states achieve.

    Their clocks start at random, so that lanes whose episodes last as long as each other do not all end at once.
    """
    goals = _finite(program)
    lanes_key, goals_key, clock_key = jax.random.split(key, 3)
    keys = jax.random.key_data(jax.random.split(lanes_key, num_envs))
    lanes, _ = program.reset_where(program.zeros(keys), jnp.ones(num_envs, bool))
    seen = lanes.achieved.any(axis=0)
    # Goals that were seen are known only now, so the first ones are commanded after the fact.
    sampler = seen_goals(goals, seen | ~seen.any())
    desired = jax.vmap(lambda key: sampler(key, None, seen))(jax.random.split(goals_key, num_envs))
    clock = jax.random.randint(clock_key, (num_envs,), 0, program.horizon)
    none = jnp.zeros(goals.num_goals)
    return Actors(
        lanes=lanes._replace(episode=begin(desired)._replace(clock=clock)),
        episode_goal=goals.index(desired),
        pending=jnp.ones(num_envs, bool),
        seen=seen,
        successes=none,
        failures=none,
    )


def seen_goals(goals: FiniteGoals, seen: Array) -> GoalSampler:
    """A sampler that is uniform over the goals of `seen` [G]."""

    def sample(key: Array, state: Any, achieved: Array) -> Array:
        return goals.one_hot(jax.random.categorical(key, jnp.where(seen, 0.0, -jnp.inf)))

    return sample


def collect(
    program: FuncGoalEnv, actors: Actors, key: Array, act: Act, length: int, *, forgetting: float, seen_only: bool
) -> tuple[Actors, Transitions]:
    """`length` steps in every lane. New goals come from those seen before this rollout, or from all of them."""
    goals = _finite(program)
    sampler = seen_goals(goals, actors.seen if seen_only else jnp.ones_like(actors.seen))

    def step(actors: Actors, key: Array) -> tuple[Actors, Transitions]:
        lanes = actors.lanes
        observation = jax.vmap(program.task.observe)(lanes.state)
        goal = goals.index(lanes.episode.desired)
        action, extra = act(key, observation, goal)
        lanes, outcome = jax.vmap(lambda lane, action: program.step(lane, action, sampler))(lanes, action)
        transition = Transitions(observation, goal, action, lanes.achieved, outcome.done, extra)
        lanes, _ = program.reset_where(lanes, outcome.done, sampler)
        hit = actors.pending & outcome.success
        miss = actors.pending & outcome.done & ~outcome.success
        return Actors(
            lanes=lanes,
            episode_goal=jnp.where(outcome.done, goals.index(lanes.episode.desired), actors.episode_goal),
            pending=outcome.done | (actors.pending & ~outcome.success),
            seen=actors.seen | (transition.achieved | lanes.achieved).any(axis=0),
            successes=actors.successes.at[actors.episode_goal].add(hit),
            failures=actors.failures.at[actors.episode_goal].add(miss),
        ), transition

    actors, transitions = jax.lax.scan(step, actors, jax.random.split(key, length))
    return actors._replace(successes=actors.successes * forgetting, failures=actors.failures * forgetting), transitions


def _finite(program: FuncGoalEnv) -> FiniteGoals:
    assert isinstance(program.task.goals, FiniteGoals)  # `training_program` saw to it
    return program.task.goals
