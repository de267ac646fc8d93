"""A task as pure functions: a random rollout of many lanes in one jitted function, with all goals judged on every step.

python examples/pure_jax.py --steps 200 --lanes 64
"""

import argparse

import jax
import jax.numpy as jnp

from gc_envs import make_task


def main(steps: int = 200, lanes: int = 64, env_id: str = "GC-Gridworld-v0", seed: int = 0) -> float:
    """Print the goals that random play reaches most and least often; return the share of goals reached at all."""
    task = make_task(env_id)

    def rollout(key: jax.Array) -> jax.Array:
        """How many of `steps` random steps of one lane end where each goal holds: int32 [G]."""
        reset_key, steps_key = jax.random.split(key)

        def step(state, key):
            action_key, step_key = jax.random.split(key)
            action = jax.random.randint(action_key, (), 0, task.action_space.n)
            state = task.step(step_key, state, action)
            return state, task.achieved(state)  # bool [G]

        # Nothing here ends an episode: `task.terminated(state)` says where a world is over, and the clock is yours.
        _, achieved = jax.lax.scan(step, task.reset(reset_key), jax.random.split(steps_key, steps))
        return achieved.sum(axis=0)

    @jax.jit
    def count(key: jax.Array) -> jax.Array:  # [G], over all lanes
        return jax.vmap(rollout)(jax.random.split(key, lanes)).sum(axis=0)

    visits = count(jax.random.key(seed))
    order = jnp.argsort(-visits)
    for index in [*order[:3].tolist(), *order[-3:].tolist()]:
        print(f"{task.goals.names[index]:<30} held after {int(visits[index]):>6} of {steps * lanes} steps")

    # The goal space works on the same arrays: one commanded goal per lane, any batch shape, inside or outside jit.
    achieved = jax.vmap(lambda key: task.achieved(task.reset(key)))(jax.random.split(jax.random.key(1), lanes))
    desired = jnp.broadcast_to(task.goals.encode(task.goals.names[-1]), (lanes, task.goals.num_goals))
    assert task.goals.reward(achieved, desired).shape == (lanes,)
    reached = int((visits > 0).sum()) / task.goals.num_goals
    print(f"reached {reached:.0%} of {task.goals.num_goals} goals")
    return reached


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--env-id", default="GC-Gridworld-v0")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
