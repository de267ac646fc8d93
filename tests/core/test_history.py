"""Frames that show how the present state came about: the environment keeps the earlier states of each episode."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import gc_envs  # noqa: F401


def path_length(envs, index):
    """How many earlier states the engine keeps for environment `index`."""
    return len(envs.unwrapped._engine.history.of(index))


def test_an_episodes_path_is_shown_until_the_next_one():
    env = gymnasium.make("GC-DriveSeek-v0", render_mode="rgb_array")
    env.reset(seed=0)
    start = env.render()
    for steps in (1, 2, 3):
        env.step(np.float32([0.5]))
        assert path_length(env, 0) == steps
    moved = env.render()
    assert not np.array_equal(start, moved)
    env.reset(seed=0)
    np.testing.assert_array_equal(env.render(), start)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_an_automatic_reset_starts_a_new_path(mode):
    envs = gymnasium.make_vec(
        "GC-DriveSeek-v0", num_envs=2, horizon=3, render_mode="rgb_array", autoreset_mode=mode
    )  # fmt: skip
    envs.reset(seed=0)
    kept = []
    for _ in range(5):
        if mode is AutoresetMode.DISABLED and envs.unwrapped._engine.done.all():
            envs.reset(options={"reset_mask": np.ones(2, bool)})
        envs.step(np.zeros((2, 1), np.float32))
        kept.append(path_length(envs, 1))
    assert (
        kept
        == {
            AutoresetMode.NEXT_STEP: [1, 2, 3, 0, 1],
            AutoresetMode.SAME_STEP: [1, 2, 0, 1, 2],
            AutoresetMode.DISABLED: [1, 2, 3, 1, 2],
        }[mode]
    )


def test_nothing_is_kept_without_a_render_mode_or_for_tasks_whose_frames_show_one_state():
    assert gymnasium.make("GC-DriveSeek-v0").unwrapped._engine.history is None
    assert gymnasium.make("GC-Gridworld-v0", render_mode="rgb_array").unwrapped._engine.history is None
