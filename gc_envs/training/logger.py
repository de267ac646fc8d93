"""metrics.csv, evaluations.csv and TensorBoard events of a run."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gc_envs.training.run_dir import RunDir


class RunLogger:
    """The CSV files of a run, and TensorBoard events on request. All rows of a file have the same columns.

    Args:
        run: The run folder.
        step: Where training goes on; rows after it are dropped.
        tensorboard: Whether to also write TensorBoard events.
    """

    def __init__(self, run: RunDir, step: int, *, tensorboard: bool = False) -> None:
        self.folder = run.folder
        _truncate(self.folder / "metrics.csv", step)
        evaluated = _truncate(self.folder / "evaluations.csv", step)
        self.last_evaluation = max(evaluated, default=0)  # step of the last row of evaluations.csv
        self.writer: Any = None
        if tensorboard:
            try:
                from tensorboardX import SummaryWriter
            except ModuleNotFoundError:
                raise ModuleNotFoundError('--tensorboard needs: pip install "gc_envs[tensorboard]"') from None
            self.writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step)

    def metrics(self, row: dict[str, float]) -> None:
        """Append a row to metrics.csv."""
        self._append("metrics.csv", row, "train/")

    def evaluation(self, step: int, result: Mapping[str, Any]) -> None:
        """Append the totals of an evaluation made at `step` to evaluations.csv."""
        row = {"step": step, **{name: result[name] for name in ("success", "success_last", "return")}}
        self._append("evaluations.csv", row, "evaluation/")
        self.last_evaluation = step

    def _append(self, name: str, row: dict[str, float], prefix: str) -> None:
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
    """Drop the rows of a CSV after `step`, and a last row that a kill cut off; return the steps that are left."""
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
