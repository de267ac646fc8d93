"""Frames for people: Craftax's own picture, enlarged, with the desired goal named below it."""

import functools
from typing import Any

import jax
import numpy as np

from gc_envs.core.caption import add_caption
from gc_envs.core.goals import GoalSpace
from gc_envs.craftax.goals import achieved
from gc_envs.craftax.pixels import make_pixel_renderer
from gc_envs.craftax.variants import Variant

State = Any  # Craftax's EnvState
Array = Any

BLOCK_PIXELS = 16  # the size of Craftax's textures
SCALE = {"full": 3, "classic": 4}  # whole multiples keep the pixels square; frames are 528 and 576 wide


def render_frame(variant: Variant, goals: GoalSpace, state: State, desired_goal: Array | None = None) -> np.ndarray:
    """Return Craftax's frame of `state`, uint8 [H, W, 3]; a caption names `desired_goal` (one-hot [G]) if given."""
    picture, achieved_goals = _frame_function(variant)(state)
    scale = SCALE[variant.name]
    frame = np.asarray(picture).repeat(scale, axis=0).repeat(scale, axis=1)
    goal = -1 if desired_goal is None else int(goals.index(np.asarray(desired_goal, np.float32)))
    if goal < 0:
        return frame
    return add_caption(frame, f"goal: {goals.names[goal]}", bool(np.asarray(achieved_goals)[goal]))


@functools.cache
def _frame_function(variant: Variant) -> Any:
    """Return a compiled function from a state to its picture and to which goals hold."""
    render = make_pixel_renderer(variant, BLOCK_PIXELS)
    return jax.jit(lambda state: (render(state), achieved(variant, state)))
