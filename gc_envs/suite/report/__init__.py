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

from gc_envs.suite.report.measurements import figure_bytes, load_measurement
from gc_envs.suite.report.page import Page, Source, page_of
from gc_envs.suite.result import SuiteResult, load_suite_result

SCRIPTS = (  # one after the other, in one scope
    "dom.js", "charts.js", "leaderboard.js", "overview.js", "videos.js", "goal_details.js", "goals.js", "tasks.js",
)  # fmt: skip
MEASUREMENT_SCRIPTS = ("measurements.js",)  # after those, in reports that have measurements
MAX_VIDEO_BYTES = 9_000_000  # of all GIF files and figures that are put into a report; base64 makes them a third larger

__all__ = ["write_report"]


def write_report(
    results: Sequence[SuiteResult | Path | str],
    out: Path | str,
    *,
    benchmarks: Sequence[Path | str] = (),
    max_video_bytes: int = MAX_VIDEO_BYTES,
) -> Path:
    """Write a report of what agents did on a suite.

    Args:
        results: JSON files of `evaluate_suite`, with the videos beside them; or results, whose videos are left out.
        out: The HTML file to write.
        benchmarks: JSON files of `gc-envs benchmark`, with the figures beside them.
        max_video_bytes: The size of all GIF files and figures in it; further videos are named, but not shown.

    Returns:
        `out`.

    Raises:
        ValueError: There are no results, or they are of different suites or versions of a suite; or one of
            `benchmarks` is no result of a benchmark.
        SuiteResultError: A file is not a result.
        OSError: A file cannot be read or written.
    """
    sources = [
        Source(one, None) if isinstance(one, SuiteResult) else Source(load_suite_result(one), Path(one).parent)
        for one in results
    ]
    found = [load_measurement(one) for one in benchmarks]
    page = dataclasses.replace(page_of(sources, max_video_bytes - figure_bytes(found)), measurements=found)
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_fill(page))
    return path


def _fill(page: Page) -> str:
    """Return the template with its title, data, style and script, and a policy that lets nothing else run or load."""
    title = f"{page.suite}: {', '.join(agent.name for agent in page.agents)}"
    data = _json(dataclasses.asdict(page))
    style = _text("report.css") + (_text("measurements.css") if page.measurements else "")
    scripts = SCRIPTS + (MEASUREMENT_SCRIPTS if page.measurements else ())
    script = f'"use strict";\n(() => {{\n{"".join(map(_text, scripts))}\n}})();\n'
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
    parts = {"title": html.escape(title), "policy": policy, "style": style, "data": data, "script": script}
    return re.sub(r"\{\{ (\w+) \}\}", lambda place: parts[place[1]], _text("template.html"))


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what names an inline script or style in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(data: object) -> str:
    """Return JSON that may stand in a script element, whatever the strings in it are."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
