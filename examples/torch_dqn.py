"""A goal-conditioned DQN in plain PyTorch and Gymnasium that learns about every goal from every step.

The network computes the values of all goals at once, [B, G, A], and every transition trains all of them:
`info["all_goals"]` says which goals hold in the next state, so the agent also learns goals that no episode was given.

    python examples/torch_dqn.py --steps 10000
"""

import argparse

import gymnasium
import numpy as np
import torch
from torch.nn import Flatten, Linear, ReLU, Sequential, Sigmoid, Unflatten
from torch.nn.functional import mse_loss, one_hot

import gc_envs
from gc_envs.evaluation import format_table

NUM_ENVS, BATCH, GAMMA = 16, 256, 0.95
TARGET_INTERVAL = 50  # updates between two copies into the target network


def main(steps: int = 10_000, size: int = 5, seed: int = 0) -> float:
    """Train for `steps` environment steps, print the success table and return the share of goals reached."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # so small a network is fastest on one core
    rng = np.random.default_rng(seed)
    envs = gymnasium.make_vec("gc_envs:GC-Gridworld-v0", num_envs=NUM_ENVS, size=size)
    goals, actions = envs.goals.num_goals, int(envs.single_action_space.n)

    def make_network() -> Sequential:
        layers = Linear(2 * size, 256), ReLU(), Linear(256, goals * actions), Sigmoid(), Unflatten(1, (goals, actions))
        return Sequential(Flatten(), *layers)

    network, target = make_network(), make_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)

    def encode(cells: np.ndarray) -> torch.Tensor:  # row and column [B, 2] -> [B, 2, size]
        return one_hot(torch.as_tensor(cells).long(), size).float()

    def act(observation: dict[str, np.ndarray]) -> np.ndarray:  # greedy for the desired goals: [B]
        with torch.no_grad():
            values = network(encode(observation["observation"])).numpy()
        goal = observation["desired_goal"].argmax(axis=-1)
        return values[np.arange(len(goal)), goal].argmax(axis=-1)

    replay: list[tuple[np.ndarray, ...]] = []  # cell, action, next cell, goals that hold there [G]
    observation, _ = envs.reset(seed=seed)
    resetting = np.zeros(NUM_ENVS, bool)  # where an episode has ended: the next step only resets that environment
    for update in range(max(1, steps // NUM_ENVS)):
        epsilon = max(0.1, 1 - 2 * update * NUM_ENVS / steps)
        random = rng.integers(actions, size=NUM_ENVS)
        action = np.where(rng.random(NUM_ENVS) < epsilon, random, act(observation))
        next_observation, _, terminated, truncated, info = envs.step(action)
        columns = observation["observation"], action, next_observation["observation"], info["all_goals"]["achieved"]
        replay += [row for row, reset in zip(zip(*columns, strict=True), resetting, strict=True) if not reset]
        observation, resetting = next_observation, terminated | truncated

        sample = [replay[i] for i in rng.integers(len(replay), size=BATCH)]
        cell, taken, next_cell, achieved = map(np.stack, zip(*sample, strict=True))
        with torch.no_grad():  # a goal that is reached has value 1 and no future, whatever the desired goal
            future = GAMMA * target(encode(next_cell)).amax(dim=-1)
            values = torch.where(torch.as_tensor(achieved), 1.0, future)  # [B, G]
        loss = mse_loss(network(encode(cell))[np.arange(BATCH), :, taken], values)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if update % TARGET_INTERVAL == 0:
            target.load_state_dict(network.state_dict())

    result = gc_envs.evaluate(act, "GC-Gridworld-v0", env_kwargs={"size": size}, max_steps=30)
    print(format_table(result))
    return result["success"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000, help="environment steps in all")
    parser.add_argument("--size", type=int, default=5, help="rows and columns of the map")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers")
    main(**vars(parser.parse_args()))
