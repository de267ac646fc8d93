#!/usr/bin/env python3
"""Measure LEO as its authors published it: speed and per-goal success of their training script.

This script runs `leo.py` of a checkout of https://github.com/MichaelTMatthews/purejaxgcrl and writes one JSON file. It
imports nothing of `gc_envs`; run it with the interpreter of a virtual environment for the authors' code:

    pip install jax==0.6.0 jaxlib==0.6.0 'flax>=0.10,<0.11' optax gymnax==0.0.9 orbax-checkpoint==0.5.0 \\
        distrax 'craftax>=1.6,<1.7'

plus a module named `wandb`, which the checkout imports but which is not used here (an empty `wandb.py` will do). On
Python 3.11 and later the checkout needs one edit to start: in `envs/gridworld/gridworld_state.py` the default of
`StaticEnvParams.grid_map` is an array, which dataclasses now refuse; make it `None`.

    python benchmarks/purejaxgcrl_leo.py --checkout CHECKOUT --env Craftax-Classic-Symbolic-v1 \\
        --total-steps 500000 --width 256 --seed 0 --json classic.json
    python benchmarks/purejaxgcrl_leo.py --checkout CHECKOUT --env Gridworld-v1 --total-steps 1000000 --seed 0 \\
        --json gridworld.json

Running success of a goal is their own training metric: how often it was reached when it was the desired goal of an
episode, with exponential forgetting. A goal that was never the desired one counts as 0 in the mean.
"""

from __future__ import annotations

import argparse
import importlib
import os
import runpy
import shlex
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import jax
import numpy as np
from _common import Parser, finish, metric

# Flags each environment needs on top of the authors' defaults. Gridworld has no maps, so no convolution.
ENV_FLAGS: dict[str, tuple[str, ...]] = {
    "Craftax-Symbolic-v1": (),
    "Craftax-Classic-Symbolic-v1": (),
    "Gridworld-v1": (
        *("--network_type", "symbolic_flat"),
        *("--gridworld_map_size", "12"),
        *("--gridworld_wall_threshold", "0.2"),
        *("--gridworld_map_rng_seed", "0"),
    ),
}

PACKAGES = ("jax", "jaxlib", "flax", "optax", "craftax")

# Places in the tuple that their training loop carries and returns as `runner_state`.
RUNNER_STATE_LENGTH = 9
SUCCESS_COUNTER, FAILURE_COUNTER, GOALS_SEEN = 5, 6, 7


class _Parsed(Exception):
    """Carries the authors' parsed flags out of their script before it starts to train."""


def authors_flags(args: argparse.Namespace) -> list[str]:
    """Return the command line of their `leo.py` that our options stand for."""
    flags = ["--env_name", args.env, "--total_timesteps", str(args.total_steps), "--num_envs", str(args.num_envs)]
    flags += ["--seed", str(args.seed), "--network_layer_width", str(args.width), "--no_use_wandb"]
    return [*flags, *ENV_FLAGS[args.env], *shlex.split(args.extra)]


