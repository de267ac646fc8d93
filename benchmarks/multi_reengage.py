"""Measure Multi-ReenGAGE at its published size: seconds per update, and the losses of the first updates.

Up to 200 points a goal, 256 transitions an update, encoder 400-400, one thread of torch, on GC-DriveSeek-v0 (alpha 20)
and GC-NoisySeek-v0 (alpha 100), after 1000 random steps. The losses are the critic's own, without the gradient term,
and the term by itself, times alpha. The figure is written beside the JSON file.
"""

import statistics
import time
from pathlib import Path
from typing import Any

import torch
from _common import Parser, finish, metric
from stable_baselines3.common.callbacks import BaseCallback

import gc_envs
from gc_envs.agents.presets import preset
from gc_envs.sb3.algorithms import ALGORITHMS

IDS = ("GC-DriveSeek-v0", "GC-NoisySeek-v0")
LOSSES = ("critic_loss", "gradient_loss")


class Recorder(BaseCallback):
    """The losses of every update, and when the next step began."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: dict[str, list[float]] = {name: [] for name in LOSSES}
        self.seconds: list[float] = []
        self.before = 0.0

    def _on_step(self) -> bool:
        said = self.model.logger.name_to_value
        if "train/critic_loss" in said:
            self.seconds.append(time.perf_counter() - self.before)
            for name in LOSSES:
                self.losses[name].append(float(said.pop(f"train/{name}")))
        self.before = time.perf_counter()
        return True


def main() -> None:
    """Print and write times and losses."""
    parser = Parser(__doc__)
    parser.add_argument("--updates", type=int, default=500, help="Make this many updates per id. (default: 500)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    metrics, rows = [], []
    for env_id in IDS:
        settings = preset("multi-reengage", "paper", env_id)
        config = ALGORITHMS["multi-reengage"].config_class(**{**settings, "total_steps": 1001 + args.updates})
        model, _ = ALGORITHMS["multi-reengage"](gc_envs.make_task(env_id), config).build()
        recorder = Recorder()
        model.learn(config.total_steps, recorder, log_interval=10**9)
        seconds = statistics.median(recorder.seconds)
        metrics.append(metric("seconds_per_update", seconds, env_id=env_id))
        rows.append({"env_id": env_id, "updates": len(recorder.seconds), **recorder.losses})
        print(f"{env_id}: {seconds:.2f} s per update", flush=True)
    result = finish(args, metrics=metrics, rows=rows, settings={"preset": "paper", "updates": args.updates})
    if args.json:
        draw(result, args.json.with_suffix(".png"))


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw both losses over the updates, one panel per id."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    rows = result["rows"]
    for axes, row in zip(figure.subplots(1, len(rows)), rows, strict=True):
        for name, colour in zip(LOSSES, ("#9aa3b2", "#2b6cc4"), strict=True):
            axes.plot(row[name], color=colour, label=name.replace("_", " "), linewidth=1)
        axes.set(xlabel="updates", yscale="log", title=row["env_id"])
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
