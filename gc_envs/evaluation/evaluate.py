"""How often an agent reaches each goal."""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.core.goals import FiniteGoals
from gc_envs.core.task import Task
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.registration import get_row, make_task

LANES = 128
BOOTSTRAPS = 2000


# What `evaluate` returns: plain numbers, ready for JSON. (A functional definition, for "return" is a keyword.)
Evaluation = TypedDict(
    "Evaluation",
    {
        "env_id": str,
        "success": float,  # the goal held at some step of the episode
        "success_last": float,  # ... at its last step
        "return": float,  # sum of rewards
        "ci95": tuple[float, float],  # of `success`: bootstrap over goals, or over episodes where goals are drawn
        "per_goal": dict[str, float],  # `success` of each goal; empty where goals are drawn
        "episodes": int,
        "max_steps": int,
        "seed": int,
        "env_kwargs": dict[str, Any],
    },
)


def evaluate(
    policy: Any,
    env_id: str,
    *,
    episodes_per_goal: int = 1,
    episodes: int = 100,
    goals: Sequence[str | int] | None = None,
    seed: int = 0,
    max_steps: int | None = None,
    num_envs: int | None = None,
    env_kwargs: dict[str, Any] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Run `policy` on `env_id` and count the goals it reaches.

    Finite goals are commanded in turn, `episodes_per_goal` each; other ids draw `episodes` goals from their own
    distribution. Every episode has its own fixed seed, so the result depends neither on `num_envs` nor on the order.

    Args:
        policy: one of our agents, an SB3 model, or a function from a batch of goal-dictionary observations to actions.
        env_id: a registered id.
        episodes_per_goal: episodes of each goal of a finite set.
        episodes: episodes where goals are drawn.
        goals: of a finite set, only these (default: all).
        seed: decides start states, worlds and drawn goals.
        max_steps: of an episode; default the id's own (512 for Craftax).
        num_envs: lanes; default as many as there are episodes, at most 128.
        env_kwargs: of the environment; default those the agent was trained with, if it says.
        on_step: called with (episodes done, episodes in all) after every step.

    >>> always_left = lambda observation: np.zeros(len(observation["observation"]), int)
    >>> result = evaluate(always_left, "GC-Gridworld-v0", env_kwargs={"size": 5})
    >>> sorted(result)[:3]
    ['ci95', 'env_id', 'env_kwargs']
    """
    if env_kwargs is None:
        run = getattr(policy, "run", None)
        env_kwargs = run.env_kwargs if run is not None and run.env_id == env_id else {}
    evaluator = Evaluator(
        env_id, episodes_per_goal=episodes_per_goal, episodes=episodes, goals=goals, seed=seed, max_steps=max_steps,
        num_envs=num_envs, env_kwargs=env_kwargs,
    )  # fmt: skip
    return evaluator(policy, on_step)


def episode_steps(env_id: str, task: Task) -> int:
    """How long an episode of an evaluation is by default."""
    return get_row(env_id).eval_steps or task.horizon


class Evaluator:
    """`evaluate` with its environment kept, for policies to be evaluated one after another: it compiles once.

    The arguments are those of `evaluate`.
    """

    def __init__(
        self,
        env_id: str,
        *,
        episodes_per_goal: int = 1,
        episodes: int = 100,
        goals: Sequence[str | int] | None = None,
        seed: int = 0,
        max_steps: int | None = None,
        num_envs: int | None = None,
        env_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.env_id, self.seed, self.env_kwargs = env_id, seed, dict(env_kwargs or {})
        on_success = self.env_kwargs.get("on_success")
        task = make_task(env_id, **{name: value for name, value in self.env_kwargs.items() if name != "on_success"})
        self.max_steps = episode_steps(env_id, task) if max_steps is None else max_steps
        self.finite = isinstance(task.goals, FiniteGoals)
        self.commands: list[Any] = [None] * episodes
        if isinstance(task.goals, FiniteGoals):
            chosen = list(range(task.goals.num_goals)) if goals is None else task.goals.positions(goals)
            self.commands = [goal for goal in chosen for _ in range(episodes_per_goal)]
        if not self.commands:
            raise ValueError("no episodes to evaluate: episodes and episodes_per_goal must be at least 1")
        self.seeds = np.random.SeedSequence(seed).generate_state(len(self.commands)).tolist()
        self.envs = GoalVectorEnv(
            task, min(len(self.commands), num_envs or LANES), horizon=self.max_steps, on_success=on_success,
            autoreset_mode=AutoresetMode.NEXT_STEP, all_goals_info=False,
        )  # fmt: skip

    def __call__(self, policy: Any, on_step: Callable[[int, int], None] | None = None) -> Evaluation:
        """One evaluation of `policy`."""
        some, last, returns = _run(as_policy(policy), self.envs, self.commands, self.seeds, on_step)
        names = [self.envs.goals.names[goal] for goal in self.commands] if self.finite else []
        per_goal = {name: float(rate) for name, rate in _means(names, some)}
        units = np.array(list(per_goal.values())) if self.finite else some.astype(float)
        draws = np.random.default_rng(self.seed).integers(0, len(units), (BOOTSTRAPS, len(units)))
        low, high = np.percentile(units[draws].mean(axis=1), [2.5, 97.5])
        return {
            "env_id": self.env_id,
            "success": float(some.mean()),
            "success_last": float(last.mean()),
            "return": float(returns.mean()),
            "ci95": (float(low), float(high)),
            "per_goal": per_goal,
            "episodes": len(self.commands),
            "max_steps": self.max_steps,
            "seed": self.seed,
            "env_kwargs": self.env_kwargs,
        }


def as_policy(policy: Any) -> Callable[[dict[str, Any]], np.ndarray]:
    """`policy` as a function from observations to actions: `.predict` as in SB3, else `.act`, else a call."""
    if hasattr(policy, "predict"):
        return lambda observation: policy.predict(observation, deterministic=True)[0]
    function = getattr(policy, "act", policy)
    if not callable(function):
        raise TypeError(f"a policy is an SB3 model, has .act, or is a callable; got {type(policy).__name__}")
    return function


def _run(
    act: Callable[[dict[str, Any]], np.ndarray],
    envs: GoalVectorEnv,
    commands: list[Any],
    seeds: list[int],
    on_step: Callable[[int, int], None] | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Success at any step [E] bool, at the last step [E] bool, and return [E], of one episode per command."""
    some, last, returns = (np.zeros(len(commands), kind) for kind in (bool, bool, float))
    episode = np.full(envs.num_envs, -1)  # that each lane plays; -1: none, its steps do not count
    waiting = iter(range(len(commands)))
    finished = 0
    free = np.ones(envs.num_envs, bool)
    observation: Any = None
    while finished < len(commands):
        for lane in np.flatnonzero(free):
            episode[lane] = next(waiting, -1)
        start = free & (episode >= 0)
        if observation is None or start.any():
            observation = _begin(
                envs, start if observation is not None else np.ones_like(start), episode, commands, seeds
            )
        observation, reward, terminated, truncated, info = envs.step(act(observation))
        playing = episode >= 0
        some[episode[playing]] |= info["is_success"][playing]
        returns[episode[playing]] += reward[playing]
        free = (terminated | truncated) & playing
        last[episode[free]] = info["is_success"][free]
        finished += int(free.sum())
        if on_step is not None:
            on_step(finished, len(commands))
    return some, last, returns


def _begin(envs: GoalVectorEnv, mask: np.ndarray, episode: np.ndarray, commands: list[Any], seeds: list[int]) -> Any:
    """Start the episodes that the lanes of `mask` were given."""
    options: dict[str, Any] = {"reset_mask": mask}
    if commands[0] is not None:
        options["goals"] = np.array([commands[e] if e >= 0 else 0 for e in episode])
    lane_seeds = [seeds[e] if new and e >= 0 else None for new, e in zip(mask, episode, strict=True)]
    return envs.reset(seed=lane_seeds, options=options)[0]


def _means(names: list[str], values: np.ndarray) -> list[tuple[str, float]]:
    totals: dict[str, list[bool]] = {}
    for name, value in zip(names, values, strict=False):
        totals.setdefault(name, []).append(value)
    return [(name, float(np.mean(entries))) for name, entries in totals.items()]
