"""Learning curves: of one run, and of several runs and seeds over each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gc_envs.training.checkpoint import RunError
from gc_envs.training.logger import read_csv
from gc_envs.training.run_dir import RunDir, open_run

# Colours that colour-blind readers can tell apart (Okabe and Ito 2008), and line styles for when they are used up.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":", "-.")
TRAINED, EVALUATED, SEEN = *COLOURS[:2], "#9aa3b2"
SUCCESS = "success: episodes that reached\ntheir (first) goal at some step"


class Metric(NamedTuple):
    """A column of a run's CSV files that can be plotted."""

    file: str
    column: str
    label: str  # of the y axis
    limits: tuple[float, float] | None = None  # of the values, if they have any


METRICS = {
    "success": Metric("evaluations.csv", "success", "success of greedy evaluations", (0.0, 1.0)),
    "running_success": Metric("metrics.csv", "running_success", "success of training episodes", (0.0, 1.0)),
    "return": Metric("evaluations.csv", "return", "mean return of greedy evaluations"),
}


class Curve(NamedTuple):
    """Runs that differ only in their seed, S of them."""

    label: str
    steps: np.ndarray  # [T] environment steps
    values: np.ndarray  # [S, T]


def plot_learning_curve(folder: Path, title: str) -> Path | None:
    """Plot success, and return where it was logged, over the environment steps of a run.

    Args:
        folder: A run folder with metrics.csv and, after the first evaluation, evaluations.csv.
        title: The title of the figure.

    Returns:
        The path of learning_curve.png in `folder`, or None if nothing has been logged yet.

    Raises:
        RunError: One of the two files is damaged.
    """
    metrics = read_csv(folder / "metrics.csv", ("step", "running_success"))
    evaluations = read_csv(folder / "evaluations.csv", ("step", "success", "return"))
    if not metrics:
        return None
    figure, panels = _figure(1 + ("episode_return" in metrics))  # logged where more counts than reaching the goal once
    quantities = (("running_success", "success", SUCCESS), ("episode_return", "return", "mean return of an episode"))
    for axes, (trained, evaluated, label) in zip(panels, quantities):
        axes.plot(metrics["step"], metrics[trained], color=TRAINED, label="training, with exploration")
        if evaluations:
            style = {"color": EVALUATED, "label": "evaluation, greedy"}
            axes.plot(evaluations["step"], evaluations[evaluated], "o-", markersize=4, **style)
        axes.set(ylabel=label)
    if "goal_success" in metrics:
        label = "training, goal by goal, then the mean over all goals"
        panels[0].plot(metrics["step"], metrics["goal_success"], color=TRAINED, linestyle=":", label=label)
    if "goals_seen" in metrics:
        seen = np.array(metrics["goals_seen"]) / np.array(metrics["goals"])
        panels[0].plot(metrics["step"], seen, color=SEEN, linestyle="--", label="share of goals seen")
    panels[0].set(ylim=(-0.02, 1.02), title=title)
    return _save(figure, panels, folder / "learning_curve.png", columns=2)


