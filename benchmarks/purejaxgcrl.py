#!/usr/bin/env python3
"""Measure a method as the authors of LEO published it: speed and per-goal success of their training scripts.

This script runs one of six methods of a checkout of https://github.com/MichaelTMatthews/purejaxgcrl and writes one JSON
file. Run it with the interpreter of a virtual environment for the authors' code, and with this clone on PYTHONPATH.
These versions work on Python 3.12:

    pip install jax==0.6.0 jaxlib==0.6.0 flax==0.10.7 optax==0.2.8 distrax==0.1.5 gymnax==0.0.9 craftax==1.6.1 \\
        orbax-checkpoint==0.5.0

plus a module named `wandb`, which the checkout imports but which is not used here (an empty `wandb.py` will do). On
Python 3.11 and later the checkout needs one edit to start: in `envs/gridworld/gridworld_state.py` the default of
`StaticEnvParams.grid_map` is an array, which dataclasses now refuse; make it `None`.

    PYTHONPATH=. python benchmarks/purejaxgcrl.py --checkout CHECKOUT --env Craftax-Classic-Symbolic-v1 \\
        --method ppo --total-steps 300000 --width 256 --seed 0 --json ppo.json
    PYTHONPATH=. python benchmarks/purejaxgcrl.py --checkout CHECKOUT --env Gridworld-v1 --total-steps 1000000 \\
        --json gridworld.json

Settings are those of the authors' README, with two exceptions. With up to 64 environments, minibatches of PQN and of
PQN with HER are smaller than the published 256 and 2048, since an update has only 128 and 384 samples. The cloning
weight of Dual LEO (PPO) falls to 0, as in their sweep.
Running success of a goal is their own training metric: how often it was reached when it was the desired goal of an
episode, with exponential forgetting. A goal that was never the desired one counts as 0 in the mean.
XLA computes the gradient of a convolution inside a loop many times slower on a CPU than it could: with
`--convolution product` theirs is the same matrix product of patches, equal up to rounding.
"""

from __future__ import annotations

import argparse
import importlib
import os
import runpy
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
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

FEW_ENVS = 64  # as in _published.py, which needs more packages than there are here
PACKAGES = ("jax", "jaxlib", "flax", "optax", "distrax", "gymnax", "craftax")


@dataclass(frozen=True)
class Method:
    """A row of `METHODS`."""

    script: str  # the authors' module
    state_parts: int  # parts of its `runner_state`, whose last four are success, failure, goals seen, goals completed
    flags: tuple[str, ...] = ()  # what it needs on top of the authors' defaults
    minibatch_sizes: tuple[int, int] | None = None  # up to `FEW_ENVS` environments, and for more


METHODS = {
    "leo": Method("leo", 9),
    "ppo": Method("ppo", 10),
    "pqn": Method("pqn", 9, ("--her_mode", "none"), minibatch_sizes=(64, 256)),
    "pqn-her": Method("pqn", 9, ("--her_mode", "mixed", "--lr", "0.0001"), minibatch_sizes=(128, 2048)),
    "dual-leo-pqn": Method("dual_leo_pqn", 10),
    "dual-leo-ppo": Method("dual_leo_ppo", 11, ("--anneal_bc",)),
}


class _Parsed(Exception):
    """Carries the authors' parsed flags out of their script before it starts to train."""


def authors_flags(args: argparse.Namespace) -> list[str]:
    """Return the flags of their script that our options stand for."""
    flags = ["--env_name", args.env, "--total_timesteps", str(args.total_steps), "--num_envs", str(args.num_envs)]
    flags += ["--seed", str(args.seed), "--network_layer_width", str(args.width), "--no_use_wandb"]
    method = METHODS[args.method]
    flags += method.flags
    if method.minibatch_sizes:
        flags += ["--minibatch_size", str(method.minibatch_sizes[args.num_envs > FEW_ENVS])]
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


