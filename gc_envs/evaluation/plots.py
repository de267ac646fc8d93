"""The learning curve of a run."""

from pathlib import Path

import numpy as np

from gc_envs.training.logger import read_csv

TRAINING = "training, with exploration: reached its first goal at some step"
TRAINED, SEEN, EVALUATED = "#2b6cc4", "#9aa3b2", "#e08a1e"  # colours of the curves


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
    from matplotlib.figure import Figure

    with_returns = "episode_return" in metrics  # logged where more counts than reaching the goal once
    figure = Figure(figsize=(7.2, 6.4 if with_returns else 4.0), layout="constrained")
    success, *others = np.atleast_1d(figure.subplots(1 + with_returns, sharex=True)).tolist()
    success.plot(metrics["step"], metrics["running_success"], color=TRAINED, label=TRAINING)
    if "goal_success" in metrics:
        label = "the same, as the mean over all goals"
        success.plot(metrics["step"], metrics["goal_success"], color=TRAINED, linestyle=":", label=label)
    if "goals_seen" in metrics:
        seen = np.array(metrics["goals_seen"]) / np.array(metrics["goals"])
        success.plot(metrics["step"], seen, color=SEEN, linestyle="--", label="share of goals seen")
    success.set(ylabel="success", ylim=(-0.02, 1.02), title=title)
    for axes in others:
        axes.plot(
            metrics["step"], metrics["episode_return"], color=TRAINED, label="training, with exploration: mean return"
        )
        axes.set(ylabel="return")
    for axes, column in zip([success, *others], ("success", "return")):
        if evaluations:
            label = f"evaluation, greedy: {'reached its goal at some step' if column == 'success' else 'mean return'}"
            axes.plot(evaluations["step"], evaluations[column], "o-", color=EVALUATED, label=label)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="best")
    axes.set(xlabel="environment steps")
    path = folder / "learning_curve.png"
    figure.savefig(path, dpi=130)
    return path
