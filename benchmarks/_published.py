"""What comparisons with the authors of LEO share: learners of ours with the settings that their code is run with."""

import dataclasses
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gc_envs import make_task
from gc_envs.agents import get_learner
from gc_envs.agents.presets import preset
from gc_envs.core.episode import EnvState
from gc_envs.core.func_env import FuncGoalEnv, SampleGoal
from gc_envs.gridworld.task import GridworldTask

AUTHORS = Path(__file__).resolve().parent / "results" / "authors"  # results of purejaxgcrl.py
METHODS = ("leo", "ppo", "pqn", "pqn-her", "dual-leo-pqn", "dual-leo-ppo")
# Up to as many environments need the small minibatches that the learners have by default: an update has fewer samples
# than the published minibatches of PQN.
FEW_ENVS = 64
# One random goal and one that holds, as with the flags of their README.
CHANGES = {"pqn-her": {"random_share": 0.5}}


def published_learner(method: str, env_id: str, num_envs: int = 64, **settings: Any) -> Any:
    """Return a learner with the published settings, but minibatches that fit the number of environments.

    Args:
        method: A name of `METHODS`.
        env_id: A registered environment id.
        num_envs: Number of environments; published are 1024.
        settings: Fields of the method's config to change.
    """
    learner = get_learner(method)
    small = {"minibatch_size": learner.config_class.minibatch_size} if num_envs <= FEW_ENVS else {}
    config = preset(method, "paper", env_id) | {"num_envs": num_envs} | small | CHANGES.get(method, {}) | settings
    env_kwargs = {"observation": "compact"} if "Craftax" in env_id else {}
    return learner(make_task(env_id, **env_kwargs), learner.config_class(**config))


@dataclasses.dataclass(frozen=True)
class LateStarts(FuncGoalEnv):
    """Episodes whose clock starts at a random number from 0 to 49, as in the authors' grid."""

    def reset(self, key: jax.Array, sample_goal: SampleGoal | None = None) -> EnvState:
        """Start an episode, of which up to 49 steps count as taken."""
        clock_key, key = jax.random.split(key)
        env = super().reset(key, sample_goal)
        clock = jax.random.randint(clock_key, (), 0, 50, dtype=env.episode.clock.dtype)
        return env._replace(episode=env.episode._replace(clock=clock))


def trained(learner: Any, path: Path) -> dict[str, Any]:
    """Return what a learner comes to with the seed of its config; a run that was finished before is read from `path`.

    Episodes of the grid are as short as the authors'.

    Returns:
        The settings, the running success by goal name after training, and how many goals were seen.
    """
    config = learner.config
    if path.exists() and (found := json.loads(path.read_text()))["config"] == vars(config):
        return dict(found)
    if isinstance(learner.task, GridworldTask):
        learner.env = LateStarts(**vars(learner.env))
    state = jax.jit(learner.init)(jax.random.key(config.seed))
    update = jax.jit(learner.update, donate_argnums=0)
    for done in range(1, learner.num_updates + 1):
        state, _ = update(state)
        if done % max(1, learner.num_updates // 5) == 0:
            success = float(state.actors.stats.success_rate.mean())
            print(f"{path.stem}: {done}/{learner.num_updates} {success:.4f}", flush=True)
    success = np.asarray(state.actors.stats.success_rate).tolist()
    by_goal = dict(zip(learner.task.goals.names, success, strict=True))
    found = {"config": vars(config), "success": by_goal, "goals_seen": int(state.actors.stats.seen.sum())}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")
    return found


def intervals(groups: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Return the mean of each group and half its 95% t interval, by the standard deviation pooled over all groups.

    Half the interval is nan where no group has two values.
    """
    from scipy.stats import t

    freedom = sum(len(group) - 1 for group in groups)
    squares = sum((value - statistics.mean(group)) ** 2 for group in groups for value in group)
    deviation = math.sqrt(squares / freedom) if freedom else math.nan
    quantile = float(t.ppf(0.975, freedom)) if freedom else math.nan
    return [(statistics.mean(group), quantile * deviation / math.sqrt(len(group))) for group in groups]
