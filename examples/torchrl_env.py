"""TorchRL's GymWrapper around one environment and around many, with the all-goals information as tensors.

    pip install torchrl && python examples/torchrl_env.py --steps 100

Tried with torchrl 0.14.1 and torch 2.13. TorchRL takes vector environments whose autoreset is DISABLED (it refuses
NEXT_STEP; its SAME_STEP path does not read dictionary observations), and info only through a reader that names it.
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
    """Copies `is_success` and which goals hold into the tensordict: bool [N] and bool [N, G]."""

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
    """`env`, single or vector, as a TorchRL environment that passes TorchRL's own checks."""
    wrapped = GymWrapper(env).set_info_dict_reader(AllGoalsReader(num_goals, batch))
    check_env_specs(wrapped)
    wrapped.set_seed(0)
    return wrapped


def main(steps: int = 100, lanes: int = 8, size: int = 5) -> int:
    """Roll out random actions in one environment and in `lanes`; return how many episodes reached their goal."""
    torch.manual_seed(0)
    single = gymnasium.make("GC-Gridworld-v0", size=size)
    rollout = wrap(single, single.unwrapped.goals.num_goals).rollout(steps)
    print(f"one environment: {rollout.shape[0]} steps, goals held: {int(rollout['next', 'goals_achieved'].sum())}")

    envs = gymnasium.make_vec(
        "GC-Gridworld-v0", num_envs=lanes, size=size, horizon=30, autoreset_mode=AutoresetMode.DISABLED
    )
    batch = wrap(envs, envs.goals.num_goals, (lanes,)).rollout(steps, break_when_any_done=False)  # [lanes, steps]
    after = batch["next"]
    # Relabelling on torch tensors, any batch shape: the reward under the goal that the last step achieved.
    desired = after["achieved_goal"][:, -1:].expand_as(after["achieved_goal"])
    relabelled = envs.compute_reward(after["achieved_goal"], desired)
    print(f"{lanes} environments: {int(after['done'].sum())} episodes, {int(after['is_success'].sum())} goals reached")
    print(f"reward {float(after['reward'].sum()):.0f} as commanded, {float(relabelled.sum()):.0f} relabelled")
    return int(after["is_success"].sum())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--size", type=int, default=5)
    main(**vars(parser.parse_args()))