def authors_config(script: Path, flags: list[str]) -> dict[str, Any]:
    """Return the settings that `script` builds from `flags`: its own defaults, read by its own parser."""
    parse_known_args = argparse.ArgumentParser.parse_known_args

    def stop_after_parsing(parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        raise _Parsed(*parse_known_args(parser, *args, **kwargs))

    with (
        mock.patch.object(sys, "argv", [script.name, *flags]),
        mock.patch.object(argparse.ArgumentParser, "parse_known_args", stop_after_parsing),
    ):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except _Parsed as parsed:
            namespace, unknown = parsed.args
        else:
            raise SystemExit(f"{script} did not parse its command line")
    if unknown:
        raise SystemExit(f"{script.name} does not know the flags {unknown}")
    return {name.upper(): value for name, value in vars(namespace).items()}


def goal_names(leo: ModuleType, config: dict[str, Any]) -> list[str]:
    """Return the names of the G goals, in the order of their counters."""
    _, _, static_env_params = leo.create_env(config)
    all_goals = leo.create_goal_set_fns(config["ENV_NAME"])[-1]
    names, _ = all_goals(config["ENV_NAME"], static_env_params)
    return [str(name) for name in names]


def goal_counters(runner_state: tuple[Any, ...], num_goals: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return success [G] and failure [G] counts (decayed) and the mask [G] of goals seen so far."""
    if len(runner_state) != RUNNER_STATE_LENGTH:
        raise SystemExit(f"runner_state has {len(runner_state)} parts, not {RUNNER_STATE_LENGTH}: another version?")
    success, failure, seen = (np.asarray(runner_state[i]) for i in (SUCCESS_COUNTER, FAILURE_COUNTER, GOALS_SEEN))
    if not success.shape == failure.shape == seen.shape == (num_goals,) or seen.dtype != bool:
        shapes = [part.shape for part in (success, failure, seen)]
        raise SystemExit(f"counters have shapes {shapes} and mask {seen.dtype}; expected ({num_goals},) and bool")
    return success, failure, seen


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Compile and run their training once, and return what is to be written: settings, metrics and rows."""
    sys.path.insert(0, str(args.checkout))
    flags = authors_flags(args)
    config = authors_config(args.checkout / "leo.py", flags)
    leo = importlib.import_module("leo")
    names = goal_names(leo, config)

    # Their key: the second half of the seed's split, so that a seed here is the same run as theirs.
    _, key = jax.random.split(jax.random.PRNGKey(args.seed))
    train = jax.jit(leo.make_train(config))  # also fills in the derived settings, such as NUM_UPDATES

    start = time.perf_counter()
    compiled = train.lower(key).compile()
    compile_s = time.perf_counter() - start
    print(f"compiled in {compile_s:.1f} s", flush=True)

    start = time.perf_counter()
    runner_state = jax.block_until_ready(compiled(key))["runner_state"]
    run_s = time.perf_counter() - start

    success, failure, seen = goal_counters(runner_state, len(names))
    running_success = success / (success + failure + 1e-7)
    steps_run = config["NUM_UPDATES"] * config["NUM_STEPS"] * config["NUM_ENVS"]  # whole updates only
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    columns = {"goal": names, "success_count": success, "failure_count": failure, "running_success": running_success}
    columns = {name: np.asarray(column).tolist() for name, column in (columns | {"seen": seen}).items()}
    return {
        "settings": {
            "env": args.env,
            "steps": args.total_steps,
            "steps_run": steps_run,
            "num_envs": config["NUM_ENVS"],
            "seed": config["SEED"],
            "width": config["NETWORK_LAYER_WIDTH"],
            "cpus": cpus,
            "authors_command": shlex.join(["python", "leo.py", *flags]),
        },
        "metrics": [
            metric("running_success_mean", float(running_success.mean())),
            metric("goals_seen_count", int(seen.sum())),
            metric("steps_per_s", round(steps_run / run_s, 1)),
            metric("compile_s", round(compile_s, 2)),
            metric("run_s", round(run_s, 2)),
        ],
        "rows": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
    }


def parse_args() -> argparse.Namespace:
    """Parse the command line; an error of one line says what is missing."""
    parser = Parser(__doc__)
    parser.add_argument("--checkout", type=Path, metavar="FOLDER", help="Take the authors' leo.py from this folder.")
    parser.add_argument(
        "--env", choices=sorted(ENV_FLAGS), default="Craftax-Symbolic-v1",
        help="Train on this environment of theirs. (default: Craftax-Symbolic-v1)",
    )  # fmt: skip
    parser.add_argument(
        "--total-steps", type=lambda text: int(float(text)), default=1_000_000,
        help="Train for this many environment steps; 1e6 is accepted. (default: 1000000)",
    )  # fmt: skip
    parser.add_argument(
        "--num-envs", type=int, default=64, help="Train in this many environments; published are 1024. (default: 64)"
    )
    parser.add_argument("--seed", type=int, default=0, help="Seed the run with this number. (default: 0)")
    parser.add_argument(
        "--width", type=int, default=1024, help="Give the dense layers this width, the published one. (default: 1024)"
    )
    parser.add_argument("--extra", default="", metavar="FLAGS", help="Pass these further flags, one string, to leo.py.")
    args = parser.parse_args()
    if args.checkout is None:
        parser.error(
            "--checkout is needed: a folder with the authors' leo.py, run with the interpreter of its packages"
        )
    args.checkout = args.checkout.resolve()
    if not (args.checkout / "leo.py").is_file():
        parser.error(f"--checkout {args.checkout}: there is no leo.py")
    return args


def main() -> None:
    """Print and write what their code does."""
    args = parse_args()
    finish(args, **measure(args), packages=PACKAGES)


if __name__ == "__main__":
    main()
