"""Compare the running success of our LEO with that of the authors', after as many steps and on the same goals.

The authors' results come from purejaxgcrl_leo.py, one per seed; those of results/authors are taken by default.
`gridworld` has 12 x 12 cells, wall density 0.2, map seed 0, 1,000,000 steps, width 1024 and the two cell indices as
input, and counts the cells that both codes have. `classic` is GC-Craftax-Classic-v0 with 500,000 steps and width 256.
Both have 64 environments and otherwise the published settings. Running success is defined as theirs: how often the
desired goal of an episode is reached before it ends, with forgetting 0.999 per update; a goal never tried counts as 0.
Episodes of the grid are as short as theirs, whose clock starts at a random number from 0 to 49: 151 to 200 steps.
"""

import dataclasses
import json
import statistics
from pathlib import Path
from typing import Any

import jax
import numpy as np
from _common import Parser, finish, metric

from gc_envs import make_task
from gc_envs.agents.leo import LEO, LEOConfig
from gc_envs.core.episode import EnvState
from gc_envs.core.func_env import FuncGoalEnv, SampleGoal

AUTHORS = Path(__file__).resolve().parent / "results" / "authors"
SETTINGS: dict[str, tuple[str, dict[str, Any], LEOConfig]] = {
    "gridworld": ("GC-Gridworld-v0", {}, LEOConfig(total_steps=1_000_000, width=1024, one_hot=False)),
    "classic": ("GC-Craftax-Classic-v0", {"observation": "compact"}, LEOConfig(total_steps=500_000, width=256)),
}


@dataclasses.dataclass(frozen=True)
class LateStarts(FuncGoalEnv):
    """Episodes whose clock starts at a random number from 0 to 49, as in the authors' grid."""

    def reset(self, key: jax.Array, sample_goal: SampleGoal | None = None) -> EnvState:
        """Start an episode, of which up to 49 steps count as taken."""
        clock_key, key = jax.random.split(key)
        env = super().reset(key, sample_goal)
        clock = jax.random.randint(clock_key, (), 0, 50, dtype=env.episode.clock.dtype)
        return env._replace(episode=env.episode._replace(clock=clock))


def train(env_id: str, env_kwargs: dict[str, Any], config: LEOConfig) -> tuple[dict[str, float], int]:
    """Return the running success by goal name after training, and how many goals were seen."""
    learner = LEO(make_task(env_id, **env_kwargs), config)
    if env_id == "GC-Gridworld-v0":
        learner.env = LateStarts(**vars(learner.env))
    state = jax.jit(learner.init)(jax.random.key(config.seed))
    update = jax.jit(learner.update, donate_argnums=0)
    for done in range(1, learner.num_updates + 1):
        state, _ = update(state)
        if done % 50 == 0:
            print(
                f"seed {config.seed}: {done}/{learner.num_updates} {float(state.actors.stats.success_rate.mean()):.4f}",
                flush=True,
            )
    success = np.asarray(state.actors.stats.success_rate).tolist()
    return dict(zip(learner.task.goals.names, success, strict=True)), int(state.actors.stats.seen.sum())


def compare(theirs: dict[str, Any], env_id: str, env_kwargs: dict[str, Any], config: LEOConfig) -> dict[str, Any]:
    """Train ours with the seed of one result of theirs, and return the row of this seed."""
    seed = theirs["settings"]["seed"]
    ours, seen = train(env_id, env_kwargs, type(config)(**{**vars(config), "seed": seed}))
    their_rates = {row["goal"]: row["running_success"] for row in theirs["rows"]}
    both = sorted(set(ours) & set(their_rates))
    return {
        "seed": seed,
        "goals": len(both),
        "ours": statistics.mean(ours[name] for name in both),
        "theirs": statistics.mean(their_rates[name] for name in both),
        "goals_seen_ours": seen,
        "goals_seen_theirs": sum(row["seen"] for row in theirs["rows"]),
        "authors_command": theirs["settings"]["authors_command"],
    }


def main() -> None:
    """Print and write both means."""
    parser = Parser(__doc__)
    parser.add_argument(
        "task", nargs="?", choices=list(SETTINGS), default="gridworld", help="Train on this task. (default: gridworld)"
    )
    parser.add_argument(
        "--authors", type=Path, nargs="+", metavar="FILE",
        help="Compare with these results of purejaxgcrl_leo; by default, with those of results/authors.",
    )  # fmt: skip
    args = parser.parse_args()
    env_id, env_kwargs, config = SETTINGS[args.task]
    rows: list[dict[str, Any]] = []
    for path in args.authors or sorted(AUTHORS.glob(f"{args.task}_seed*.json")):
        rows.append(compare(json.loads(path.read_text()), env_id, env_kwargs, config))
        print(rows[-1], flush=True)
        ours, theirs = (statistics.mean(row[side] for row in rows) for side in ("ours", "theirs"))
        metrics = [
            metric("running_success_over_authors", ours / theirs, 1.0),
            metric("running_success", ours),
            metric("running_success_authors", theirs),
        ]
        # After every seed, so that a run that is cut short leaves what it has.
        finish(args, metrics=metrics, rows=rows, settings={"env_id": env_id, "config": vars(config)})


if __name__ == "__main__":
    main()
