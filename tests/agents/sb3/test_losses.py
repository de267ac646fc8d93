"""Loss terms that ride on what a network returns."""

import gymnasium
import pytest
import torch
from stable_baselines3 import DDPG, TD3

from gc_envs.agents.sb3.losses import attach_loss, penalize_actions
from gc_envs.agents.sb3.reengage import ReenGAGEDDPG
from gc_envs.wrappers import AchievedGoalHerReplayBuffer, SB3VecEnv


def test_an_attached_loss_is_added_whatever_becomes_of_the_value():
    x, y = torch.tensor(3.0, requires_grad=True), torch.tensor(5.0, requires_grad=True)
    value = attach_loss(2 * x, y**2)
    assert value == 6
    (10 * value).backward()
    assert (x.grad, y.grad) == (20, 10)


def make(kind):
    envs = SB3VecEnv(gymnasium.make_vec("GC-ContinuousSeek-v0", num_envs=2, dim=3))
    return kind(
        "MultiInputPolicy", envs, replay_buffer_class=AchievedGoalHerReplayBuffer, learning_starts=40, batch_size=16,
        policy_kwargs={"net_arch": [16]}, seed=0,
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
