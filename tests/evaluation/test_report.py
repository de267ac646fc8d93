"""Films of episodes."""

import numpy as np
from PIL import Image

from gc_envs.evaluation.report import save_gif


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
