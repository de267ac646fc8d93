"""Videos of an agent's episodes, as GIF files."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.core.task import Task
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.evaluation.acting import as_policy
from gc_envs.evaluation.evaluate import episode_steps
from gc_envs.registration import make_task

VIDEO_STEPS = 120  # steps of a recorded episode at most, unless the caller asks for more
LAST_FRAME_MS = 1000  # how long the last frame of an episode is shown, in milliseconds


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
    options = None if isinstance(goals, int) else {"goals": [task.goals.encode(goal) for goal in goals]}
    envs = GoalVectorEnv(
        task, num_envs, horizon=max_steps, autoreset_mode=AutoresetMode.NEXT_STEP, render_mode="rgb_array",
        all_goals_info=False,
    )  # fmt: skip
    act = as_policy(policy)
    observation, _ = envs.reset(seed=seed, options=options)
    episodes: list[list[np.ndarray]] = [[frame] for frame in envs.render() or ()]
    running = np.ones(num_envs, bool)
    while running.any():
        observation, _, terminated, truncated, _ = envs.step(act(observation))
        envs.render_envs = np.flatnonzero(running).tolist()
        for i, frame in zip(envs.render_envs, envs.render() or (), strict=True):
            episodes[i].append(frame)
        running &= ~(terminated | truncated)
    return episodes


def save_gif(episodes: Sequence[Sequence[np.ndarray]], path: Path, fps: int = 10, *, comment: str = "") -> Path:
    """Write episodes as a GIF, one after another.

    All frames share one palette, so that regions that do not change take no space in the file.

    Args:
        episodes: The frames of each episode, uint8 [H, W, 3].
        path: The file to write.
        fps: Frames per second; the last frame of each episode is shown for a second.
        comment: Text to store in the file.

    Returns:
        `path`.

    Raises:
        ValueError: If `fps` is below 1, or no format of video is known by the ending of `path`.
    """
    from PIL import Image

    if fps < 1:
        raise ValueError(f"fps must be at least 1, got {fps}")
    frames = [frame for episode in episodes for frame in episode]
    palette = _palette(frames)
    images = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [ms for episode in episodes for ms in [round(1000 / fps)] * (len(episode) - 1) + [LAST_FRAME_MS]]
    path.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=durations, loop=0, comment=comment.encode(), disposal=1
    )
    return path


def _palette(frames: Sequence[np.ndarray]) -> Any:
    """Return an image whose palette suits `frames`: half are their most common colours, half their most extreme."""
    from PIL import Image

    stride = math.isqrt(len(frames) // 12) + 1  # skip pixels rather than frames: some colours show in one frame only
    sheet, colours = Image.fromarray(np.concatenate([frame[::stride, ::stride] for frame in frames])), []
    for method in (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE):
        colours += (sheet.quantize(96, method, dither=Image.Dither.NONE).getpalette() or [])[: 3 * 96]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours)
    return palette
