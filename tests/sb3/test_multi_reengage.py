"""Multi-ReenGAGE: the DeepSets encoder, who trains it, and the gradient of the gates."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.type_aliases import DictReplayBufferSamples

import gc_envs  # noqa: F401
from gc_envs.sb3.multi_reengage import BorrowedEncoder, MultiReenGAGEDDPG, PointSetEncoder, PointSetPolicy

B, N = 6, 5
GAMMA = 0.9


@pytest.fixture(scope="module")
def env():
    return gymnasium.make("gc_envs:GC-DriveSeek-v0", max_goals=N, all_goals_info=False)


def make(env, alpha=20.0, **kwargs):
    encoder = {"encoder_arch": (8,), "embedding": 3}
    return MultiReenGAGEDDPG(
        PointSetPolicy, env, alpha=alpha, gamma=GAMMA, seed=0, batch_size=16, learning_starts=20, buffer_size=200,
        policy_kwargs={"net_arch": [8], "activation_fn": torch.nn.Tanh, "features_extractor_kwargs": encoder},
        device="cpu", **kwargs,
    )  # fmt: skip


def batch(seed=0):
    """Transitions whose goals have 1 to N points; some next states lie on one of them."""
    rng = np.random.default_rng(seed)
    goals = np.zeros((B, N, 3), np.float32)
    for row in goals:
        count = rng.integers(1, N + 1)
        row[:count, 0], row[:count, 1:] = 1, rng.integers(-10, 11, (count, 2))
    position, following = (rng.uniform(-10, 10, (B, 2)).astype(np.float32) for _ in range(2))
    following[::2] = goals[::2, 0, 1:]
    heading = np.tile([1.0, 0.0], (B, 1)).astype(np.float32)

    def observation(at):
        return {
            "achieved_goal": torch.from_numpy(np.rint(at)),
            "desired_goal": torch.from_numpy(goals.reshape(B, -1).copy()),
            "observation": torch.from_numpy(np.concatenate([at, heading], axis=1)),
        }

    actions = torch.from_numpy(rng.uniform(-1, 1, (B, 1)).astype(np.float32))
    rewards = torch.from_numpy((np.arange(B) % 2 == 0).astype(np.float32)).reshape(B, 1)
    return DictReplayBufferSamples(observation(position), actions, observation(following), torch.zeros(B, 1), rewards)


def with_gates(observation, gates):
    goal = observation["desired_goal"].reshape(B, N, 3).clone()
    goal[..., 0] = gates
    return {**observation, "desired_goal": goal.reshape(B, -1)}


def test_the_term_matches_finite_differences_over_the_gates(env):
    """2 R_item + gamma dQ'/db against dQ/db, by moving each gate of a present point a little off 1."""
    model, data = make(env), batch()
    gates = data.observations["desired_goal"].reshape(B, N, 3)[..., 0]
    item = model._goals.item_rewards(data.next_observations["achieved_goal"], data.next_observations["desired_goal"])
    assert 0 < item.sum() < B * N
    eps = 1e-2

    def slope(function, index):
        step = torch.zeros_like(gates)
        step[:, index] = eps * gates[:, index]
        return (function(gates + step) - function(gates - step))[:, 0] / (2 * eps)

    def q(gates):
        return model.critic(with_gates(data.observations, gates), data.actions)[0]

    def target(gates):
        observation = with_gates(data.next_observations, gates)
        return GAMMA * model.critic_target(observation, model.actor_target(observation))[0]

    with torch.no_grad():
        terms = [slope(q, i) - slope(target, i) - 2 * item[:, i] for i in range(N)]
        expected = torch.stack(terms, dim=1).square().mean()
    data.observations["desired_goal"].requires_grad_()
    loss = model.gradient_loss(data, model.critic(data.observations, data.actions))
    torch.testing.assert_close(loss, expected, rtol=5e-3, atol=0)


def test_goals_are_a_set_and_padding_is_never_encoded(env):
    model, data = make(env), batch()
    encoder = model.critic.features_extractor
    assert isinstance(encoder, PointSetEncoder)
    encoded = []
    encoder.encoder.register_forward_hook(lambda module, inputs, output: encoded.append(len(output)))
    with torch.no_grad():
        features = encoder(data.observations)
        goals = data.observations["desired_goal"].reshape(B, N, 3)
        assert encoded == [int(goals[..., 0].sum())]
        shuffled = {**data.observations, "desired_goal": goals[:, torch.tensor([3, 1, 4, 0, 2])].reshape(B, -1)}
        torch.testing.assert_close(encoder(shuffled), features)
        moved = goals.clone()
        moved[..., 1:] += 7 * (goals[..., :1] == 0)  # padding may hold anything
        torch.testing.assert_close(encoder({**data.observations, "desired_goal": moved.reshape(B, -1)}), features)
        row = {name: value[:1] for name, value in data.observations.items()}
        state = torch.cat([row["achieved_goal"], row["observation"]], 1)
        points = [p for p in goals[0] if p[0] > 0]
        by_hand = sum(encoder.encoder(torch.cat([p[1:], state[0]])) for p in points) / N
        torch.testing.assert_close(features[0], torch.cat([by_hand, state[0]]))


def test_the_critic_alone_trains_the_encoder_and_the_actor_sees_the_same_one(env):
    model = make(env)
    for actor, critic in ((model.actor, model.critic), (model.actor_target, model.critic_target)):
        assert isinstance(actor.features_extractor, BorrowedEncoder)
        assert actor.features_extractor.owner[0] is critic.features_extractor
    encoder = set(map(id, model.critic.features_extractor.parameters()))
    owners = [
        {id(p) for group in optimizer.param_groups for p in group["params"]}
        for optimizer in (model.critic.optimizer, model.actor.optimizer)
    ]
    assert encoder <= owners[0]
    assert not encoder & owners[1]
    names = {id(p) for p in model.actor.mu.parameters()}
    assert owners[1] == names
    before = [p.clone() for p in model.critic.features_extractor.parameters()]
    model.learn(60)
    after = list(model.critic.features_extractor.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_alpha_0_is_the_same_network_without_the_term(env):
    with_term, without, again = (make(env, alpha=alpha).learn(60) for alpha in (20.0, 0.0, 0.0))
    weights = [torch.cat([p.detach().flatten() for p in m.policy.parameters()]) for m in (with_term, without, again)]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[0], weights[1])
    assert "train/gradient_loss" not in without.logger.name_to_value


def test_saves_and_loads(env, tmp_path):
    model = make(env).learn(40)
    model.save(tmp_path / "model")
    loaded = MultiReenGAGEDDPG.load(tmp_path / "model", env=env, device="cpu")
    observation, _ = env.reset(seed=3)
    np.testing.assert_array_equal(
        loaded.predict(observation, deterministic=True)[0], model.predict(observation, deterministic=True)[0]
    )
    loaded.learn(20, reset_num_timesteps=False)
    assert loaded.alpha == 20.0


def test_hindsight_is_refused_with_the_reason(env):
    with pytest.raises(ValueError, match="no set of points"):
        make(env, replay_buffer_class=HerReplayBuffer)
