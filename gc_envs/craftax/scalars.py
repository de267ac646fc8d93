"""Everything that the player knows besides the map, as categories (for networks and goals) and as Craftax's own floats.

S is the number of categories, 48 for Craftax and 19 for Classic.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.craftax.variants import Variant

State = Any  # Craftax's EnvState
Array = Any

ARMOUR = ("helmet", "chestplate", "pants", "boots")
RESOURCES = ("wood", "stone", "coal", "iron", "diamond", "sapphire", "ruby", "sapling", "torches", "arrows")
INTRINSICS = ("health", "food", "drink", "energy", "mana", "xp", "dexterity", "strength", "intelligence")
CLASSIC_RESOURCES = ("wood", "stone", "coal", "iron", "diamond", "sapling")
CLASSIC_TOOLS = tuple(f"{material}_{tool}" for tool in ("pickaxe", "sword") for material in ("wood", "stone", "iron"))
MONSTERS_TO_CLEAR_LEVEL = 8  # Craftax's MONSTERS_KILLED_TO_CLEAR_LEVEL


@dataclass(frozen=True)
class ScalarGroup:
    """Scalars with the same number of classes; `read` returns one number per entry."""

    name: str
    entries: tuple[str, ...]
    num_classes: int
    read: Callable[[State], Sequence[Array] | Array]


def _attributes(prefix: str, names: tuple[str, ...]) -> Callable[[State], list[Array]]:
    return lambda state: [getattr(state, f"{prefix}{name}") for name in names]


def _inventory(names: tuple[str, ...]) -> Callable[[State], list[Array]]:
    return lambda state: [getattr(state.inventory, name) for name in names]


def _single(name: str, num_classes: int, read: Callable[[State], Array]) -> ScalarGroup:
    return ScalarGroup(name, ("",), num_classes, lambda state: [read(state)])


def level_cleared(state: State) -> Array:
    """Return whether enough monsters of this floor were killed for its ladder down to open, bool []."""
    return state.monsters_killed[state.player_level] >= MONSTERS_TO_CLEAR_LEVEL


def boss_vulnerable(state: State) -> Array:
    """Return Craftax's own test of whether the boss can be hurt now, bool []."""
    from craftax.craftax.util.game_logic_utils import is_boss_vulnerable

    return is_boss_vulnerable(state)


# The classes are those of the one-hot observation of LEO's published code (arXiv 2605.23551), in the alphabetical
# order in which that code flattens it.
_FULL: tuple[ScalarGroup, ...] = (
    ScalarGroup("armour", ARMOUR, 3, lambda s: s.inventory.armour),
    ScalarGroup("armour_enchantments", ARMOUR, 3, lambda s: s.armour_enchantments),
    _single("books", 3, lambda s: s.inventory.books),
    _single("boss_vulnerable", 2, boss_vulnerable),
    _single("bow", 2, lambda s: s.inventory.bow),
    _single("bow_enchantment", 3, lambda s: s.bow_enchantment),
    _single("cleared_level", 2, level_cleared),
    _single("dungeon_level", 10, lambda s: s.player_level),
    ScalarGroup("intrinsics", INTRINSICS, 20, _attributes("player_", INTRINSICS)),
    ScalarGroup("inventory", RESOURCES, 100, _inventory(RESOURCES)),
    _single("is_player_resting", 2, lambda s: s.is_resting),
    _single("is_player_sleeping", 2, lambda s: s.is_sleeping),
    _single("light_level", 10, lambda s: s.light_level * 9.9),
    _single("pickaxe", 5, lambda s: s.inventory.pickaxe),
    _single("player_direction", 4, lambda s: s.player_direction - 1),
    ScalarGroup("potions", ("red", "green", "blue", "pink", "cyan", "yellow"), 10, lambda s: s.inventory.potions),
    ScalarGroup("spells", ("fireball", "iceball"), 2, lambda s: s.learned_spells),
    _single("sword", 5, lambda s: s.inventory.sword),
    _single("sword_enchantment", 3, lambda s: s.sword_enchantment),
)
_CLASSIC: tuple[ScalarGroup, ...] = (
    _single("player_direction", 4, lambda s: s.player_direction - 1),
    ScalarGroup("intrinsics", INTRINSICS[:4], 10, _attributes("player_", INTRINSICS[:4])),
    ScalarGroup("inventory", CLASSIC_RESOURCES + CLASSIC_TOOLS, 10, _inventory(CLASSIC_RESOURCES + CLASSIC_TOOLS)),
    _single("light_level", 10, lambda s: s.light_level * 9.9),
    _single("is_player_sleeping", 2, lambda s: s.is_sleeping),
)
SCALARS: dict[str, tuple[ScalarGroup, ...]] = {"full": _FULL, "classic": _CLASSIC}


