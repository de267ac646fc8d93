"""Multi-ReenGAGE at its published size: seconds per update, and the losses of the first updates.

    python benchmarks/multi_reengage.py [--updates 500] [--json FILE]

Up to 200 points a goal, 256 transitions an update, encoder 400-400, one thread of torch, on GC-DriveSeek-v0 (alpha 20)
and GC-NoisySeek-v0 (alpha 100), after 1000 random steps. The losses are the critic's own, without the gradient term,
and the term by itself, times alpha. Beside the JSON lies the figure.
"""

import statistics
import time

import torch
from _common import finish, parser
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
    """Prints and writes times and losses."""
    arguments = parser(__doc__)
    arguments.add_argument("--updates", type=int, default=500)
    args = arguments.parse_args()
    torch.set_num_threads(1)
    result = {}
    rows = []
    for env_id in IDS:
        settings = preset("multi-reengage", "paper", env_id)
        config = ALGORITHMS["multi-reengage"].config_class(**{**settings, "total_steps": 1001 + args.updates})
        model, _ = ALGORITHMS["multi-reengage"](gc_envs.make_task(env_id), config).build()
        recorder = Recorder()
        model.learn(config.total_steps, recorder, log_interval=10**9)
        seconds = statistics.median(recorder.seconds)
        result[f"seconds_per_update_{env_id}"] = seconds
        rows.append({"env_id": env_id, "updates": len(recorder.seconds), **recorder.losses})
        print(f"{env_id}: {seconds:.2f} s per update", flush=True)
    if args.json:
        draw(rows, args.json.with_suffix(".png"))
    finish(args, {**result, "rows": rows})


def draw(rows, path) -> None:
    """Both losses over the updates, one panel per id."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    for axes, row in zip(figure.subplots(1, len(rows)), rows, strict=True):
        for name, colour in zip(LOSSES, ("#9aa3b2", "#2b6cc4"), strict=True):
            axes.plot(row[name], color=colour, label=name.replace("_", " "), linewidth=1)
        axes.set(xlabel="updates", yscale="log", title=row["env_id"])
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
