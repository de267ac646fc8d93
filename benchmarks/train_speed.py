"""Measure training steps/s of our learners against the authors' code, with the same networks, rollouts and minibatches.

`--checkout` is a folder with the authors' scripts, and `--authors-python` is the interpreter of a virtual environment
that they run in: see purejaxgcrl.py. Both sides run in processes of their own that take turns; compiling is not
counted. Networks and rollouts are the published ones, with minibatches that fit the number of environments. The turns
of a method are kept in a folder, and not made again.

The share of the peak is that of the multiply-adds which a method needs in dense layers, counted by hand, in those that
a large float32 matrix product reaches beside it. Convolutions are not counted: one-hot maps need only additions.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _common import Parser, finish, metric
from _published import METHODS, published_learner

HERE = Path(__file__).resolve().parent
ENVS = {  # ours and theirs
    "classic": ("GC-Craftax-Classic-v0", "Craftax-Classic-Symbolic-v1"),
    "full": ("GC-Craftax-v0", "Craftax-Symbolic-v1"),
}


TARGETS: dict[str, dict[str, float]] = {  # times the authors' steps/s
    "classic": dict.fromkeys(METHODS, 1.5),
    "full": {"leo": 4.0, "dual-leo-pqn": 2.0, "dual-leo-ppo": 2.0},
}


@dataclass(frozen=True)
class Sizes:
    """What of a task decides how much a network multiplies."""

    cells: int  # of the map
    scalars: int  # numbers of the observation that are not on the map, one-hot
    goals: int
    actions: int


def dense(*units: int) -> int:
    """Return the multiply-adds of one row that passes dense layers between these numbers of units."""
    return sum(inputs * outputs for inputs, outputs in itertools.pairwise(units))


def leo(c: Any, s: Sizes) -> float:
    """Return the multiply-adds of an environment step: acting, the best action of all goals, and learning."""
    torso = dense(s.cells * c.conv_features + s.scalars, *[c.width] * c.depth)
    acting = torso + c.width * s.actions
    targets = c.width * s.goals * s.actions + torso / c.rollout_steps  # torsos of the last states of a rollout
    return acting + targets + 3 * c.epochs * (torso + c.width * s.goals)


def pqn(c: Any, s: Sizes, hindsight_goals: int = 0) -> float:
    """Return the multiply-adds of an environment step: acting, last and relabelled values, and learning."""
    network = dense(s.cells * c.conv_features + 2 * s.scalars, *[c.width] * c.depth, s.actions)
    return network * (1 + 1 / c.rollout_steps + hindsight_goals + 3 * c.epochs * (1 + hindsight_goals))


def pqn_her(c: Any, s: Sizes) -> float:
    """Return the multiply-adds of an environment step, which is learnt for several goals."""
    return pqn(c, s, c.hindsight_goals)


def ppo(c: Any, s: Sizes) -> float:
    """Return the multiply-adds of an environment step: acting, the last value, and learning."""
    embedding = dense(s.cells * c.conv_features + 2 * s.scalars, *[c.width] * c.embedding_depth)
    actor = dense(c.width, *[c.width] * c.actor_depth, s.actions)
    critic = dense(c.width, *[c.width] * c.critic_depth, 1)
    return (embedding + actor + critic) * (1 + 3 * c.epochs) + (embedding + critic) / c.rollout_steps


MULTIPLY_ADDS: dict[str, Callable[[Any, Sizes], float]] = {  # method -> of its config and sizes, per environment step
    "leo": leo,
    "ppo": ppo,
    "pqn": pqn,
    "pqn-her": pqn_her,
    "dual-leo-pqn": lambda c, s: leo(c, s) + pqn(c, s),
    "dual-leo-ppo": lambda c, s: leo(c.teacher, s) + ppo(c, s),
}


def sizes(learner: Any) -> Sizes:
    """Return the sizes of a learner's task."""
    spec = learner.task.one_hot_spec
    return Sizes(spec.height * spec.width, spec.num_scalar_classes, learner.num_goals, learner.num_actions)