def plot_runs(folders: Sequence[Path | str], out: Path | str, metric: str = "success") -> Path:
    """Plot the learning curves of several runs over each other.

    Runs that differ only in their seed are one curve: the mean over seeds with its 95% t interval, over the steps that
    all of them have reached. Every environment, which is an id with its arguments, has a panel of its own.

    Args:
        folders: Run folders.
        out: The PNG file to write.
        metric: One of `METRICS`.

    Returns:
        The path of the file.

    Raises:
        ValueError: An unknown metric, no runs, or the same run twice.
        RunError: A folder is not a run, has not logged the metric yet, or is damaged.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; known: {', '.join(METRICS)}")
    if not folders:
        raise ValueError("no runs to plot; name at least one run folder")
    kind = METRICS[metric]
    by_env: dict[str, list[RunDir]] = {}
    for run in map(open_run, folders):
        by_env.setdefault(_words([run.env_id, *_pairs(run.env_kwargs)]), []).append(run)
    figure, panels = _figure(len(by_env))
    labels: list[str] = []  # in all panels, a label has the same colour
    for axes, (title, runs) in zip(panels, by_env.items()):
        for curve in _curves(runs, kind):
            labels += [curve.label] if curve.label not in labels else []
            _draw(axes, curve, labels.index(curve.label), kind)
        axes.set(title=title, ylabel=kind.label)
        if kind.limits:
            axes.set(ylim=(kind.limits[0] - 0.02, kind.limits[1] + 0.02))
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    return _save(figure, panels, Path(out), columns=1)


def _curves(runs: list[RunDir], metric: Metric) -> list[Curve]:
    """Return the curves of runs in one environment, in the order in which they were given."""
    groups: dict[str, list[RunDir]] = {}
    for run in runs:
        groups.setdefault(_words([run.agent, *_pairs(run.config, without="seed")]), []).append(run)
    curves = []
    for group in groups.values():
        seeds: dict[Any, Path] = {}
        for run in group:
            seed = run.config.get("seed")
            if seed in seeds:
                raise ValueError(f"{seeds[seed]} and {run.folder} are the same run, seed {seed}; name one of them")
            seeds[seed] = run.folder
        others = [other[0] for other in groups.values() if other[0].agent == group[0].agent]
        several = f"mean of {len(group)} seeds, 95% interval"
        count = several if len(group) > 1 else f"seed {next(iter(seeds))}"
        label = f"{_words([group[0].agent, *_differences(group[0], others)])} ({count})"
        curves.append(Curve(label, *_aligned([_values(run, metric) for run in group])))
    return curves


def _differences(run: RunDir, others: list[RunDir]) -> list[str]:
    """Return the settings of `run` that are not the same in all of `others`, as NAME=VALUE."""
    differ = {name for name in run.config if any(other.config.get(name) != run.config[name] for other in others)}
    return _pairs({name: value for name, value in run.config.items() if name in differ}, without="seed")


def _values(run: RunDir, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps and values that a run has logged, without those that are not numbers yet."""
    path = run.folder / metric.file
    columns = read_csv(path, ("step", metric.column))
    steps, values = (np.array(columns.get(name, [])) for name in ("step", metric.column))
    known = np.isfinite(values)
    if not known.any():
        raise RunError(f"{path} has no {metric.column} yet")
    return steps[known], values[known]


def _aligned(series: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps [T] that any of S series has, where all have values, and the interpolated values [S, T]."""
    first, last = max(steps[0] for steps, _ in series), min(steps[-1] for steps, _ in series)
    steps = np.unique(np.concatenate([steps for steps, _ in series]))
    steps = steps[(steps >= first) & (steps <= last)]
    return steps, np.array([np.interp(steps, *one) for one in series])


def _draw(axes: Any, curve: Curve, number: int, metric: Metric) -> None:
    """Draw the mean of a curve, and its 95% t interval if there are several seeds."""
    from scipy.stats import t

    colour, style = COLOURS[number % len(COLOURS)], STYLES[number // len(COLOURS) % len(STYLES)]
    count, mean = len(curve.values), curve.values.mean(axis=0)
    marker = "o" if metric.file == "evaluations.csv" else ""
    axes.plot(curve.steps, mean, style, marker=marker, markersize=3.5, color=colour, label=curve.label)
    if count > 1:
        half = t.ppf(0.975, count - 1) * curve.values.std(axis=0, ddof=1) / np.sqrt(count)
        low, high = np.clip([mean - half, mean + half], *(metric.limits or (None, None)))
        axes.fill_between(curve.steps, low, high, color=colour, alpha=0.18, linewidth=0)


def _figure(count: int) -> tuple[Any, list[Any]]:
    """Return a figure, and its `count` panels from top to bottom."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    return figure, np.atleast_1d(figure.subplots(count)).tolist()


def _save(figure: Any, panels: list[Any], path: Path, *, columns: int) -> Path:
    """Give the panels what they have in common, with one legend below them, and write the figure."""
    from matplotlib.ticker import EngFormatter

    entries: dict[str, Any] = {}
    for axes in panels:
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles))
    panels[-1].set(xlabel="environment steps")
    figure.set_size_inches(7.2, 0.7 + 3.0 * len(panels) + 0.22 * -(-len(entries) // columns))
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns, frameon=False)
    figure.savefig(path, dpi=130)
    return path


def _pairs(settings: dict[str, Any], without: str = "") -> list[str]:
    return [f"{name}={value}" for name, value in settings.items() if name != without]


def _words(parts: list[str]) -> str:
    return ", ".join(parts)
