"""Evaluate an agent of your own: any function from a batch of observations to a batch of actions.

python examples/own_agent.py --steps 60 --json result.json
"""

import argparse

import numpy as np

import gc_envs
from gc_envs.evaluation import format_table, save_json


class Compass:
    """An agent that walks towards the desired cell, with random moves that lead it past some of the walls."""

    def __init__(self, size: int, noise: float = 0.3, seed: int = 0) -> None:
        self.cells = gc_envs.make_task("GC-Gridworld-v0", size=size).cells  # [G, 2], the cell of every goal
        self.noise, self.rng = noise, np.random.default_rng(seed)

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Return actions [B] for observations with a leading [B]; 0, 1, 2, 3 are left, right, up, down."""
        goal = observation["desired_goal"].argmax(axis=-1)
        rows, columns = (self.cells[goal] - observation["observation"]).T
        towards = np.where(
            np.abs(columns) > np.abs(rows), np.where(columns < 0, 0, 1), np.where(rows < 0, 2, 3)
        )  # along the longer distance first
        random = self.rng.integers(4, size=len(goal))
        return np.where(self.rng.random(len(goal)) < self.noise, random, towards)


def main(steps: int = 60, size: int = 12, json: str | None = None) -> float:
    """Run 5 episodes of every goal, print the success table and return the mean success."""
    result = gc_envs.evaluate(
        Compass(size), "GC-Gridworld-v0", env_kwargs={"size": size}, episodes_per_goal=5, max_steps=steps, seed=0
    )
    print(format_table(result))
    hardest = sorted(result["per_goal"], key=result["per_goal"].__getitem__)[:3]
    print("hardest goals:", ", ".join(hardest))
    if json is not None:
        save_json(result, json)
    return result["success"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60, help="largest number of steps of an episode")
    parser.add_argument("--size", type=int, default=12, help="rows and columns of the map")
    parser.add_argument("--json", help="file to which the result is written")
    main(**vars(parser.parse_args()))
