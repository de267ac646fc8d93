"""Named settings: what differs from a learner's own defaults, per agent, preset and environment family or id.

The most specific row wins: an id before its family, a family before "*".
"""

from typing import Any

from gc_envs.registration import get_row

PRESETS: dict[tuple[str, str, str], dict[str, Any]] = {
    # A grid needs a small network, and a discount low enough that one step more or less shows in the values; short
    # rollouts make many updates of few steps, each of which carries values one step further.
    ("leo", "default", "gridworld"): {
        "total_steps": 500_000,
        "rollout_steps": 8,
        "minibatch_size": 128,
        "learning_rate": 3e-3,
        "gamma": 0.9,
        "width": 128,
        "depth": 2,
    },
    ("leo", "default", "*"): {},
    # Published size (arXiv 2605.23551, table of hyperparameters).
    ("leo", "paper", "gridworld"): {"num_envs": 1024, "total_steps": 10_000_000, "one_hot": False},
    ("leo", "paper", "*"): {"num_envs": 1024, "total_steps": 1_000_000_000},
}


def preset(agent: str, name: str, env_id: str) -> dict[str, Any]:
    """The settings of preset `name`.

    Raises:
        ValueError: when there is no such preset for this agent and id, listing those there are.
    """
    for scope in (env_id, get_row(env_id).family, "*"):
        if (agent, name, scope) in PRESETS:
            return PRESETS[agent, name, scope]
    known = sorted({preset for owner, preset, _ in PRESETS if owner == agent})
    raise ValueError(f"{agent} has no preset {name!r} for {env_id}; presets of {agent}: {', '.join(known)}")
