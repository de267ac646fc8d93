"""How often an agent reaches each goal."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.core.goals import FiniteGoals
from gc_envs.core.task import Task
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.evaluation.acting import ActingPolicy, as_policy
from gc_envs.evaluation.intervals import success_interval
from gc_envs.registration import get_row, make_task

SAMPLED_EPISODES = 100  # episodes of an evaluation where goals are sampled
MAX_ENVS = 128  # environments that an evaluation steps side by side, unless the caller asks for another number

ProgressCallback = Callable[[int, int], None]  # (episodes finished, episodes in total)

# What `evaluate` returns: plain numbers, ready for JSON. (A functional definition, because "return" is a keyword.)
Evaluation = TypedDict(
    "Evaluation",
    {
        "env_id": str,
        "success": float,  # share of episodes in which the goal was reached at some step
        "success_last": float,  # share of episodes in which the goal was reached at the last step
        "return": float,  # mean sum of rewards of an episode
        "ci95": tuple[float, float],  # 95% interval of `success`; see `success_interval`
        "per_goal": dict[str, float],  # `success` of each goal; empty if goals are sampled
        "episodes": int,
        "max_steps": int,
        "seed": int,
        "env_kwargs": dict[str, Any],
    },
)


def evaluate(
    policy: Any,
    env_id: str | Task[Any],
    *,
    episodes_per_goal: int = 1,
    episodes: int = SAMPLED_EPISODES,
    goals: Sequence[str | int] | None = None,
    seed: int = 0,
    max_steps: int | None = None,
    num_envs: int | None = None,
    env_kwargs: dict[str, Any] | None = None,
    on_step: ProgressCallback | None = None,
) -> Evaluation:
    """Run `policy` on `env_id` and count the goals it reaches.

    Each goal of a finite set is the desired goal of `episodes_per_goal` episodes; other ids sample the goals of
    `episodes` episodes from their own distribution. Every episode has a seed of its own, so the result depends neither
    on `num_envs` nor on the order in which episodes are run.

    Args:
        policy: One of our agents, an SB3 model, or a function from a batch of goal-dictionary observations to actions.
            One that remembers earlier observations has a method `reset(mask)`, which is called before the first
            observation of new episodes with a bool [N] that says in which environments they begin. SB3 models with a
            recurrent network are given the state that they returned.
        env_id: A registered id, "module:id" or "module:class", as `make_task` takes them, or a task.
        episodes_per_goal: Episodes for each goal of a finite set.
        episodes: Episodes in total if goals are sampled.
        goals: The only goals of a finite set to evaluate, by name or index; by default, all of them.
        seed: Seed of the start states, the dynamics and the sampled goals.
        max_steps: Steps of an episode; by default, those of the id (512 for Craftax).
        num_envs: Environments stepped side by side; by default, one per episode but at most 128.
        env_kwargs: Arguments of the environment; by default, those the agent was trained with, if it has a run.
        on_step: Called with (episodes finished, episodes in total) after every step.

    Returns:
        The success rates with what is needed to repeat the evaluation.

    Raises:
        ValueError: If the id, a goal or a number is not valid.
        TypeError: If `policy` cannot act.

    >>> always_left = lambda observation: np.zeros(len(observation["observation"]), int)
    >>> result = evaluate(always_left, "GC-Gridworld-v0", env_kwargs={"size": 5})
    >>> sorted(result)[:3]
    ['ci95', 'env_id', 'env_kwargs']
    """
    if env_kwargs is None:
        run = getattr(policy, "run", None)
        env_kwargs = {}
        if run is not None and isinstance(env_id, str) and get_row(run.env_id).id == get_row(env_id).id:
            env_kwargs = run.env_kwargs
    evaluator = Evaluator(
        env_id, episodes_per_goal=episodes_per_goal, episodes=episodes, goals=goals, seed=seed, max_steps=max_steps,
        num_envs=num_envs, env_kwargs=env_kwargs,
    )  # fmt: skip
    return evaluator(policy, on_step)


def episode_steps(env_id: str | Task[Any], task: Task[Any], env_kwargs: dict[str, Any]) -> int:
    """Return how many steps an episode of an evaluation may take by default."""
    return env_kwargs.get("horizon") or get_row(env_id).eval_steps or task.horizon


class Episodes(NamedTuple):
    """What happened in E episodes, in their order: those of the same goal side by side."""

    ever: np.ndarray  # bool [E], whether the desired goal held at some step
    last: np.ndarray  # bool [E], whether it held at the last step
    returns: np.ndarray  # float [E], the sum of rewards


class Evaluator:
    """`evaluate` for several policies, one after another, in environments that are made and compiled once.

    The arguments are those of `evaluate`.
    """

    def __init__(
        self,
        env_id: str | Task[Any],
        *,
        episodes_per_goal: int = 1,
        episodes: int = SAMPLED_EPISODES,
        goals: Sequence[str | int] | None = None,
        seed: int = 0,
        max_steps: int | None = None,
        num_envs: int | None = None,
        env_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.env_id, self.seed, self.env_kwargs = get_row(env_id).id, seed, dict(env_kwargs or {})
        task = make_task(env_id, **self.env_kwargs)
        self.max_steps = episode_steps(env_id, task, self.env_kwargs) if max_steps is None else max_steps
        self.finite = isinstance(task.goals, FiniteGoals)
        self.episodes_per_goal = episodes_per_goal
        self.goals: list[int | None] = [None] * episodes  # one per episode; None: the environment samples it
        if isinstance(task.goals, FiniteGoals):
            chosen = range(task.goals.num_goals) if goals is None else dict.fromkeys(task.goals.positions(goals))
            self.goals = [goal for goal in chosen for _ in range(episodes_per_goal)]
        if seed < 0:
            raise ValueError(f"seed must be at least 0, got {seed}")
        if not self.goals:
            raise ValueError("no episodes to evaluate: episodes and episodes_per_goal must be at least 1")
        self.envs = GoalVectorEnv(
            task, min(len(self.goals), num_envs or MAX_ENVS), horizon=self.max_steps,
            autoreset_mode=AutoresetMode.NEXT_STEP, all_goals_info=False,
        )  # fmt: skip

    @property
    def goal_names(self) -> list[str]:
        """The names of the goals that episodes have, [G], in their order; empty where goals are sampled."""
        return [self.envs.goals.names[goal] for goal in self.goals[:: self.episodes_per_goal] if goal is not None]

    def episode_seeds(self, seed: int) -> list[int]:
        """Return the seed of each episode, [E], as `reset` takes it."""
        return episode_seeds(seed, len(self.goals))

    def run(self, policy: Any, seed: int, on_step: ProgressCallback | None = None) -> Episodes:
        """Run every episode once."""
        return _run_episodes(as_policy(policy), self.envs, self.goals, self.episode_seeds(seed), on_step)

    def successes(self, episodes: Episodes) -> np.ndarray:
        """Return the number of successful episodes of each goal, int [G]; [1] where goals are sampled."""
        group = self.episodes_per_goal if self.finite else len(self.goals)
        counts: np.ndarray = episodes.ever.reshape(-1, group).sum(axis=1)
        return counts

    def __call__(self, policy: Any, on_step: ProgressCallback | None = None, *, seed: int | None = None) -> Evaluation:
        """Evaluate `policy` once, with another seed if one is given."""
        seed = self.seed if seed is None else seed
        episodes = self.run(policy, seed, on_step)
        successes = self.successes(episodes)
        per_goal = len(self.goals) // len(successes)
        return {
            "env_id": self.env_id,
            "success": float(episodes.ever.mean()),
            "success_last": float(episodes.last.mean()),
            "return": float(episodes.returns.mean()),
            "ci95": success_interval(successes, per_goal),
            "per_goal": dict(zip(self.goal_names, (successes / per_goal).tolist(), strict=self.finite)),
            "episodes": len(self.goals),
            "max_steps": self.max_steps,
            "seed": seed,
            "env_kwargs": self.env_kwargs,
        }


def episode_seeds(seed: int, count: int) -> list[int]:
    """Return the seed of each of `count` episodes of an evaluation, as `reset` takes it."""
    found: list[int] = np.random.SeedSequence(seed).generate_state(count).tolist()
    return found


def _run_episodes(
    policy: ActingPolicy,
    envs: GoalVectorEnv,
    goals: Sequence[int | None],
    seeds: Sequence[int],
    on_step: ProgressCallback | None,
) -> Episodes:
    """Run one episode for each of `goals` [E], with its seed of `seeds` [E]."""
    ever, last, returns = (np.zeros(len(goals), dtype) for dtype in (bool, bool, float))
    episode = np.full(envs.num_envs, -1)  # that each environment runs; -1 for none, whose steps do not count
    waiting = iter(range(len(goals)))
    finished = 0
    free = np.ones(envs.num_envs, bool)
    observation: Any = None
    while finished < len(goals):
        for i in np.flatnonzero(free):
            episode[i] = next(waiting, -1)
        new = np.ones_like(free) if observation is None else free & (episode >= 0)
        if new.any():
            observation = _reset_where(envs, new, episode, goals, seeds)
            policy.reset(new)
        observation, reward, terminated, truncated, info = envs.step(policy.act(observation))
        running = episode >= 0
        ever[episode[running]] |= info["is_success"][running]
        returns[episode[running]] += reward[running]
        free = (terminated | truncated) & running
        last[episode[free]] = info["is_success"][free]
        finished += int(free.sum())
        if on_step is not None:
            on_step(finished, len(goals))
    return Episodes(ever, last, returns)


def _reset_where(
    envs: GoalVectorEnv, mask: np.ndarray, episode: np.ndarray, goals: Sequence[int | None], seeds: Sequence[int]
) -> Any:
    """Reset the environments in `mask` [N] with the goals and seeds of the episodes [N] they run next."""
    options: dict[str, Any] = {"reset_mask": mask}
    if goals[0] is not None:
        options["goals"] = np.array([goals[e] if e >= 0 else 0 for e in episode])
    env_seeds = [seeds[e] if new and e >= 0 else None for new, e in zip(mask, episode, strict=True)]
    return envs.reset(seed=env_seeds, options=options)[0]
