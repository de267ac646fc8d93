"""Comparisons of training runs: which agents with which flags, over seeds, beside what was published.

Every seed of every agent is a `gc-envs train` of its own (its command is printed and kept in the result) with one
thread of torch; `--jobs` of them run at a time. Runs that exist are resumed and finished ones only read, so that a
comparison can be stopped at any time and continued. The figure is written beside the JSON file and is drawn from that
file alone: the mean and the range over seeds.
"""

import csv
import os
import shlex
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _common import Parser, finish, metric

COLOURS = ("#9aa3b2", "#2b6cc4", "#d9822b", "#3d9a6d", "#8e5bb5")


@dataclass(frozen=True)
class Comparison:
    """One environment and the agents that learn in it.

    Attributes:
        env: The id and the flags that give its arguments.
        steps: Environment steps of a run.
        every: Environment steps between evaluations.
        seeds: How many seeds each agent is trained with.
        agents: What an agent is called here -> its name and flags for `gc-envs train`.
        metric: The column of evaluations.csv to compare.
        published: What an agent is called here -> step -> published value.
        targets: What an agent is called here -> step -> value to reach.
        by_minutes: Whether the figure has the minutes of training on its x axis instead of steps.
    """

    env: tuple[str, ...]
    steps: int
    every: int
    seeds: int
    agents: dict[str, tuple[str, ...]]
    metric: str = "success"
    published: dict[str, dict[int, float]] = field(default_factory=dict)
    targets: dict[str, dict[int, float]] = field(default_factory=dict)
    by_minutes: bool = False


def command(comparison: Comparison, agent: str, seed: int, folder: Path) -> list[str]:
    """Return the `gc-envs` command of one run."""
    name, *flags = comparison.agents[agent]
    steps = ["--total-steps", str(comparison.steps), "--evaluations", str(comparison.steps // comparison.every)]
    return ["gc-envs", "train", name, *comparison.env, *flags, *steps, "--seed", str(seed), "--run-dir", str(folder)]


def run(words: list[str], folder: Path) -> dict[int, dict[str, float]]:
    """Train to the end, or continue a run that was started.

    Returns:
        The rows of evaluations.csv by step, each with the minutes of training up to it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".log").open("a") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
        program = [sys.executable, "-m", "gc_envs.cli", *words[1:], "--resume"]
        done = subprocess.run(program, stdout=log, stderr=log, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{shlex.join(words)} failed; see {folder.with_suffix('.log')}")
    print("done:", shlex.join(words), flush=True)
    evaluations, metrics = (_read(folder / f"{name}.csv") for name in ("evaluations", "metrics"))
    steps = np.array([0.0, *(row["step"] for row in metrics)])
    clock = np.cumsum([0.0, *np.diff(steps) / [60 * row["steps_per_s"] for row in metrics]])
    return {int(row["step"]): {**row, "minutes": float(np.interp(row["step"], steps, clock))} for row in evaluations}


def _read(path: Path) -> list[dict[str, float]]:
    with path.open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


Curve = dict[int, dict[str, float]]  # step -> a row of evaluations.csv with the minutes of training


def summarize(comparison: Comparison, curves: dict[str, list[Curve]]) -> tuple[list[Any], list[Any]]:
    """Return metrics and rows.

    The metrics of an agent are its minutes of training and its mean at the published steps and targets, or else at a
    quarter of the steps and at the end. A row has the curves of all seeds of an agent.
    """
    metrics, rows = [], []
    for agent, seeds in curves.items():
        steps = sorted(seeds[0])
        values, minutes = (
            [[curve[s][key] for s in steps] for curve in seeds] for key in (comparison.metric, "minutes")
        )
        run_command = shlex.join(command(comparison, agent, 0, Path(f"runs/{agent}-0")))
        rows.append({"agent": agent, "command": run_command, "steps": steps, "values": values, "minutes": minutes})
        metrics.append(metric("minutes", statistics.mean(clock[-1] for clock in minutes), agent=agent))
        published, targets = (table.get(agent, {}) for table in (comparison.published, comparison.targets))
        for step in sorted({*published, *targets}) or [steps[len(steps) // 4], steps[-1]]:
            nearest = steps.index(min(steps, key=lambda s: abs(s - step)))  # whole rollouts may end a few steps later
            mean = statistics.mean(curve[nearest] for curve in values)
            of = {"agent": agent, "step": step, "published": published.get(step)}
            metrics.append(metric(comparison.metric, mean, targets.get(step), **of))
    return metrics, rows


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw the mean and the range over seeds of all agents of a result, and the published points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    rows, settings = result["rows"], result["settings"]
    colours = COLOURS[1:2] if len(rows) == 1 else COLOURS[: len(rows)]
    for row, colour in zip(rows, colours, strict=True):
        agent, columns = row["agent"], list(zip(*row["values"], strict=True))
        name, count = shlex.split(row["command"])[2], len(row["values"])
        called = agent if agent == name else f"{name} ({agent})"
        label = f"{called}, {count} seed{'s' if count > 1 else ''}"
        at = np.mean(row["minutes"], axis=0) if settings["x_axis"] == "minutes" else row["steps"]
        axes.plot(at, [statistics.mean(c) for c in columns], color=colour, label=label)
        axes.fill_between(at, list(map(min, columns)), list(map(max, columns)), color=colour, alpha=0.2)
        mine = [m for m in result["metrics"] if m["agent"] == agent and m.get("published") is not None]
        if mine:
            points = [m["step"] for m in mine], [m["published"] for m in mine]
            axes.plot(*points, "x", color=colour, markersize=9, label="published")
    unit = "minutes of training" if settings["x_axis"] == "minutes" else "environment steps"
    title = ", ".join([settings["env_id"], *settings["env_kwargs"]])
    axes.set(xlabel=unit, ylabel=f"{settings['metric']}, 100 sampled goals", title=title)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def compare(description: str | None, folder: str, comparisons: dict[str, Comparison]) -> None:
    """Run one comparison of a table from the command line: train, print, write and draw."""
    first = next(iter(comparisons))
    parser = Parser(description)
    parser.add_argument(
        "comparison", nargs="?", choices=list(comparisons), default=first,
        help=f"Run this comparison. (default: {first})",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, help="Train this many seeds; by default, as many as the comparison has.")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="Train this many runs at a time; by default, one per core."
    )
    parser.add_argument(
        "--runs", type=Path, default=Path(folder), help=f"Keep the run folders in this folder. (default: {folder})"
    )
    args = parser.parse_args()
    comparison = comparisons[args.comparison]
    seeds = args.seeds or comparison.seeds
    jobs = [(agent, seed) for seed in range(seeds) for agent in comparison.agents]

    def train(job: tuple[str, int]) -> Curve:
        folder = args.runs / args.comparison / f"{job[0]}-{job[1]}"
        return run(command(comparison, *job, folder), folder)

    with ThreadPoolExecutor(args.jobs) as pool:
        curves = dict(zip(jobs, pool.map(train, jobs), strict=True))
    by_agent = {agent: [curves[job] for job in jobs if job[0] == agent] for agent in comparison.agents}
    metrics, rows = summarize(comparison, by_agent)
    settings = {
        "comparison": args.comparison, "env_id": comparison.env[0], "env_kwargs": comparison.env[2:],
        "metric": comparison.metric, "seeds": seeds, "x_axis": "minutes" if comparison.by_minutes else "steps",
    }  # fmt: skip
    result = finish(args, metrics=metrics, rows=rows, settings=settings)
    if args.json:
        draw(result, args.json.with_suffix(".png"))
