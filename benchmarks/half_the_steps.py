"""Compare LEO with `--preset best` with the authors' code after twice as many steps, and say what makes the difference.

The authors' results are those of results/authors, made by purejaxgcrl.py. `best` is our LEO with the preset of that
name after half of their steps. In the other rows one change of the preset is undone, and in `published` all of them.
Running success is defined as in method_success.py, and forgets as much in each environment step, whatever the length of
a rollout. Intervals are 95% t intervals of the mean over seeds, with one standard deviation for all rows.
A finished run is kept in a folder, and is not made again.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _common import Parser, finish, metric
from _published import AUTHORS, intervals, published_learner, trained

from gc_envs.agents.presets import preset

TASKS = {"gridworld": "GC-Gridworld-v0", "classic": "GC-Craftax-Classic-v0"}
# Names of changes, and the settings that each of them is; a change of which no setting differs has no row.
CHANGES: dict[str, tuple[str, ...]] = {
    "the network": ("width", "depth", "one_hot"),
    "the learning rate": ("learning_rate",),
    "the discount": ("gamma",),
    "rollouts and minibatches": ("rollout_steps", "minibatch_size"),
    "epochs": ("epochs",),
    "lambda returns": ("td_lambda",),
    "exploration": ("epsilon_start", "epsilon_end", "epsilon_fraction"),
}


def variants(task: str, published: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of every row, by its name.

    Args:
        task: A key of `TASKS`.
        published: All settings of the published agent.
    """
    best = published | preset("leo", "best", TASKS[task]) | {"total_steps": published["total_steps"]}
    rows = {"published": dict(published), "best": best}
    for name, settings in CHANGES.items():
        undone = best | {setting: published[setting] for setting in settings}
        if undone not in (best, published):
            rows[f"best without {name}"] = undone
    for settings in rows.values():
        forgetting = published["success_forgetting"] ** (settings["rollout_steps"] / published["rollout_steps"])
        settings["success_forgetting"] = forgetting
    return rows


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw the mean and the interval of every row, its seeds, and the authors' mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axes = figure.subplots()
    means = [m for m in result["metrics"] if m["name"] == "running_success"]
    for place, m in enumerate(means):
        colour = "#2b6cc4" if m["variant"] == "best" else "#9aa3b2"
        limits = [[m["value"] - m["low"]], [m["high"] - m["value"]]] if "low" in m else None
        axes.barh(place, m["value"], color=colour, xerr=limits, capsize=4)
        seeds = [row["running_success"] for row in result["rows"] if row["variant"] == m["variant"]]
        axes.plot(seeds, [place] * len(seeds), "|", color="black")
    (theirs,) = (m["value"] for m in result["metrics"] if m["name"] == "running_success_authors")
    settings = result["settings"]
    axes.axvline(theirs, color="#d9822b", label=f"the authors' code, {settings['authors_steps']:,} steps")
    axes.set_yticks(range(len(means)), [m["variant"] for m in means])
    axes.invert_yaxis()
    axes.set(xlabel="running success, mean of all goals", title=f"{settings['env_id']}, {settings['steps']:,} steps")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside lower center")
    figure.savefig(path, dpi=130)


def compare(
    args: argparse.Namespace, theirs: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[float], dict[str, Any]]:
    """Return a row for each variant and seed, the authors' success by seed, and the settings of the variants.

    Success is the mean over the goals that both codes have.
    """
    env_id, their = TASKS[args.task], theirs[0]["settings"]
    make: Callable[..., Any] = lambda **settings: published_learner("leo", env_id, **settings)  # noqa: E731
    learner = make(total_steps=their["steps"] // 2, width=their["width"])
    names, published = set(learner.task.goals.names), vars(learner.config)
    authors = [{row["goal"]: row["running_success"] for row in one["rows"] if row["goal"] in names} for one in theirs]
    found = variants(args.task, published)
    rows = []
    for variant, settings in found.items():
        for seed in range({"best": args.seeds, "published": args.published_seeds}.get(variant, args.other_seeds)):
            path = args.runs / args.task / f"{variant.replace(' ', '-')}-{seed}.json"
            run = trained(make(**settings | {"seed": seed}), path)
            success = statistics.mean(value for name, value in run["success"].items() if name in authors[0])
            rows.append({"variant": variant, "seed": seed, "running_success": success, "goals_seen": run["goals_seen"]})
            print(rows[-1], flush=True)
    changes = {
        variant: {name: value for name, value in settings.items() if value != published[name]}
        for variant, settings in found.items()
    }
    rates = [statistics.mean(one.values()) for one in authors]
    return rows, rates, {"published": published, "changes": changes}


def main() -> None:
    """Train what is not yet there, print, write and draw."""
    parser = Parser(__doc__)
    parser.add_argument(
        "task", nargs="?", choices=list(TASKS), default="gridworld", help="Train on this task. (default: gridworld)"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, help="Train the best settings with this many seeds. (default: 3)"
    )
    parser.add_argument(
        "--published-seeds", type=int, default=3, help="Train the published settings with this many. (default: 3)"
    )
    parser.add_argument("--other-seeds", type=int, default=3, help="Train the other rows with as many. (default: 3)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/half_the_steps"), metavar="FOLDER",
        help="Keep finished runs in this folder. (default: runs/half_the_steps)",
    )  # fmt: skip
    args = parser.parse_args()
    theirs = [json.loads(path.read_text()) for path in sorted(AUTHORS.glob(f"{args.task}_*.json"))]
    rows, authors, configs = compare(args, theirs)
    names = list(dict.fromkeys(row["variant"] for row in rows))
    groups = [[row["running_success"] for row in rows if row["variant"] == name] for name in names]
    metrics = [metric("running_success_authors", statistics.mean(authors), seeds=authors)]
    for name, (mean, half) in zip(names, intervals(groups), strict=True):
        limits = {"low": mean - half, "high": mean + half} if half == half else {}
        metrics.append(metric("running_success", mean, variant=name, **limits))
    ratio = statistics.mean(groups[names.index("best")]) / statistics.mean(authors)
    steps = theirs[0]["settings"]["steps"]
    settings = {"env_id": TASKS[args.task], "steps": steps // 2, "authors_steps": steps, "num_envs": 64, **configs}
    metrics.insert(0, metric("best_over_authors", ratio, 1.0))
    result = finish(args, metrics=metrics, rows=rows, settings=settings, ratio=ratio)
    if args.json:
        draw(result, args.json.with_suffix(".png"))


if __name__ == "__main__":
    main()
