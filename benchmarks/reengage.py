"""ReenGAGE beside its baseline, and both beside the published curves.

    python benchmarks/reengage.py seek5|seek10|seek20|bitflip20|drive20|noisy20 [--seeds N] [--jobs 2] [--runs FOLDER]
                                  [--json FILE]

Every seed of both agents is a `gc-envs train` of its own (printed, so that one can be repeated alone) with one thread
of torch; `--jobs` of them run at a time. Runs that exist are resumed, finished ones only read, so the measurement can
be stopped at any time and goes on. Beside the JSON lies the figure: mean and range over seeds.

The published figures are read off plots of arXiv 2208.13298 (figures 2 and 4), +- 0.02. `drive20` and `noisy20` are
smaller than published (20 points instead of 200, encoder 64-64 instead of 400-400, batch 64 instead of 256), so they
have none.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _common import finish, parser

SMALL_SETS = ("--batch-size", "64", "--encoder-width", "64")


@dataclass(frozen=True)
class Comparison:
    """One environment, the two agents with their flags, and what was published about them."""

    env: tuple[str, ...]  # id and arguments
    steps: int
    every: int  # steps between evaluations
    seeds: int
    baseline: tuple[str, ...]
    reengage: tuple[str, ...]
    metric: str = "success"
    published: dict[str, dict[int, float]] = field(default_factory=dict)  # agent -> step -> value


def _seek(
    dim: int, steps: int, seeds: int, batch: int, rates: tuple[float, float], alpha: float, **published: Any
) -> Any:
    def flags(rate: float) -> tuple[str, ...]:
        return ("--batch-size", str(batch), "--learning-rate", str(rate))

    return Comparison(
        ("GC-ContinuousSeek-v0", "--env-kwargs", f"dim={dim}"), steps, 2000, seeds,
        ("her-ddpg", *flags(rates[0])), ("reengage-ddpg", *flags(rates[1]), "--alpha", str(alpha)), published=published,
    )  # fmt: skip


def _points(env_id: str, noise: float, alpha: float) -> Comparison:
    flags = ("multi-reengage", *SMALL_SETS, "--action-noise", str(noise))
    return Comparison(
        (env_id, "--env-kwargs", "max_goals=20"), 40_000, 4000, 3, (*flags, "--alpha", "0"),
        (*flags, "--alpha", str(alpha)), metric="return",
    )  # fmt: skip


BITFLIP = ("--batch-size", "128", "--learning-rate", "0.001", "--depth", "1", "--gamma", "0.98")
COMPARISONS = {
    "seek5": _seek(5, 12_000, 5, 512, (0.001, 0.0015), 0.1, baseline={12_000: 0.98}, reengage={12_000: 1.0}),
    "seek10": _seek(
        10, 50_000, 5, 512, (0.001, 0.001), 0.2,
        baseline={10_000: 0.48, 50_000: 0.82}, reengage={10_000: 0.83, 50_000: 0.95},
    ),
    "seek20": _seek(20, 150_000, 3, 128, (0.0005, 0.0005), 0.2, baseline={150_000: 0.27}, reengage={150_000: 0.73}),
    "bitflip20": Comparison(
        ("GC-BitFlip-v0", "--env-kwargs", "bits=20"), 100_000, 2000, 3,
        ("her-dqn", *BITFLIP), ("reengage-dqn", *BITFLIP, "--alpha", "0.5", "--temperature", "0.5"),
    ),
    "drive20": _points("GC-DriveSeek-v0", 0.05, 20.0),
    "noisy20": _points("GC-NoisySeek-v0", 0.1, 100.0),
}  # fmt: skip
AGENTS = ("baseline", "reengage")


def command(comparison: Comparison, agent: str, seed: int, folder: Path) -> list[str]:
    """The `gc-envs` command of one run."""
    name, *flags = getattr(comparison, agent)
    steps = ["--total-steps", str(comparison.steps), "--evaluations", str(comparison.steps // comparison.every)]
    return ["gc-envs", "train", name, *comparison.env, *flags, *steps, "--seed", str(seed), "--run-dir", str(folder)]


def run(words: list[str], folder: Path) -> dict[int, dict[str, float]]:
    """Train to the end, resuming if it was begun; the evaluations by step."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".log").open("a") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
        program = [sys.executable, "-m", "gc_envs.cli", *words[1:], "--resume"]
        done = subprocess.run(program, stdout=log, stderr=log, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed; see {folder.with_suffix('.log')}")
    print("done:", *words, flush=True)
    with (folder / "evaluations.csv").open() as file:
        return {int(row["step"]): {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)}


def summary(comparison: Comparison, curves: dict[str, list[dict[int, dict[str, float]]]]) -> dict[str, Any]:
    """Means at the published steps (or at a quarter and at the end), and the curves of all seeds."""
    steps = sorted(curves["baseline"][0])
    values = {
        agent: [[curve[step][comparison.metric] for step in steps] for curve in curves[agent]] for agent in AGENTS
    }
    at = sorted(comparison.published.get("baseline", {})) or [steps[len(steps) // 4], steps[-1]]
    result: dict[str, Any] = {"metric": comparison.metric}
    for step in at:
        mean = {a: statistics.mean(curve[steps.index(step)] for curve in values[a]) for a in AGENTS}
        for agent in AGENTS:
            result[f"{agent}_{step}"] = mean[agent]
            if agent in comparison.published:
                result[f"{agent}_{step}_published"] = comparison.published[agent][step]
        result[f"ahead_{step}"] = mean["reengage"] - mean["baseline"]
        result[f"ahead_{step}_target"] = 0.0
    return {**result, "rows": [{"agent": agent, "steps": steps, "seeds": values[agent]} for agent in AGENTS]}


def draw(comparison: Comparison, result: dict[str, Any], path: Path) -> None:
    """Mean and range over seeds of both agents, and the published points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    for row, colour in zip(result["rows"], ("#9aa3b2", "#2b6cc4"), strict=True):
        agent, columns = row["agent"], list(zip(*row["seeds"], strict=True))
        label = f"{getattr(comparison, agent)[0]} ({agent}, {len(row['seeds'])} seeds)"
        axes.plot(row["steps"], [statistics.mean(c) for c in columns], color=colour, label=label)
        axes.fill_between(row["steps"], list(map(min, columns)), list(map(max, columns)), color=colour, alpha=0.2)
        published = comparison.published.get(agent, {})
        if published:
            axes.plot(*zip(*published.items(), strict=True), "x", color=colour, markersize=9, label="published")
    axes.set(
        xlabel="environment steps", ylabel=f"{comparison.metric}, 100 drawn goals", title=", ".join(comparison.env[::2])
    )
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Runs, prints and writes one comparison."""
    arguments = parser(__doc__)
    arguments.add_argument("name", choices=list(COMPARISONS))
    arguments.add_argument("--seeds", type=int, help="how many (default: the comparison's own)")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    arguments.add_argument("--runs", type=Path, default=Path("runs/reengage"), help="where the run folders are kept")
    args: argparse.Namespace = arguments.parse_args()
    comparison = COMPARISONS[args.name]
    jobs = [(agent, seed) for seed in range(args.seeds or comparison.seeds) for agent in AGENTS]

    def train(job: tuple[str, int]) -> dict[int, dict[str, float]]:
        folder = args.runs / args.name / f"{job[0]}-{job[1]}"
        return run(command(comparison, *job, folder), folder)

    with ThreadPoolExecutor(args.jobs) as pool:
        curves = dict(zip(jobs, pool.map(train, jobs), strict=True))
    by_agent = {agent: [curves[job] for job in jobs if job[0] == agent] for agent in AGENTS}
    result = summary(comparison, by_agent)
    commands = {agent: " ".join(command(comparison, agent, 0, Path(f"runs/{agent}-0"))) for agent in AGENTS}
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        draw(comparison, result, args.json.with_suffix(".png"))
    finish(args, {**result, "seeds": len(by_agent["baseline"]), "commands": commands})


if __name__ == "__main__":
    main()
