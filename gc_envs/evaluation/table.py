"""An evaluation as text: a table to read, and JSON to keep."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from gc_envs.evaluation.evaluate import Evaluation

BAR_WIDTH = 20  # characters of a full bar


def format_table(result: Evaluation, limit: int = 30) -> str:
    """Format an evaluation: a line of totals, then one line per group of goals.

    Args:
        result: The evaluation.
        limit: How many of the goals that were never reached to name.

    Returns:
        The text. Goals are grouped by the part of their name before the "/".
    """
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
        bar = "#" * round(BAR_WIDTH * float(np.mean(rates)))
        lines.append(f"{name:<{width}}  {len(rates):>6}  {np.mean(rates):7.3f}  {bar}")
    never = [name for name, rate in per_goal.items() if rate == 0]
    if never:
        shown = ", ".join(never[:limit]) + (", ..." if len(never) > limit else "")
        lines += ["", f"never reached ({len(never)}): {shown}"]
    return "\n".join(lines)


def save_json(result: Any, path: Path | str) -> None:
    """Write `result` to `path` as JSON, and make the folders on the way."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
