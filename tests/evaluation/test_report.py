"""Films of episodes."""

import numpy as np
import pytest
from PIL import Image

import gc_envs
from gc_envs.evaluation.report import FILM_STEPS, record_episodes, save_gif


def test_a_film_keeps_its_frames_and_a_colour_that_only_one_of_them_has(tmp_path):
    shade = np.linspace(0, 255, 120, dtype=np.uint8)
    grey = np.broadcast_to(shade[:, None, None], (120, 120, 3))
    frames = [grey.copy() for _ in range(50)]
    for i, frame in enumerate(frames):
        frame[i : i + 4, :4] = (240, 150, 30)  # so that no two are equal
    frames[-1][100:, 40:] = (60, 200, 110)
    film = Image.open(save_gif([frames, frames[:7]], tmp_path / "x.gif", fps=20, comment="two episodes"))
    assert film.n_frames == 57
    assert film.info["comment"] == b"two episodes"
    film.seek(49)
    assert film.info["duration"] == 1000
    shown = np.asarray(film.convert("RGB")).astype(int)
    assert abs(shown - frames[49]).max() <= 8
    film.seek(50)
    assert abs(np.asarray(film.convert("RGB")).astype(int) - frames[0]).max() <= 8


@pytest.mark.parametrize(
    ("env_id", "max_steps", "frames"),
    [("GC-DriveSeek-v0", None, 41), ("GC-DriveSeek-v0", 7, 8), ("GC-Gridworld-v0", None, FILM_STEPS + 1)],
)
def test_episodes_are_filmed_as_long_as_they_are_evaluated_unless_that_is_too_long(env_id, max_steps, frames):
    task = gc_envs.make_task(env_id)

    def same_action(observation):  # which drives in a circle, or up into a wall
        return np.zeros((len(observation["observation"]), *task.action_space.shape), task.action_space.dtype)

    films = record_episodes(same_action, env_id, [task.goals.names[-1]] if "Grid" in env_id else 1, max_steps=max_steps)
    assert [len(film) for film in films] == [frames]
