"""What a person sees of an evaluation or a training run: a table, a curve, a film."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.evaluation.evaluate import Evaluation, as_policy, episode_steps

TRAINED, SEEN, EVALUATED = "#2b6cc4", "#9aa3b2", "#e08a1e"  # colours of curves
FILM_STEPS = 120  # of an episode, at most, unless more are asked for


def format_table(result: Evaluation, limit: int = 30) -> str:
    """The result as text: one line of totals, then goals grouped by the part of their name before the "/"."""
    low, high = result["ci95"]
    lines = [
        f"{result['env_id']}: success {result['success']:.3f} (95% CI {low:.3f} to {high:.3f}), "
        f"at the last step {result['success_last']:.3f}; {result['episodes']} episodes of at most "
        f"{result['max_steps']} steps; mean return {result['return']:.2f}"
    ]
    per_goal = result["per_goal"]
    if not per_goal:
        return lines[0]
    groups: dict[str, list[float]] = {}
    for name, rate in per_goal.items():
        groups.setdefault(name.split("/")[0], []).append(rate)
    width = max(len(name) for name in [*groups, "all goals"])
    lines += ["", f"{'goals':<{width}}  number  success"]
    for name, rates in [*groups.items(), ("all goals", list(per_goal.values()))]:
        bar = "#" * round(20 * float(np.mean(rates)))
        lines.append(f"{name:<{width}}  {len(rates):>6}  {np.mean(rates):7.3f}  {bar}")
    missed = [name for name, rate in per_goal.items() if rate == 0]
    if missed:
        shown = ", ".join(missed[:limit]) + (", ..." if len(missed) > limit else "")
        lines += ["", f"never reached ({len(missed)}): {shown}"]
    return "\n".join(lines)


def save_json(result: Any, path: Path | str) -> None:
    """Write `result` where it was asked for, folders included."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


def plot_learning_curve(folder: Path, title: str) -> Path | None:
    """learning_curve.png from metrics.csv and evaluations.csv; None while there is nothing to draw."""
    metrics, evaluations = (_read_csv(folder / name) for name in ("metrics.csv", "evaluations.csv"))
    if not metrics:
        return None
    from matplotlib.figure import Figure

    with_returns = "episode_return" in metrics  # where reaching a goal once is not all there is to it
    figure = Figure(figsize=(7.2, 6.4 if with_returns else 4.0), layout="constrained")
    success, *others = np.atleast_1d(figure.subplots(1 + with_returns, sharex=True)).tolist()
    success.plot(metrics["step"], metrics["running_success"], color=TRAINED, label="running success (training)")
    if "goals_seen" in metrics:
        seen = np.array(metrics["goals_seen"]) / np.array(metrics["goals"])
        success.plot(metrics["step"], seen, color=SEEN, linestyle="--", label="share of goals seen")
    success.set(ylabel="success", ylim=(-0.02, 1.02), title=title)
    for axes in others:
        axes.plot(metrics["step"], metrics["episode_return"], color=TRAINED, label="return of an episode (training)")
        axes.set(ylabel="return")
    for axes, column in zip([success, *others], ("success", "return")):
        if evaluations:
            label = f"{column} (greedy, evaluated)"
            axes.plot(evaluations["step"], evaluations[column], "o-", color=EVALUATED, label=label)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="best")
    axes.set(xlabel="environment steps")
    path = folder / "learning_curve.png"
    figure.savefig(path, dpi=130)
    return path


def record_episodes(
    policy: Any,
    env_id: str,
    goals: Sequence[Any] | int,
    *,
    seed: int = 0,
    max_steps: int | None = None,
    env_kwargs: dict[str, Any] | None = None,
) -> list[list[np.ndarray]]:
    """Frames of one episode per goal, each up to and with the step that ends it: uint8 [H, W, 3] each.

    `goals` are names, indices or arrays; a number draws as many. `max_steps` of an episode are by default those of an
    evaluation, but no more than FILM_STEPS.
    """
    from gc_envs.core.vector_env import GoalVectorEnv
    from gc_envs.registration import make_task

    task = make_task(env_id, **(env_kwargs or {}))
    if max_steps is None:
        max_steps = min(FILM_STEPS, episode_steps(env_id, task))
    count = goals if isinstance(goals, int) else len(goals)
    options = None if isinstance(goals, int) else {"goals": [task.goals.encode(goal) for goal in goals]}
    envs = GoalVectorEnv(
        task, count, horizon=max_steps, autoreset_mode=AutoresetMode.NEXT_STEP, render_mode="rgb_array",
        all_goals_info=False,
    )  # fmt: skip
    act = as_policy(policy)
    observation, _ = envs.reset(seed=seed, options=options)
    episodes: list[list[np.ndarray]] = [[frame] for frame in envs.render() or ()]
    running = np.ones(count, bool)
    while running.any():
        observation, _, terminated, truncated, _ = envs.step(act(observation))
        envs.render_envs = np.flatnonzero(running).tolist()
        for lane, frame in zip(envs.render_envs, envs.render() or (), strict=True):
            episodes[lane].append(frame)
        running &= ~(terminated | truncated)
    return episodes


def save_gif(episodes: Sequence[Sequence[np.ndarray]], path: Path, fps: int = 10, *, comment: str = "") -> Path:
    """Episodes one after another as a GIF, the last frame of each held for a second; `comment` goes into the file.

    One palette serves the whole film, so that what stands still costs nothing.
    """
    from PIL import Image

    every = [frame for episode in episodes for frame in episode]
    palette = _palette(every)
    frames = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in every]
    durations = [ms for episode in episodes for ms in [round(1000 / fps)] * (len(episode) - 1) + [1000]]
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=durations, loop=0, comment=comment.encode(), disposal=1
    )
    return path


def _palette(frames: Sequence[np.ndarray]) -> Any:
    """An image that carries the colours for `frames`: half of them the most common ones, half of them the extremes."""
    from PIL import Image

    stride = math.isqrt(len(frames) // 12) + 1  # of pixels, not of frames: what shows in a single frame counts too
    sheet, colours = Image.fromarray(np.concatenate([frame[::stride, ::stride] for frame in frames])), []
    for method in (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE):
        colours += (sheet.quantize(96, method, dither=Image.Dither.NONE).getpalette() or [])[: 3 * 96]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours)
    return palette


def _read_csv(path: Path) -> dict[str, list[float]]:
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]} if rows else {}
