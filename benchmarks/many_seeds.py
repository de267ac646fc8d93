"""Measure training steps/s of several seeds in one program against single runs one after another, summed over seeds.

LEO trains on GC-Gridworld-v0 with its default preset. Both sides take turns in blocks of the same steps; compiling,
evaluations and checkpoints are not counted.
"""

import functools
import statistics
from pathlib import Path

from _common import Parser, finish, metric, ratio, take_turns

from gc_envs import make_task
from gc_envs.agents.jax_trainer import JaxTrainer
from gc_envs.agents.leo import LEO, LEOConfig
from gc_envs.agents.presets import preset
from gc_envs.training.run_dir import RunDir

ENV_ID = "GC-Gridworld-v0"


def train_block(trainers: list[JaxTrainer], steps: int) -> None:
    """Train `steps` more steps of every run of every trainer, one trainer after another."""
    for trainer in trainers:
        until = min(trainer.step + steps, trainer.total_steps)
        while trainer.step < until:
            trainer.advance(until)


def main() -> None:
    """Print and write the ratios."""
    parser = Parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 4, 8], help="Train as many seeds. (default: 1 4 8)")
    parser.add_argument("--steps", type=int, default=100_000, help="Train each run this far. (default: 100000)")
    parser.add_argument("--rounds", type=int, default=5, help="Give either side this many turns. (default: 5)")
    args = parser.parse_args()
    settings = preset("leo", "default", ENV_ID, {}) | {"total_steps": args.steps}
    learner = LEO(make_task(ENV_ID), LEOConfig(**settings))
    rows = []
    for count in args.seeds:
        runs = [RunDir(Path(f"seed-{seed}"), "leo", ENV_ID, {}, {"seed": seed}) for seed in range(count)]
        sides = {"together": [learner.trainer(runs)], "alone": [learner.trainer([run]) for run in runs]}
        for trainer in (*sides["together"], *sides["alone"]):
            trainer.init()
        block = learner.total_steps // args.rounds
        times = take_turns(
            {name: functools.partial(train_block, side, block) for name, side in sides.items()}, args.rounds
        )
        speeds = {name: count * block / statistics.median(seconds) for name, seconds in times.items()}
        rows.append({"seeds": count, "ratio": ratio(times, "together", "alone"), "steps_per_s": speeds})
        print(rows[-1], flush=True)
    finish(
        args, metrics=[metric("speed_of_single_runs", row["ratio"], seeds=row["seeds"]) for row in rows], rows=rows,
        settings={"env_id": ENV_ID, **settings},
    )  # fmt: skip


if __name__ == "__main__":
    main()