def scalar_classes(variant: Variant) -> tuple[tuple[str, int], ...]:
    """Return (name, number of classes) of every category, in the order of `categories`. Names: "inventory/wood"."""
    return tuple(
        (f"{group.name}/{entry}" if entry else group.name, group.num_classes)
        for group in SCALARS[variant.name]
        for entry in group.entries
    )


def categories(variant: Variant, state: State) -> Array:
    """Return the category of every scalar, int32 [S], floored and clipped to its classes.

    Health is a float in Craftax and is floored. Clipping merges only mana from 19 on and potions from 9 on, where the
    one-hot of LEO's published code runs out of classes and becomes all zeros.
    """
    groups = SCALARS[variant.name]
    # float32 holds every count exactly, and one array of one dtype is stacked once.
    values = [jnp.asarray(value, jnp.float32).reshape(-1) for group in groups for value in _entries(group, state)]
    top = np.asarray([classes - 1 for _, classes in scalar_classes(variant)], np.float32)
    return jnp.clip(jnp.floor(jnp.concatenate(values)), 0, top).astype(jnp.int32)


def _entries(group: ScalarGroup, state: State) -> Sequence[Array]:
    values = group.read(state)
    return values if isinstance(values, list) else [values]


def symbolic_tail(variant: Variant, state: State) -> Array:
    """Return the part of Craftax's symbolic observation after the map, float32 [51] (Classic [22]), bitwise Craftax's.

    The expressions are those of `render_craftax_symbolic`: Craftax takes square roots of counts, Classic passes
    through float16.
    """
    return _full_tail(state) if variant.has_levels else _classic_tail(state)


def _full_tail(state: State) -> Array:
    bag = state.inventory
    counts = [jnp.sqrt(getattr(bag, name)) / 10.0 for name in RESOURCES]
    tools = [bag.books / 2.0, bag.pickaxe / 4.0, bag.sword / 4.0]
    enchantments = [state.sword_enchantment, state.bow_enchantment, bag.bow]
    special = [
        state.light_level,
        state.is_sleeping,
        state.is_resting,
        state.learned_spells[0],
        state.learned_spells[1],
        state.player_level / 10.0,
        level_cleared(state),
        boss_vulnerable(state),
    ]
    return jnp.concatenate(
        [
            _floats(counts + tools + enchantments),
            jnp.sqrt(bag.potions) / 10.0,
            _floats([getattr(state, f"player_{name}") / 10.0 for name in INTRINSICS]),
            jax.nn.one_hot(state.player_direction - 1, 4),
            bag.armour / 2.0,
            state.armour_enchantments.astype(jnp.float32),
            _floats(special),
        ]
    )


def _classic_tail(state: State) -> Array:
    counts = _inventory(CLASSIC_RESOURCES + CLASSIC_TOOLS)(state) + _attributes("player_", INTRINSICS[:4])(state)
    return jnp.concatenate(
        [
            (jnp.asarray(counts).astype(jnp.float16) / 10.0).astype(jnp.float32),
            jax.nn.one_hot(state.player_direction - 1, 4),
            _floats([state.light_level, state.is_sleeping]),
        ]
    )


def _floats(values: list[Array]) -> Array:
    return jnp.asarray([jnp.asarray(value, jnp.float32) for value in values])


def symbolic_tail_high(variant: Variant) -> np.ndarray:
    """Return the largest value of every entry of `symbolic_tail`, float32 [51] (Classic [22]); the smallest is 0.

    Craftax caps counts at 99 and attributes at 5, hence health at 13, food, drink and energy at 17 and mana at 21; each
    of the 8 floors below the first gives a point of experience. Classic caps everything at 9. A millionth is added to
    quotients, because XLA may multiply by the reciprocal instead and round up (9 * 0.1 is 0.90000004 in float32).
    """
    if not variant.has_levels:
        return np.asarray([0.9 * _ROUNDING_16] * 16 + [1.0] * 6, np.float32)
    root = 99**0.5 / 10 * _ROUNDING
    bag = [root] * len(RESOURCES) + [1.0, 1.0, 1.0, 2.0, 2.0, 1.0]
    intrinsics = [top / 10 * _ROUNDING for top in (13, 17, 17, 17, 21, 8, 5, 5, 5)]
    special = [1.0, 1.0, 1.0, 1.0, 1.0, 0.8 * _ROUNDING, 1.0, 1.0]
    return np.asarray([*bag, *[root] * 6, *intrinsics, *[1.0] * 4, *[1.0] * 4, *[2.0] * 4, *special], np.float32)


_ROUNDING, _ROUNDING_16 = 1 + 1e-6, 1 + 1e-3  # float32, float16
