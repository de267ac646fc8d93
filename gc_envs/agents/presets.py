"""Named settings per agent, environment and environment arguments, as differences from the agent's own defaults.

Of the rows that fit, the most specific one is used: an id before its family, a family before "*", and more environment
arguments before fewer.
"""

import inspect
from dataclasses import dataclass, field
from typing import Any

from gc_envs.registration import get_row, task_class


@dataclass(frozen=True)
class Preset:
    """A row of `PRESETS`."""

    agent: str  # a name in `LEARNERS`
    name: str  # "default" is used unless another is asked for
    scope: str  # an environment id, a family, or "*" for every environment
    settings: dict[str, Any]  # fields of the agent's config
    env_kwargs: dict[str, Any] = field(default_factory=dict)  # environment arguments that it is for

    def __str__(self) -> str:
        """Return the environments that it is for."""
        return " ".join([self.scope, *(f"{name}={value}" for name, value in self.env_kwargs.items())])


def _seek(
    agent: str, dim: int, steps: int, batch_size: int, learning_rate: float, *, name: str = "paper", **settings: Any
) -> Preset:
    """Return a row of "Best" settings for ContinuousSeek (arXiv 2208.13298, appendix, table 2)."""
    chosen = {"total_steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, **settings}
    return Preset(agent, name, "GC-ContinuousSeek-v0", chosen, {"dim": dim})


# Many environments, and an update of a large batch for every eighth step.
ROBOT = {
    "total_steps": 300_000, "num_envs": 32, "gradient_steps": 4, "learning_starts": 3_200, "batch_size": 512,
    "depth": 3, "tau": 0.02, "normalize": True,
}  # fmt: skip
# Exploration by policies without randomness, as in OpenAI Baselines' code of Hindsight Experience Replay.
EXPLORING = {"action_noise": 0.2, "random_share": 0.3}
ROBOTS = {
    **dict.fromkeys(("her-ddpg", "her-td3", "reengage-ddpg", "reengage-td3"), ROBOT | EXPLORING),
    **dict.fromkeys(("her-sac", "her-tqc", "reengage-sac"), ROBOT),
}
# After the code of Hindsight Experience Replay: few updates for each step, each of a large batch. With many more
# updates, all actions saturate at the ends of their range; with target networks that follow ten times as fast,
# ReenGAGE hardly learns.
HAND = {
    "total_steps": 500_000, "num_envs": 64, "gradient_steps": 2, "learning_starts": 9_600, "batch_size": 1024,
    "depth": 3, "gamma": 0.98, "normalize": True, "action_l2": 1.0, "clip_values": True, **EXPLORING,
}  # fmt: skip
# A grid needs a small network, and a discount low enough that one step more or less shows in the values. Short rollouts
# make many updates of few steps, each of which propagates values one step further; PQN, which learns of one goal from
# each step, needs the returns of whole rollouts.
SMALL = {
    "total_steps": 500_000, "rollout_steps": 8, "minibatch_size": 128, "learning_rate": 3e-3, "gamma": 0.9,
    "width": 128, "depth": 2,
}  # fmt: skip
SMALL_PPO = {
    "total_steps": 500_000, "rollout_steps": 32, "minibatch_size": 256, "learning_rate": 1e-3, "gamma": 0.95,
    "width": 128, "epochs": 2,
}  # fmt: skip
GRID: dict[str, dict[str, Any]] = {
    "leo": SMALL,
    "pqn": SMALL | {"rollout_steps": 32, "td_lambda": 0.9, "epochs": 2},
    "pqn-her": SMALL | {"minibatch_size": 256, "epochs": 2, "random_share": 0.5},
    "ppo": SMALL_PPO | {"epochs": 4},
    "dual-leo-pqn": SMALL,
    "dual-leo-ppo": SMALL_PPO | {"teacher_minibatch_size": 128, "teacher_depth": 2},
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "leo": {},
    "pqn": {"minibatch_size": 256},
    "pqn-her": {"minibatch_size": 2048},
    "ppo": {},
    "dual-leo-pqn": {},
    "dual-leo-ppo": {},
}
# What reaches the published success in the fewest steps: benchmarks/half_the_steps.py says what each of them gives.
BEST: dict[str, dict[str, Any]] = {
    "GC-Gridworld-v0": SMALL,
    "GC-Craftax-Classic-v0": {"learning_rate": 3e-4, "gamma": 0.98, "td_lambda": 0.9},
}
PUBLISHED_RUNS: dict[str, dict[str, Any]] = {
    "gridworld": {"total_steps": 10_000_000, "one_hot": False},
    "craftax": {"total_steps": 1_000_000_000},
}
BITFLIP = {"total_steps": 100_000, "batch_size": 128, "learning_rate": 0.001, "depth": 1, "gamma": 0.98}
PRESETS = (
    *(Preset(agent, "default", "gridworld", settings) for agent, settings in GRID.items()),
    *(Preset(agent, "default", "manipulation", settings) for agent, settings in ROBOTS.items()),
    *(
        Preset(agent, "default", "GC-PandaReach-v0", settings | {"total_steps": 20_000})
        for agent, settings in ROBOTS.items()
    ),
    Preset("her-ddpg", "default", "GC-HandReach-v0", HAND),
    Preset("reengage-ddpg", "default", "GC-HandReach-v0", HAND | {"alpha": 2e-5}),
    # Published sizes (arXiv 2605.23551, table of hyperparameters); what is not named here is the agents' default.
    *(
        Preset(agent, "paper", scope, {"num_envs": 1024, **run, **settings})
        for scope, run in PUBLISHED_RUNS.items()
        for agent, settings in PUBLISHED.items()
    ),
    *(Preset("leo", "best", scope, settings) for scope, settings in BEST.items()),
    _seek("her-ddpg", 5, 12_000, 512, 0.001),
    _seek("her-ddpg", 10, 50_000, 256, 0.0005),
    _seek("her-ddpg", 20, 400_000, 256, 0.0005),
    # Figure 2 there shows the baseline with the settings of ReenGAGE.
    _seek("her-ddpg", 10, 50_000, 512, 0.001, name="figure-2"),
    _seek("her-ddpg", 20, 400_000, 128, 0.0005, name="figure-2"),
    _seek("reengage-ddpg", 5, 12_000, 512, 0.0015, alpha=0.1),
    _seek("reengage-ddpg", 10, 50_000, 512, 0.001, alpha=0.2),
    _seek("reengage-ddpg", 20, 400_000, 128, 0.0005, alpha=0.2),
    _seek("her-sac", 10, 50_000, 1024, 0.0015),
    _seek("reengage-sac", 10, 50_000, 1024, 0.0025, alpha=0.1),
    # Appendix, "ReenGAGE for Discrete Actions", which takes from HER what it does not say (arXiv 1707.01495).
    Preset("her-dqn", "paper", "GC-BitFlip-v0", BITFLIP),
    Preset("reengage-dqn", "paper", "GC-BitFlip-v0", BITFLIP | {"alpha": 0.5, "temperature": 0.5}),
    # Table 4 there; alpha as in figure 4.
    Preset("multi-reengage", "paper", "GC-DriveSeek-v0", {"total_steps": 160_000}),
    Preset("multi-reengage", "paper", "GC-NoisySeek-v0", {"total_steps": 160_000, "alpha": 100.0, "action_noise": 0.1}),
)  # fmt: skip


def preset(agent: str, name: str, env_id: str, env_kwargs: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings of a preset, fields of the agent's config.

    Args:
        agent: A name in `LEARNERS`.
        name: Name of the preset; "default" always exists and may be empty.
        env_id: A registered environment id.
        env_kwargs: Arguments of the environment that differ from its defaults.

    Raises:
        ValueError: There is no such preset for these; the message lists those there are.
    """
    row = get_row(env_id)
    parameters = inspect.signature(task_class(row)).parameters
    actual = {key: p.default for key, p in parameters.items()} | row.kwargs | (env_kwargs or {})
    scopes = ("*", row.family, row.id)
    mine = [p for p in PRESETS if p.agent == agent and p.name == name]
    fitting = [p for p in mine if p.scope in scopes and p.env_kwargs.items() <= actual.items()]
    if fitting:
        return max(fitting, key=lambda p: (scopes.index(p.scope), len(p.env_kwargs))).settings
    if name == "default":
        return {}
    known = sorted({p.name for p in PRESETS if p.agent == agent} | {"default"})
    has = f"it has one for {', '.join(map(str, mine))}" if mine else f"presets of {agent}: {', '.join(known)}"
    asked = " ".join([env_id, *(f"{key}={value}" for key, value in (env_kwargs or {}).items())])
    raise ValueError(f"{agent} has no preset {name!r} for {asked}; {has}")
