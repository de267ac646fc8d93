"""Count how often random actions move, grasp and lift the cube of GC-PandaPickAndPlace-v0.

The simulator is MuJoCo C. "moved" is the share of episodes of uniformly random actions in which the cube moves by more
than 1 cm. The other two are of states in which open fingers stand around the cube, followed by 20 uniformly random
actions: "grasped" is the share of those after which, at any step, the fingers are as far apart as the cube is wide,
within 4 mm, and the cube is within 2 cm of the point between them; "lifted" is the share of those in which the cube
rises by more than 5 cm. All are counted with finger targets that an action of 1 moves by .02 m and by .1 m, the task's.
"""

import numpy as np
from _common import Parser, finish, metric

from gc_envs.manipulation import panda
from gc_envs.manipulation.c_backend import MujocoSimulator

DISPLACEMENTS = (0.02, panda.FINGER_DISPLACEMENT)  # m per unit of action
WIDTH, CUBE = 6, slice(7, 10)  # places in the observation
CUBE_WIDTH = 0.04  # m
ABOVE = np.float32([0, 0, 0.06])  # m


def make_simulator(num: int, generator: np.random.Generator) -> MujocoSimulator:
    """Return `num` simulations at sampled starts."""
    simulator = MujocoSimulator(panda.PandaTask("pick_and_place", backend="c"), num)
    simulator.reset(np.arange(num), generator.spawn(num))
    return simulator


def random_actions(simulator: MujocoSimulator, steps: int, generator: np.random.Generator) -> np.ndarray:
    """Take uniformly random actions; return the observations before and after them [steps + 1, N, n]."""
    num, seen = simulator.batch.num, [simulator.observe()]
    for _ in range(steps):
        simulator.step(np.arange(num), generator.uniform(-1, 1, (num, 4)).astype(np.float32))
        seen.append(simulator.observe())
    return np.array(seen)


def stand_around_cubes(simulator: MujocoSimulator) -> None:
    """Move open fingers over the cubes and down around them, by scripted actions."""
    num = simulator.batch.num
    for step in range(40):
        seen = simulator.observe()
        target = seen[:, CUBE] + (ABOVE if step < 25 else 0)
        way = (target - seen[:, :3] - 0.02 * seen[:, 3:6]) / panda.TIP_DISPLACEMENT
        simulator.step(np.arange(num), np.column_stack([np.clip(way, -1, 1), np.ones(num)]).astype(np.float32))


def count(displacement: float, num: int, seed: int) -> dict[str, float]:
    """Return the shares of `num` episodes, and of `num` states with open fingers around the cube."""
    panda.FINGER_DISPLACEMENT = displacement
    generator = np.random.default_rng(seed)
    cubes = random_actions(make_simulator(num, generator), panda.PandaTask.horizon, generator)[..., CUBE]
    moved = np.linalg.norm(cubes - cubes[0], axis=-1).max(axis=0) > 0.01
    simulator = make_simulator(num, generator)
    stand_around_cubes(simulator)
    around = simulator.observe()
    ready = (np.linalg.norm(around[:, :3] - around[:, CUBE], axis=1) < 0.01) & (around[:, WIDTH] > 0.06)
    seen = random_actions(simulator, 20, generator)[:, ready]
    heights = seen[..., CUBE.stop - 1] - seen[0, :, CUBE.stop - 1]
    apart = np.linalg.norm(seen[..., :3] - seen[..., CUBE], axis=-1)
    held = (np.abs(seen[..., WIDTH] - CUBE_WIDTH) < 0.004) & (apart < 0.02)
    return {
        "displacement": displacement, "episodes": num, "moved": float(moved.mean()), "states": int(ready.sum()),
        "grasped": float(held.any(axis=0).mean()), "lifted": float((heights.max(axis=0) > 0.05).mean()),
    }  # fmt: skip


def main() -> None:
    """Print and write the counts."""
    parser = Parser(__doc__)
    parser.add_argument("--num", type=int, default=2048, help="Count this many episodes of each kind. (default: 2048)")
    parser.add_argument("--seed", type=int, default=0, help="Sample with this seed. (default: 0)")
    args = parser.parse_args()
    rows = [count(displacement, args.num, args.seed) for displacement in DISPLACEMENTS]
    shares = [metric(name, rows[-1][name], displacement=DISPLACEMENTS[-1]) for name in ("moved", "grasped", "lifted")]
    finish(args, metrics=shares, rows=rows, settings={"env_id": "GC-PandaPickAndPlace-v0", "seed": args.seed})


if __name__ == "__main__":
    main()
