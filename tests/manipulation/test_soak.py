"""Long random play on MuJoCo C: nothing breaks, nothing leaves the workspace, nothing is clipped."""

import warnings
import zlib

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from manipulation.tools import IDS

STYLES = ("uniform", "bang")


def style_of_play(style, shape, seed):
    """Endless actions [N, A]: new ones on every step, or full ones that are kept for ten steps on average."""
    generator = np.random.default_rng(seed)
    actions = np.sign(generator.uniform(-1, 1, shape))
    while True:
        if style == "uniform":
            actions = generator.uniform(-1, 1, shape)
        else:
            actions = np.where(generator.random(shape) < 0.1, -actions, actions)
        yield actions.astype(np.float32)


def play(env_id, style, num_envs, steps, seed=0, **kwargs):
    """Return how often environments diverged [N], and how far observations came towards their bounds [n].

    `num_envs` environments are played for `steps` steps. 0 stands for the middle between two bounds and 1 for a bound.
    Observations are those before they are clipped. Python warnings are errors.
    """
    envs = gymnasium.make_vec(env_id, num_envs=num_envs, autoreset_mode=AutoresetMode.SAME_STEP, backend="c", **kwargs)
    task, batch = envs.task, envs._engine.env.simulator.batch
    low, high = (bound.astype(np.float64) for bound in (task.observation_space.low, task.observation_space.high))
    farthest, actions = np.zeros(len(low)), style_of_play(style, envs.action_space.shape, seed)
    with warnings.catch_warnings(action="error"):
        observation, _ = envs.reset(seed=seed)
        for _ in range(steps):
            assert observation in envs.observation_space
            raw = task.raw_observation(batch.state)
            farthest = np.maximum(farthest, np.abs((2 * raw - low - high) / (high - low)).max(axis=0))
            observation, reward, terminated, _, _ = envs.step(next(actions))
            assert np.isfinite(reward).all()
            assert not terminated.any()
    return envs.num_diverged, farthest


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("env_id", IDS)
def test_random_play_never_diverges(env_id, style):
    diverged, farthest = play(env_id, style, num_envs=16, steps=60, horizon=30)
    assert diverged.sum() == 0
    assert (farthest <= 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("env_id", IDS)
def test_a_million_random_steps_never_diverge(env_id, style):
    """A million over all of these cases, each with another seed."""
    diverged, farthest = play(env_id, style, num_envs=256, steps=196, seed=zlib.crc32(env_id.encode()))
    assert diverged.sum() == 0
    assert (farthest <= 1).all()
