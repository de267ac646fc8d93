"""What goals, dictionaries and true resets cost on Craftax: our vector environment against raw Craftax.

    python benchmarks/craftax_step.py [--num-envs 256] [--rounds 5] [--steps 200] [--json FILE]

Raw Craftax is one jitted vmap of its own step returning state, observation, reward and done, never reset (dead lanes
step on). Ours is `gymnasium.make_vec("GC-Craftax-v0")` with NumPy arrays out: goal dictionary, all-goals information,
a true reset of every lane that ends. Both take the same random actions, in blocks that take turns, after a warm-up.
"""

import functools
from typing import Any

import gymnasium
import jax
import numpy as np
from _common import finish, parser, ratio, take_turns
from craftax.craftax_env import make_craftax_env_from_name

import gc_envs

gymnasium.register_envs(gc_envs)
GAMES = {"GC-Craftax-v0": "Craftax-Symbolic-v1", "GC-Craftax-Classic-v0": "Craftax-Classic-Symbolic-v1"}


def raw_stepper(game: str, num_envs: int, actions: np.ndarray) -> Any:
    """A function that steps raw Craftax with the next rows of `actions` [T, N]."""
    env = make_craftax_env_from_name(game, auto_reset=False)
    params = env.default_params

    @functools.partial(jax.jit, donate_argnums=1)
    def step(key: Any, state: Any, action: Any) -> Any:
        keys = jax.random.split(key, num_envs)
        observation, state, reward, done, _ = jax.vmap(env.step_env, in_axes=(0, 0, 0, None))(
            keys, state, action, params
        )
        return state, observation, reward, done

    state = jax.jit(jax.vmap(env.reset_env, in_axes=(0, None)))(jax.random.split(jax.random.key(0), num_envs), params)[
        1
    ]
    keys = jax.random.split(jax.random.key(1), len(actions))
    at = 0

    def run(steps: int) -> None:
        nonlocal state, at
        for _ in range(steps):
            state, *out = step(keys[at % len(keys)], state, actions[at % len(actions)])
            jax.block_until_ready(out)
            at += 1

    return run


def our_stepper(env_id: str, num_envs: int, actions: np.ndarray, **kwargs: Any) -> Any:
    """A function that steps our vector environment with the next rows of `actions` [T, N]; `ends` counts episodes."""
    envs = gymnasium.make_vec(env_id, num_envs=num_envs, **kwargs)
    envs.reset(seed=0)
    at = 0

    def run(steps: int) -> None:
        nonlocal at
        for _ in range(steps):
            _, _, terminated, truncated, _ = envs.step(actions[at % len(actions)])
            run.ends += int((terminated | truncated).sum())  # type: ignore[attr-defined]
            at += 1

    run.ends = 0  # type: ignore[attr-defined]
    return run


def main() -> None:
    """Prints and writes the ratios."""
    arguments = parser(__doc__)
    arguments.add_argument("--env-id", default="GC-Craftax-v0", choices=list(GAMES))
    arguments.add_argument("--num-envs", type=int, default=256)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--steps", type=int, default=200, help="per block")
    arguments.add_argument("--warmup", type=int, default=300, help="steps before the first block")
    args = arguments.parse_args()
    actions = np.random.default_rng(0).integers(0, 17, (1000, args.num_envs), dtype=np.int32)
    runs = {
        "raw": raw_stepper(GAMES[args.env_id], args.num_envs, actions),
        "ours": our_stepper(args.env_id, args.num_envs, actions),
        "ours_without_all_goals": our_stepper(args.env_id, args.num_envs, actions, all_goals_info=False),
    }
    for run in runs.values():
        run(args.warmup)
    runs["ours"].ends = 0
    times = take_turns({name: functools.partial(run, args.steps) for name, run in runs.items()}, args.rounds)
    steps = args.steps * args.num_envs
    finish(
        args,
        {
            "speed_of_raw_craftax": ratio(times, "ours", "raw"),
            "speed_of_raw_craftax_target": 0.85,
            "all_goals_cost": 1 - ratio(times, "ours", "ours_without_all_goals"),
            "all_goals_cost_target": 0.05,
            "env_id": args.env_id,
            "num_envs": args.num_envs,
            "episodes_ended_per_step": runs["ours"].ends / (args.rounds * args.steps),
            "rows": [{"name": n, "steps_per_s": [round(steps / t) for t in block]} for n, block in times.items()],
        },
    )


if __name__ == "__main__":
    main()
