"""metrics.csv and evaluations.csv of a run, and the same scalars for other trackers."""

import csv
import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gc_envs.training.checkpoint import RunError
from gc_envs.training.run_dir import RunDir
from gc_envs.training.trackers import Tracker


class RunLogger:
    """The CSV files of a run, and trackers that get the same. All rows of a file have the same columns.

    A damaged file is kept beside the new one, and a line on stderr says so.

    Args:
        run: The run folder.
        step: Where training goes on; rows after it are dropped.
        trackers: What else gets every scalar.
    """

    def __init__(self, run: RunDir, step: int, trackers: Sequence[Tracker] = ()) -> None:
        self.folder, self.trackers = run.folder, trackers
        _truncate(self.folder / "metrics.csv", step)
        evaluated = _truncate(self.folder / "evaluations.csv", step)
        self.last_evaluation = max(evaluated, default=0)  # step of the last row of evaluations.csv
        self.begun: set[str] = set()  # names of the files that this object has appended to

    def metrics(self, row: dict[str, float]) -> None:
        """Append a row to metrics.csv."""
        self._append("metrics.csv", row, "train/")

    def evaluation(self, step: int, result: Mapping[str, Any]) -> None:
        """Append the totals of an evaluation made at `step` to evaluations.csv."""
        row = {"step": step, **{name: result[name] for name in ("success", "success_last", "return")}}
        self._append("evaluations.csv", row, "evaluation/")
        self.last_evaluation = step

    def _append(self, name: str, row: dict[str, float], prefix: str) -> None:
        path, columns = self.folder / name, list(row)
        if name not in self.begun and path.exists() and _read(path).columns != columns:
            _keep_aside(path, f"its columns are not {','.join(columns)}")
            path.unlink()
        self.begun.add(name)
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, columns)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        for tracker in self.trackers:
            tracker.scalars(int(row["step"]), {prefix + key: value for key, value in row.items() if key != "step"})


def read_csv(path: Path, needed: Sequence[str]) -> dict[str, list[float]]:
    """Return the columns of metrics.csv or evaluations.csv by name; empty if there is no such file or it has no rows.

    A last row that a kill cut off is left out.

    Args:
        path: The file.
        needed: Columns that it must have.

    Raises:
        RunError: The file is damaged; the message says where.
    """
    if not path.exists():
        return {}
    table = _read(path)
    missing = [name for name in needed if name not in table.columns]
    if table.columns and (table.damage or missing):
        raise RunError(f"{path} is damaged: {table.damage or f'it has no column {missing[0]!r}'}")
    rows = [values for _, values in table.rows]
    return dict(zip(table.columns, map(list, zip(*rows)))) if rows else {}


class _Table(NamedTuple):
    """What is whole in a CSV file of numbers, whose first column is "step"."""

    columns: list[str]  # empty where the file ends within its first line
    rows: list[tuple[str, list[float]]]  # every row as its line and as numbers
    damage: str  # the first line that is no row, in words; empty if there is none


def _read(path: Path) -> _Table:
    header, *lines = path.read_text(errors="replace").splitlines(keepends=True) or [""]
    if not header.endswith("\n"):  # cut off by a kill
        return _Table([], [], "")
    columns = header.rstrip("\n").split(",")
    if columns[0] != "step":
        return _Table(columns, [], f"its first column is not step but {columns[0]!r}")
    rows, damage = [], ""
    for number, line in enumerate(lines, 2):
        values = _numbers(line, len(columns))
        if values is not None:
            rows.append((line, values))
        elif line.endswith("\n") or number < len(lines) + 1:  # otherwise cut off by a kill
            damage = damage or f"line {number} is not {len(columns)} numbers"
    return _Table(columns, rows, damage)


def _numbers(line: str, count: int) -> list[float] | None:
    """Return the `count` numbers of a line of a CSV file, the first of them a step; None if it is not that."""
    cells = line.split(",")
    if len(cells) != count or not line.endswith("\n") or not (cells[0].isascii() and cells[0].isdecimal()):
        return None
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return None
    return values if math.isfinite(values[0]) else None


def _truncate(path: Path, step: int) -> list[int]:
    """Drop the rows of a CSV file after `step`, and a last row that a kill cut off; return the steps that are left."""
    if not path.exists():
        return []
    table = _read(path)
    if table.damage:
        _keep_aside(path, table.damage)
    if not table.columns or table.columns[0] != "step":
        path.unlink()
        return []
    kept = {int(values[0]): line for line, values in table.rows if values[0] <= step}
    path.write_text(",".join(table.columns) + "\n" + "".join(kept.values()))
    return list(kept)


def _keep_aside(path: Path, damage: str) -> None:
    """Copy a damaged file to a new one beside it, and say so in one line."""
    names = [f"{path.name}.damaged", *(f"{path.name}.damaged{i}" for i in range(2, 1000))]
    aside = next(aside for aside in map(path.with_name, names) if not aside.exists())
    shutil.copyfile(path, aside)
    print(f"{path} is damaged: {damage}; it is kept as {aside.name}, and a new one has its whole rows", file=sys.stderr)
