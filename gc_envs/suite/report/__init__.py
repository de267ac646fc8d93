"""Reports of suite results: one HTML file that shows everything about one or more agents and loads nothing else."""

import base64
import dataclasses
import hashlib
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from gc_envs.suite.report.page import Source, page_of
from gc_envs.suite.result import SuiteResult, load_suite_result

SCRIPTS = (  # one after the other, in one scope
    "dom.js", "charts.js", "leaderboard.js", "overview.js", "videos.js", "goal_details.js", "goals.js", "tasks.js",
)  # fmt: skip
MAX_VIDEO_BYTES = 9_000_000  # of all GIF files that are put into a report; base64 makes them a third larger

__all__ = ["write_report"]


def write_report(
    results: Sequence[SuiteResult | Path | str], out: Path | str, *, max_video_bytes: int = MAX_VIDEO_BYTES
) -> Path:
    """Write a report of what agents did on a suite.

    Args:
        results: JSON files of `evaluate_suite`, with the videos beside them; or results, whose videos are left out.
        out: The HTML file to write.
        max_video_bytes: The size of all GIF files in it; further videos are named, but not shown.

    Returns:
        `out`.

    Raises:
        ValueError: There are no results, or they are of different suites or versions of a suite.
        SuiteResultError: A file is not a result.
        OSError: A file cannot be read or written.
    """
    sources = [
        Source(one, None) if isinstance(one, SuiteResult) else Source(load_suite_result(one), Path(one).parent)
        for one in results
    ]
    page = page_of(sources, max_video_bytes)
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_fill(f"{page.suite}: {', '.join(agent.name for agent in page.agents)}", dataclasses.asdict(page)))
    return path


def _fill(title: str, data: object) -> str:
    """Return the template with its title, data, style and script, and a policy that lets nothing else run or load."""
    style = _text("report.css")
    script = f'"use strict";\n(() => {{\n{"".join(_text(name) for name in SCRIPTS)}\n}})();\n'
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
    parts = {"title": html.escape(title), "policy": policy, "style": style, "data": _json(data), "script": script}
    return re.sub(r"\{\{ (\w+) \}\}", lambda place: parts[place[1]], _text("template.html"))


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what names an inline script or style in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(data: object) -> str:
    """Return JSON that may stand in a script element, whatever the strings in it are."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
