"""Inputs normalised inside the networks: moments of what was trained on, copied to target networks."""

import itertools

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import DDPG, DQN, SAC

from gc_envs.sb3.normalize import CLIP, LEAST_STD, NormalizedExtractor
from gc_envs.sb3.reengage import ReenGAGEDDPG
from gc_envs.wrappers import AchievedGoalHerReplayBuffer, SB3VecEnv

BOX = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
SPACE = gymnasium.spaces.Dict(observation=BOX, desired_goal=BOX)  # which are joined in this order


def batches(count, seed=0):
    """Numbers far from 0 and of different spreads; the last is always the same."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        numbers = random.normal([100, -3, 0, 2], [10, 0.1, 1, 0], (64, 4)).astype(np.float32)
        observation, goal = torch.from_numpy(numbers).split(2, dim=1)
        yield numbers, {"observation": observation, "desired_goal": goal}


def test_statistics_are_those_of_all_batches_seen_in_training():
    extractor, seen = NormalizedExtractor(SPACE), []
    for numbers, parts in batches(20):
        extractor(parts)
        seen.append(numbers)
    seen = np.concatenate(seen)
    np.testing.assert_allclose(extractor.running_mean, seen.mean(0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(extractor.running_var, seen.var(0), rtol=1e-3, atol=1e-5)
    extractor.eval()
    numbers, parts = next(batches(1, seed=1))
    wanted = (numbers - seen.mean(0)) / np.maximum(seen.std(0), LEAST_STD)
    np.testing.assert_allclose(extractor(parts), wanted.clip(-CLIP, CLIP), atol=2e-3)
    np.testing.assert_allclose(extractor.running_count, 20)  # looking does not count


def test_outliers_are_clipped_and_constants_stay_finite():
    extractor = NormalizedExtractor(SPACE)
    for _, parts in batches(3):
        extractor(parts)
    extractor.eval()
    far = {name: torch.full((1, 2), 1e6) for name in SPACE}
    assert (extractor(far) == CLIP).all()


@pytest.fixture
def seek():
    return SB3VecEnv(gymnasium.make_vec("GC-ContinuousSeek-v0", num_envs=2, dim=3))


@pytest.fixture
def bits():
    return SB3VecEnv(gymnasium.make_vec("GC-BitFlip-v0", num_envs=2, bits=4))


def trained(kind, envs, **kwargs):
    return kind(
        "MultiInputPolicy", envs, replay_buffer_class=AchievedGoalHerReplayBuffer, learning_starts=40, batch_size=32,
        policy_kwargs={"net_arch": [16], "features_extractor_class": NormalizedExtractor}, seed=0, **kwargs,
    ).learn(80)  # fmt: skip


@pytest.mark.parametrize("kind", [DDPG, SAC, ReenGAGEDDPG])
def test_target_networks_scale_as_the_networks_do(seek, kind):
    model = trained(kind, seek)
    mine, target = (net.features_extractor.state_dict() for net in (model.critic, model.critic_target))
    for name in ("running_mean", "running_var", "running_count"):
        assert torch.equal(mine[name], target[name])
    assert mine["running_count"] > 10
    assert mine["running_mean"].abs().max() > 0


def test_dqn_takes_it_too(bits):
    model = trained(DQN, bits)
    assert model.q_net.features_extractor.running_count > 0


def test_the_gradient_term_is_about_goals_as_observed(seek):
    """Goals in other units, and the networks' own scale, cancel: the value's gradient changes by the unit's factor."""
    model = trained(ReenGAGEDDPG, seek, alpha=0.1)
    extractor = model.critic.features_extractor
    batch = model.replay_buffer.sample(16)
    model.policy.set_training_mode(False)

    def gradient(observations):
        goal = observations["desired_goal"].clone().requires_grad_()
        value = model.critic({**observations, "desired_goal": goal}, batch.actions)[0]
        return torch.autograd.grad(value.sum(), goal)[0]

    before = gradient(batch.observations)
    sizes = {name: seek.observation_space[name].shape[0] for name in extractor.extractors}
    start = sum(sizes[name] for name in itertools.takewhile(lambda name: name != "desired_goal", sizes))
    where = slice(start, start + sizes["desired_goal"])
    extractor.running_mean[where] *= 10
    extractor.running_var[where] *= 100
    after = gradient({**batch.observations, "desired_goal": 10 * batch.observations["desired_goal"]})
    np.testing.assert_allclose(10 * after, before, rtol=1e-3, atol=1e-6)
