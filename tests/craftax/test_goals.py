"""Goals: names and predicates against the golden states; observations and masks tell which goals hold."""

import numpy as np
import pytest

from gc_envs.core.goal_subset import restrict
from gc_envs.craftax.task import CraftaxTask

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


def one_hot_maps(spec, observation):
    """The maps of compact observations [N] as [N, H * W, C + 1]; the last channel is nothing."""
    count, cells = len(observation["block_map"]), spec.height * spec.width
    maps = np.zeros((count, cells + 1, spec.num_channels + 1), bool)  # the last cell: mobs out of sight
    rows, sizes = np.arange(count)[:, None], dict(spec.maps)
    for name in {"block_map", "item_map"} & sizes.keys():
        category = observation[name].reshape(count, -1).astype(int)
        channel = np.where(category < sizes[name], spec.first_channel(name) + category, spec.num_channels)  # dark
        maps[rows, np.arange(cells), channel] = True
    mobs = observation["mobs"].astype(int)
    maps[rows, mobs[..., 0], spec.first_channel("mob_map") + mobs[..., 1]] = True
    return maps[:, :cells]


@pytest.mark.parametrize("source", SOURCES)
def test_a_goal_holds_where_its_mask_meets_the_one_hot_observation(case, source):
    spec, observation = case.one_hot_spec, case.map("compact", source)
    mask = CraftaxTask(case.task.variant.name, "compact").goal_mask
    maps, scalars = one_hot_maps(spec, observation), np.asarray(spec.one_hot_scalars(observation["scalars"]))
    nowhere = np.zeros((len(maps), 1, maps.shape[2]), bool)
    on_map = np.concatenate([maps, nowhere], axis=1)[:, mask.cell, mask.channel]
    meets = (scalars @ mask.scalars.T > 0) | on_map
    np.testing.assert_array_equal(meets, case.map("achieved", source))
    assert ((mask.scalars.sum(1) > 0) != (mask.cell < spec.height * spec.width)).all(), "a goal is one or the other"


def test_masks_are_only_for_observations_of_categories_and_follow_a_subset_of_goals(case):
    assert case.task.goal_mask is None
    task = CraftaxTask(case.task.variant.name, "compact")
    kept = [5, len(case.names) - 1, 0]
    part, whole = restrict(task, [case.names[goal] for goal in kept]).goal_mask, task.goal_mask
    for name in ("scalars", "cell", "channel"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[kept])
    assert restrict(case.task, kept).goal_mask is None
