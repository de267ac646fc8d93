"""Measure one update of LEO against all-goals relabelling, which learns the same goals from the same steps.

LEO learns every goal from one pass over a batch. All-goals relabelling (`pqn-her` with relabel=all) makes a pass for
each pair of a step and a goal. Both learn from one rollout of --num-steps steps in 64 environments, with networks of
the published size (4 x 1024): LEO in one minibatch, relabelling in minibatches of --chunk pairs, over which the cost
of its optimizer is spread. Targets, gradients and optimizer count; acting and compiling do not. `ratio` is that of the
seconds on all 512 goals of Craftax. The rows have fewer goals, too, and Classic; the slopes are seconds for each goal
more.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from _common import Parser, finish, metric

from gc_envs import make_task
from gc_envs.agents.collect import observe
from gc_envs.agents.leo import LEO, LEOConfig
from gc_envs.agents.pqn_her import PQNHER, PQNHERConfig
from gc_envs.agents.types import Transition

GOALS = {"GC-Craftax-v0": (1, 8, 64, 512), "GC-Craftax-Classic-v0": (136,)}
NUM_ENVS = 64


def update_seconds(learner: LEO | PQNHER, batch: Transition, last: Any, stats: Any, updates: int, calls: int) -> float:
    """Return the time in which `learner` learns from a rollout.

    As in training, several updates follow each other in one program, and each takes the place of the network that it
    began with.

    Args:
        learner: Whose `learn` is timed.
        batch: The rollout.
        last: The observations after it.
        stats: The goal statistics after it.
        updates: Updates in one call.
        calls: Calls, of which the median is taken, after one that is not counted. 0 counts just that one.
    """

    def program(train: Any, batch: Transition, last: Any, stats: Any) -> Any:
        def update(train: Any, number: Any) -> tuple[Any, None]:
            return learner.learn(jax.random.key(1), train, number, batch, last, stats)[0], None

        return jax.lax.scan(update, train, np.arange(updates, dtype=np.int32))[0]

    train = jax.jit(learner.init_train)(jax.random.key(0), last)
    jitted = jax.jit(program, donate_argnums=0, compiler_options=learner.task.compiler_options)
    compiled = jitted.lower(train, batch, last, stats).compile()
    times = []
    for _ in range(calls + 1):
        start = time.perf_counter()
        train = jax.block_until_ready(compiled(train, batch, last, stats))
        times.append((time.perf_counter() - start) / updates)
    return statistics.median(times[1:]) if calls else times[0]


def measure(env_id: str, num_goals: int, args: argparse.Namespace) -> dict[str, Any]:
    """Return the row of a number of goals: the first ones of an environment."""
    task = make_task(env_id, observation="compact")
    if num_goals < task.goals.num_goals:
        task = make_task(env_id, observation="compact", goals=range(num_goals))
    sizes = {"num_envs": NUM_ENVS, "rollout_steps": args.num_steps // NUM_ENVS, "epochs": 1, "width": args.width}
    leo = LEO(task, LEOConfig(**sizes, minibatch_size=args.num_steps))
    pairs = args.num_steps * num_goals
    relabelling = PQNHER(task, PQNHERConfig(**sizes, relabel="all", minibatch_size=min(args.chunk, pairs)))

    @jax.jit
    def rollout(key: jax.Array) -> tuple[Transition, Any, Any]:
        state = leo.init(key)
        actors, batch = leo.collect(state, key)
        return batch, observe(leo.env, actors), actors.stats

    batch, last, stats = rollout(jax.random.key(0))
    row = {
        "env_id": env_id,
        "goals": num_goals,
        "pairs": pairs,
        "leo_s": update_seconds(leo, batch, last, stats, 4, args.repeats),
        "relabelling_s": update_seconds(
            relabelling, batch._replace(extras=()), last, stats, 1, args.repeats if pairs < 50_000 else 0
        ),
    }
    return row | {"ratio": row["relabelling_s"] / row["leo_s"]}


def slopes(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the seconds for each goal more, by least squares over the rows of one environment."""
    goals = [row["goals"] for row in rows]
    return {name: float(np.polyfit(goals, [row[f"{name}_s"] for row in rows], 1)[0]) for name in ("leo", "relabelling")}


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw the seconds of an update against the number of goals of Craftax."""
    from matplotlib.figure import Figure

    rows = [row for row in result["rows"] if row["env_id"] == "GC-Craftax-v0"]
    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, label in (("relabelling", "all-goals relabelling"), ("leo", "LEO")):
        axes.loglog([row["goals"] for row in rows], [row[f"{name}_s"] for row in rows], "o-", label=label)
    axes.set(xlabel="goals of Craftax", ylabel="seconds for one update")
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print and write the ratio."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--num-steps", type=int, default=512, help="Learn from this many steps, a multiple of 64. (default: 512)"
    )
    parser.add_argument("--width", type=int, default=1024, help="Give the dense layers this width. (default: 1024)")
    parser.add_argument(
        "--chunk", type=int, default=4096, help="Relabel with minibatches of this many pairs. (default: 4096)"
    )
    parser.add_argument(
        "--repeats", type=int, default=5, help="Take the median of this many timings, except of long ones. (default: 5)"
    )
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for env_id, numbers in GOALS.items():
        for num_goals in numbers:
            rows.append(measure(env_id, num_goals, args))
            print(rows[-1], flush=True)
    craftax, classic = rows[:-1], rows[-1]
    slope = slopes(craftax)
    result = finish(
        args,
        metrics=[
            metric("ratio_512_goals", craftax[-1]["ratio"], 250.0),
            metric("ratio_136_goals", classic["ratio"]),
            metric("leo_seconds_per_goal", slope["leo"]),
            metric("relabelling_seconds_per_goal", slope["relabelling"]),
        ],
        rows=rows,
        settings={"num_steps": args.num_steps, "width": args.width, "chunk": args.chunk},
        ratio=craftax[-1]["ratio"],
    )
    if args.json:
        draw(result, args.json.with_suffix(".png"))


if __name__ == "__main__":
    main()
