"""Results of benchmarks as data of a report: the figure beside each JSON file, its metrics, and what repeats it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gc_envs.suite.report.pictures import data_uri, read_picture

SCHEMA = 1  # of benchmarks/_common.py
MAX_FIGURE_BYTES = 2_000_000
# A metric with one of these words in its name is to be small; results do not say it. All others are to be large.
SMALL = frozenset({"bytes", "megabytes", "cost", "memory", "minutes", "seconds", "time"})


@dataclass(frozen=True)
class Metric:
    """A headline number.

    Attributes:
        name: The name in words.
        of: What it is a number of: the further entries of the result, by their names in words.
        value: The number; None where it is not finite.
        interval: The lower and the upper end; None where the result has none.
        target: The value to reach, if any; a lower bound unless `at_most`.
        at_most: Whether the target is an upper bound.
        reached: Whether it is; None where there is no target or no value.
    """

    name: str
    of: dict[str, Any]
    value: float | None
    interval: tuple[float, float] | None
    target: float | None
    at_most: bool
    reached: bool | None


@dataclass(frozen=True)
class Measurement:
    """What a report shows of one benchmark.

    Attributes:
        title: The name of the file in words.
        figure: The figure as a data URI; None where there is none, or none that can be shown.
        figure_note: Why a figure that is there is not shown, if so.
        metrics: The headline numbers.
        notes: Remarks, if any.
        command, device, versions: Those of the result.
    """

    title: str
    figure: str | None
    figure_note: str | None
    metrics: list[Metric]
    notes: str | None
    command: str
    device: str
    versions: dict[str, str]


@dataclass(frozen=True)
class _Number:
    """An entry of a result's metrics, without the further entries."""

    name: str
    value: float
    target: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class _Result:
    """What is read of a result; the layout is described in benchmarks/_common.py."""

    schema: int
    name: str
    command: str
    versions: dict[str, str]
    device: str
    metrics: list[_Number]
    notes: str | None = None


def load_measurement(file: Path | str) -> Measurement:
    """Return what a report shows of a benchmark's JSON file and of the figure beside it.

    Raises:
        ValueError: It is no result of a benchmark, damaged, or of a newer schema; the message names the file.
        OSError: It cannot be read.
    """
    path = Path(file)
    try:
        result, metrics = _read(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be shown as a result of `gc-envs benchmark`: {error}") from None
    figure, note = _figure(path.with_suffix(".png"))
    title = _words(path.stem.replace("-", "_"))
    return Measurement(
        title[:1].upper() + title[1:], figure, note, metrics,
        result.notes, result.command, result.device, result.versions,
    )  # fmt: skip


def _read(contents: bytes) -> tuple[_Result, list[Metric]]:
    """Return what is read of a result, and its metrics with all of their entries.

    Raises:
        ValueError, RecursionError: It is no result of a benchmark, damaged, or of a newer schema.
    """
    entries = json.loads(contents)  # by json, because msgspec refuses NaN, which rows may have
    if isinstance(entries, dict) and {"suite", "tasks"} <= entries.keys():
        raise ValueError("it is the result of an agent on a suite; such files stand before --benchmarks")
    result = msgspec.convert(entries, _Result)
    if result.schema > SCHEMA:
        raise ValueError(f"its schema is {result.schema}, and this version reads up to {SCHEMA}; upgrade gc_envs")
    return result, [_metric(number, all_) for number, all_ in zip(result.metrics, entries["metrics"], strict=True)]


def figure_bytes(measurements: list[Measurement]) -> int:
    """Return about how many bytes the files of all figures have."""
    return sum(len(one.figure or "") for one in measurements) * 3 // 4  # base64 has four letters for three bytes


def _metric(number: _Number, entries: dict[str, Any]) -> Metric:
    """Return a headline number; `entries` are all that the result says of it."""
    value, target, low, high = map(_finite, (number.value, number.target, number.low, number.high))
    at_most = not SMALL.isdisjoint(number.name.split("_"))
    reached = None
    if value is not None and target is not None:
        reached = value <= target if at_most else value >= target
    of = {_words(key): _readable(one) for key, one in entries.items() if key not in vars(number) and one is not None}
    interval = None if low is None or high is None else (low, high)
    return Metric(_words(number.name), of, value, interval, target, at_most, reached)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _readable(value: Any) -> Any:
    """Return numbers and lists of numbers as they are, for the page to round them; anything else as text."""
    numbers = value if isinstance(value, list) else [value]
    return value if isinstance(value, str) or all(map(_is_number, numbers)) else json.dumps(value)


def _is_number(value: Any) -> bool:
    """Return whether a value is one that a page's data may have as a number."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and math.isfinite(value)
    )


def _words(name: str) -> str:
    """Return an identifier as words.

    >>> _words("running_success_over_authors")
    'running success over authors'
    """
    return " ".join(name.replace("_", " ").split()) or name


def _figure(path: Path) -> tuple[str | None, str | None]:
    """Return a figure as a data URI, or else None and, if the file exists, why it is not shown."""
    contents = read_picture(path.parent, path.name, "png")
    if contents is None:
        return None, f"{path.name} is not shown: it is no PNG file of its folder." if path.exists() else None
    if len(contents) > MAX_FIGURE_BYTES:
        return None, f"{path.name} is not shown: it is larger than {MAX_FIGURE_BYTES // 1_000_000} MB."
    return data_uri(contents, "png"), None
