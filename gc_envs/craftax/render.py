"""Frames for people: Craftax's own picture, enlarged, with the commanded goal named under it."""

import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from gc_envs.core.caption import add_caption
from gc_envs.craftax.goals import achieved
from gc_envs.craftax.pixels import make_pixel_renderer
from gc_envs.craftax.variants import Variant

if TYPE_CHECKING:
    from gc_envs.craftax.task import CraftaxTask

State = Any  # Craftax's EnvState
Array = Any

BLOCK_PIXELS = 16  # the size at which Craftax's textures are drawn
SCALE = {"full": 3, "classic": 4}  # whole multiples keep the pixels square: 528 and 576 wide


def render_frame(task: "CraftaxTask", state: State, desired_goal: Array | None = None) -> np.ndarray:
    """Craftax's frame of `state`, uint8 [H, W, 3]; with `desired_goal` (one-hot [G]), a caption names that goal."""
    picture, held = _draw(task.variant)(state)
    scale = SCALE[task.variant.name]
    frame = np.asarray(picture).repeat(scale, axis=0).repeat(scale, axis=1)
    goal = -1 if desired_goal is None else int(task.goals.index(np.asarray(desired_goal, np.float32)))
    if goal < 0:
        return frame
    return add_caption(frame, f"goal: {task.goals.names[goal]}", bool(np.asarray(held)[goal]))


@functools.cache
def _draw(variant: Variant) -> Any:
    render = make_pixel_renderer(variant, BLOCK_PIXELS)
    return jax.jit(lambda state: (render(state), achieved(variant, state)))