def patch_product(maps: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
    """Return the 3x3 convolution (SAME) of maps [B, H, W, C] with a kernel [3, 3, C, F], [B, H, W, F].

    It takes the place of `jax.lax.conv_general_dilated`, of whose arguments theirs are always the same.
    """
    height, width = maps.shape[1:3]
    padded = jnp.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = [padded[:, row : row + height, column : column + width] for row in range(3) for column in range(3)]
    return jnp.concatenate(taps, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


def goal_names(script: ModuleType, config: dict[str, Any]) -> list[str]:
    """Return the names of the G goals, in the order of their counters."""
    _, _, static_env_params = script.create_env(config)
    all_goals = script.create_goal_set_fns(config["ENV_NAME"])[-1]
    names, _ = all_goals(config["ENV_NAME"], static_env_params)
    return [str(name) for name in names]


def goal_counters(
    runner_state: tuple[Any, ...], state_parts: int, num_goals: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return success [G] and failure [G] counts (decayed) and the mask [G] of goals seen so far."""
    if len(runner_state) != state_parts:
        raise SystemExit(f"runner_state has {len(runner_state)} parts, not {state_parts}: another version?")
    success, failure, seen = map(np.asarray, runner_state[-4:-1])
    if not success.shape == failure.shape == seen.shape == (num_goals,) or seen.dtype != bool:
        shapes = [part.shape for part in (success, failure, seen)]
        raise SystemExit(f"counters have shapes {shapes} and mask {seen.dtype}; expected ({num_goals},) and bool")
    return success, failure, seen


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Compile and run their training once, and return what is to be written: settings, metrics and rows."""
    sys.path.insert(0, str(args.checkout))
    method, flags = METHODS[args.method], authors_flags(args)
    config = authors_config(args.checkout / f"{method.script}.py", flags)
    script = importlib.import_module(method.script)
    names = goal_names(script, config)

    # Their key: the second half of the seed's split, so that a seed here is the same run as theirs.
    _, key = jax.random.split(jax.random.PRNGKey(args.seed))
    train = jax.jit(script.make_train(config))  # also fills in the derived settings, such as NUM_UPDATES

    start = time.perf_counter()
    convolution = patch_product if args.convolution == "product" else jax.lax.conv_general_dilated
    with mock.patch.object(jax.lax, "conv_general_dilated", convolution):
        compiled = train.lower(key).compile()
    compile_s = time.perf_counter() - start
    print(f"compiled in {compile_s:.1f} s", flush=True)

    start = time.perf_counter()
    runner_state = jax.block_until_ready(compiled(key))["runner_state"]
    run_s = time.perf_counter() - start

    success, failure, seen = goal_counters(runner_state, method.state_parts, len(names))
    running_success = success / (success + failure + 1e-7)
    steps_run = config["NUM_UPDATES"] * config["NUM_STEPS"] * config["NUM_ENVS"]  # whole updates only
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    columns = {"goal": names, "success_count": success, "failure_count": failure, "running_success": running_success}
    columns = {name: np.asarray(column).tolist() for name, column in (columns | {"seen": seen}).items()}
    return {
        "settings": {
            "method": args.method,
            "env": args.env,
            "steps": args.total_steps,
            "steps_run": steps_run,
            "num_envs": config["NUM_ENVS"],
            "seed": config["SEED"],
            "width": config["NETWORK_LAYER_WIDTH"],
            "convolution": args.convolution,
            "cpus": cpus,
            "authors_command": shlex.join(["python", f"{method.script}.py", *flags]),
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
    parser.add_argument("--checkout", type=Path, metavar="FOLDER", help="Take the authors' scripts from this folder.")
    parser.add_argument("--method", choices=list(METHODS), default="leo", help="Train with this method. (default: leo)")
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
    parser.add_argument(
        "--extra", default="", metavar="FLAGS", help="Pass these further flags, one string, to their script."
    )
    parser.add_argument(
        "--convolution", choices=("published", "product"), default="published",
        help="Compute convolutions as published or as a matrix product of patches. (default: published)",
    )  # fmt: skip
    args = parser.parse_args()
    if args.checkout is None:
        parser.error(
            "--checkout is needed: a folder with the authors' scripts, run with the interpreter of its packages"
        )
    args.checkout = args.checkout.resolve()
    script = f"{METHODS[args.method].script}.py"
    if not (args.checkout / script).is_file():
        parser.error(f"--checkout {args.checkout}: there is no {script}")
    return args


def main() -> None:
    """Print and write what their code does."""
    args = parse_args()
    finish(args, **measure(args), packages=PACKAGES)


if __name__ == "__main__":
    main()
