"""Training steps/s of our LEO against the authors' code: same network, environments, rollouts, epochs and minibatches.

    python benchmarks/leo_speed.py --checkout CHECKOUT --authors-python PYTHON [--rounds 3] [--json FILE]

CHECKOUT holds the authors' leo.py and PYTHON is the interpreter of an environment that it runs in: see
purejaxgcrl_leo.py. Both sides run in processes of their own that take turns; compiling is not counted. The published
network (4 x 1024), 64 environments x 32 steps, 2 epochs of minibatches of 512.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _common import finish, parser

HERE = Path(__file__).resolve().parent
GAMES = {"GC-Craftax-v0": "Craftax-Symbolic-v1", "GC-Craftax-Classic-v0": "Craftax-Classic-Symbolic-v1"}


def run_ours(args: argparse.Namespace) -> dict[str, Any]:
    """Steps/s of `args.updates` updates of ours after one that is not counted, and what a transition takes to keep."""
    import jax

    from gc_envs import make_task
    from gc_envs.agents.leo import LEO, LEOConfig

    task = make_task(args.env_id, observation="compact")
    learner = LEO(task, LEOConfig(total_steps=10**9, num_envs=args.num_envs, width=args.width))
    start = time.perf_counter()
    state = jax.jit(learner.init)(jax.random.key(0))
    update = jax.jit(learner.update, donate_argnums=0).lower(state).compile()
    compile_s = time.perf_counter() - start

    def rollout(state: Any) -> Any:
        _, batch = learner.collect(state, jax.random.key(0))
        last = jax.tree.map(lambda x: x[-1], batch.observation)  # of the right shape, which is all that counts here
        return batch, learner.targets(state.train.variables, batch, last)

    kept = jax.tree.leaves(jax.eval_shape(rollout, state))
    state, _ = jax.block_until_ready(update(state))
    start = time.perf_counter()
    for _ in range(args.updates):
        state, _ = update(state)
    jax.block_until_ready(state)
    seconds = time.perf_counter() - start
    return {
        "steps_per_s": args.updates * learner.steps_per_update / seconds,
        "compile_s": compile_s,
        "bytes_per_transition": sum(x.size * x.dtype.itemsize for x in kept) / learner.steps_per_update,
    }


def run_theirs(args: argparse.Namespace, cache: str) -> dict[str, Any]:
    """Steps/s of `args.authors_updates` updates of theirs."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "theirs.json"
        command = [str(args.authors_python), str(HERE / "purejaxgcrl_leo.py"), "--checkout", str(args.checkout)]
        command += ["--env", GAMES[args.env_id], "--num-envs", str(args.num_envs), "--width", str(args.width)]
        command += ["--total-steps", str(args.authors_updates * 32 * args.num_envs), "--json", str(out)]
        subprocess.run(command, check=True, env={**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}, stdout=sys.stderr)
        return {name: json.loads(out.read_text())[name] for name in ("steps_per_s", "compile_s")}


def main() -> None:
    """Prints and writes the ratio."""
    arguments = parser(__doc__)
    arguments.add_argument("--checkout", type=Path)
    arguments.add_argument("--authors-python", type=Path)
    arguments.add_argument("--env-id", default="GC-Craftax-v0", choices=list(GAMES))
    arguments.add_argument("--num-envs", type=int, default=64)
    arguments.add_argument("--width", type=int, default=1024)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--updates", type=int, default=12, help="of ours, per round")
    arguments.add_argument("--authors-updates", type=int, default=4, help="of theirs, per round")
    arguments.add_argument("--worker", action="store_true", help="measure ours once and print JSON")
    args = arguments.parse_args()
    if args.worker:
        print(json.dumps(run_ours(args)))
        return
    if not args.checkout or not args.authors_python:
        arguments.error("--checkout and --authors-python say where the authors' code is and what runs it")
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as cache:
        worker = [sys.executable, __file__, "--worker", "--env-id", args.env_id, "--num-envs", str(args.num_envs)]
        worker += ["--width", str(args.width), "--updates", str(args.updates)]
        for _ in range(args.rounds):
            environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": f"{cache}/ours"}
            out = subprocess.run(worker, check=True, capture_output=True, text=True, env=environment).stdout
            ours.append(json.loads(out.splitlines()[-1]))
            theirs.append(run_theirs(args, f"{cache}/theirs"))
            print(f"ours {ours[-1]['steps_per_s']:.0f}, theirs {theirs[-1]['steps_per_s']:.0f}", file=sys.stderr)
    ratios = [a["steps_per_s"] / b["steps_per_s"] for a, b in zip(ours, theirs, strict=True)]
    finish(
        args,
        {
            "speed_of_authors_leo": statistics.median(ratios),
            "speed_of_authors_leo_target": 4.0,
            "bytes_per_transition": ours[0]["bytes_per_transition"],
            "bytes_per_transition_target": 8192,
            "env_id": args.env_id,
            "num_envs": args.num_envs,
            "width": args.width,
            "rows": [{"ours": a, "theirs": b} for a, b in zip(ours, theirs, strict=True)],
        },
    )


if __name__ == "__main__":
    main()
