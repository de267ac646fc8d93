"""RLlib's PPO on a grid: `FlattenGoal` makes the goal dictionary one vector, which its default models take.

    pip install . "ray[rllib]" torch && python examples/rllib_ppo.py --steps 2000

Tested with ray 2.60.0, which asks for gymnasium 1.2.2: use an environment of its own, without constraints.txt.
"""

import argparse
from typing import Any

import gymnasium
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune.registry import register_env

import gc_envs  # noqa: F401  (registers the ids)
from gc_envs.wrappers import FlattenGoal


def make_env(config: dict[str, Any]) -> gymnasium.Env:
    """Return the environment, as RLlib asks for it in each of its workers."""
    return FlattenGoal(gymnasium.make("GC-Gridworld-v0", all_goals_info=False, **config))


def main(steps: int = 2000, size: int = 5) -> int:
    """Train for at least `steps` steps on a grid of `size` x `size` cells, and return how many there were."""
    register_env("grid", make_env)
    config = (
        PPOConfig()
        .environment("grid", env_config={"size": size, "horizon": 20})
        .env_runners(num_env_runners=0)
        .training(train_batch_size_per_learner=500, minibatch_size=100, num_epochs=4)
    )
    algorithm = config.build_algo()
    taken = 0
    while taken < steps:
        result = algorithm.train()["env_runners"]
        taken = int(result["num_env_steps_sampled_lifetime"])
        print(f"{taken} steps, mean return {result['episode_return_mean']:.2f}")
    algorithm.stop()
    return taken


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="environment steps to train for")
    parser.add_argument("--size", type=int, default=5, help="rows and columns of the grid")
    arguments = parser.parse_args()
    main(arguments.steps, arguments.size)
