"""A robot task two ways: as a vector environment on MuJoCo C, and as pure functions inside one jitted program.

python examples/manipulation.py --steps 20 --lanes 64
"""

import argparse

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

import gc_envs

ENV_ID, STRIDE = "GC-PandaReach-v0", 0.05  # m, what an action of 1 moves the end-effector's target by


def straight(place, goal):
    """Actions [..., 3] that lead from the end-effector's `place` [..., 3] to `goal` [..., 3]; NumPy or JAX."""
    return ((goal - place) / STRIDE).clip(-1, 1)


def on_threads(steps: int, lanes: int, seed: int) -> float:
    """Share of lanes at their goal after `steps` steps of the environment; no JAX is involved."""
    envs = gymnasium.make_vec(ENV_ID, num_envs=lanes, backend="c", horizon=steps)
    observation, _ = envs.reset(seed=seed)
    for _ in range(steps):
        action = straight(observation["achieved_goal"], observation["desired_goal"])
        observation, _, _, _, info = envs.step(action)
    return float(np.mean(info["is_success"]))


def inside_jit(steps: int, lanes: int, seed: int, backend: str) -> float:
    """The same share, by one compiled program; with backend="c" it calls MuJoCo once a step, for all lanes."""
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
    return float(jnp.mean(program(jax.random.split(jax.random.key(seed), lanes))))


def main(steps: int = 20, lanes: int = 64, backend: str = "c", seed: int = 0) -> tuple[float, float]:
    """Print and return the share of lanes that reach their goal, in the environment and inside `jit`."""
    shares = on_threads(steps, lanes, seed), inside_jit(steps, lanes, seed, backend)
    print(
        f"at the goal after {steps} steps: {shares[0]:.0%} in the environment, {shares[1]:.0%} inside jit ({backend})"
    )
    return shares


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="of an episode")
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--backend", default="c", help="inside jit: c, mjx or warp")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
