"""Measure training steps/s of LEO on 1, 2, 4, ... devices, with the same environments and minibatches in all.

It needs several devices; a CPU emulates them, to try this script out, with
XLA_FLAGS=--xla_force_host_platform_device_count=8. The programs take turns, and compiling is not counted. The network
is the published one (4 x 1024) unless `--width` says otherwise.
"""

import statistics
from typing import Any

import jax
from _common import Parser, finish, metric, ratio, take_turns

from gc_envs import make_task
from gc_envs.agents.leo import LEO, LEOConfig
from gc_envs.agents.sharding import REPLICATED, make_mesh, shard


class Contestant:
    """A run on so many devices, which makes updates when it is called."""

    def __init__(self, learner: LEO, devices: int, updates: int) -> None:
        mesh, specs = make_mesh(devices), learner.specs
        init = jax.jit(shard(learner.init, mesh, REPLICATED, specs))
        update = shard(learner.update, mesh, (specs,), (specs, REPLICATED))
        self.state: Any = init(jax.random.key(0))
        self.update = jax.jit(update, donate_argnums=0).lower(self.state).compile()
        self.updates = updates

    def __call__(self) -> None:
        for _ in range(self.updates):
            self.state, _ = self.update(self.state)
        jax.block_until_ready(self.state)


def main() -> None:
    """Print and write the speeds."""
    parser = Parser(__doc__)
    parser.add_argument("--env-id", default="GC-Craftax-v0", help="Train on this id. (default: GC-Craftax-v0)")
    parser.add_argument("--num-envs", type=int, default=1024, help="Train in this many environments. (default: 1024)")
    parser.add_argument("--minibatch-size", type=int, default=512, help="Take minibatches of this. (default: 512)")
    parser.add_argument("--width", type=int, default=1024, help="Give the dense layers this width. (default: 1024)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="Give every number of devices this many turns. (default: 3)"
    )
    parser.add_argument("--updates", type=int, default=4, help="Make this many updates in a turn. (default: 4)")
    args = parser.parse_args()
    found = jax.device_count()
    if found == 1:
        parser.error(f"there is one device, {jax.devices()[0].device_kind}; this compares several")
    task = make_task(args.env_id, **({"observation": "compact"} if "Craftax" in args.env_id else {}))
    config = LEOConfig(
        total_steps=10**9, num_envs=args.num_envs, minibatch_size=args.minibatch_size, width=args.width
    )  # fmt: skip
    learner = LEO(task, config)
    counts = [2**power for power in range(found.bit_length()) if 2**power <= found]
    try:
        learner.check_devices(counts[-1])
    except ValueError as error:
        parser.error(str(error))
    runs = {str(count): Contestant(learner, count, args.updates) for count in counts}
    for run in runs.values():
        run()
    times = take_turns(dict(runs), args.rounds)
    steps = args.updates * learner.steps_per_update
    parameters = sum(x.nbytes for x in jax.tree.leaves(runs["1"].state.train.params))
    gradient_steps = config.epochs * (learner.steps_per_update // config.minibatch_size)
    finish(
        args,
        metrics=[
            *(metric("speed_of_one_device", ratio(times, str(count), "1"), devices=count) for count in counts[1:]),
            metric("bytes_sent_per_update", 2 * parameters * gradient_steps),
        ],
        rows=[
            {"devices": count, "steps_per_s": round(steps / statistics.median(times[str(count)]))} for count in counts
        ],
        settings={
            "env_id": args.env_id, "num_envs": args.num_envs, "minibatch_size": args.minibatch_size,
            "width": args.width,
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
