"""The three observations of a Craftax state: compact categories, Craftax's symbolic vector, Craftax's pixels.

H x W is the view, M the number of mob slots, T of mob types, S of scalars, C of map channels; `...` are batch axes.
"""

from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.one_hot import OneHotSpec
from gc_envs.craftax.scalars import categories, scalar_classes, symbolic_tail, symbolic_tail_high
from gc_envs.craftax.variants import Variant
from gc_envs.craftax.view import blocks_and_items, view_offsets, visible_mobs

State = Any  # Craftax's EnvState
Array = Any
KINDS = ("symbolic", "compact", "pixels")


def make_one_hot_spec(variant: Variant) -> OneHotSpec:
    """Return the spec of the compact observation of `variant`: 9,637 one-hot numbers for Craftax, 1,562 for Classic."""
    maps: tuple[tuple[str, int], ...] = (("block_map", variant.num_blocks),)
    if variant.has_levels:
        maps += (("item_map", variant.num_items), ("mob_map", variant.num_mob_types), ("light_map", 2))
    else:
        maps += (("mob_map", variant.num_mob_types + 1),)
    return OneHotSpec(
        scalars=scalar_classes(variant),
        height=variant.view[0],
        width=variant.view[1],
        maps=maps,
        num_mob_slots=variant.num_mob_slots,
        num_mob_types=variant.num_mob_types,
    )


def compact(variant: Variant, state: State) -> dict[str, Array]:
    """Return the view and the scalars as small integers.

    Returns:
        A dictionary of uint8 arrays: `block_map` [H, W], block ids, num_blocks where it is dark; `item_map` [H, W],
        item ids likewise (Craftax only); `mobs` [M, 2], the cell (H*W where not visible) and the type of every mob
        slot; `scalars` [S], categories.
    """
    blocks, items = blocks_and_items(variant, state, view_offsets(variant))
    observation = {
        "block_map": blocks.reshape(variant.view),
        "mobs": jnp.stack(visible_mobs(variant, state), axis=-1),
        "scalars": categories(variant, state),
    }
    if items is not None:
        observation["item_map"] = items.reshape(variant.view)
    return {name: array.astype(jnp.uint8) for name, array in observation.items()}


def one_hot(spec: OneHotSpec, observation: dict[str, Array]) -> tuple[Array, Array]:
    """Unfold a compact observation into one-hot numbers.

    Args:
        spec: The variant's spec.
        observation: A compact observation with any batch axes.

    Returns:
        Maps, float32 [..., H, W, C], with channels in the order of `spec.maps`, and scalars, float32 [..., sum of
        classes], in the order of `spec.scalars`.
    """
    blocks = observation["block_map"].astype(jnp.int32)
    batch = blocks.shape[:-2]
    mobs = observation["mobs"].astype(jnp.int32)
    at_cell = jax.nn.one_hot(mobs[..., 0], spec.height * spec.width)  # [..., M, H*W], zero when not visible
    of_type = jax.nn.one_hot(mobs[..., 1], spec.num_mob_types)  # [..., M, T]
    # No (cell, type) occurs twice, so every entry is 0 or 1 and exact in any precision.
    mob_map = jnp.einsum("...mc,...mt->...ct", at_cell, of_type).reshape(*batch, spec.height, spec.width, -1)
    channels = dict(spec.maps)
    if channels["mob_map"] > spec.num_mob_types:
        mob_map = jnp.concatenate([mob_map, 1.0 - jnp.max(mob_map, axis=-1, keepdims=True)], axis=-1)
    maps = {"block_map": jax.nn.one_hot(blocks, channels["block_map"]), "mob_map": mob_map}
    if "item_map" in channels:
        maps["item_map"] = jax.nn.one_hot(observation["item_map"].astype(jnp.int32), channels["item_map"])
    if "light_map" in channels:
        maps["light_map"] = jax.nn.one_hot((blocks < channels["block_map"]).astype(jnp.int32), 2)
    return jnp.concatenate([maps[name] for name, _ in spec.maps], axis=-1), spec.one_hot_scalars(observation["scalars"])


def symbolic(variant: Variant, state: State) -> Array:
    """Return Craftax's symbolic observation, float32 [8268] (Classic [1345]), bitwise as `render_craftax_symbolic`.

    Craftax fills its mob map in five scans; here the visible mobs are found at once and written in one scatter.
    """
    blocks, items = blocks_and_items(variant, state, view_offsets(variant))
    cell, kind = visible_mobs(variant, state)
    mob_map = jnp.zeros((variant.num_cells, variant.num_mob_types), jnp.float32).at[cell, kind].set(1.0, mode="drop")
    maps = [jax.nn.one_hot(blocks, variant.num_blocks)]
    if items is not None:
        maps.append(jax.nn.one_hot(items, variant.num_items))
    maps.append(mob_map)
    if variant.has_levels:
        maps.append((blocks < variant.num_blocks).astype(jnp.float32)[:, None])
    return jnp.concatenate([jnp.concatenate(maps, axis=-1).reshape(-1), symbolic_tail(variant, state)])


def observation_space(variant: Variant, kind: str) -> gymnasium.Space:
    """Return the space of an observation kind, with the tightest bounds that Craftax's rules give.

    Raises:
        ValueError: If `kind` is not one of `KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown Craftax observation {kind!r}; known: {', '.join(KINDS)}")
    height, width = variant.view
    if kind == "pixels":
        rows = height + variant.inventory_rows
        size = variant.agent_block_pixels
        return gymnasium.spaces.Box(0, 255, (rows * size, width * size, 3), np.uint8)
    if kind == "symbolic":
        channels = variant.num_blocks + variant.num_items + variant.num_mob_types + variant.has_levels
        high = np.concatenate([np.ones(variant.num_cells * channels, np.float32), symbolic_tail_high(variant)])
        return gymnasium.spaces.Box(np.zeros_like(high), high, dtype=np.float32)
    mobs_high = np.tile(
        np.asarray([variant.num_cells, variant.num_mob_types - 1], np.uint8), (variant.num_mob_slots, 1)
    )
    scalars_high = np.asarray([classes - 1 for _, classes in scalar_classes(variant)], np.uint8)
    spaces: dict[str, gymnasium.Space] = {
        "block_map": gymnasium.spaces.Box(0, variant.num_blocks, variant.view, np.uint8),
        "mobs": gymnasium.spaces.Box(np.zeros_like(mobs_high), mobs_high, dtype=np.uint8),
        "scalars": gymnasium.spaces.Box(np.zeros_like(scalars_high), scalars_high, dtype=np.uint8),
    }
    if variant.num_items:
        spaces["item_map"] = gymnasium.spaces.Box(0, variant.num_items, variant.view, np.uint8)
    return gymnasium.spaces.Dict(spaces)
