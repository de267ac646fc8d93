"""What every measurement shares: blocks that take turns, and a JSON with command, versions and device."""

import argparse
import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with `--json FILE`."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--json", type=Path, help="write the result there")
    return result


def take_turns(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contestant's `rounds` blocks; they take turns, so a noisy machine disturbs all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, block in contestants.items():
            start = time.perf_counter()
            block()
            times[name].append(time.perf_counter() - start)
    return times


def ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    """Median over rounds of time(other) / time(one): how many times faster `one` is."""
    return statistics.median(b / a for a, b in zip(times[one], times[other], strict=True))


def finish(args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Print `result` and write it, with what is needed to repeat it, where `--json` says."""
    from gc_envs.training.run_dir import installed_versions

    result = {
        **result,
        "command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *map(_portable, sys.argv[1:])]),
        "versions": installed_versions(),
        "python": platform.python_version(),
        "device": device(),
    }
    print(json.dumps({name: value for name, value in result.items() if name != "rows"}, indent=2))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=2) + "\n")


def _portable(argument: str) -> str:
    """An argument without the folders of this machine."""
    return Path(argument).name if os.path.isabs(argument) else argument


def device() -> str:
    """The device JAX uses, and the processor beside it."""
    import jax

    found = jax.devices()[0]
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((x.split(":", 1)[1].strip() for x in info.read_text().splitlines() if "model name" in x), cpu)
    return f"{found.platform}: {found.device_kind}; {os.cpu_count()} cores of {cpu}"
