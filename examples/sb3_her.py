"""Stable-Baselines3's DQN with its own HerReplayBuffer on one Gridworld environment.

HerReplayBuffer commands, in hindsight, the *achieved goal* of a later step. In a finite goal set that is a multi-hot
vector, "all goals that hold there". On Gridworld exactly one goal holds in every state, so the vector is one-hot and a
legal command; on Craftax several hold at once and this buffer would command goals that the environment never does.

SB3 does not relabel `done`. With on_success="continue" reaching a goal does not end the episode, so real and relabelled
transitions mean the same.

    pip install "gc_envs[sb3]" && python examples/sb3_her.py --steps 8000
"""

import argparse

import gymnasium
import torch
from stable_baselines3 import DQN, HerReplayBuffer

import gc_envs
from gc_envs.evaluation import format_table


def main(steps: int = 8_000, size: int = 5, seed: int = 0) -> float:
    """Train for `steps` environment steps, print the success table and return the share of goals reached."""
    torch.set_num_threads(1)  # so small a network is fastest on one core
    env = gymnasium.make("gc_envs:GC-Gridworld-v0", size=size, horizon=20, on_success="continue")
    model = DQN(
        "MultiInputPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4, "goal_selection_strategy": "future"},
        learning_rate=1e-3,
        learning_starts=200,  # at least one whole episode: HER needs its later steps
        train_freq=2,
        batch_size=128,
        gamma=0.9,
        exploration_fraction=0.5,
        target_update_interval=200,
        seed=seed,
        device="cpu",
    )
    model.learn(steps)
    # `evaluate` takes an SB3 model as it is, and calls model.predict(observation, deterministic=True).
    result = gc_envs.evaluate(model, "GC-Gridworld-v0", env_kwargs={"size": size}, max_steps=20)
    print(format_table(result))
    return result["success"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--size", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
