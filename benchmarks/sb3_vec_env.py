"""Measure what Stable-Baselines3 gains by stepping all environments together: `SB3VecEnv` against `DummyVecEnv`.

`SB3VecEnv` wraps `gymnasium.make_vec("GC-ContinuousSeek-v0")`; `DummyVecEnv` steps as many single environments of
`gymnasium.make("GC-ContinuousSeek-v0")` one after the other. The bare vector environment (SAME_STEP, no all-goals
information, as the bridge has it) shows what the bridge itself costs. All take the same random actions, in blocks that
take turns, after a warm-up in which everything is compiled (once: the single environments share a compile cache).
"""

import functools
import tempfile
from collections.abc import Callable
from typing import Any

import gymnasium
import jax
import numpy as np
from _common import Parser, finish, metric, ratio, take_turns
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import DummyVecEnv

import gc_envs
from gc_envs.wrappers import SB3VecEnv

gymnasium.register_envs(gc_envs)
ENV_ID = "GC-ContinuousSeek-v0"


def stepper(envs: Any, actions: np.ndarray) -> Callable[[int], None]:
    """Return a function that steps `envs` with the next rows of `actions` [T, N, dim]."""
    envs.reset()
    at = 0

    def run(steps: int) -> None:
        nonlocal at
        for _ in range(steps):
            envs.step(actions[at % len(actions)])
            at += 1

    return run


def main() -> None:
    """Print and write the ratios."""
    parser = Parser(__doc__)
    parser.add_argument("--num-envs", type=int, default=256, help="Step this many environments. (default: 256)")
    parser.add_argument("--dim", type=int, default=10, help="Give the box this many dimensions. (default: 10)")
    parser.add_argument("--rounds", type=int, default=5, help="Give every contestant this many turns. (default: 5)")
    parser.add_argument(
        "--steps", type=int, default=300, help="Step the vector environments this often in a turn. (default: 300)"
    )
    parser.add_argument(
        "--dummy-steps", type=int, default=30, help="Step DummyVecEnv this often in a turn. (default: 30)"
    )
    args = parser.parse_args()
    count, kwargs = args.num_envs, {"dim": args.dim}
    actions = np.random.default_rng(0).uniform(-1, 1, (100, count, args.dim)).astype(np.float32)
    make_vec = functools.partial(gymnasium.make_vec, ENV_ID, num_envs=count, **kwargs)
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        runs = {
            "SB3VecEnv": stepper(SB3VecEnv(make_vec()), actions),
            "bare": stepper(make_vec(autoreset_mode=AutoresetMode.SAME_STEP, all_goals_info=False), actions),
            "DummyVecEnv": stepper(DummyVecEnv([lambda: gymnasium.make(ENV_ID, **kwargs)] * count), actions),
        }
        for run in runs.values():
            run(11)  # past the end of an episode
    block = {"SB3VecEnv": args.steps, "bare": args.steps, "DummyVecEnv": args.dummy_steps}
    times = take_turns({name: functools.partial(run, block[name]) for name, run in runs.items()}, args.rounds)
    per_step = {name: [t / block[name] for t in seconds] for name, seconds in times.items()}
    finish(
        args,
        metrics=[
            metric("speedup", ratio(per_step, "SB3VecEnv", "DummyVecEnv"), 20.0),
            metric("bridge_cost", 1 - ratio(per_step, "SB3VecEnv", "bare")),
        ],
        rows=[{"name": n, "steps_per_s": [round(count / t) for t in seconds]} for n, seconds in per_step.items()],
        settings={"env_id": ENV_ID, "dim": args.dim, "num_envs": count},
    )


if __name__ == "__main__":
    main()
