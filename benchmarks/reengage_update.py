"""What ReenGAGE's gradient term costs: updates with it against updates without.

    python benchmarks/reengage_update.py [--rounds 7] [--updates 40] [--json FILE]

DDPG with hindsight on GC-ContinuousSeek-v0 at the published sizes; an update is sampling and relabelling a batch, the
critic's step and the actor's, on one thread. The two models take turns in blocks of updates. The headline is the
largest of the three ratios; published: 1.34 to 1.60, for whole runs.
"""

import functools
import statistics

import torch
from _common import finish, parser, ratio, take_turns

import gc_envs
from gc_envs.sb3.algorithms import ALGORITHMS

SIZES = {5: 512, 10: 512, 20: 128}  # dim -> batch size


def main() -> None:
    """Prints and writes the ratios."""
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--updates", type=int, default=40, help="per block")
    args = arguments.parse_args()
    torch.set_num_threads(1)
    rows = []
    for dim, batch in SIZES.items():
        blocks = {}
        for name, alpha in (("with", 0.2), ("without", 0.0)):
            config = ALGORITHMS["reengage-ddpg"].config_class(total_steps=1200, batch_size=batch, alpha=alpha)
            model, _ = ALGORITHMS["reengage-ddpg"](gc_envs.make_task("GC-ContinuousSeek-v0", dim=dim), config).build()
            model.learn(1050)  # fills the buffer, and warms up
            blocks[name] = functools.partial(model.train, args.updates, batch)
        times = take_turns(blocks, args.rounds)
        milliseconds = {name: 1000 * statistics.median(seconds) / args.updates for name, seconds in times.items()}
        rows.append({"dim": dim, "batch_size": batch, "ratio": ratio(times, "without", "with"), "ms": milliseconds})
        print(rows[-1], flush=True)
    worst = max(row["ratio"] for row in rows)
    finish(args, {"update_time": worst, "update_time_target": 1.6, "rows": rows})


if __name__ == "__main__":
    main()
