"""Environment steps per second of a robot task with many environments, on each physics backend that is installed.

    python benchmarks/manipulation_gpu.py [--env-id GC-PandaPush-v0] [--num-envs 1 64 1024 4096 8192]
                                          [--backends mjx warp c] [--steps 50] [--rounds 3] [--json FILE]

What is measured is one jitted scan of environments with random actions, which are reset at the end of their episodes.
An environment step gives the goal dictionary and all-goals information. On a GPU, "c" is MuJoCo C on the processor
beside it, through a callback. Compile times are given too. Environments begin at random times of an episode, so that
resets are spread.
"""

import functools
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
from _common import finish, parser

import gc_envs
from gc_envs.core.episode import OnSuccess
from gc_envs.core.func_env import FuncGoalEnv, default_pool


def measure(env_id: str, backend: str, num_envs: int, steps: int, rounds: int) -> dict[str, Any]:
    """Return steps/s of `rounds` blocks of `steps` steps, and seconds to compile."""
    task: Any = gc_envs.make_task(env_id, backend=backend)
    env = FuncGoalEnv(task, task.horizon, OnSuccess.parse(task.on_success), default_pool(num_envs))
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
    arguments = parser(__doc__)
    arguments.add_argument("--env-id", default="GC-PandaPush-v0")
    arguments.add_argument("--num-envs", type=int, nargs="+", default=[1, 64, 1024, 4096, 8192])
    arguments.add_argument("--backends", nargs="+", default=["mjx", "warp", "c"])
    arguments.add_argument("--steps", type=int, default=50, help="steps per block")
    arguments.add_argument("--rounds", type=int, default=3)
    args = arguments.parse_args()
    rows = []
    for backend in args.backends:
        for num_envs in args.num_envs:
            rows.append(measure(args.env_id, backend, num_envs, args.steps, args.rounds))
            print(rows[-1], flush=True)
    best = {backend: max(statistics.median(r["steps_per_s"]) for r in rows if r["backend"] == backend)
            for backend in args.backends}  # fmt: skip
    finish(args, {"env_id": args.env_id, "best_steps_per_s": best, "rows": rows})


if __name__ == "__main__":
    main()
