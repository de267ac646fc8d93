"""Observations against Craftax's own renderer, bit by bit, and against their declared spaces."""

import jax
import numpy as np
import pytest

from gc_envs.craftax.observation import KINDS, observation_space, one_hot
from gc_envs.craftax.task import CraftaxTask

SOURCES = ["golden", "rolled", "fuzzed"]


@pytest.mark.parametrize("source", SOURCES)
def test_symbolic_is_craftax_bit_by_bit(case, source):
    ours, craftax = case.map("symbolic", source), case.map("craftax", source)
    assert ours.dtype == craftax.dtype == np.float32
    np.testing.assert_array_equal(ours.view(np.uint32), craftax.view(np.uint32))


def test_fuzz_meets_erased_mobs(case):
    """The fuzzed states hold live mobs on screen that Craftax's renderer does not show, in both games."""
    variant, states = case.task.variant, case.states["fuzzed"]
    distinct = np.zeros(len(states.timestep), int)
    for i in range(len(distinct)):
        keys = set()
        for group in variant.mobs:
            mobs = getattr(states, group.field)
            level = states.player_level[i] if variant.has_levels else ...
            local = mobs.position[i][level] - states.player_position[i] + np.asarray(variant.view) // 2
            kind = mobs.type_id[i][level] if group.num_types > 1 else np.zeros(group.slots)
            on_screen = mobs.mask[i][level] & (local >= 0).all(-1) & (local < variant.view).all(-1)
            cells = zip(local[on_screen].tolist(), kind[on_screen], strict=True)
            keys |= {(group.field, *cell, type_id) for cell, type_id in cells}
        distinct[i] = len(keys)
    shown = (case.map("compact", "fuzzed")["mobs"][:, :, 0] < variant.num_cells).sum(axis=1)
    assert (shown <= distinct).all()
    lit = np.ones(len(shown), bool)
    if variant.has_levels:  # where nothing can hide in the dark
        lit = states.light_map[np.arange(len(shown)), states.player_level].min(axis=(1, 2)) > 0.05
    assert (shown < distinct)[lit].sum() >= 3


@pytest.mark.parametrize("source", SOURCES)
def test_one_hot_of_compact_is_the_symbolic_map(case, source):
    variant, spec = case.task.variant, case.one_hot_spec
    maps, scalars = jax.device_get(one_hot(spec, case.map("compact", source)))
    assert maps.shape[1:] == (*variant.view, spec.num_channels)
    assert scalars.shape[1:] == (spec.num_scalar_classes,)
    assert maps.dtype == scalars.dtype == np.float32
    channels = variant.num_blocks + variant.num_items + variant.num_mob_types + variant.has_levels
    symbolic = case.map("craftax", source)[:, : variant.num_cells * channels].reshape(-1, *variant.view, channels)
    if variant.has_levels:  # the symbolic light channel says "lit"; ours has "dark", its complement, too
        np.testing.assert_array_equal(np.delete(maps, -2, axis=-1), symbolic)
        np.testing.assert_array_equal(maps[..., -2], 1 - symbolic[..., -1])
    else:  # the last channel says "no mob"
        np.testing.assert_array_equal(maps[..., :-1], symbolic)
        np.testing.assert_array_equal(maps[..., -1], 1 - symbolic[..., variant.num_blocks :].max(axis=-1))
    np.testing.assert_array_equal(scalars.sum(axis=-1), len(spec.scalars))


def test_scalar_categories(case):
    """Categories are the numbers of the state, which this test reads from it directly."""
    states, spec = case.states["golden"], case.one_hot_spec
    column = {name: index for index, (name, _) in enumerate(spec.scalars)}
    scalars = case.map("compact", "golden")["scalars"]
    np.testing.assert_array_equal(scalars[:, column["inventory/wood"]], states.inventory.wood)
    np.testing.assert_array_equal(scalars[:, column["intrinsics/health"]], np.floor(states.player_health))
    np.testing.assert_array_equal(scalars[:, column["player_direction"]], states.player_direction - 1)
    np.testing.assert_array_equal(scalars[:, column["is_player_sleeping"]], states.is_sleeping)
    if case.task.variant.has_levels:
        np.testing.assert_array_equal(scalars[:, column["armour/pants"]], states.inventory.armour[:, 2])
        np.testing.assert_array_equal(scalars[:, column["dungeon_level"]], states.player_level)


def test_one_hot_spec_sizes():
    """The sizes are those of the one-hot observation of LEO's published code."""
    full, classic = (CraftaxTask(name, "compact").one_hot_spec for name in ("full", "classic"))
    assert (full.num_channels, full.num_scalar_classes, full.size) == (84, 1321, 9637)
    assert (classic.num_channels, classic.num_scalar_classes, classic.size) == (22, 176, 1562)
    assert CraftaxTask("full", "symbolic").one_hot_spec is None  # no categories to unfold


def test_one_hot_takes_any_batch_axes(case):
    compact = jax.tree.map(lambda x: x[:6], case.map("compact", "golden"))
    flat = one_hot(case.one_hot_spec, compact)
    folded = one_hot(case.one_hot_spec, jax.tree.map(lambda x: x.reshape(2, 3, *x.shape[1:]), compact))
    single = one_hot(case.one_hot_spec, jax.tree.map(lambda x: x[4], compact))
    for one, two, three in zip(flat, folded, single, strict=True):
        np.testing.assert_array_equal(one.reshape(two.shape), two)
        np.testing.assert_array_equal(one[4], three)


@pytest.mark.parametrize("source", SOURCES)
def test_inside_the_space(case, source):
    symbolic, space = case.map("symbolic", source), observation_space(case.task.variant, "symbolic")
    assert (symbolic >= space.low).all()
    assert (symbolic <= space.high).all()
    assert np.isfinite(space.high).all()
    compact, spaces = case.map("compact", source), observation_space(case.task.variant, "compact")
    assert set(compact) == set(spaces.spaces)
    for name, array in compact.items():
        assert array.dtype == spaces[name].dtype == np.uint8
        assert (array <= spaces[name].high).all(), name
    assert spaces.contains({name: array[0] for name, array in compact.items()})
    assert space.contains(symbolic[0])


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="'tiny'.*full, classic"):
        CraftaxTask("tiny")
    with pytest.raises(ValueError, match="'text'.*" + ", ".join(KINDS)):
        CraftaxTask("full", observation="text")
