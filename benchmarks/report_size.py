"""Measure how large a report of five agents over the standard suite is, and how long a browser takes to show it.

The results are made up: counts of every goal, five training runs a task with learning curves of 100 evaluations, and
two successful and two failed videos for each task and agent, each as large as videos may be. The time is that of
headless Chromium, from the navigation until the page is loaded, its scripts have run and it has been painted: the
median of several fresh browsers. The time to open the task with the most goals is from the click until it is painted.
"""

import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from _common import Parser, finish, metric

from gc_envs.registration import make_task
from gc_envs.suite.report import write_report
from gc_envs.suite.result import MemberResult, SeedResult, SuiteResult, TaskResult, Training, Video
from gc_envs.suite.suites import SuiteEntry, suite_entries
from gc_envs.suite.videos import MAX_BYTES, save_small_gif

PAINTED = "const done = arguments[0]; requestAnimationFrame(() => setTimeout(() => done(performance.now())));"
OPEN = """
const done = arguments[1], start = performance.now(), box = document.getElementById(arguments[0]);
box.querySelector("summary").click();
const painted = (then) => requestAnimationFrame(() => setTimeout(then));
painted(() => painted(() => done(performance.now() - start)));
"""
SUITE = "standard-v0"
LARGEST = "Craftax"


def goal_names(entry: SuiteEntry) -> list[str]:
    """Return the names of a finite goal set; none where goals are sampled."""
    names = getattr(make_task(entry.env_id, **entry.env_kwargs).goals, "names", None)
    return list(names) if names is not None and entry.episodes == 1 else []


def seed_result(entry: SuiteEntry, seed: int, groups: int, skill: float, rng: np.random.Generator) -> SeedResult:
    """Return made-up counts."""
    chance = rng.beta(2 * skill + 0.05, 2 * (1 - skill) + 0.05, groups)
    successes = rng.binomial(entry.episodes, chance)
    drawn = rng.normal(entry.reference * skill, 3, entry.episodes).round(3).tolist()
    returns = drawn if entry.metric == "return" else []
    success = float(successes.sum() / (groups * entry.episodes))
    return SeedResult(seed, success, success * 0.9, float(np.mean(returns or [0.0])), successes.tolist(), returns)


def member_result(entry: SuiteEntry, name: str, groups: int, skill: float, rng: np.random.Generator) -> MemberResult:
    """Return a made-up training run."""
    seeds = [seed_result(entry, seed, groups, skill, rng) for seed in entry.seeds]
    steps = np.linspace(0, 1_000_000, 100)
    values = entry.reference * skill * (1 - np.exp(-steps / 2e5)) + rng.normal(0, 0.02, 100)
    training = Training(
        "her-ddpg", int(rng.integers(100)), 1_000_000, float(rng.uniform(600, 1200)), "cpu: cpu; 2 cores",
        f"gc-envs train her-ddpg {entry.env_id} --total-steps 1000000 --run-dir runs/{name}",
        {"step": steps.tolist(), entry.metric: values.clip(0, None).tolist()},
    )  # fmt: skip
    return MemberResult(name, seeds, training)


def result_of(agent: str, skill: float, goals: dict[str, list[str]], gif: bytes, folder: Path, members: int) -> Path:
    """Write a made-up result with its videos, and return its path."""
    rng = np.random.default_rng(round(skill * 1000))
    path, videos = folder / f"{agent}.json", folder / f"{agent}.videos"
    videos.mkdir(parents=True)
    tasks = {}
    for entry in suite_entries(SUITE):
        names = goals[entry.name]
        found = [member_result(entry, f"{agent}-{entry.name}-{i}", len(names) or 1, skill, rng) for i in range(members)]
        clips = []
        for i in range(4):
            (videos / f"{entry.name}-{i}.gif").write_bytes(gif)
            goal = names[(i * 37) % len(names)] if names else None
            command = f"gc-envs render runs/{agent} --suite {SUITE} --task {entry.name} --seed {i}"
            clips.append(Video(f"{videos.name}/{entry.name}-{i}.gif", found[0].name, goal, i, i < 2, command))
        tasks[entry.name] = TaskResult.of(entry, "done", goals=names, members=found, videos=clips)
    SuiteResult(
        SUITE, agent, f"gc-envs evaluate --suite {SUITE} runs/{agent}-* --json {agent}.json", {"python": "3.11"},
        "cpu: cpu; 2 cores", None, tasks, {"started": "2026-01-01T00:00:00Z"},
    ).save(path)  # fmt: skip
    return path


def largest_gif(folder: Path) -> bytes:
    """Return a GIF about as large as videos may be."""
    rng = np.random.default_rng(0)
    for height in range(160, 0, -8):
        frames = [rng.integers(0, 256, (height, 160, 3), np.uint8) for _ in range(8)]
        contents = save_small_gif(frames, folder / "x.gif").read_bytes()
        if len(contents) <= MAX_BYTES:
            break
    return contents


def browse(path: Path) -> tuple[float, float]:
    """Return the milliseconds until a fresh browser has painted a report, and until it has opened the largest task."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.arguments.extend(("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"))
    options.binary_location = shutil.which("chromium") or ""
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        browser.get(path.resolve().as_uri())
        return browser.execute_async_script(PAINTED), browser.execute_async_script(OPEN, LARGEST)
    finally:
        browser.quit()


def main() -> None:
    """Print and write the size and the times."""
    parser = Parser(__doc__)
    parser.add_argument("--agents", type=int, default=5, help="Show this many agents. (default: 5)")
    parser.add_argument("--members", type=int, default=5, help="Give every agent this many training runs. (default: 5)")
    parser.add_argument("--rounds", type=int, default=5, help="Open the report in this many browsers. (default: 5)")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="Keep the report as this file.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gif, goals = largest_gif(folder), {entry.name: goal_names(entry) for entry in suite_entries(SUITE)}
        skills = np.linspace(0.1, 0.9, args.agents)
        files = [result_of(f"agent-{i}", skill, goals, gif, folder, args.members) for i, skill in enumerate(skills)]
        path = write_report(files, args.keep or folder / "report.html")
        size = path.stat().st_size / 1e6
        times = [browse(path) for _ in range(args.rounds)]
    shown, opened = (statistics.median(one) / 1000 for one in zip(*times, strict=True))
    finish(
        args,
        metrics=[
            metric("megabytes", size, 15.0),
            metric("seconds_to_paint", shown, 2.0),
            metric("seconds_to_open_512_goals", opened),
        ],
        rows=[{"ms_to_paint": first, "ms_to_open_512_goals": second} for first, second in times],
        settings={
            "suite": SUITE, "agents": args.agents, "members": args.members, "videos_per_task": 4,
            "video_bytes": len(gif),
        },
        packages=("gc_envs", "selenium"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
