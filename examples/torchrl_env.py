"""TorchRL's GymWrapper around one environment and around many, with the all-goals information as tensors.

    pip install torchrl && python examples/torchrl_env.py --steps 100

Tested with torchrl 0.14.1 and torch 2.13. TorchRL takes vector environments whose autoreset is DISABLED (it refuses
NEXT_STEP, and its SAME_STEP path does not read dictionary observations), and infos only through a reader.
"""

import argparse
from typing import Any

import gymnasium
import torch
from gymnasium.vector import AutoresetMode
from torchrl.data import Composite, Unbounded
from torchrl.envs import GymWrapper, check_env_specs
from torchrl.envs.gym_like import BaseInfoDictReader

import gc_envs  # noqa: F401  (registers the ids)


class AllGoalsReader(BaseInfoDictReader):
    """A reader that copies `is_success` and which goals hold into the tensordict, bool [N] and bool [N, G]."""

    def __init__(self, num_goals: int, batch: tuple[int, ...] = ()) -> None:
        self._spec = Composite(
            is_success=Unbounded(batch, dtype=torch.bool),
            goals_achieved=Unbounded((*batch, num_goals), dtype=torch.bool),
            shape=batch,
        )

    @property
    def info_spec(self) -> Composite:
        return self._spec

    def __call__(self, info: dict[str, Any], tensordict: Any) -> Any:
        tensordict.set("is_success", torch.as_tensor(info["is_success"]))
        tensordict.set("goals_achieved", torch.as_tensor(info["all_goals"]["achieved"]))
        return tensordict


def wrap(env: Any, num_goals: int, batch: tuple[int, ...] = ()) -> GymWrapper:
    """Return `env`, single or vector, as a TorchRL environment that passes TorchRL's own checks."""
    wrapped = GymWrapper(env).set_info_dict_reader(AllGoalsReader(num_goals, batch))
    check_env_specs(wrapped)
    wrapped.set_seed(0)
    return wrapped


def main(steps: int = 100, num_envs: int = 8, size: int = 5) -> int:
    """Roll out random actions in one environment and in `num_envs`; return how many episodes reached their goal."""
    torch.manual_seed(0)
    single = gymnasium.make("GC-Gridworld-v0", size=size)
    rollout = wrap(single, single.unwrapped.goals.num_goals).rollout(steps)
    print(f"one environment: {rollout.shape[0]} steps, goals held: {int(rollout['next', 'goals_achieved'].sum())}")

    envs = gymnasium.make_vec(
        "GC-Gridworld-v0", num_envs=num_envs, size=size, horizon=30, autoreset_mode=AutoresetMode.DISABLED
    )
    batch = wrap(envs, envs.goals.num_goals, (num_envs,)).rollout(steps, break_when_any_done=False)  # [num_envs, steps]
    after = batch["next"]
    # Relabelling on torch tensors, any batch shape: the reward under the goal that the last step achieved.
    desired = after["achieved_goal"][:, -1:].expand_as(after["achieved_goal"])
    relabelled = envs.compute_reward(after["achieved_goal"], desired)
    successes = int(after["is_success"].sum())
    print(f"{num_envs} environments: {int(after['done'].sum())} episodes, {successes} goals reached")
    print(f"reward {float(after['reward'].sum()):.0f} for desired goals, {float(relabelled.sum()):.0f} relabelled")
    return successes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help="steps of every environment")
    parser.add_argument("--num-envs", type=int, default=8, help="number of environments of the vector environment")
    parser.add_argument("--size", type=int, default=5, help="rows and columns of the map")
    main(**vars(parser.parse_args()))
