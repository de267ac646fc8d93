"""What the player sees: blocks, items and mobs around the player, as Craftax's symbolic renderer shows them.

K is a number of cells, M of mob slots, T of mob types. Cells are numbered row by row, 0 .. H*W-1, and H*W means "not
visible".
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from gc_envs.craftax.variants import DIRECTIONS, Variant

State = Any  # Craftax's EnvState
Array = Any

VISIBLE_LIGHT = 0.05  # Craftax's own threshold
OUT_OF_BOUNDS = 1  # block id


def neighbour_offsets() -> np.ndarray:
    """Return the offsets (row, column) of the 4 cells left, right, up and down of the player, int32 [4, 2]."""
    return np.asarray([offset for _, offset in DIRECTIONS], np.int32)


def neighbour_cells(variant: Variant) -> np.ndarray:
    """Return the numbers of the 4 cells next to the player, int32 [4]."""
    height, width = variant.view
    rows, columns = neighbour_offsets().T
    return (rows + height // 2) * width + columns + width // 2


def view_offsets(variant: Variant) -> np.ndarray:
    """Return (row, column) of every cell of the view relative to the player, int32 [H*W, 2]."""
    height, width = variant.view
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows.ravel() - height // 2, columns.ravel() - width // 2], axis=-1).astype(np.int32)


def blocks_and_items(variant: Variant, state: State, offsets: np.ndarray) -> tuple[Array, Array | None]:
    """Return block ids [K] and item ids [K] (None without items) at `offsets` [K, 2] from the player, int32.

    A dark cell has the ids num_blocks and num_items, which no class matches. Outside the map Craftax is dark; Classic,
    which has no darkness, shows OUT_OF_BOUNDS.
    """
    position = state.player_position + offsets
    if not variant.has_levels:
        return jnp.where(_inside(state.map, position), _at(state.map, position), OUT_OF_BOUNDS), None
    level = state.player_level
    lit = _lit(state, position)
    blocks = jnp.where(lit, _at(state.map, position, level), variant.num_blocks)
    items = jnp.where(lit, _at(state.item_map, position, level), variant.num_items)
    return blocks, items


def visible_mobs(variant: Variant, state: State) -> tuple[Array, Array]:
    """Return the cell [M] and the type [M] of every mob slot, int32; an invisible mob has cell H*W and type 0.

    No (cell, type) occurs twice. This reproduces the result of Craftax's renderer, which visits the slots in turn and
    *writes* whether each is on screen, so a later slot of the same type at the same cell overwrites an earlier one: a
    dead mob erases a live one. That renderer indexes with the local position, where JAX wraps negative numbers: with 9
    rows, a mob in row -1 writes "absent" into row 8; writes further outside are dropped.
    """
    view = np.asarray(variant.view, np.int32)
    position, mask, kind = _mob_slots(variant, state)
    local = position - state.player_position + view // 2
    on_screen = jnp.all((local >= 0) & (local < view), axis=-1) & mask
    wrapped = jnp.where(local < 0, local + view, local)
    writes = jnp.all((wrapped >= 0) & (wrapped < view), axis=-1)
    cell = wrapped[:, 0] * view[1] + wrapped[:, 1]
    same = (cell[:, None] == cell[None, :]) & (kind[:, None] == kind[None, :]) & writes[None, :]  # [M, M]
    overwritten = jnp.any(same & _LATER[: len(kind), : len(kind)], axis=1)
    visible = on_screen & ~overwritten
    if variant.has_levels:
        visible &= _lit(state, position)
    return jnp.where(visible, cell, variant.num_cells), jnp.where(visible, kind, 0)


_LATER = np.triu(np.ones((64, 64), bool), k=1)  # [i, j]: slot j is written after slot i


def _mob_slots(variant: Variant, state: State) -> tuple[Array, Array, Array]:
    """Return the position [M, 2], mask [M] and type [M] of every slot on the player's level."""
    positions, masks, kinds = [], [], []
    for group in variant.mobs:
        mobs = getattr(state, group.field)
        level = state.player_level if variant.has_levels else ...
        positions.append(mobs.position[level])
        masks.append(mobs.mask[level])
        type_id = mobs.type_id[level] if group.num_types > 1 else jnp.zeros(group.slots, jnp.int32)
        kinds.append(group.first_type + type_id)
    return jnp.concatenate(positions), jnp.concatenate(masks), jnp.concatenate(kinds)


def _inside(grid: Array, position: Array) -> Array:
    size = np.asarray(grid.shape[-2:], np.int32)
    return jnp.all((position >= 0) & (position < size), axis=-1)


def _lit(state: State, position: Array) -> Array:
    grid = state.light_map
    return _inside(grid, position) & (_at(grid, position, state.player_level) > VISIBLE_LIGHT)


def _at(grid: Array, position: Array, level: Array | None = None) -> Array:
    """Return `grid` at positions [K, 2], and any of its entries for positions outside it, which callers mask."""
    size = np.asarray(grid.shape[-2:], np.int32)
    row, column = jnp.clip(position, 0, size - 1).T
    index = (row, column) if level is None else (level, row, column)
    return grid.at[index].get(mode="promise_in_bounds")
