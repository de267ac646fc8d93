"""Train Stable-Baselines3's agents on the robot tasks, beside what was published about the sources of these tasks.

The comparisons are reach, push, pick_and_place, slide, hand_reach and num_envs. How they are run, stopped and
continued is described in `_runs.py`. The settings are the agents' own defaults for these environments
(`gc_envs/agents/presets.py`). The published figures are read off plots of arXiv 2312.13788, +- 0.02: one environment
and an update for every step there, 32 environments and an update for every eighth step here. `num_envs` compares
numbers of environments and of steps per update by the time that training takes.
"""

from _runs import Comparison, compare

# Exploration as when the committed results were made, before a share of the actions became uniformly random.
NOISE_ALONE = ("--random-share", "0")


def _settings(num_envs: int, steps: int, batch_size: int = 256, normalize: bool = False) -> tuple[str, ...]:
    """Return the settings for one update per `steps` steps of `num_envs` environments."""
    return (
        "her-sac", "--num-envs", str(num_envs), "--gradient-steps", str(num_envs // steps),
        "--batch-size", str(batch_size), "--normalize" if normalize else "--no-normalize",
    )  # fmt: skip


COMPARISONS = {
    "reach": Comparison(
        ("GC-PandaReach-v0",), 20_000, 1000, 5, {"her-sac": ("her-sac",)}, targets={"her-sac": {20_000: 0.98}}
    ),
    "push": Comparison(
        ("GC-PandaPush-v0",), 300_000, 10_000, 2, {"her-sac": ("her-sac",)},
        published={"her-sac": {200_000: 0.90, 300_000: 0.99}}, targets={"her-sac": {300_000: 0.95}},
    ),
    "pick_and_place": Comparison(
        ("GC-PandaPickAndPlace-v0",), 500_000, 20_000, 1, {"her-tqc": ("her-tqc",)},
        published={"her-tqc": {300_000: 0.45, 430_000: 1.0, 500_000: 1.0}},
    ),
    "slide": Comparison(
        ("GC-PandaSlide-v0",), 500_000, 20_000, 1, {"her-sac": ("her-sac",)},
        published={"her-sac": {500_000: 0.60}},  # .85 at a million steps
    ),
    "hand_reach": Comparison(
        ("GC-HandReach-v0", "--env-kwargs", "exclude_achieved=False"), 500_000, 20_000, 1,
        {"baseline": ("her-ddpg", *NOISE_ALONE), "reengage": ("reengage-ddpg", *NOISE_ALONE)}, metric="success_last",
    ),
    "num_envs": Comparison(
        ("GC-PandaReach-v0",), 10_000, 500, 3,
        {
            "1 environment, an update per step": _settings(1, 1),
            "8 environments, one per 2 steps": _settings(8, 2),
            "32 environments, one per 8": _settings(32, 8),
            "32 environments, one per 8, 512, normalized": _settings(32, 8, 512, normalize=True),
        },
        by_minutes=True,
    ),
}  # fmt: skip


if __name__ == "__main__":
    compare(__doc__, "runs/manipulation", COMPARISONS)
