"""`gc-envs benchmark`."""

import ast
import sys
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional, Suppress

from gc_envs.cli.words import summary

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"

BenchmarkName = Annotated[Positional[str | None], tyro.conf.arg(metavar="[NAME]", help_behavior_hint="")]


def benchmark(
    name: BenchmarkName = None, *, arguments: Suppress[tuple[str, ...]] = (), json: Path | None = None
) -> None:  # fmt: skip
    """Run a benchmark of the repository's benchmarks/ folder; arguments after "--" go to its script.

    Args:
        name: Run this benchmark; without a name, list all of them.
        arguments: Pass these arguments to the script.
        json: Write the result to this JSON file.
    """
    import runpy

    scripts = benchmark_scripts()
    if not scripts:
        raise ValueError("there is no benchmarks/ folder here: it comes with a clone (pip install -e .)")
    if name is None:
        width = max(map(len, scripts))
        for script, path in scripts.items():
            print(f"{script:<{width}}  {summary(ast.get_docstring(ast.parse(path.read_text())))}")
        return
    if name not in scripts:
        raise ValueError(f"unknown benchmark {name!r}; known: {', '.join(scripts)}")
    sys.argv = [f"{name}.py", *arguments, *(["--json", str(json)] if json else [])]
    sys.path.insert(0, str(BENCHMARKS))
    runpy.run_path(str(scripts[name]), run_name="__main__")


def benchmark_scripts() -> dict[str, Path]:
    """Return the scripts of the benchmarks by name."""
    return {path.stem: path for path in sorted(BENCHMARKS.glob("*.py")) if not path.stem.startswith("_")}
