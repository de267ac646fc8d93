"""Measure what ReenGAGE's gradient term costs: the time of updates with it against updates without.

DDPG with hindsight runs on GC-ContinuousSeek-v0 with the published settings; an update is sampling and relabelling a
batch, the critic's step and the actor's, on one thread. The two models take turns in blocks of updates. The headline is
the largest of the three ratios; published are 1.34 to 1.60, for whole runs.
"""

import functools
import statistics

import torch
from _common import Parser, finish, metric, ratio, take_turns

import gc_envs
from gc_envs.agents.presets import preset
from gc_envs.sb3.algorithms import ALGORITHMS

DIMS = (5, 10, 20)


def main() -> None:
    """Print and write the ratios."""
    parser = Parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="Give either model this many turns. (default: 7)")
    parser.add_argument("--updates", type=int, default=40, help="Make this many updates in a turn. (default: 40)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for dim in DIMS:
        settings = preset("reengage-ddpg", "paper", "GC-ContinuousSeek-v0", {"dim": dim}) | {"total_steps": 1200}
        batch, blocks = settings["batch_size"], {}
        for name, alpha in (("with", settings["alpha"]), ("without", 0.0)):
            config = ALGORITHMS["reengage-ddpg"].config_class(**{**settings, "alpha": alpha})
            model, _ = ALGORITHMS["reengage-ddpg"](gc_envs.make_task("GC-ContinuousSeek-v0", dim=dim), config).build()
            model.learn(1050)  # fills the buffer, and warms up
            blocks[name] = functools.partial(model.train, args.updates, batch)
        times = take_turns(blocks, args.rounds)
        milliseconds = {name: 1000 * statistics.median(seconds) / args.updates for name, seconds in times.items()}
        rows.append({"dim": dim, "batch_size": batch, "ratio": ratio(times, "without", "with"), "ms": milliseconds})
        print(rows[-1], flush=True)
    worst = max(row["ratio"] for row in rows)
    finish(args, metrics=[metric("update_time", worst, 1.6)], rows=rows, settings={"env_id": "GC-ContinuousSeek-v0"})


if __name__ == "__main__":
    main()
