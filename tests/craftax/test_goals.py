"""Goals: names and predicates against the golden states; observations tell which goals hold."""

import numpy as np
import pytest

SOURCES = ["golden", "rolled", "fuzzed"]


def test_names_and_order(case):
    assert case.task.goals.names == case.names


def test_golden_predicates(case):
    achieved = case.map("achieved", "golden")
    wrong = (achieved != case.golden_achieved).any(axis=0)
    assert not wrong.any(), np.asarray(case.names)[wrong]


def test_golden_states_pin_every_goal(case):
    """Every goal is true in two or more golden states and false in one, but for Craftax's four that are never true."""
    times = case.golden_achieved.sum(axis=0)
    never = {name for name, count in zip(case.names, times, strict=True) if count < 2}
    expected = {f"block_map/OUT_OF_BOUNDS_{side}" for side in ("left", "right", "up", "down")}
    assert never == (expected if case.task.variant.has_levels else set())
    assert (times < len(case.golden_achieved)).all()


@pytest.mark.parametrize("source", SOURCES)
def test_readable_from_compact_observation(case, source):
    np.testing.assert_array_equal(case.map("achieved_from_compact", source), case.map("achieved", source))


@pytest.mark.parametrize("source", SOURCES)
def test_readable_from_one_hot_observation(case, source):
    """A goal holds exactly where its entry of Craftax's own symbolic map is set."""
    variant = case.task.variant
    channels = variant.num_blocks + variant.num_items + variant.num_mob_types + variant.has_levels
    flat = case.map("craftax", source)[:, : variant.num_cells * channels]
    maps = flat.reshape(-1, *variant.view, channels)
    achieved = case.map("achieved", source)
    row, column = variant.view[0] // 2, variant.view[1] // 2
    next_to = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
    for index, name in enumerate(case.names):
        if name.startswith("block_map/"):
            block, side = name.removeprefix("block_map/").rsplit("_", 1)
            channel = variant.game.blocks[block].value
        elif name.startswith("mob_map/zombie_"):
            side, channel = name.rsplit("_", 1)[1], variant.num_blocks + variant.num_items
        else:
            continue
        down, right = next_to[side]
        np.testing.assert_array_equal(achieved[:, index], maps[:, row + down, column + right, channel] > 0.5, name)
