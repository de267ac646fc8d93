"""What all benchmarks share: their command line, blocks that take turns, and the one way to write a result.

A result is one JSON object:

    schema    the version of this layout
    name      the benchmark, a script of this folder
    command   what to run to repeat it
    versions  of Python and of the packages that decide the result
    device    what JAX computes on, and the processor beside it
    settings  what was measured: ids, sizes, configurations
    metrics   [{name, value, target, ...}]: the headline numbers; target is null where there is none, and further
              entries (agent, step, published, ...) say what the number is of
    rows      [{...}]: everything that was measured
    ratio     the one headline number of a comparison, where there is one
    notes     remarks, where there are any
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from gc_envs.device import describe_device

SCHEMA = 1


class Parser(argparse.ArgumentParser):
    """An argument parser with `--json FILE` whose errors are one line."""

    def __init__(self, description: str | None) -> None:
        name = Path(sys.argv[0]).stem
        super().__init__(
            prog=f"gc-envs benchmark {name} --", usage=f"gc-envs benchmark {name} [-- ARGUMENTS]",
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        )  # fmt: skip
        self.add_argument("--json", type=Path, metavar="FILE", help="Write the result to this JSON file.")

    def error(self, message: str) -> NoReturn:
        """Print one line to stderr and exit with code 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def take_turns(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each contestant's `rounds` blocks; they take turns, so that noise disturbs all alike."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, block in contestants.items():
            start = time.perf_counter()
            block()
            times[name].append(time.perf_counter() - start)
    return times


def ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    """Return the median over rounds of time(other) / time(one): how many times faster `one` is."""
    return statistics.median(b / a for a, b in zip(times[one], times[other], strict=True))


def metric(name: str, value: float, target: float | None = None, **of: Any) -> dict[str, Any]:
    """Return one headline number; `of` says what it is a number of."""
    return {"name": name, "value": value, "target": target, **of}


def finish(
    args: argparse.Namespace,
    *,
    metrics: Sequence[dict[str, Any]] = (),
    rows: Iterable[dict[str, Any]] = (),
    settings: dict[str, Any] | None = None,
    packages: Sequence[str] = (),
    ratio: float | None = None,
) -> dict[str, Any]:
    """Print a result without its rows, write it where `--json` says, and return it.

    Args:
        args: The parsed arguments of the benchmark.
        metrics: The headline numbers, made by `metric`.
        rows: Everything that was measured.
        settings: What was measured.
        packages: The packages that decide the result; by default, those of which gc_envs keeps a list.
        ratio: The one headline number of a comparison.
    """
    name = Path(sys.argv[0]).stem
    result = {
        "schema": SCHEMA,
        "name": name,
        "command": shlex.join(["gc-envs", "benchmark", name, "--", *map(_portable, sys.argv[1:])]),
        "versions": {"python": platform.python_version(), **_versions(packages)},
        "device": describe_device(),
        "settings": settings or {},
        "metrics": list(metrics),
        "rows": list(rows),
        **({} if ratio is None else {"ratio": ratio}),
    }
    print(json.dumps({key: value for key, value in result.items() if key != "rows"}, indent=2))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return result


def _versions(packages: Sequence[str]) -> dict[str, str]:
    if packages:
        return {package: importlib.metadata.version(package) for package in packages}
    from gc_envs.training.run_dir import installed_versions

    return installed_versions()


def _portable(argument: str) -> str:
    """Return an argument without the folders of this machine."""
    return Path(argument).name if os.path.isabs(argument) else argument
