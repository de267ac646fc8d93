"""Stable-Baselines3's DQN with hindsight on many Gridworld environments at once.

`SB3VecEnv` makes any vector environment one of SB3's. `AchievedGoalHerReplayBuffer` is SB3's `HerReplayBuffer` for
finite goal sets: it commands one of the goals that a later state achieved, and relabels `done` with the reward, because
here reaching the goal ends the episode. SB3's own would command every goal of that state at once (on Craftax, several)
and keep the old `done`.

    pip install "gc_envs[sb3]" && python examples/sb3_her.py --steps 3000
"""

import argparse

import gymnasium
import torch
from stable_baselines3 import DQN

import gc_envs
from gc_envs.evaluation import format_table
from gc_envs.wrappers import AchievedGoalHerReplayBuffer, SB3VecEnv


def main(steps: int = 3_000, size: int = 5, seed: int = 0, num_envs: int = 8) -> float:
    """Train for `steps` steps in all, print the success table and return the share of goals that are reached."""
    torch.set_num_threads(1)  # so small a network is fastest on one core
    envs = gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=num_envs, size=size, horizon=20)
    model = DQN(
        "MultiInputPolicy",
        SB3VecEnv(envs),
        replay_buffer_class=AchievedGoalHerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4, "goal_selection_strategy": "future"},
        learning_rate=1e-3,
        learning_starts=200,  # at least one whole episode: hindsight needs its later steps
        train_freq=1,
        gradient_steps=-1,  # as many updates as steps
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
    parser.add_argument("--steps", type=int, default=3_000)
    parser.add_argument("--size", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-envs", type=int, default=8)
    main(**vars(parser.parse_args()))
