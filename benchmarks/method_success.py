"""Compare the running success of our learners with that of the authors', after as many steps and on the same goals.

The authors' results are those of results/authors, made by purejaxgcrl.py, one per method and seed; ours are trained
with the settings and seeds found there. `gridworld` has 12 x 12 cells, wall density 0.2, map seed 0, 1,000,000 steps,
width 1024 and the two cell indices as input, and counts the cells that both codes have. `classic` is
GC-Craftax-Classic-v0 with 500,000 steps and width 256; `classic300k` has 300,000 steps, and all methods. Everything
else is as published, but with 64 environments and minibatches that fit them. Running success is defined as theirs: how
often the desired goal of an episode is reached before it ends, with forgetting 0.999 per update; a goal never tried
counts as 0. Episodes of the grid are as short as theirs, whose clock starts at a random number from 0 to 49: 151 to 200
steps.

Intervals are 95% t intervals of the mean over seeds, with one standard deviation for all methods of a side, because
two or three seeds alone say little about theirs. A finished run is kept in a folder, and is not made again.
"""

import json
import math
import statistics
from pathlib import Path
from typing import Any

from _common import Parser, finish, metric
from _published import AUTHORS, METHODS, intervals, published_learner, trained

TASKS = {
    "gridworld": "GC-Gridworld-v0", "classic": "GC-Craftax-Classic-v0", "classic300k": "GC-Craftax-Classic-v0",
}  # fmt: skip
SIDES = {"ours": "", "theirs": "_authors"}  # a column of a row -> how its metrics end


def run(env_id: str, theirs: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return what `trained` does for the settings of one result of theirs; it is kept in `path`."""
    settings = theirs["settings"]
    sizes = {"total_steps": settings["steps"], "width": settings["width"], "seed": settings["seed"]}
    return trained(published_learner(method_of(theirs), env_id, **sizes), path)


def method_of(theirs: dict[str, Any]) -> str:
    """Return the method of a result of theirs; the oldest ones, which do not say, are of LEO."""
    return theirs["settings"].get("method", "leo")


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one method and seed, over the goals that both codes have."""
    their_rates = {row["goal"]: row["running_success"] for row in theirs["rows"]}
    both = sorted(set(ours["success"]) & set(their_rates))
    return {
        "method": method_of(theirs),
        "seed": theirs["settings"]["seed"],
        "goals": len(both),
        "ours": statistics.mean(ours["success"][name] for name in both),
        "theirs": statistics.mean(their_rates[name] for name in both),
        "goals_seen_ours": ours["goals_seen"],
        "goals_seen_theirs": sum(row["seen"] for row in theirs["rows"]),
        "authors_command": theirs["settings"]["authors_command"],
    }


def summarize(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the metrics: of each method the ratio, and of both sides the mean, its interval and its rank."""
    methods = [method for method in METHODS if any(row["method"] == method for row in rows)]
    metrics, means = [], {}
    for side, ending in SIDES.items():
        groups = [[row[side] for row in rows if row["method"] == method] for method in methods]
        found = dict(zip(methods, intervals(groups), strict=True))
        ranking = sorted(methods, key=lambda method: -found[method][0])
        means[side] = {method: mean for method, (mean, _) in found.items()}
        for method, (mean, half) in found.items():
            limits = {} if math.isnan(half) else {"low": mean - half, "high": mean + half}
            of = {"method": method, "rank": 1 + ranking.index(method), **limits}
            metrics.append(metric(f"running_success{ending}", mean, **of))
    ratios = [
        metric("running_success_over_authors", means["ours"][m] / means["theirs"][m], 1.0, method=m) for m in methods
    ]
    return [*ratios, *metrics]


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw the means and intervals of all methods, ours beside theirs, and the seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    for (side, ending), colour, shift in zip(SIDES.items(), ("#2b6cc4", "#d9822b"), (-0.12, 0.12), strict=True):
        mine = [m for m in result["metrics"] if m["name"] == f"running_success{ending}"]
        for place, m in enumerate(mine):
            seeds = [row[side] for row in result["rows"] if row["method"] == m["method"]]
            axes.plot([place + shift] * len(seeds), seeds, "_", color=colour, alpha=0.6)
            halves = [[m["value"] - m.get("low", m["value"])], [m.get("high", m["value"]) - m["value"]]]
            label = {"ours": "gc_envs", "theirs": "the authors' code"}[side] if place == 0 else None
            axes.errorbar(place + shift, m["value"], halves, fmt="o", color=colour, capsize=4, label=label)
        axes.set_xticks(range(len(mine)), [m["method"] for m in mine])
    settings = result["settings"]
    axes.set(
        ylabel="running success, mean of all goals", ylim=(0, None),
        title=f"{settings['env_id']}, {settings['steps']:,} steps, width {settings['width']}",
    )  # fmt: skip
    axes.grid(alpha=0.25, axis="y")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Train what is not yet there, print, write and draw."""
    parser = Parser(__doc__)
    parser.add_argument(
        "task", nargs="?", choices=list(TASKS), default="gridworld", help="Train on this task. (default: gridworld)"
    )
    parser.add_argument(
        "--authors", type=Path, nargs="+", metavar="FILE",
        help="Compare with these results of purejaxgcrl; by default, with those of results/authors.",
    )  # fmt: skip
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/method_success"), metavar="FOLDER",
        help="Keep finished runs in this folder. (default: runs/method_success)",
    )  # fmt: skip
    args = parser.parse_args()
    found = [json.loads(path.read_text()) for path in args.authors or AUTHORS.glob(f"{args.task}_*.json")]
    found.sort(key=lambda theirs: (theirs["settings"]["seed"], METHODS.index(method_of(theirs))))
    rows, configs = [], {}
    for theirs in found:
        method = method_of(theirs)
        ours = run(TASKS[args.task], theirs, args.runs / args.task / f"{method}-{theirs['settings']['seed']}.json")
        configs[method] = {name: value for name, value in ours["config"].items() if name != "seed"}
        rows.append(compare(ours, theirs))
        print({key: value for key, value in rows[-1].items() if key != "authors_command"}, flush=True)
    sizes = {name: found[0]["settings"][name] for name in ("steps", "width", "num_envs")}
    settings = {"env_id": TASKS[args.task], **sizes, "configs": configs}
    result = finish(args, metrics=summarize(rows), rows=rows, settings=settings)
    if args.json:
        draw(result, args.json.with_suffix(".png"))


if __name__ == "__main__":
    main()
