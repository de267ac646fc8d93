"""Measure what goals, dictionaries and true resets cost on Craftax: our vector environment against raw Craftax.

Raw Craftax is one jitted vmap of its own step, which returns state, observation, reward and done and never resets (dead
players go on stepping). Ours is `gymnasium.make_vec("GC-Craftax-v0")` with NumPy arrays out: the goal dictionary,
all-goals information, and a true reset of every environment whose episode ends. Both take the same random actions, in
blocks that take turns, after a warm-up.
"""

import functools
from typing import Any

import gymnasium
import jax
import numpy as np
from _common import Parser, finish, metric, ratio, take_turns
from craftax.craftax_env import make_craftax_env_from_name

import gc_envs

gymnasium.register_envs(gc_envs)
GAMES = {"GC-Craftax-v0": "Craftax-Symbolic-v1", "GC-Craftax-Classic-v0": "Craftax-Classic-Symbolic-v1"}


def raw_stepper(game: str, num_envs: int, actions: np.ndarray) -> Any:
    """Return a function that steps raw Craftax with the next rows of `actions` [T, N]."""
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
    """Return a function that steps our vector environment with the next rows of `actions` [T, N].

    Its attribute `ends` counts the episodes that ended.
    """
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
    """Print and write the ratios."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--env-id", default="GC-Craftax-v0", choices=list(GAMES), help="Measure this id. (default: GC-Craftax-v0)"
    )
    parser.add_argument("--num-envs", type=int, default=256, help="Step this many environments. (default: 256)")
    parser.add_argument("--rounds", type=int, default=5, help="Give every contestant this many turns. (default: 5)")
    parser.add_argument("--steps", type=int, default=200, help="Step this often in a turn. (default: 200)")
    parser.add_argument("--warmup", type=int, default=300, help="Step this often before the first turn. (default: 300)")
    args = parser.parse_args()
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
        metrics=[
            metric("speed_of_raw_craftax", ratio(times, "ours", "raw"), 0.85),
            metric("all_goals_cost", 1 - ratio(times, "ours", "ours_without_all_goals"), 0.05),
            metric("episodes_ended_per_step", runs["ours"].ends / (args.rounds * args.steps)),
        ],
        rows=[{"name": n, "steps_per_s": [round(steps / t) for t in block]} for n, block in times.items()],
        settings={"env_id": args.env_id, "num_envs": args.num_envs},
    )


if __name__ == "__main__":
    main()
