"""Pixels and frames: Craftax's own picture, rendered without touching its texture cache."""

import jax
import numpy as np

from gc_envs.craftax import pixels as pixels_module
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
    textures = pixels_module.load_textures(task.variant, size)
    monkeypatch.setattr(renderer, "load_all_textures", lambda: {size: textures})
    own = np.asarray(jax.jit(renderer.make_craftax_pixel_renderer(size))(state))
    assert own.min() >= 0
    assert own.max() <= 255
    np.testing.assert_allclose(pixels, own, atol=0.5001)


def test_frame_names_the_goal(case):
    task, state = case.task, first_state(case)
    achieved = case.golden_achieved[0]
    reached = task.render(state, task.goals.encode(int(np.flatnonzero(achieved)[0])))
    pending = task.render(state, task.goals.encode(int(np.flatnonzero(~achieved)[0])))
    plain = task.render(state)
    assert plain.dtype == np.uint8
    assert 400 <= plain.shape[1] <= 600
    assert reached.shape == pending.shape
    assert reached.shape[0] % 2 == reached.shape[1] % 2 == 0  # even, for video codecs
    for frame in (reached, pending):
        np.testing.assert_array_equal(frame[: len(plain)], plain)
    assert (reached[len(plain) :] != pending[len(plain) :]).any()
    np.testing.assert_array_equal(task.render(state, np.zeros(task.goals.num_goals)), plain)  # no goal
