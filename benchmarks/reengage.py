"""Compare ReenGAGE with its baseline, and both with the published curves.

The comparisons are seek5, seek10, seek20 (ContinuousSeek), bitflip20, bitflip40 (BitFlip), drive20 and noisy20 (sets of
points). How they are run, stopped and continued is described in `_runs.py`. The settings are published ones, rows of
gc_envs/agents/presets.py. The published figures are read off plots of arXiv 2208.13298 (figures 2 and 4), +- 0.02.
`drive20` and `noisy20` are smaller than published (20 points instead of 200, encoder 64-64 instead of 400-400, batch 64
instead of 256), so that they have none.
"""

from typing import Any

from _runs import Comparison, compare

SMALL_SETS = ("--batch-size", "64", "--encoder-width", "64")
PAPER = ("--preset", "paper")
FIGURE = ("--preset", "figure-2")


def _seek(dim: int, steps: int, seeds: int, baseline_preset: tuple[str, str], **published: Any) -> Comparison:
    agents = {"baseline": ("her-ddpg", *baseline_preset), "reengage": ("reengage-ddpg", *PAPER)}
    return Comparison(
        ("GC-ContinuousSeek-v0", "--env-kwargs", f"dim={dim}"), steps, 2000, seeds, agents, published=published
    )


def _points(env_id: str) -> Comparison:
    flags = ("multi-reengage", *PAPER, *SMALL_SETS)
    agents = {"baseline": (*flags, "--alpha", "0"), "reengage": flags}
    return Comparison((env_id, "--env-kwargs", "max_goals=20"), 40_000, 4000, 3, agents, metric="return")


def _bitflip(bits: int) -> Comparison:
    agents = {"baseline": ("her-dqn", *PAPER), "reengage": ("reengage-dqn", *PAPER)}
    return Comparison(("GC-BitFlip-v0", "--env-kwargs", f"bits={bits}"), 100_000, 2000, 3, agents)


COMPARISONS = {
    "seek5": _seek(5, 12_000, 5, PAPER, baseline={12_000: 0.98}, reengage={12_000: 1.0}),
    "seek10": _seek(
        10, 50_000, 5, FIGURE, baseline={10_000: 0.48, 50_000: 0.82}, reengage={10_000: 0.83, 50_000: 0.95}
    ),
    "seek20": _seek(20, 150_000, 3, FIGURE, baseline={150_000: 0.27}, reengage={150_000: 0.73}),
    "bitflip20": _bitflip(20),
    "bitflip40": _bitflip(40),
    "drive20": _points("GC-DriveSeek-v0"),
    "noisy20": _points("GC-NoisySeek-v0"),
}


if __name__ == "__main__":
    compare(__doc__, "runs/reengage", COMPARISONS)
