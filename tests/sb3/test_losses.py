"""Loss terms attached to the outputs of networks."""

import gymnasium
import pytest
import torch
from stable_baselines3 import DDPG, TD3

import gc_envs
from gc_envs.sb3.algorithms import ALGORITHMS
from gc_envs.sb3.losses import attach_loss, clip_values, penalize_actions
from gc_envs.sb3.reengage import ReenGAGEDDPG
from gc_envs.wrappers import AchievedGoalHerReplayBuffer, SB3VecEnv


def test_an_attached_loss_is_added_whatever_becomes_of_the_value():
    x, y = torch.tensor(3.0, requires_grad=True), torch.tensor(5.0, requires_grad=True)
    value = attach_loss(2 * x, y**2)
    assert value == 6
    (10 * value).backward()
    assert (x.grad, y.grad) == (20, 10)


def make(kind, **kwargs):
    envs = SB3VecEnv(gymnasium.make_vec("GC-ContinuousSeek-v0", num_envs=2, dim=3))
    return kind(
        "MultiInputPolicy", envs, replay_buffer_class=AchievedGoalHerReplayBuffer, learning_starts=40, batch_size=16,
        policy_kwargs={"net_arch": [16]}, seed=0, **kwargs,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [DDPG, TD3, ReenGAGEDDPG])
def test_penalized_actions_add_exactly_their_gradient_to_the_actors(kind):
    gradients = {}
    for name in ("plain", "penalized"):
        model = make(kind).learn(40)  # no update yet, but everything is set up
        if name == "penalized":
            penalize_actions(model.actor, 0.7)
        data = model.replay_buffer.sample(16)
        model.replay_buffer.sample = lambda *args, data=data, **kwargs: data
        parameters = list(model.actor.parameters())
        term = torch.autograd.grad(
            0.7
            * model.actor.mu(model.actor.extract_features(data.observations, model.actor.features_extractor))
            .square()
            .mean(),
            parameters,
        )
        model.actor.optimizer.step = lambda n=name, p=parameters: gradients.update({n: [w.grad.clone() for w in p]})
        torch.manual_seed(0)
        model.train(2, 16)  # TD3 trains its actor every second time
    assert max(float(t.abs().max()) for t in term) > 1e-3
    for plain, penalized, added in zip(gradients["plain"], gradients["penalized"], term, strict=True):
        torch.testing.assert_close(penalized, plain + added, rtol=1e-4, atol=1e-6)


def test_acting_is_not_touched():
    model = make(DDPG)
    observation = model.get_env().reset()
    before = model.predict(observation, deterministic=True)[0]
    penalize_actions(model.actor, 1.0)
    assert (model.predict(observation, deterministic=True)[0] == before).all()


@pytest.mark.parametrize("kind", [DDPG, TD3, ReenGAGEDDPG])
def test_clipped_values_bound_what_others_are_learned_from(kind):
    """With gamma 0.5 and all target values clipped to -1.5, every critic regresses on reward - 0.75."""
    model = make(kind, gamma=0.5).learn(40)
    clip_values(model.critic_target, -1.5, -1.5)
    data = model.replay_buffer.sample(16)
    model.replay_buffer.sample = lambda *args, **kwargs: data
    seen = []
    wanted = data.rewards + (1 - data.dones) * 0.5 * -1.5
    values = model.critic(data.observations, data.actions)
    expected = sum((value - wanted).square().mean() for value in values).item()
    model.logger.record = lambda name, value, *args, **kwargs: seen.append(value) if name == "train/critic_loss" else 0
    model.train(1, 16)  # ReenGAGE's own term adds gradients to this loss, and nothing to its value
    assert seen == [pytest.approx(expected, rel=1e-5)]


def bounds(algorithm, env_id):
    """What the target critic of a new model returns when its last layer says -1e6, and 1e6."""
    config = algorithm.config_class(clip_values=True, gamma=0.75, width=16)
    model, envs = algorithm(gc_envs.make_task(env_id), config).build()
    observation = {name: torch.as_tensor(space.sample()[None]) for name, space in model.observation_space.items()}
    values = []
    for bias in (-1e6, 1e6):
        for weights in model.critic_target.parameters():
            torch.nn.init.constant_(weights, bias if weights.ndim == 1 else 0)
        values.append(model.critic_target(observation, torch.zeros(1, *envs.single_action_space.shape))[0].item())
    envs.close()
    return values


def test_the_bounds_are_those_of_returns():
    assert bounds(ALGORITHMS["her-ddpg"], "GC-ContinuousSeek-v0") == [-4, 0]
    assert bounds(ALGORITHMS["multi-reengage"], "GC-DriveSeek-v0") == [0, 4]


def test_returns_without_a_discount_have_no_bound():
    with pytest.raises(ValueError, match=r"clip_values needs gamma in \[0, 1\), as returns have no bound at 1.0"):
        ALGORITHMS["her-ddpg"].config_class(clip_values=True, gamma=1.0).check()
