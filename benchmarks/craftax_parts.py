"""Measure where a Craftax step spends its time.

Every part is one jitted function over a batch of states. The parts take turns, so that a noisy machine disturbs all
of them alike. The table shows the median of the turns in milliseconds per call, and the seconds it took to compile.
"""

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from _common import Parser, finish

from gc_envs.craftax.observation import compact, make_one_hot_spec, one_hot, symbolic
from gc_envs.craftax.task import CraftaxTask

RESETS = (1, 4, 16)


def make_parts(task: CraftaxTask, num_envs: int, pixels: bool) -> dict[str, Callable[[], Any]]:
    """Return the functions to time, each a call without arguments."""
    variant, game = task.variant, task.variant.game
    keys = jax.random.split(jax.random.key(0), num_envs)
    step = jax.jit(jax.vmap(task.step))
    states = jax.jit(jax.vmap(task.reset))(keys[:16])
    states = jax.tree.map(lambda x: jnp.tile(x, (num_envs // 16, *[1] * (x.ndim - 1))), states)
    actions = jax.random.randint(jax.random.key(1), (num_envs,), 0, variant.num_actions)
    for _ in range(30):  # away from the start, with mobs about
        states = step(keys, states, actions)

    def batched(function: Callable[[Any], Any]) -> Callable[[], Any]:
        return functools.partial(jax.jit(jax.vmap(function)), states)

    def step_and_render(key: Any, state: Any, action: Any) -> tuple[Any, Any]:
        state = task.step(key, state, action)
        return state, game.render_symbolic(state)

    donated = jax.jit(jax.vmap(task.step), donate_argnums=1)
    carried = jax.tree.map(jnp.copy, states)

    def step_donated() -> Any:
        nonlocal carried
        carried = donated(keys, carried, actions)
        return carried

    fresh = jax.tree.map(lambda x: x[: RESETS[1]], states)
    write = jax.jit(
        lambda states, fresh: jax.tree.map(lambda x, y: x.at[: RESETS[1]].set(y), states, fresh), donate_argnums=0
    )
    written = jax.tree.map(jnp.copy, states)

    def write_donated() -> Any:
        nonlocal written
        written = write(written, fresh)
        return written

    parts = {
        "step": functools.partial(step, keys, states, actions),
        "step, state donated": step_donated,
        "step + Craftax's symbolic": functools.partial(jax.jit(jax.vmap(step_and_render)), keys, states, actions),
        "Craftax's symbolic": batched(game.render_symbolic),
        "symbolic": batched(functools.partial(symbolic, variant)),
        "compact": batched(functools.partial(compact, variant)),
        "achieved": batched(task.achieved),
        "compact + achieved": batched(lambda state: (compact(variant, state), task.achieved(state))),
        "one_hot of compact": functools.partial(
            jax.jit(functools.partial(one_hot, make_one_hot_spec(variant))),
            jax.jit(jax.vmap(functools.partial(compact, variant)))(states),
        ),
        "terminated": batched(task.terminated),
        "select states by mask": functools.partial(jax.jit(select), actions > 0, states, states),
        f"write {RESETS[1]} states, donated": write_donated,
    }
    for count in RESETS:
        parts[f"reset of {count}"] = functools.partial(jax.jit(jax.vmap(task.reset)), keys[:count])
    if pixels:
        parts["pixels"] = batched(CraftaxTask(variant.name, "pixels").observe)
    return parts


def select(mask: Any, one: Any, two: Any) -> Any:
    """Return `one` where `mask` [N] and `two` elsewhere: what an autoreset that selects whole states costs."""
    return jax.tree.map(lambda x, y: jnp.where(mask.reshape(-1, *[1] * (x.ndim - 1)), x, y), one, two)


def measure(parts: dict[str, Callable[[], Any]], seconds: float) -> dict[str, tuple[float, float]]:
    """Return the median milliseconds per call and the seconds of the first call of each part, in `seconds` of turns."""
    first, times = {}, {name: [] for name in parts}
    for name, part in parts.items():
        first[name] = timed(part)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["step"]) < 5:
        for name, part in parts.items():
            times[name].append(timed(part))
    return {name: (1e3 * statistics.median(times[name]), first[name]) for name in parts}


def timed(part: Callable[[], Any]) -> float:
    """Return the seconds of one call, until it is finished on the device."""
    start = time.perf_counter()
    jax.block_until_ready(part())
    return time.perf_counter() - start


def main() -> None:
    """Print one table per variant and number of environments."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--variant", nargs="+", default=["full", "classic"], choices=["full", "classic"],
        help="Measure these variants of Craftax. (default: both)",
    )  # fmt: skip
    parser.add_argument(
        "--num-envs", nargs="+", type=int, default=[64, 256],
        help="Measure with these numbers of environments, multiples of 16. (default: 64 256)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=15.0, help="Measure for this many seconds per table. (default: 15)"
    )
    parser.add_argument("--pixels", action="store_true", help="Measure the pixel observation, too.")
    args = parser.parse_args()
    rows = []
    for variant in args.variant:
        for num_envs in args.num_envs:
            results = measure(make_parts(CraftaxTask(variant), num_envs, args.pixels), args.seconds)
            print(f"\n{variant}, {num_envs} environments on {jax.devices()[0].device_kind}")
            print(f"{'part':28} {'ms':>9} {'us/env':>9} {'compile s':>10}")
            for name, (milliseconds, compile_s) in results.items():
                batch = int(name.split()[-1]) if name.startswith("reset") else num_envs
                print(f"{name:28} {milliseconds:9.2f} {1e3 * milliseconds / batch:9.1f} {compile_s:10.1f}")
                row = {"variant": variant, "num_envs": num_envs, "part": name, "batch": batch}
                rows.append({**row, "ms": milliseconds, "compile_s": compile_s})
    finish(args, rows=rows, settings={"seconds": args.seconds})


if __name__ == "__main__":
    main()
