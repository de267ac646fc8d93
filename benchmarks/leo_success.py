"""Running success of our LEO after as many steps as the authors', on the same goals, seed by seed.

    python benchmarks/leo_success.py classic --authors classic_seed*.json [--json FILE]
    python benchmarks/leo_success.py gridworld --authors gridworld_seed*.json [--json FILE]

The authors' files come from purejaxgcrl_leo.py, one per seed. `classic`: GC-Craftax-Classic-v0, 500,000 steps, width
256. `gridworld`: 12 x 12, wall density 0.2, map seed 0, 1,000,000 steps, width 1024, the two cell indices as input;
counted over the cells that both codes have. Both: 64 lanes, published settings otherwise. Running success is theirs:
how often the goal commanded at the start of an episode is reached before it ends, forgetting 0.999 per update; a goal
never tried counts 0.
"""

import json
import statistics
from pathlib import Path
from typing import Any

import jax
import numpy as np
from _common import finish, parser

from gc_envs import make_task
from gc_envs.agents.leo import LEO, LEOConfig

SETTINGS: dict[str, tuple[str, dict[str, Any], LEOConfig]] = {
    "classic": ("GC-Craftax-Classic-v0", {"observation": "compact"}, LEOConfig(total_steps=500_000, width=256)),
    "gridworld": ("GC-Gridworld-v0", {}, LEOConfig(total_steps=1_000_000, width=1024, one_hot=False)),
}


def train(env_id: str, env_kwargs: dict[str, Any], config: LEOConfig) -> tuple[dict[str, float], int]:
    """Running success by goal name after training, and how many goals were seen."""
    learner = LEO(make_task(env_id, **env_kwargs), config)
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


def main() -> None:
    """Prints and writes both means."""
    arguments = parser(__doc__)
    arguments.add_argument("task", choices=list(SETTINGS))
    arguments.add_argument("--authors", type=Path, nargs="+", required=True)
    args = arguments.parse_args()
    env_id, env_kwargs, config = SETTINGS[args.task]
    rows = []
    for path in args.authors:
        theirs = json.loads(path.read_text())
        seed = theirs["seed"]
        ours, seen = train(env_id, env_kwargs, type(config)(**{**vars(config), "seed": seed}))
        their_rates = dict(zip(theirs["goals"], theirs["running_success"], strict=True))
        both = sorted(set(ours) & set(their_rates))
        rows.append(
            {
                "seed": seed,
                "goals": len(both),
                "ours": statistics.mean(ours[name] for name in both),
                "theirs": statistics.mean(their_rates[name] for name in both),
                "goals_seen_ours": seen,
                "goals_seen_theirs": theirs["goals_seen_count"],
                "authors_command": theirs["command"],
            }
        )
        print(rows[-1], flush=True)
        finish(args, summary(env_id, config, rows))  # after every seed, so that a run cut short leaves what it has


def summary(env_id: str, config: LEOConfig, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Both means over the seeds of `rows`, and their ratio."""
    means = {side: statistics.mean(row[side] for row in rows) for side in ("ours", "theirs")}
    return {
        "running_success_over_authors": means["ours"] / means["theirs"],
        "running_success_over_authors_target": 1.0,
        "running_success": means["ours"],
        "running_success_authors": means["theirs"],
        "env_id": env_id,
        "config": vars(config),
        "rows": rows,
    }


if __name__ == "__main__":
    main()
