"""Uniformly random actions while exploring: how many, which, and what the replay buffer keeps of them."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import DDPG
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv

from gc_envs.sb3.explore import ExploringDDPG, ExploringTD3

N = 4


def make(kind, **kwargs):
    """A model on four pendulums, whose actions lie in [-2, 2]."""
    envs = DummyVecEnv([lambda: gymnasium.make("Pendulum-v1")] * N)
    return kind("MlpPolicy", envs, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu", buffer_size=100, **kwargs)


def actions_of(model, steps):
    """Actions and stored actions of `steps` steps of four environments in the same state, [steps, N] each."""
    model._last_obs = np.ones((N, 3), np.float32)
    drawn = [model._sample_action(0, None, N) for _ in range(steps)]
    return (np.stack(part)[..., 0] for part in zip(*drawn, strict=True))


@pytest.mark.parametrize("kind", [ExploringDDPG, ExploringTD3])
def test_the_share_is_uniformly_random_in_each_environment_on_its_own(kind):
    model = make(kind, random_share=0.3)
    policy = model.predict(np.ones((N, 3), np.float32))[0][:, 0]
    set_random_seed(1)
    actions, stored = actions_of(model, 3000)
    np.testing.assert_allclose(actions, 2 * stored, atol=1e-6)
    is_random = abs(actions - policy) > 1e-6
    np.testing.assert_allclose(is_random.mean(0), 0.3, atol=5 * 0.5 / 3000**0.5)
    pairs = is_random[:, :-1] & is_random[:, 1:]
    np.testing.assert_allclose(pairs.mean(0), 0.09, atol=5 * 0.3 / 3000**0.5)  # one does not depend on another
    below = (stored[is_random][:, None] < np.linspace(-1, 1, 9)).mean(0)
    np.testing.assert_allclose(below, np.linspace(0, 1, 9), atol=5 * 0.5 / is_random.sum() ** 0.5)


def test_random_actions_get_no_noise_and_the_others_do():
    model = make(ExploringDDPG, random_share=0.3, action_noise=NormalActionNoise(np.full(1, 5.0), np.zeros(1)))
    model._last_obs = np.ones((N, 3), np.float32)
    stored = np.concatenate([model._sample_action(0, model.action_noise, N)[1] for _ in range(500)])
    np.testing.assert_allclose((stored == 1).mean(), 0.7, atol=0.06)  # the noise drives the policy's actions to the end
    assert abs(stored[stored < 1].mean()) < 0.15


def test_without_a_share_it_is_the_plain_algorithm_bitwise():
    noise = {"action_noise": NormalActionNoise(np.zeros(1), np.full(1, 0.1)), "learning_starts": 20}
    models = [make(kind, **noise, **share).learn(80) for kind, share in (
        (DDPG, {}), (ExploringDDPG, {}), (ExploringDDPG, {"random_share": 0.0}), (ExploringDDPG, {"random_share": 0.3}),
    )]  # fmt: skip
    plain, *same, other = (torch.cat([p.flatten() for p in model.policy.parameters()]) for model in models)
    assert all(torch.equal(plain, one) for one in same)
    assert not torch.equal(plain, other)


def test_the_share_is_saved_and_loaded(tmp_path):
    make(ExploringTD3, random_share=0.25).save(tmp_path / "model")
    assert ExploringTD3.load(tmp_path / "model").random_share == 0.25


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_no_probability_is_refused(share):
    with pytest.raises(ValueError, match=r"random_share must be in \[0, 1\], got"):
        make(ExploringDDPG, random_share=share)
