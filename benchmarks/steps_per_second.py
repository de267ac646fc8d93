"""Measure how many steps per second every environment makes here: one environment, and many side by side.

All take random actions that were sampled before, in blocks that take turns, so that noise disturbs all alike; an id's
number is the median over rounds. The seconds until the first step are those of a fresh process that compiles: make,
reset and one step, without a compile cache. Each id has a process of its own, so that memory is that of this id alone.
The Dense ids of the Panda tasks are left out, since they cost what the others do.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

from _common import Parser, finish, metric

from gc_envs.registration import ROWS

IDS = [row.id for row in ROWS if not row.kwargs.get("dense")]
MIN_BLOCK = 0.5  # s, of a block


def measure(env_id: str, num_envs: int, rounds: int) -> dict[str, Any]:
    """Return the row of one id."""
    import gymnasium
    import numpy as np

    import gc_envs  # noqa: F401, registers the ids

    start = time.perf_counter()
    env = gymnasium.make(env_id)
    env.action_space.seed(0)
    singles = [env.action_space.sample() for _ in range(256)]
    env.reset(seed=0)
    env.step(singles[0])
    first = time.perf_counter() - start
    envs = gymnasium.make_vec(env_id, num_envs=num_envs)
    batches = np.array([[env.action_space.sample() for _ in range(num_envs)] for _ in range(32)])
    envs.reset(seed=0)
    envs.step(batches[0])

    def step_single(count: int) -> None:
        for i in range(count):
            *_, terminated, truncated, _ = env.step(singles[i % 256])
            if terminated or truncated:
                env.reset()

    def step_many(count: int) -> None:
        for i in range(count):
            envs.step(batches[i % 32])

    rates: dict[str, list[float]] = {"one": [], "many": []}
    sizes = {"one": 16, "many": 4}
    for kind, block in (("one", step_single), ("many", step_many)):  # how many steps fill a block
        while (took := _seconds(block, sizes[kind])) < MIN_BLOCK:
            sizes[kind] = max(2 * sizes[kind], int(sizes[kind] * MIN_BLOCK / took))
    for _ in range(rounds):
        rates["one"].append(sizes["one"] / _seconds(step_single, sizes["one"]))
        rates["many"].append(num_envs * sizes["many"] / _seconds(step_many, sizes["many"]))
    return {
        "env_id": env_id,
        "backend": env.unwrapped.task.backend,
        "seconds_until_first_step": round(first, 1),
        "steps_per_s_one": round(statistics.median(rates["one"])),
        "steps_per_s_many": round(statistics.median(rates["many"])),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "rounds_one": [round(rate) for rate in rates["one"]],
        "rounds_many": [round(rate) for rate in rates["many"]],
    }


def _seconds(block: Any, count: int) -> float:
    start = time.perf_counter()
    block(count)
    return time.perf_counter() - start


def main() -> None:
    """Print and write the rows."""
    parser = Parser(__doc__)
    parser.add_argument("--ids", nargs="+", default=IDS, help="Measure these ids. (default: all)")
    parser.add_argument("--num-envs", type=int, default=256, help="Step this many side by side. (default: 256)")
    parser.add_argument("--rounds", type=int, default=5, help="Measure this many blocks of each. (default: 5)")
    parser.add_argument("--row", help="Print the row of this id alone, as the processes that this script starts do.")
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(args.row, args.num_envs, args.rounds)))
        return
    rows = []
    for env_id in args.ids:
        words = ["--row", env_id, "--num-envs", str(args.num_envs), "--rounds", str(args.rounds)]
        done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    metrics = [metric("steps_per_s", row["steps_per_s_many"], env_id=row["env_id"]) for row in rows]
    finish(args, metrics=metrics, rows=rows, settings={"num_envs": args.num_envs, "rounds": args.rounds})


if __name__ == "__main__":
    main()
