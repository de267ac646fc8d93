"""Videos of episodes, and the learning curve."""

import numpy as np
import pytest
from PIL import Image

import gc_envs
from gc_envs.evaluation.plots import plot_learning_curve
from gc_envs.evaluation.video import VIDEO_STEPS, record_episodes, save_gif


def test_a_video_keeps_its_frames_and_a_colour_that_only_one_of_them_has(tmp_path):
    shade = np.linspace(0, 255, 120, dtype=np.uint8)
    grey = np.broadcast_to(shade[:, None, None], (120, 120, 3))
    frames = [grey.copy() for _ in range(50)]
    for i, frame in enumerate(frames):
        frame[i : i + 4, :4] = (240, 150, 30)  # so that no two are equal
    frames[-1][100:, 40:] = (60, 200, 110)
    video = Image.open(save_gif([frames, frames[:7]], tmp_path / "x.gif", fps=20, comment="two episodes"))
    assert video.n_frames == 57
    assert video.info["comment"] == b"two episodes"
    video.seek(49)
    assert video.info["duration"] == 1000
    shown = np.asarray(video.convert("RGB")).astype(int)
    assert abs(shown - frames[49]).max() <= 8
    video.seek(50)
    assert abs(np.asarray(video.convert("RGB")).astype(int) - frames[0]).max() <= 8


@pytest.mark.parametrize(
    ("env_id", "max_steps", "frames"),
    [("GC-DriveSeek-v0", None, 41), ("GC-DriveSeek-v0", 7, 8), ("GC-Gridworld-v0", None, VIDEO_STEPS + 1)],
)
def test_episodes_are_recorded_as_long_as_they_are_evaluated_unless_that_is_too_long(env_id, max_steps, frames):
    task = gc_envs.make_task(env_id)

    def same_action(observation):  # which drives in a circle, or up into a wall
        return np.zeros((len(observation["observation"]), *task.action_space.shape), task.action_space.dtype)

    videos = record_episodes(
        same_action, env_id, [task.goals.names[-1]] if "Grid" in env_id else 1, max_steps=max_steps
    )
    assert [len(video) for video in videos] == [frames]


def test_the_learning_curve_is_drawn_once_something_is_logged(tmp_path):
    assert plot_learning_curve(tmp_path, "nothing yet") is None
    (tmp_path / "metrics.csv").write_text("step,running_success,episode_return\n10,0.1,-3\n20,0.5,-1\n")
    assert plot_learning_curve(tmp_path, "a run") == tmp_path / "learning_curve.png"
    (tmp_path / "evaluations.csv").write_text("step,success,return\n20,0.4,-2\n")
    assert Image.open(plot_learning_curve(tmp_path, "a run")).height > 700
