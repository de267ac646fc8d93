"""Frames of the Seek tasks: they show the goal, the way there and the agent, and change when these do."""

import jax
import numpy as np
import pytest

from gc_envs.registration import make_task
from gc_envs.seek.bitflip import BitState
from gc_envs.seek.drive import DriveState
from gc_envs.seek.render import AGENT, BIT, GOAL, REACHED, TRAIL, draw_points
from gc_envs.seek.trail import SeekState

CAPTION = 30


def path(*points, length=41):
    """A trail that ends with `points`."""
    points = np.array(points, np.float32)
    return np.concatenate([np.repeat(points[:1], length - len(points), axis=0), points])


def count(frame, colour):
    """Pixels of exactly `colour`, above the caption."""
    return int((frame[:-CAPTION] == colour).all(axis=-1).sum())


@pytest.mark.parametrize(
    ("env_id", "kwargs", "action"),
    [
        *(("GC-ContinuousSeek-v0", {"dim": dim}, np.full(dim, 0.7)) for dim in (1, 2, 5, 20)),
        ("GC-DriveSeek-v0", {}, np.ones(1)),
        ("GC-NoisySeek-v0", {}, np.ones(2)),
        *(("GC-BitFlip-v0", {"bits": bits}, 0) for bits in (1, 5, 20, 90)),
    ],
)
def test_frames_are_480_wide_and_change_with_a_step_and_with_the_goal(env_id, kwargs, action):
    task = make_task(env_id, **kwargs)
    state = task.reset(jax.random.key(0))
    goals = [np.asarray(task.sample_goal(jax.random.key(k), state, task.achieved(state))) for k in (1, 2)]
    moved = task.step(jax.random.key(3), state, action)
    frames = [task.render(*arguments) for arguments in ((state, goals[0]), (moved, goals[0]), (state, goals[1]))]
    bare = task.render(state)
    for frame in (bare, *frames):
        assert frame.dtype == np.uint8
        assert frame.shape[1:] == (480, 3)
        assert 90 <= frame.shape[0] <= 540
    assert frames[0].shape != frames[1].shape or (frames[0] != frames[1]).any()
    if kwargs != {"bits": 1}:  # where only one goal differs from the start
        assert frames[0].shape != frames[2].shape or (frames[0] != frames[2]).any()
    assert not count(np.concatenate([bare, bare[:CAPTION]]), GOAL)


def test_points_change_colour_once_visited():
    task = make_task("GC-DriveSeek-v0")
    goal = task.goals.encode([[2, 0], [-5, 5]])
    start, after, later = (
        task.render(DriveState(path(*way), np.float32(0)), goal)
        for way in ([(0, 0)], [(0, 0), (1, 0), (1.8, 0.2)], [(0, 0), (1, 0), (1.8, 0.2), (2.8, 0.2)])
    )
    assert count(start, GOAL) == pytest.approx(2 * (0.84 * 452 / 21) ** 2, rel=0.2)
    assert not count(start, REACHED)
    for frame in (after, later):
        assert 0.4 < count(frame, GOAL) / count(start, GOAL) < 0.6
        assert count(frame, REACHED) > 100
    assert (start[-CAPTION:] != after[-CAPTION:]).any()
    assert (after[-CAPTION:] != later[-CAPTION:]).any()  # on a point now, or not any more


def test_a_step_around_the_edge_is_drawn_at_both_edges_and_not_across():
    row = slice(160, 290)  # about y = 0
    across = draw_points(path((8, 0), (9, 0), (10, 0)), None, edge=10.5, heading=0.0)
    around = draw_points(path((9, 0), (10, 0), (-10, 0)), None, edge=10.5, heading=0.0)
    coloured = [np.abs(frame[row].astype(int) - TRAIL).sum(-1).min(0) < 60 for frame in (across, around)]
    assert not coloured[0][:240].any()
    assert coloured[1][29:35].all()
    assert not coloured[1][60:400].any()
    assert coloured[1][473:479].all()


def test_the_arrow_points_where_the_agent_is_heading():
    east, north = (draw_points(path((0, 0)), None, edge=10.5, heading=angle) for angle in (0.0, np.pi / 2))
    for frame, axis in ((east, 1), (north, 0)):
        places = np.argwhere((frame == AGENT).all(axis=-1))
        centre = (places.min(axis=0) + places.max(axis=0)) / 2
        assert len(places) > 30
        # The tail of an arrow head has more of it than its point.
        assert (places.mean(axis=0)[axis] < centre[axis]) == (axis == 1)


def test_noisy_frames_show_all_that_there_is_to_see():
    task = make_task("GC-NoisySeek-v0")
    near, far = (task.goals.encode(points) for points in ([[1, 1]], [[1, 1], [-60, 40], [90, -80]]))
    state = SeekState(path((0, 0), (3, 3)))
    close, wide = task.render(state, near), task.render(state, far)
    assert count(close, GOAL) > 20 * count(wide, GOAL) / 3 > 0
    assert count(wide, GOAL) >= 3 * 9
    away = task.render(SeekState(path((0, 0), (-199, 199))), near)
    assert count(away, AGENT) > 30
    assert count(away, GOAL) > 0


@pytest.mark.parametrize("dim", [1, 2, 5, 20])
def test_every_pair_of_coordinates_shows_whether_it_is_there(dim):
    task = make_task("GC-ContinuousSeek-v0", dim=dim)
    goal = np.linspace(-4, 4, dim).astype(np.float32) if dim > 1 else np.float32([3])
    near = goal + np.float32(0.05)
    last = near.copy()
    last[-1] -= 1
    shown = [task.render(SeekState(path(place, length=11)), goal) for place in (0 * goal - 5, last, near)]
    none, most, all_there = ((count(frame, GOAL), count(frame, REACHED)) for frame in shown)
    assert none[0] > 30
    assert none[1] == 0
    assert most[0] > 0
    assert (most[1] > 0) == (dim > 2)
    assert all_there[0] == 0
    assert all_there[1] > 30


def test_bits_that_differ_are_framed():
    task = make_task("GC-BitFlip-v0", bits=10)
    state = BitState(np.arange(10) % 2 == 0)
    frames = [task.render(state, np.float32(goal)) for goal in (state.bits, state.bits ^ (np.arange(10) < 2))]
    assert count(frames[0], GOAL) == 0
    assert count(frames[1], GOAL) > 300
    assert count(frames[0], BIT) > 1000
    all_differ = task.render(state, np.float32(~state.bits))
    assert count(all_differ, GOAL) == pytest.approx(5 * count(frames[1], GOAL), rel=0.05)
