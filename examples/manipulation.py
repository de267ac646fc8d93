"""A robot task two ways: as a vector environment on MuJoCo C, and as pure functions inside one jitted program.

python examples/manipulation.py --steps 20 --num-envs 64
"""

import argparse

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

import gc_envs

ENV_ID, TIP_DISPLACEMENT = "GC-PandaReach-v0", 0.05  # m, by which an action of 1 moves the end-effector's target


def straight(position, goal):
    """Return actions [..., 3] that lead from the end-effector's `position` to `goal`, [..., 3] each, NumPy or JAX."""
    return ((goal - position) / TIP_DISPLACEMENT).clip(-1, 1)


def on_threads(steps: int, num_envs: int, seed: int) -> float:
    """Return the success rate after `steps` steps of the vector environment; no JAX is involved."""
    envs = gymnasium.make_vec(ENV_ID, num_envs=num_envs, backend="c", horizon=steps)
    observation, _ = envs.reset(seed=seed)
    for _ in range(steps):
        action = straight(observation["achieved_goal"], observation["desired_goal"])
        observation, _, _, _, info = envs.step(action)
    return float(np.mean(info["is_success"]))


def inside_jit(steps: int, num_envs: int, seed: int, backend: str) -> float:
    """Return the same rate, computed by one compiled program; with backend="c" a step is one call to MuJoCo for all."""
    task = gc_envs.make_task(ENV_ID, backend=backend)

    def episode(key: jax.Array) -> jax.Array:
        start_key, goal_key, steps_key = jax.random.split(key, 3)
        state = task.reset(start_key)
        goal = task.sample_goal(goal_key, state, task.achieved(state))

        def step(state, key):
            return task.step(key, state, straight(task.achieved(state), goal)), None

        state, _ = jax.lax.scan(step, state, jax.random.split(steps_key, steps))
        return task.goals.success(task.achieved(state), goal)

    program = jax.jit(jax.vmap(episode), compiler_options=task.compiler_options)  # which MJX needs on a CPU
    return float(jnp.mean(program(jax.random.split(jax.random.key(seed), num_envs))))


def main(steps: int = 20, num_envs: int = 64, backend: str = "c", seed: int = 0) -> tuple[float, float]:
    """Print and return the success rates in the environment and inside `jit`."""
    rates = on_threads(steps, num_envs, seed), inside_jit(steps, num_envs, seed, backend)
    print(f"at the goal after {steps} steps: {rates[0]:.0%} in the environment, {rates[1]:.0%} inside jit ({backend})")
    return rates


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="steps of an episode")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--backend", default="c", help="physics backend inside jit: c, mjx or warp")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
