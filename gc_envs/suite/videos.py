"""Videos of evaluated episodes, successful and failed, for reports."""

import shlex
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.evaluation.evaluate import Episodes, Evaluator
from gc_envs.evaluation.video import Recording, record, recording_envs, save_gif
from gc_envs.registration import make_task
from gc_envs.suite.members import MakePolicy, Member, PolicySource, members_of_function
from gc_envs.suite.result import Video
from gc_envs.suite.suites import SUITES, SuiteEntry, suite_entries

MAX_FRAMES = 60  # of a video; those of longer episodes show every second, fourth, ... step
WIDTH = 160  # pixels
COLOURS = 64
MAX_BYTES = 60_000  # of a GIF file; frames are dropped until it is smaller
MIN_FRAMES = 8  # where that ends
FPS = 10


def record_videos(
    entry: SuiteEntry, member: Member, evaluator: Evaluator, episodes: Episodes, count: int, folder: Path
) -> list[Video]:
    """Record some of the episodes of a member with the first seed of a task once more.

    Args:
        entry: The suite's row.
        member: The policy.
        evaluator: The environments that it was evaluated in.
        episodes: Its episodes with the first seed.
        count: How many successful and how many failed ones to record.
        folder: Where the GIF files go.

    Returns:
        The videos, each with the outcome that it shows. Errors, such as those of rendering, are warnings: what has been
        evaluated is not lost.
    """
    seeds = evaluator.episode_seeds(entry.seeds[0])
    names = evaluator.envs.goals.names if evaluator.finite else ()
    videos = []
    try:
        envs = episode_envs(entry, member)
        for ever in (True, False):
            for index in spread(np.flatnonzero(episodes.ever == ever), count):
                goal = evaluator.goals[index]
                name = None if goal is None else names[goal]
                recording = record_episode(member, envs, name, seeds[index])
                command = replay_command(entry, member, name, seeds[index])
                path = folder / f"{entry.name}-{index:03}-{zlib.crc32(command.encode()):08x}.gif"
                save_small_gif(recording.frames, path, command)
                file = f"{folder.name}/{path.name}"
                videos.append(Video(file, member.name, name, seeds[index], recording.success, command))
    except Exception as error:  # whatever it is, such as a policy that needs as many environments as before
        warnings.warn(f"{entry.name}: no video: {type(error).__name__}: {error}", stacklevel=2)
    return videos


def spread(found: np.ndarray, count: int) -> list[int]:
    """Return at most `count` of the numbers `found`, evenly spread.

    >>> spread(np.arange(10), 3)
    [1, 5, 8]
    """
    if len(found) > count:
        found = found[((np.arange(count) + 0.5) * len(found) / count).astype(int)]
    return [int(index) for index in found]


def episode_envs(entry: SuiteEntry, member: Member) -> GoalVectorEnv:
    """Return the environment of a task as a member asks to be shown it: a single one, which renders frames."""
    return recording_envs(make_task(entry.env_id, **{**entry.env_kwargs, **member.env_kwargs}), 1, entry.max_steps)


def record_episode(member: Member, envs: GoalVectorEnv, goal: str | None, seed: int) -> Recording:
    """Record one episode of an evaluation.

    Args:
        member: The policy.
        envs: What `episode_envs` returns.
        goal: The name of the desired goal; None to sample it.
        seed: The seed of the episode.
    """
    return record(member.policy, envs, None if goal is None else [goal], [seed], MAX_FRAMES)[0]


def replay(
    source: PolicySource | MakePolicy, suite: str, task: str, goals: Sequence[str] = (), seed: int = 0
) -> list[Recording]:
    """Record episodes of an evaluation again.

    Args:
        source: The agent, of which the first member acts; or a function that makes policies.
        suite: The name of the suite.
        task: The name of the task.
        goals: The names of the desired goals, of an episode each; none where goals are sampled.
        seed: The seed of the episodes.

    Raises:
        ValueError: There is no such suite, task or goal, or the agent has no policy for the task.
    """
    (entry,) = suite_entries(suite, [task])
    members = source.members(entry) if isinstance(source, PolicySource) else members_of_function(source, entry, "")
    if not members:
        raise ValueError(f"the agent has no policy for {task}")
    envs = episode_envs(entry, members[0])
    desired: list[str | None] = [*goals] or [None]
    return [record_episode(members[0], envs, goal, seed) for goal in desired]


def replay_command(entry: SuiteEntry, member: Member, goal: str | None, seed: int) -> str:
    """Return the command that records an episode again, or the call if the member has no name outside its program."""
    suite = next(name for name, entries in SUITES.items() if entry in entries)
    if member.path is None and ":" not in member.name:
        goals = [] if goal is None else [goal]
        return f"gc_envs.suite.videos.replay({member.name}, {suite!r}, {entry.name!r}, {goals}, seed={seed})"
    agent = ["--policy", member.name] if member.path is None else [member.path]
    desired = [] if goal is None else ["--goal", goal]
    return shlex.join(
        ["gc-envs", "render", *agent, "--suite", suite, "--task", entry.name, *desired, "--seed", str(seed)]
    )


def save_small_gif(frames: Sequence[np.ndarray], path: Path, comment: str = "") -> Path:
    """Write frames as a GIF of at most `WIDTH` pixels and, if `MIN_FRAMES` allow it, `MAX_BYTES`.

    Where that takes fewer frames, they are shown for longer; the last one is kept.
    """
    small = [_shrink(frame) for frame in frames]
    count = len(small)
    while True:
        kept = [small[i] for i in np.linspace(0, len(small) - 1, count).round().astype(int)]
        save_gif([kept], path, FPS * count / len(small), comment=comment, colours=COLOURS)
        if path.stat().st_size <= MAX_BYTES or count <= MIN_FRAMES:
            return path
        count = max(MIN_FRAMES, min(count - 1, int(0.9 * count * MAX_BYTES / path.stat().st_size)))


def _shrink(frame: np.ndarray) -> np.ndarray:
    """Return a frame that is at most `WIDTH` pixels wide."""
    from PIL import Image

    height, width = frame.shape[:2]
    if width <= WIDTH:
        return frame
    return np.asarray(Image.fromarray(frame).resize((WIDTH, round(height * WIDTH / width)), Image.Resampling.BOX))
