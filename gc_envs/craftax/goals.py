"""The goals of Craftax (512) and Craftax-Classic (136): every goal is "this number of the state lies in low..high".

Names, order and predicates are those of "Goal-Conditioned Agents that Learn Everything All at Once" (arXiv
2605.23551). A state is summarised as one vector of F small integers, the goal inputs (scalars, then what is on the 4
cells next to the player), and evaluating all G goals is one gather and two comparisons.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from gc_envs.core.one_hot import GoalMask, OneHotSpec
from gc_envs.craftax.scalars import ARMOUR, CLASSIC_RESOURCES, CLASSIC_TOOLS, RESOURCES, categories, scalar_classes
from gc_envs.craftax.variants import DIRECTIONS, Variant
from gc_envs.craftax.view import blocks_and_items, neighbour_cells, neighbour_offsets, visible_mobs

State = Any  # Craftax's EnvState
Array = Any

BANDED = ("wood", "stone", "coal", "iron", "torches", "arrows")  # resources with goals beyond 9
MATERIALS = ("wood", "stone", "iron", "diamond")
ELEMENTS = ("fire", "ice")
ATTRIBUTES = ("intelligence", "strength", "dexterity")
# Blocks and items that no goal asks for, because they never lie next to the player.
NO_GOAL = ("INVALID", "WOOD", "DARKNESS", "GRAVEL", "NONE")
# The name of every mob type, by its number; None where Craftax has no such mob.
MOB_NAMES: dict[str, tuple[str | None, ...]] = {
    "full": (
        *("zombie", "gnome_warrior", "orc_soldier", "lizard", "knight", "troll", "pigman", "frost_troll"),
        *("cow", "bat", "snail", None, None, None, None, None),
        *("skeleton", "gnome_archer", "orc_mage", "kobold", "knight_archer", "deep_thing"),
        *("fire_elemental", "ice_elemental"),
        *("arrow", "dagger", "fireball", None, "arrow2", "slimeball", "fireball2", "iceball2"),
        *(None, None, "player_fireball", "player_iceball", "player_arrow", None, None, None),
    ),
    "classic": ("zombie", "cow", "skeleton", "arrow"),
}


@dataclass(frozen=True)
class GoalRow:
    """One goal: `name` holds where `low <= value <= high` for the goal input called `input`."""

    name: str
    input: str
    low: int
    high: int


@dataclass(frozen=True)
class GoalTable:
    """All goals of a variant, as arrays over the vector of goal inputs."""

    names: tuple[str, ...]
    input: np.ndarray  # int32 [G], index into the F goal inputs
    low: np.ndarray  # int32 [G], smallest value with which a goal holds
    high: np.ndarray  # int32 [G], largest value with which a goal holds

    def achieved(self, goal_inputs: Array) -> Array:
        """Return which goals hold, bool [..., G], for goal inputs [..., F]."""
        value = goal_inputs[..., self.input]
        return (value >= self.low) & (value <= self.high)


def goal_input_names(variant: Variant) -> tuple[str, ...]:
    """Return the names of the F goal inputs, in the order of `goal_inputs`."""
    names = [name for name, _ in scalar_classes(variant)]
    kinds = ["block_map"] + ["item_map"] * bool(variant.num_items)
    names += [f"{kind}/{direction}" for kind in kinds for direction, _ in DIRECTIONS]
    names += [f"mob_map/{kind}/{direction}" for direction, _ in DIRECTIONS for kind in range(variant.num_mob_types)]
    return tuple(names)


def goal_inputs(variant: Variant, state: State) -> Array:
    """Return what goals are computed from, int32 [F]; of the map, only the 4 cells next to the player are read."""
    blocks, items = blocks_and_items(variant, state, neighbour_offsets())
    return _join(variant, categories(variant, state), blocks, items, *visible_mobs(variant, state))


def goal_inputs_from_compact(variant: Variant, observation: dict[str, Array]) -> Array:
    """Return the goal inputs, int32 [F], from a compact observation without a batch axis.

    The compact observation thus says of every goal whether it holds.
    """
    near = neighbour_cells(variant)
    arrays = {name: jnp.asarray(array).astype(jnp.int32) for name, array in observation.items()}
    items = arrays["item_map"].reshape(-1)[near] if variant.num_items else None
    blocks = arrays["block_map"].reshape(-1)[near]
    return _join(variant, arrays["scalars"], blocks, items, arrays["mobs"][:, 0], arrays["mobs"][:, 1])


def _join(variant: Variant, scalars: Array, blocks: Array, items: Array | None, cell: Array, kind: Array) -> Array:
    near = cell == neighbour_cells(variant)[:, None]  # [4, M]
    of_kind = kind[:, None] == np.arange(variant.num_mob_types)  # [M, T]
    mobs = jnp.any(near[:, :, None] & of_kind, axis=1)  # [4, T]
    parts = [scalars, blocks] + ([] if items is None else [items]) + [mobs.reshape(-1).astype(jnp.int32)]
    return jnp.concatenate([part.astype(jnp.int32) for part in parts])


@functools.cache
def goal_table(variant: Variant) -> GoalTable:
    """Return the goals of `variant` in the order of the source."""
    rows = tuple(_full_rows(variant) if variant.has_levels else _classic_rows(variant))
    position = {name: index for index, name in enumerate(goal_input_names(variant))}
    return GoalTable(
        names=tuple(row.name for row in rows),
        input=np.asarray([position[row.input] for row in rows], np.int32),
        low=np.asarray([row.low for row in rows], np.int32),
        high=np.asarray([row.high for row in rows], np.int32),
    )


def goal_mask(variant: Variant, spec: OneHotSpec) -> GoalMask:
    """Return the goals as masks over the one-hot observation with the categories `spec`."""
    table, names = goal_table(variant), goal_input_names(variant)
    cells = dict(zip((direction for direction, _ in DIRECTIONS), neighbour_cells(variant).tolist(), strict=True))
    num_goals, num_scalars = len(table.names), len(spec.scalars)
    scalars = np.zeros((num_goals, spec.num_scalar_classes), np.float32)
    cell = np.full(num_goals, variant.num_cells, np.int32)
    channel = np.zeros(num_goals, np.int32)
    for goal, (index, low, high) in enumerate(zip(table.input, table.low, table.high, strict=True)):
        if index < num_scalars:
            first = spec.first_class(index)
            scalars[goal, first + low : first + high + 1] = 1
            continue
        kind, *mob, direction = names[index].split("/")
        cell[goal] = cells[direction]
        channel[goal] = spec.first_channel(kind) + (int(mob[0]) if mob else low)
    return GoalMask(scalars, cell, channel)


def achieved(variant: Variant, state: State) -> Array:
    """Return which goals hold in `state`, bool [G]."""
    return goal_table(variant).achieved(goal_inputs(variant, state))


def _full_rows(variant: Variant) -> Iterator[GoalRow]:
    yield from _counts(RESOURCES)
    for name in BANDED:
        for low in range(10, 100, 5):
            yield GoalRow(f"inventory/{name}_{low}-{low + 4}", f"inventory/{name}", low, low + 4)
    yield from _adjacent("block_map", variant.game.blocks)
    yield from _adjacent_mobs(variant)
    yield from _adjacent("item_map", variant.game.items)
    yield from _equipment()
    for level in range(9):
        yield GoalRow(f"dungeon_level/dlvl_{level}", "dungeon_level", level, level)
    for attribute in ATTRIBUTES:
        for points in range(2, 6):
            yield GoalRow(f"intrinsics/{attribute}_{points}", f"intrinsics/{attribute}", points, points)


def _equipment() -> Iterator[GoalRow]:
    for tier, material in enumerate(MATERIALS, start=1):
        for tool in ("pickaxe", "sword"):
            yield GoalRow(f"tools/{material}_{tool}", tool, tier, tier)
    yield GoalRow("tools/bow", "bow", 1, 1)
    for piece in ARMOUR:
        for tier, material in enumerate(("iron", "diamond"), start=1):
            yield GoalRow(f"tools/{material}_{piece}", f"armour/{piece}", tier, tier)
    for piece in ARMOUR:
        for tier, element in enumerate(ELEMENTS, start=1):
            yield GoalRow(f"enchant/{piece}_{element}", f"armour_enchantments/{piece}", tier, tier)
    for tier, element in enumerate(ELEMENTS, start=1):
        for weapon in ("sword", "bow"):
            yield GoalRow(f"enchant/{weapon}_{element}", f"{weapon}_enchantment", tier, tier)


def _classic_rows(variant: Variant) -> Iterator[GoalRow]:
    yield from _counts(CLASSIC_RESOURCES)
    for tool in CLASSIC_TOOLS:
        yield GoalRow(f"tools/{tool}", f"inventory/{tool}", 1, 9)  # Classic counts tools
    yield from _adjacent("block_map", variant.game.blocks)
    yield from _adjacent_mobs(variant)


def _counts(resources: tuple[str, ...]) -> Iterator[GoalRow]:
    for name in resources:
        for count in range(1, 10):
            yield GoalRow(f"inventory/{name}_{count}", f"inventory/{name}", count, count)


def _adjacent(kind: str, members: Any) -> Iterator[GoalRow]:
    for member in members:
        if member.name not in NO_GOAL:
            for direction, _ in DIRECTIONS:
                yield GoalRow(f"{kind}/{member.name}_{direction}", f"{kind}/{direction}", member.value, member.value)


def _adjacent_mobs(variant: Variant) -> Iterator[GoalRow]:
    for kind, name in enumerate(MOB_NAMES[variant.name]):
        if name is not None:
            for direction, _ in DIRECTIONS:
                yield GoalRow(f"mob_map/{name}_{direction}", f"mob_map/{kind}/{direction}", 1, 1)
