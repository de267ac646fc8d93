"""Evaluate one Craftax agent over its 512 goals, against commanding the goals one environment at a time.

Both run episodes of at most --max-steps steps with the same jitted policy. The rival is the plain Gymnasium loop: one
environment, `reset(options={"goal": ...})`, one goal after another, over --goals evenly spaced ones of the 512 goals,
because all of them would take long. Blocks take turns; the ratio is that of seconds per goal, the median over rounds.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from _common import Parser, finish, metric, ratio, take_turns

from gc_envs.evaluation.evaluate import Evaluator

ENV_ID = "GC-Craftax-v0"
KWARGS = {"observation": "compact"}


def make_policy(num_actions: int) -> Callable[[dict[str, Any]], np.ndarray]:
    """Return a small network with fixed weights that acts on any number of observations."""

    @jax.jit
    def choose(observation: Any) -> jax.Array:
        leaves = [jnp.reshape(leaf, (len(leaf), -1)).astype(jnp.float32) for leaf in jax.tree.leaves(observation)]
        flat = jnp.concatenate(leaves, axis=1)
        return jnp.argmax(flat @ jax.random.normal(jax.random.key(0), (flat.shape[1], num_actions)), axis=1)

    return lambda observation: np.asarray(choose(observation))


def main() -> None:
    """Print and write the ratio."""
    parser = Parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="Let the two take turns this many times. (default: 3)")
    parser.add_argument("--goals", type=int, default=32, help="Command this many goals in the loop. (default: 32)")
    parser.add_argument("--max-steps", type=int, default=512, help="End episodes after this many steps. (default: 512)")
    args = parser.parse_args()
    evaluator = Evaluator(ENV_ID, max_steps=args.max_steps, env_kwargs=KWARGS)
    env = gymnasium.make(ENV_ID, horizon=args.max_steps, **KWARGS)
    policy = make_policy(int(env.action_space.n))
    commanded = np.linspace(0, len(evaluator.goals) - 1, args.goals).astype(int).tolist()
    seeds = evaluator.episode_seeds(0)

    def evaluate() -> None:
        evaluator.run(policy, 0)

    def loop() -> None:
        for goal in commanded:
            observation, _ = env.reset(seed=seeds[goal], options={"goal": goal})
            ended = False
            while not ended:
                batch = jax.tree.map(lambda leaf: np.asarray(leaf)[None], observation)
                observation, _, terminated, truncated, _ = env.step(policy(batch)[0])
                ended = terminated or truncated

    contestants = {"evaluate": evaluate, "loop": loop}
    take_turns(contestants, 1)  # compiles
    times = take_turns(contestants, args.rounds)
    goals = {"evaluate": len(evaluator.goals), "loop": args.goals}
    per_goal = {name: [seconds / goals[name] for seconds in times[name]] for name in times}
    settings = {"env_id": ENV_ID, "env_kwargs": KWARGS, "max_steps": args.max_steps, "goals": goals}
    rows = [{"who": name, "seconds_per_goal": values} for name, values in per_goal.items()]
    finish(args, metrics=[metric("ratio", ratio(per_goal, "evaluate", "loop"), 3.0)], rows=rows, settings=settings)


if __name__ == "__main__":
    main()