def peak(size: int = 4096, rounds: int = 3) -> float:
    """Return the multiply-adds per second of a product of two float32 matrices, the best of some rounds."""
    import jax
    import jax.numpy as jnp

    matrix = jax.random.uniform(jax.random.key(0), (size, size))
    product = jax.jit(jnp.matmul)
    seconds = []
    for _ in range(rounds + 1):  # the first one compiles
        start = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return size**3 / min(seconds[1:])


def bytes_per_transition(learner: Any, state: Any) -> float:
    """Return the size of what is kept of one environment step until it has been learnt from."""
    import jax

    def rollout(state: Any) -> Any:
        _, batch = learner.collect(state, jax.random.key(0))
        if learner.name != "leo":
            return batch
        last = jax.tree.map(lambda x: x[-1], batch.observation)  # of the right shape, which is all that counts here
        return batch, learner.targets(state.train.variables, batch, last)

    leaves = jax.tree.leaves(jax.eval_shape(rollout, state))
    return sum(x.size * x.dtype.itemsize for x in leaves) / learner.steps_per_update


def run_ours(args: argparse.Namespace) -> dict[str, float]:
    """Return steps/s of ours over `args.steps` steps after one update that is not counted, and what goes with it."""
    import jax

    (method,) = args.method
    learner = published_learner(method, ENVS[args.env][0], args.num_envs, total_steps=10**9, width=args.width)
    start = time.perf_counter()
    state = jax.jit(learner.init)(jax.random.key(0))
    update = jax.jit(learner.update, donate_argnums=0).lower(state).compile()
    compile_s = time.perf_counter() - start
    kept = bytes_per_transition(learner, state)
    state, _ = jax.block_until_ready(update(state))
    updates = -(-args.steps // learner.steps_per_update)
    start = time.perf_counter()
    for _ in range(updates):
        state, _ = update(state)
    jax.block_until_ready(state)
    seconds = time.perf_counter() - start
    return {
        "steps_per_s": updates * learner.steps_per_update / seconds,
        "compile_s": compile_s,
        "bytes_per_transition": kept,
        "multiply_adds_per_step": MULTIPLY_ADDS[method](learner.config, sizes(learner)),
        "peak_multiply_adds_per_s": peak(),
    }


def run_theirs(args: argparse.Namespace, method: str) -> dict[str, float]:
    """Return steps/s of `args.authors_steps` steps of theirs."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "theirs.json"
        command = [str(args.authors_python), str(HERE / "purejaxgcrl.py"), "--checkout", str(args.checkout)]
        command += ["--method", method, "--env", ENVS[args.env][1], "--width", str(args.width)]
        command += ["--num-envs", str(args.num_envs)]
        command += ["--convolution", args.convolution, "--total-steps", str(args.authors_steps), "--json", str(out)]
        environment = {
            **os.environ,
            "JAX_COMPILATION_CACHE_DIR": str(args.runs / "theirs"),
            "PYTHONPATH": str(HERE.parent),
        }
        subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
        metrics = {metric["name"]: metric["value"] for metric in json.loads(out.read_text())["metrics"]}
        return {name: metrics[name] for name in ("steps_per_s", "compile_s")}


def take_turns(args: argparse.Namespace, method: str) -> list[dict[str, Any]]:
    """Return a row for each round of one method, and keep them."""
    sizes = ("env", "num_envs", "width", "steps", "authors_steps", "convolution")
    kept = args.runs / ("-".join([method, *(str(getattr(args, name)) for name in sizes)]) + ".json")
    rows: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else []
    worker = [sys.executable, __file__, "--worker", "--method", method, "--env", args.env]
    worker += ["--num-envs", str(args.num_envs), "--width", str(args.width), "--steps", str(args.steps)]
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(args.runs / "ours")}
    while len(rows) < args.rounds:
        out = subprocess.run(worker, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        ours, theirs = json.loads(out.splitlines()[-1]), run_theirs(args, method)
        rows.append({"method": method, "ours": ours, "theirs": theirs})
        print(f"{method}: ours {ours['steps_per_s']:.0f}, theirs {theirs['steps_per_s']:.0f}", file=sys.stderr)
        kept.write_text(json.dumps(rows, indent=2) + "\n")
    return rows[: args.rounds]


def summarize(env: str, method: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the metrics of one method, medians over its rounds."""

    def median(name: str, value: Callable[[dict[str, Any]], float], target: float | None = None) -> dict[str, Any]:
        return metric(name, statistics.median(map(value, rows)), target, method=method)

    def share(row: dict[str, Any], side: str) -> float:
        ours = row["ours"]
        return row[side]["steps_per_s"] * ours["multiply_adds_per_step"] / ours["peak_multiply_adds_per_s"]

    speed = TARGETS[env].get(method)
    return [
        median("speed_of_authors", lambda row: row["ours"]["steps_per_s"] / row["theirs"]["steps_per_s"], speed),
        median("steps_per_s", lambda row: row["ours"]["steps_per_s"]),
        median("steps_per_s_authors", lambda row: row["theirs"]["steps_per_s"]),
        median("share_of_peak", lambda row: share(row, "ours")),
        median("share_of_peak_authors", lambda row: share(row, "theirs")),
        median(
            "bytes_per_transition", lambda row: row["ours"]["bytes_per_transition"], 8192 if method == "leo" else None
        ),
    ]


def main() -> None:
    """Print and write the ratios."""
    parser = Parser(__doc__)
    parser.add_argument("--checkout", type=Path, metavar="FOLDER", help="Take the authors' scripts from this folder.")
    parser.add_argument("--authors-python", type=Path, metavar="FILE", help="Run them with this interpreter.")
    parser.add_argument(
        "--method", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD",
        help="Train with these of the six methods; by default, with all of them.",
    )  # fmt: skip
    parser.add_argument("--env", choices=list(ENVS), default="full", help="Train on this Craftax. (default: full)")
    parser.add_argument(
        "--num-envs", type=int, default=64, help="Train in this many environments; published are 1024. (default: 64)"
    )
    parser.add_argument("--width", type=int, default=1024, help="Give the dense layers this width. (default: 1024)")
    parser.add_argument("--rounds", type=int, default=3, help="Give either side this many turns. (default: 3)")
    parser.add_argument(
        "--steps", type=int, default=24_576, help="Take this many steps of ours in a turn. (default: 24576)"
    )
    parser.add_argument(
        "--authors-steps", type=int, default=8192, help="Take this many steps of theirs in a turn. (default: 8192)"
    )
    parser.add_argument(
        "--convolution", choices=("published", "product"), default="published",
        help="Compute their convolutions as published or as matrix products; see purejaxgcrl. (default: published)",
    )  # fmt: skip
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/train_speed"), metavar="FOLDER",
        help="Keep turns and compiled programs in this folder. (default: runs/train_speed)",
    )  # fmt: skip
    parser.add_argument("--worker", action="store_true", help="Measure ours once and print JSON, as a turn does.")
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(run_ours(args)))
        return
    if not args.checkout or not args.authors_python:
        parser.error("--checkout and --authors-python are needed: the authors' code, and the interpreter that runs it")
    args.runs = args.runs.resolve()  # programs of the authors' code start elsewhere
    args.runs.mkdir(parents=True, exist_ok=True)
    rows = {method: take_turns(args, method) for method in args.method}
    finish(
        args,
        metrics=[metric for method in rows for metric in summarize(args.env, method, rows[method])],
        rows=itertools.chain(*rows.values()),
        settings={
            "env_id": ENVS[args.env][0],
            "num_envs": args.num_envs,
            "width": args.width,
            "authors_convolution": args.convolution,
        },
    )


if __name__ == "__main__":
    main()
