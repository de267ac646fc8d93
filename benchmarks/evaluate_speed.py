"""Evaluate one Craftax agent over its 512 goals, against commanding the goals one environment at a time.

Both run episodes of at most --max-steps steps with the same jitted policy. The rival is the plain Gymnasium loop: one
environment, `reset(options={"goal": ...})`, one goal after another, over --goals of the 512 goals, because all of them
would take an hour. Blocks take turns; the ratio is that of environment steps per second, the median over rounds.
"""

import statistics
import time
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from _common import Parser, finish, metric

from gc_envs.evaluation.evaluate import Evaluator

ENV_ID = "GC-Craftax-v0"
KWARGS = {"observation": "compact"}


class Counting:
    """A small network with fixed weights that acts on any number of observations, and counts them."""

    def __init__(self, num_actions: int) -> None:
        self.steps = 0

        def act(observation: Any) -> jax.Array:
            leaves = [
                jnp.reshape(leaf, (leaf.shape[0], -1)).astype(jnp.float32) for leaf in jax.tree.leaves(observation)
            ]
            flat = jnp.concatenate(leaves, axis=1)
            weights = jax.random.normal(jax.random.key(0), (flat.shape[1], num_actions))
            return jnp.argmax(flat @ weights, axis=1)

        self._act = jax.jit(act)

    def __call__(self, observation: dict[str, Any]) -> np.ndarray:
        """Return actions [N]."""
        actions = np.asarray(self._act(observation))
        self.steps += len(actions)
        return actions


def main() -> None:
    """Print and write the ratio."""
    parser = Parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="Let the two take turns this many times. (default: 3)")
    parser.add_argument("--goals", type=int, default=8, help="Command this many goals in the loop. (default: 8)")
    parser.add_argument("--max-steps", type=int, default=512, help="End episodes after this many steps. (default: 512)")
    args = parser.parse_args()
    evaluator = Evaluator(ENV_ID, max_steps=args.max_steps, env_kwargs=KWARGS)
    env = gymnasium.make(ENV_ID, horizon=args.max_steps, **KWARGS)
    policy = Counting(int(env.action_space.n))
    commanded = np.linspace(0, len(evaluator.goals) - 1, args.goals).astype(int).tolist()

    def suite() -> int:
        before = policy.steps
        evaluator.run(policy, 0)
        return policy.steps - before

    def loop() -> int:
        before = policy.steps
        for goal in commanded:
            observation, _ = env.reset(seed=0, options={"goal": goal})
            ended = False
            while not ended:
                batch = jax.tree.map(lambda leaf: np.asarray(leaf)[None], observation)
                observation, _, terminated, truncated, _ = env.step(policy(batch)[0])
                ended = terminated or truncated
        return policy.steps - before

    contestants = {"evaluate": suite, "loop": loop}
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(-1, args.rounds):  # the first round compiles and is not counted
        for name, block in contestants.items():
            start = time.perf_counter()
            steps = block()
            seconds = time.perf_counter() - start
            print(f"{name}: {steps:,} steps in {seconds:.1f} s", flush=True)
            if round_ >= 0:
                rates[name].append(steps / seconds)
    ratio = statistics.median(a / b for a, b in zip(rates["evaluate"], rates["loop"], strict=True))
    settings = {"env_id": ENV_ID, "env_kwargs": KWARGS, "max_steps": args.max_steps, "goals_in_loop": args.goals}
    rows = [{"who": name, "steps_per_s": values} for name, values in rates.items()]
    finish(args, metrics=[metric("ratio", ratio, 3.0)], rows=rows, settings=settings)


if __name__ == "__main__":
    main()
