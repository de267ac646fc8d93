"""Comparisons of training runs: which agents with which flags, over seeds, beside what was published.

Every seed of every agent is a `gc-envs train` of its own (printed, so that one can be repeated alone) with one thread
of torch; `--jobs` of them run at a time. Runs that exist are resumed, finished ones only read, so the measurement can
be stopped at any time and goes on. Beside the JSON lies the figure: mean and range over seeds.
"""

import argparse
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
from _common import finish, parser

COLOURS = ("#9aa3b2", "#2b6cc4", "#d9822b", "#3d9a6d", "#8e5bb5")


@dataclass(frozen=True)
class Comparison:
    """One environment and the agents that learn in it."""

    env: tuple[str, ...]  # id and arguments
    steps: int
    every: int  # steps between evaluations
    seeds: int
    agents: dict[str, tuple[str, ...]]  # what each is called here -> its name and flags
    metric: str = "success"
    published: dict[str, dict[int, float]] = field(default_factory=dict)  # agent -> step -> value
    targets: dict[str, dict[int, float]] = field(default_factory=dict)  # likewise
    by_minutes: bool = False  # draw success over the time that training took, not over steps


def command(comparison: Comparison, agent: str, seed: int, folder: Path) -> list[str]:
    """The `gc-envs` command of one run."""
    name, *flags = comparison.agents[agent]
    steps = ["--total-steps", str(comparison.steps), "--evaluations", str(comparison.steps // comparison.every)]
    return ["gc-envs", "train", name, *comparison.env, *flags, *steps, "--seed", str(seed), "--run-dir", str(folder)]


def run(words: list[str], folder: Path) -> dict[int, dict[str, float]]:
    """Train to the end, resuming if it was begun; the evaluations by step, with the minutes of training up to each."""
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


def summary(comparison: Comparison, curves: dict[str, list[dict[int, dict[str, float]]]]) -> dict[str, Any]:
    """Means at the published steps (or at a quarter and at the end) and of the minutes; the curves of all seeds."""
    result: dict[str, Any] = {"metric": comparison.metric}
    rows = []
    for agent, seeds in curves.items():
        steps = sorted(seeds[0])
        values, minutes = (
            [[curve[s][key] for s in steps] for curve in seeds] for key in (comparison.metric, "minutes")
        )
        rows.append({"agent": agent, "steps": steps, "seeds": values, "minutes": minutes})
        result[f"{agent}_minutes"] = statistics.mean(clock[-1] for clock in minutes)
        published, targets = (table.get(agent, {}) for table in (comparison.published, comparison.targets))
        for step in sorted({*published, *targets}) or [steps[len(steps) // 4], steps[-1]]:
            nearest = min(steps, key=lambda s: abs(s - step))  # whole rollouts may end a few steps later
            result[f"{agent}_{step}"] = statistics.mean(curve[steps.index(nearest)] for curve in values)
            if step in published:
                result[f"{agent}_{step}_published"] = published[step]
            if step in targets:
                result[f"{agent}_{step}_target"] = targets[step]
    return {**result, "rows": rows}


def draw(comparison: Comparison, result: dict[str, Any], path: Path) -> None:
    """Mean and range over seeds of all agents, and the published points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    rows = result["rows"]
    colours = COLOURS[1:2] if len(rows) == 1 else COLOURS[: len(rows)]
    for row, colour in zip(rows, colours, strict=True):
        agent, columns = row["agent"], list(zip(*row["seeds"], strict=True))
        name, count = comparison.agents[agent][0], len(row["seeds"])
        called = agent if agent == name else f"{name} ({agent})"
        label = f"{called}, {count} seed{'s' if count > 1 else ''}"
        at = np.mean(row["minutes"], axis=0) if comparison.by_minutes else row["steps"]
        axes.plot(at, [statistics.mean(c) for c in columns], color=colour, label=label)
        axes.fill_between(at, list(map(min, columns)), list(map(max, columns)), color=colour, alpha=0.2)
        published = comparison.published.get(agent, {})
        if published:
            axes.plot(*zip(*published.items(), strict=True), "x", color=colour, markersize=9, label="published")
    title = ", ".join([comparison.env[0], *comparison.env[2:]])
    unit = "minutes of training" if comparison.by_minutes else "environment steps"
    axes.set(xlabel=unit, ylabel=f"{comparison.metric}, 100 drawn goals", title=title)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def compare(description: str | None, folder: str, comparisons: dict[str, Comparison]) -> None:
    """The command line of a table of comparisons: runs, prints and writes one of them."""
    arguments = parser(description)
    arguments.add_argument("name", choices=list(comparisons))
    arguments.add_argument("--seeds", type=int, help="how many (default: the comparison's own)")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    arguments.add_argument("--runs", type=Path, default=Path(folder), help="where the run folders are kept")
    args: argparse.Namespace = arguments.parse_args()
    comparison = comparisons[args.name]
    jobs = [(agent, seed) for seed in range(args.seeds or comparison.seeds) for agent in comparison.agents]

    def train(job: tuple[str, int]) -> dict[int, dict[str, float]]:
        folder = args.runs / args.name / f"{job[0]}-{job[1]}"
        return run(command(comparison, *job, folder), folder)

    with ThreadPoolExecutor(args.jobs) as pool:
        curves = dict(zip(jobs, pool.map(train, jobs), strict=True))
    by_agent = {agent: [curves[job] for job in jobs if job[0] == agent] for agent in comparison.agents}
    result = summary(comparison, by_agent)
    commands = {a: shlex.join(command(comparison, a, 0, Path(f"runs/{a}-0"))) for a in comparison.agents}
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        draw(comparison, result, args.json.with_suffix(".png"))
    seeds = args.seeds or comparison.seeds
    finish(args, {**result, "seeds": seeds, "commands": commands})
