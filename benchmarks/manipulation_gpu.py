"""Measure environment steps per second of a robot task in many environments, on each installed physics backend.

What is measured is one jitted scan of environments with random actions, which are reset at the end of their episodes.
An environment step gives the goal dictionary and all-goals information. On a GPU, "c" is MuJoCo C on the processor
beside it, through a callback. Compile times are given too. Environments begin at random times of an episode, so that
resets are spread.
"""

import contextlib
import functools
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
from _common import Parser, finish, metric

import gc_envs
from gc_envs.core.episode import OnSuccess
from gc_envs.core.func_env import FuncGoalEnv
from gc_envs.manipulation.backends import resolve


def measure(env_id: str, backend: str, num_envs: int, steps: int, rounds: int) -> dict[str, Any]:
    """Return steps/s of `rounds` blocks of `steps` steps, and seconds to compile."""
    task: Any = gc_envs.make_task(env_id, backend=backend)
    env = FuncGoalEnv(task, task.horizon, OnSuccess.parse(task.on_success))
    low, high = task.action_space.low, task.action_space.high

    def step(states, key):
        action = jax.random.uniform(key, (num_envs, *low.shape), minval=low, maxval=high)
        states, outcome = jax.vmap(env.step)(states, action)
        states, _ = env.reset_where(states, outcome.done)
        seen = jax.vmap(env.observe)(states), env.all_goals(states), outcome
        return states, sum(jnp.sum(x.astype(jnp.float32)) for x in jax.tree.leaves(seen))

    @functools.partial(jax.jit, compiler_options=task.compiler_options)
    def rollout(states, key):
        states, seen = jax.lax.scan(step, states, jax.random.split(key, steps))
        return states, jnp.sum(seen)

    @functools.partial(jax.jit, compiler_options=task.compiler_options)
    def start(key):
        lane_key, clock_key = jax.random.split(key)
        states = jax.vmap(env.reset)(jax.random.key_data(jax.random.split(lane_key, num_envs)))
        clock = jax.random.randint(clock_key, (num_envs,), 0, task.horizon, jnp.int32)
        return states._replace(episode=states.episode._replace(clock=clock))

    began = time.perf_counter()
    states = start(jax.random.key(0))
    states, seen = rollout(states, jax.random.key(1))
    jax.block_until_ready(seen)
    first = time.perf_counter() - began
    seconds = []
    for number in range(rounds):
        began = time.perf_counter()
        states, seen = rollout(states, jax.random.key(2 + number))
        jax.block_until_ready(seen)
        seconds.append(time.perf_counter() - began)
    return {
        "backend": backend,
        "num_envs": num_envs,
        "steps_per_s": [round(num_envs * steps / s) for s in seconds],
        "compile_s": round(first - statistics.median(seconds), 1),
        "finite": bool(jnp.isfinite(seen)),
    }


def main() -> None:
    """Print and write a row per backend and number of environments."""
    parser = Parser(__doc__)
    parser.add_argument("--env-id", default="GC-PandaPush-v0", help="Measure this id. (default: GC-PandaPush-v0)")
    parser.add_argument(
        "--num-envs", type=int, nargs="+", default=[1, 64, 1024, 4096, 8192],
        help="Measure with these numbers of environments. (default: 1 64 1024 4096 8192)",
    )  # fmt: skip
    parser.add_argument(
        "--backends", nargs="+", choices=["mjx", "warp", "c"], default=installed_backends(),
        help="Measure these physics backends; by default, those that are installed.",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=50, help="Step this often in a turn. (default: 50)")
    parser.add_argument("--rounds", type=int, default=3, help="Take this many turns. (default: 3)")
    args = parser.parse_args()
    rows = []
    for backend in args.backends:
        for num_envs in args.num_envs:
            rows.append(measure(args.env_id, backend, num_envs, args.steps, args.rounds))
            print(rows[-1], flush=True)
    speeds = {
        backend: max(statistics.median(row["steps_per_s"]) for row in rows if row["backend"] == backend)
        for backend in args.backends
    }
    metrics = [metric("best_steps_per_s", speed, backend=backend) for backend, speed in speeds.items()]
    finish(args, metrics=metrics, rows=rows, settings={"env_id": args.env_id})


def installed_backends() -> list[str]:
    """Return the physics backends that are installed, those inside JAX first."""
    found = []
    for backend in ("mjx", "warp", "c"):
        with contextlib.suppress(ModuleNotFoundError):
            found.append(resolve(backend))
    return found


if __name__ == "__main__":
    main()
