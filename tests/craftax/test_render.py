"""Pixels and frames: Craftax's own picture, drawn without touching its texture cache."""

import jax
import numpy as np

from gc_envs.craftax import pixels as pixels_module
from gc_envs.craftax.render import CAPTION_HEIGHT
from gc_envs.craftax.task import CraftaxTask


def first_state(case):
    return jax.tree.map(lambda leaf: leaf[0], case.states["golden"])


def test_pixels_are_craftax_own(case, monkeypatch):
    """The uint8 picture is Craftax's float one, rounded; nothing is written next to Craftax's files."""
    constants, renderer = case.task.variant.game.constants, case.task.variant.game.renderer

    def refuse(*_):
        raise AssertionError("Craftax's texture cache was touched")

    for name in ("save_compressed_pickle", "load_compressed_pickle"):
        monkeypatch.setattr(constants, name, refuse)
    task = CraftaxTask(case.task.variant.name, "pixels")
    state = first_state(case)
    pixels = np.asarray(jax.jit(task.observe)(state))
    assert task.observation_space.contains(pixels)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20

    if task.variant.has_levels:
        return  # the comparison below compiles the renderer once more; one game shows it
    size = task.variant.agent_block_pixels
    textures = pixels_module.drawn_textures(task.variant, size)
    monkeypatch.setattr(renderer, "load_all_textures", lambda: {size: textures})
    own = np.asarray(jax.jit(renderer.make_craftax_pixel_renderer(size))(state))
    assert own.min() >= 0
    assert own.max() <= 255
    np.testing.assert_allclose(pixels, own, atol=0.5001)


def test_frame_names_the_goal(case):
    task, state = case.task, first_state(case)
    held = case.golden_achieved[0]
    reached = task.render(state, task.goals.command(int(np.flatnonzero(held)[0])))
    pending = task.render(state, task.goals.command(int(np.flatnonzero(~held)[0])))
    plain = task.render(state)
    assert reached.dtype == np.uint8
    assert reached.shape == pending.shape == plain.shape
    assert 400 <= plain.shape[1] <= 600
    assert plain.shape[0] % 2 == plain.shape[1] % 2 == 0  # even, for video codecs
    for frame in (reached, pending):
        np.testing.assert_array_equal(frame[:-CAPTION_HEIGHT], plain[:-CAPTION_HEIGHT])
    strips = [frame[-CAPTION_HEIGHT:].reshape(-1, 3).astype(int) for frame in (plain, pending, reached)]
    colours = [strip[np.abs(strip - strip[0]).sum(axis=1).argmax()] for strip in strips]
    assert (colours[0] == strips[0][0]).all()  # empty
    assert np.ptp(colours[1]) < 10  # white
    assert colours[2][1] > colours[2][0] + 50  # green
