"""ReenGAGE beside its baseline, and both beside the published curves.

    python benchmarks/reengage.py seek5|seek10|seek20|bitflip20|bitflip40|drive20|noisy20 [--seeds N] [--jobs 2]
                                  [--runs FOLDER] [--json FILE]

What it runs, and how it is stopped and resumed: `_runs.py`.

The published figures are read off plots of arXiv 2208.13298 (figures 2 and 4), +- 0.02. `drive20` and `noisy20` are
smaller than published (20 points instead of 200, encoder 64-64 instead of 400-400, batch 64 instead of 256), so they
have none.
"""

from typing import Any

from _runs import Comparison, compare

SMALL_SETS = ("--batch-size", "64", "--encoder-width", "64")


def _seek(
    dim: int, steps: int, seeds: int, batch: int, rates: tuple[float, float], alpha: float, **published: Any
) -> Comparison:
    def flags(rate: float) -> tuple[str, ...]:
        return ("--batch-size", str(batch), "--learning-rate", str(rate))

    agents = {
        "baseline": ("her-ddpg", *flags(rates[0])),
        "reengage": ("reengage-ddpg", *flags(rates[1]), "--alpha", str(alpha)),
    }
    return Comparison(
        ("GC-ContinuousSeek-v0", "--env-kwargs", f"dim={dim}"), steps, 2000, seeds, agents, published=published
    )


def _points(env_id: str, noise: float, alpha: float) -> Comparison:
    flags = ("multi-reengage", *SMALL_SETS, "--action-noise", str(noise))
    agents = {"baseline": (*flags, "--alpha", "0"), "reengage": (*flags, "--alpha", str(alpha))}
    return Comparison((env_id, "--env-kwargs", "max_goals=20"), 40_000, 4000, 3, agents, metric="return")


def _bitflip(bits: int) -> Comparison:
    flags = ("--batch-size", "128", "--learning-rate", "0.001", "--depth", "1", "--gamma", "0.98")
    agents = {
        "baseline": ("her-dqn", *flags),
        "reengage": ("reengage-dqn", *flags, "--alpha", "0.5", "--temperature", "0.5"),
    }
    return Comparison(("GC-BitFlip-v0", "--env-kwargs", f"bits={bits}"), 100_000, 2000, 3, agents)


COMPARISONS = {
    "seek5": _seek(5, 12_000, 5, 512, (0.001, 0.0015), 0.1, baseline={12_000: 0.98}, reengage={12_000: 1.0}),
    "seek10": _seek(
        10, 50_000, 5, 512, (0.001, 0.001), 0.2,
        baseline={10_000: 0.48, 50_000: 0.82}, reengage={10_000: 0.83, 50_000: 0.95},
    ),
    "seek20": _seek(20, 150_000, 3, 128, (0.0005, 0.0005), 0.2, baseline={150_000: 0.27}, reengage={150_000: 0.73}),
    "bitflip20": _bitflip(20),
    "bitflip40": _bitflip(40),
    "drive20": _points("GC-DriveSeek-v0", 0.05, 20.0),
    "noisy20": _points("GC-NoisySeek-v0", 0.1, 100.0),
}  # fmt: skip


if __name__ == "__main__":
    compare(__doc__, "runs/reengage", COMPARISONS)
