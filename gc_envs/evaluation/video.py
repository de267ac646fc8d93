"""Videos of an agent's episodes, as GIF files."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.core.task import Task
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.evaluation.acting import as_policy
from gc_envs.evaluation.evaluate import episode_steps
from gc_envs.registration import make_task

VIDEO_STEPS = 120  # steps of a recorded episode at most, unless the caller asks for more
LAST_FRAME_MS = 1000  # how long the last frame of an episode is shown, in milliseconds


class Recording(NamedTuple):
    """One recorded episode.

    Attributes:
        frames: The frames, uint8 [H, W, 3], from its start state to the state in which it ended.
        success: Whether the desired goal held at some step.
    """

    frames: list[np.ndarray]
    success: bool


class _Frames:
    """The frames of an episode: those of every step, or of every 2nd, 4th, ... so that at most `most` + 1 are kept.

    The frame that was added last is among them where `most` is even.
    """

    def __init__(self, most: int) -> None:
        self.most, self.every = most, 1
        self.frames: list[np.ndarray] = []

    def add(self, frame: np.ndarray) -> None:
        self.frames.append(frame)
        if len(self.frames) > self.most:
            self.frames, self.every = self.frames[::2], 2 * self.every


def record(
    policy: Any, envs: GoalVectorEnv, goals: Sequence[Any] | None, seeds: Sequence[int], max_frames: int = 2**31
) -> list[Recording]:
    """Record one episode in each environment.

    Args:
        policy: An agent, as `evaluate` takes it.
        envs: N environments that render frames, in autoreset mode NEXT_STEP.
        goals: The desired goal of each episode, [N], as `reset` takes it; None to sample them.
        seeds: The seed of each episode, [N].
        max_frames: How many frames of an episode to keep, an even number; more are thinned out evenly. The last one
            is kept.
    """
    acting = as_policy(policy)
    observation, _ = envs.reset(seed=list(seeds), options=None if goals is None else {"goals": list(goals)})
    running, success = np.ones(envs.num_envs, bool), np.zeros(envs.num_envs, bool)
    acting.reset(running.copy())
    kept = [_Frames(max_frames) for _ in seeds]
    wanted, step = list(range(envs.num_envs)), 0
    while True:
        envs.render_envs = wanted
        for i, frame in zip(wanted, envs.render() or (), strict=True):
            kept[i].add(frame)
        if not running.any():
            return [Recording(frames.frames, bool(held)) for frames, held in zip(kept, success, strict=True)]
        observation, _, terminated, truncated, info = envs.step(acting(observation))
        step += 1
        ended = running & (terminated | truncated)
        success |= running & info["is_success"]
        wanted = [i for i in np.flatnonzero(running).tolist() if ended[i] or step % kept[i].every == 0]
        running &= ~ended


def recording_envs(task: Task[Any], num_envs: int, max_steps: int) -> GoalVectorEnv:
    """Return environments for `record`, whose episodes take at most `max_steps`."""
    return GoalVectorEnv(
        task, num_envs, horizon=max_steps, autoreset_mode=AutoresetMode.NEXT_STEP, render_mode="rgb_array",
        all_goals_info=False,
    )  # fmt: skip


def record_episodes(
    policy: Any,
    env_id: str | Task[Any],
    goals: Sequence[Any] | int,
    *,
    seed: int = 0,
    max_steps: int | None = None,
    env_kwargs: dict[str, Any] | None = None,
) -> list[list[np.ndarray]]:
    """Record one episode per goal.

    Args:
        policy: An agent, as `evaluate` takes it.
        env_id: A registered id, "module:id" or "module:class", as `make_task` takes them, or a task.
        goals: Names, indices or arrays of the goals, or how many goals to sample.
        seed: Seed of the start states, the dynamics and the sampled goals.
        max_steps: Steps of an episode; by default, as many as in an evaluation but at most `VIDEO_STEPS`.
        env_kwargs: Arguments of the environment.

    Returns:
        The frames of each episode, uint8 [H, W, 3], from its start state to the state in which it ended.

    Raises:
        ValueError: If the id, a goal or a number is not valid.
        NotImplementedError: If the task renders no frames.
    """
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    task = make_task(env_id, **(env_kwargs or {}))
    if max_steps is None:
        max_steps = min(VIDEO_STEPS, episode_steps(env_id, task, env_kwargs or {}))
    num_envs = goals if isinstance(goals, int) else len(goals)
    encoded = None if isinstance(goals, int) else [task.goals.encode(goal) for goal in goals]
    envs = recording_envs(task, num_envs, max_steps)
    return [one.frames for one in record(policy, envs, encoded, range(seed, seed + num_envs))]


def save_gif(
    episodes: Sequence[Sequence[np.ndarray]], path: Path, fps: float = 10, *, comment: str = "", colours: int = 192
) -> Path:
    """Write episodes as a GIF, one after another.

    All frames share one palette, so that regions that do not change take no space in the file.

    Args:
        episodes: The frames of each episode, uint8 [H, W, 3].
        path: The file to write.
        fps: Frames per second; the last frame of each episode is shown for a second.
        comment: Text to store in the file.
        colours: How many colours there are, an even number up to 256.

    Returns:
        `path`.

    Raises:
        ValueError: If `fps` is below 1, or no format of video is known by the ending of `path`.
    """
    from PIL import Image

    if fps < 1:
        raise ValueError(f"fps must be at least 1, got {fps}")
    frames = [frame for episode in episodes for frame in episode]
    palette = _palette(frames, colours)
    images = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [ms for episode in episodes for ms in [round(1000 / fps)] * (len(episode) - 1) + [LAST_FRAME_MS]]
    path.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=durations, loop=0, comment=comment.encode(), disposal=1
    )
    return path


def _palette(frames: Sequence[np.ndarray], count: int) -> Any:
    """Return an image whose `count` colours suit `frames`: half are their most common ones, half their most extreme."""
    from PIL import Image

    stride = math.isqrt(len(frames) // 12) + 1  # skip pixels rather than frames: some colours show in one frame only
    sheet, colours = Image.fromarray(np.concatenate([frame[::stride, ::stride] for frame in frames])), []
    for method in (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE):
        colours += (sheet.quantize(count // 2, method, dither=Image.Dither.NONE).getpalette() or [])[: 3 * (count // 2)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours)
    return palette
