"""Craftax's own pixel renderer, without its texture cache.

Craftax prepares every texture at three sizes (about a minute), pickles them into its own folder in site-packages, and
reads that file back later. Here only the requested size is prepared and kept in this process, and nothing is written,
so a read-only installation works and no pickle is read.
"""

import functools
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gc_envs.craftax.variants import Variant

State = Any  # Craftax's EnvState
Array = Any


@functools.cache
def make_pixel_renderer(variant: Variant, block_pixels: int) -> Callable[[State], Array]:
    """Return a function from a state to Craftax's frame, which can be jitted and vmapped.

    One renderer is kept per variant and size. A frame is uint8 [(H + inventory rows) * block_pixels, W * block_pixels,
    3].
    """
    render = _with_textures(variant, block_pixels)

    def render_uint8(state: State) -> Array:
        # Craftax's frame is float32 in 0..255 (its environments divide it by 255).
        return jnp.clip(jnp.round(render(state)), 0, 255).astype(jnp.uint8)

    return render_uint8


def _with_textures(variant: Variant, block_pixels: int) -> Callable[[State], Array]:
    """Call Craftax's `make_craftax_pixel_renderer` with a `load_all_textures` that neither reads nor writes a file.

    The function is rebound to a copy of its module's names, because patching the module itself would change Craftax for
    all other code in the process.
    """
    game = variant.game
    make = game.renderer.make_craftax_pixel_renderer
    names = {**make.__globals__, "load_all_textures": lambda: {block_pixels: load_textures(variant, block_pixels)}}
    return types.FunctionType(make.__code__, names, make.__name__, make.__defaults__, make.__closure__)(block_pixels)


@functools.cache
def load_textures(variant: Variant, block_pixels: int) -> dict[str, Any]:
    """Return Craftax's textures at one size, prepared once per process."""
    with jax.ensure_compile_time_eval():  # the first call may come from inside a jit
        return variant.game.constants.load_all_textures_given_size(block_pixels)
