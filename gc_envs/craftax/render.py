"""Frames for people: Craftax's own picture, enlarged, with the commanded goal named under it."""

import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from gc_envs.craftax.pixels import make_pixel_renderer
from gc_envs.craftax.variants import Variant

if TYPE_CHECKING:
    from gc_envs.craftax.task import CraftaxTask

State = Any  # Craftax's EnvState
Array = Any

BLOCK_PIXELS = 16  # the size at which Craftax's textures are drawn
SCALE = {"full": 3, "classic": 4}  # whole multiples keep the pixels square: 528 and 576 wide
CAPTION_HEIGHT = 36
REACHED, PENDING, BACKGROUND = (90, 210, 110), (235, 235, 235), (24, 24, 28)


def render_frame(task: "CraftaxTask", state: State, desired_goal: Array | None = None) -> np.ndarray:
    """Craftax's frame of `state` and a caption strip, uint8 [H, W, 3].

    The strip names `desired_goal` (one-hot [G]) and turns green, with a tick, while it holds; without a goal it is
    empty, so that all frames of a video have one size.
    """
    picture, held = _draw(task.variant)(state)
    frame = np.asarray(picture).repeat(SCALE[task.variant.name], axis=0).repeat(SCALE[task.variant.name], axis=1)
    index = None if desired_goal is None else int(task.goals.index(np.asarray(desired_goal, np.float32)))
    if index is None or index < 0:
        caption = _caption(frame.shape[1], None, False)
    else:
        caption = _caption(frame.shape[1], task.goals.names[index], bool(np.asarray(held)[index]))
    return np.concatenate([frame, caption])


@functools.cache
def _draw(variant: Variant) -> Any:
    from gc_envs.craftax.goals import achieved

    render = make_pixel_renderer(variant, BLOCK_PIXELS)
    return jax.jit(lambda state: (render(state), achieved(variant, state)))


def _caption(width: int, goal: str | None, reached: bool) -> np.ndarray:
    """The strip under the frame, uint8 [CAPTION_HEIGHT, width, 3]."""
    from PIL import Image, ImageDraw, ImageFont

    strip = Image.new("RGB", (width, CAPTION_HEIGHT), BACKGROUND)
    if goal is None:
        return np.asarray(strip)
    draw = ImageDraw.Draw(strip)
    colour = REACHED if reached else PENDING
    text = f"goal: {goal}" + ("  reached" if reached else "")
    left, middle = 12, CAPTION_HEIGHT // 2
    if reached:  # a drawn tick: not every font has one
        draw.line([(left, middle), (left + 5, middle + 6), (left + 15, middle - 7)], fill=colour, width=3)
        left += 26
    size = 18
    while size > 8 and draw.textlength(text, font=ImageFont.load_default(size)) > width - left - 12:
        size -= 1
    draw.text((left, middle), text, fill=colour, font=ImageFont.load_default(size), anchor="lm")
    return np.asarray(strip)
