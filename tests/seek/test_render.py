"""Frames of the Seek tasks: they show the goal, the path so far and the agent, and change when these do."""

import jax
import numpy as np
import pytest

from gc_envs.registration import make_task
from gc_envs.seek.bitflip import BitState
from gc_envs.seek.drive import DriveState
from gc_envs.seek.render import AGENT, BIT, GOAL, PATH, REACHED, draw_pairs, draw_points
from gc_envs.seek.state import SeekState

CAPTION = 30


def path(*points):
    """Return `points` as positions, float32 [n, 2]."""
    return np.array(points, np.float32)


def count(frame, colour):
    """Return the number of pixels of exactly `colour`, above the caption."""
    return int((frame[:-CAPTION] == colour).all(axis=-1).sum())


def episode(task, num_steps):
    """Return the states of an episode with a fixed action, the start first, and its desired goal."""
    states = [task.reset(jax.random.key(0))]
    goal = np.asarray(task.sample_goal(jax.random.key(1), states[0], task.achieved(states[0])))
    action = np.full(task.action_space.shape, 0.4, np.float32)
    for i in range(num_steps):
        states.append(task.step(jax.random.key(i), states[-1], action))
    return states, goal


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


@pytest.mark.parametrize("env_id", ["GC-ContinuousSeek-v0", "GC-DriveSeek-v0", "GC-NoisySeek-v0"])
def test_an_episode_with_history_shows_its_path(env_id):
    task = make_task(env_id)
    assert task.renders_history
    states, goal = episode(task, task.horizon + 3)
    bare, *frames = (task.render(states[5], goal, history=states[start:5]) for start in (5, 4, 0))
    assert count(bare, PATH) < count(frames[0], PATH) < count(frames[1], PATH)
    np.testing.assert_array_equal(bare, task.render(states[5], goal))
    # The last `horizon` earlier states are shown, of an episode that may be longer.
    last = task.render(states[-1], goal, history=states[:-1])
    np.testing.assert_array_equal(last, task.render(states[-1], goal, history=states[2:-1]))
    np.testing.assert_array_equal(last, task.render(states[-1], goal, history=states[3:-1]))
    assert (last != task.render(states[-1], goal, history=states[4:-1])).any()


@pytest.mark.parametrize("env_id", ["GC-ContinuousSeek-v0", "GC-DriveSeek-v0", "GC-NoisySeek-v0"])
def test_history_is_drawn_as_the_positions_of_the_episode(env_id):
    task = make_task(env_id)
    states, goal = episode(task, 6)
    positions = np.stack([np.asarray(state.position) for state in states])
    frame = task.render(states[-1], goal, history=states[:-1])
    # A start that is repeated up to the horizon, as if the agent had waited there, is drawn over itself.
    for shown in (positions, np.concatenate([np.repeat(positions[:1], task.horizon - 6, axis=0), positions])):
        expected = {
            "GC-ContinuousSeek-v0": lambda shown=shown: draw_pairs(shown, goal, 5.0, 0.1),
            "GC-DriveSeek-v0": lambda shown=shown: draw_points(shown, goal, 10.5, float(states[-1].heading)),
            "GC-NoisySeek-v0": lambda shown=shown: draw_points(shown, goal),
        }[env_id]()
        np.testing.assert_array_equal(frame, expected)


def test_points_change_colour_once_visited():
    task = make_task("GC-DriveSeek-v0")
    goal = task.goals.encode([[2, 0], [-5, 5]])
    start, after, later = (
        task.render(states[-1], goal, history=states[:-1])
        for states in (
            [DriveState(np.float32(place), np.float32(0)) for place in places]
            for places in ([(0, 0)], [(0, 0), (1, 0), (1.8, 0.2)], [(0, 0), (1, 0), (1.8, 0.2), (2.8, 0.2)])
        )
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
    coloured = [np.abs(frame[row].astype(int) - PATH).sum(-1).min(0) < 60 for frame in (across, around)]
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
    start, state = SeekState(np.float32([0, 0])), SeekState(np.float32([3, 3]))
    close, wide = (task.render(state, goal, history=[start]) for goal in (near, far))
    assert count(close, GOAL) > 20 * count(wide, GOAL) / 3 > 0
    assert count(wide, GOAL) >= 3 * 9
    away = task.render(SeekState(np.float32([-199, 199])), near, history=[start])
    assert count(away, AGENT) > 30
    assert count(away, GOAL) > 0


@pytest.mark.parametrize("dim", [1, 2, 5, 20])
def test_every_pair_of_coordinates_shows_whether_it_is_there(dim):
    task = make_task("GC-ContinuousSeek-v0", dim=dim)
    goal = np.linspace(-4, 4, dim).astype(np.float32) if dim > 1 else np.float32([3])
    near = goal + np.float32(0.05)
    last = near.copy()
    last[-1] -= 1
    shown = [task.render(SeekState(place), goal) for place in (0 * goal - 5, last, near)]
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
