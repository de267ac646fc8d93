"""metrics.csv, evaluations.csv and TensorBoard events of a run."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gc_envs.agents.runs import Run


class Log:
    """metrics.csv and evaluations.csv, and TensorBoard on request; rows after the resumed step are dropped.

    All rows of a file have the same columns.
    """

    def __init__(self, run: Run, step: int, tensorboard: bool) -> None:
        self.folder = run.folder
        for name in ("metrics.csv", "evaluations.csv"):
            steps = _truncate(self.folder / name, step)
        self.evaluated = set(steps)  # steps with a row in evaluations.csv
        self.writer = None
        if tensorboard:
            try:
                from tensorboardX import SummaryWriter
            except ModuleNotFoundError:
                raise ModuleNotFoundError('--tensorboard needs: pip install "gc_envs[tensorboard]"') from None
            self.writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step)

    def metrics(self, row: dict[str, float]) -> None:
        self._append("metrics.csv", row)

    def evaluation(self, step: int, result: Mapping[str, Any]) -> None:
        self.evaluated.add(step)
        row = {"step": step, **{name: result[name] for name in ("success", "success_last", "return")}}
        self._append("evaluations.csv", row, prefix="evaluation/")

    def _append(self, name: str, row: dict[str, float], prefix: str = "train/") -> None:
        path = self.folder / name
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        if self.writer is not None:
            for key, value in row.items():
                if key != "step":
                    self.writer.add_scalar(prefix + key, value, row["step"])
            self.writer.flush()


def _truncate(path: Path, step: int) -> list[int]:
    """Drop the rows of a CSV that lie beyond `step`, and a last row that a kill cut off; the steps that are left."""
    if not path.exists():
        return []
    header, *lines = path.read_text().splitlines(keepends=True) or [""]
    if not header.endswith("\n"):
        path.unlink()
        return []
    columns = header.count(",")
    whole = [line for line in lines if line.endswith("\n") and line.count(",") == columns]
    kept = {int(line.split(",")[0]): line for line in whole if int(line.split(",")[0]) <= step}
    path.write_text(header + "".join(kept.values()))
    return list(kept)
