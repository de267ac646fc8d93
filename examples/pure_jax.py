"""A task as pure functions: random rollouts of many environments in one jitted function that evaluates all goals.

python examples/pure_jax.py --steps 200 --num-envs 64
"""

import argparse

import jax
import jax.numpy as jnp

from gc_envs import make_task


def main(steps: int = 200, num_envs: int = 64, env_id: str = "GC-Gridworld-v0", seed: int = 0) -> float:
    """Print the goals that random play reaches most and least often; return the share of goals reached at all."""
    task = make_task(env_id)

    def rollout(key: jax.Array) -> jax.Array:
        """Return after how many of `steps` random steps of one environment each goal holds, int32 [G]."""
        reset_key, steps_key = jax.random.split(key)

        def step(state, key):
            action_key, step_key = jax.random.split(key)
            action = jax.random.randint(action_key, (), 0, task.action_space.n)
            state = task.step(step_key, state, action)
            return state, task.achieved(state)  # bool [G]

        # No episode ends here: the caller decides when, by `task.terminated(state)` and its own count of steps.
        _, achieved = jax.lax.scan(step, task.reset(reset_key), jax.random.split(steps_key, steps))
        return achieved.sum(axis=0)

    @jax.jit
    def count(key: jax.Array) -> jax.Array:  # [G], summed over the environments
        return jax.vmap(rollout)(jax.random.split(key, num_envs)).sum(axis=0)

    visits = count(jax.random.key(seed))
    order = jnp.argsort(-visits)
    for index in [*order[:3].tolist(), *order[-3:].tolist()]:
        print(f"{task.goals.names[index]:<30} held after {int(visits[index]):>6} of {steps * num_envs} steps")

    # The goal space works on the same arrays: one desired goal per environment, any batch shape, inside or outside jit.
    achieved = jax.vmap(lambda key: task.achieved(task.reset(key)))(jax.random.split(jax.random.key(1), num_envs))
    desired = jnp.broadcast_to(task.goals.encode(task.goals.names[-1]), (num_envs, task.goals.num_goals))
    assert task.goals.reward(achieved, desired).shape == (num_envs,)
    reached = int((visits > 0).sum()) / task.goals.num_goals
    print(f"reached {reached:.0%} of {task.goals.num_goals} goals")
    return reached


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200, help="steps of every environment")
    parser.add_argument("--num-envs", type=int, default=64, help="number of environments")
    parser.add_argument("--env-id", default="GC-Gridworld-v0", help="an id with discrete actions and a finite goal set")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers")
    main(**vars(parser.parse_args()))
