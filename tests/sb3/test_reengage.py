"""The gradient term: against finite differences, a critic worked out by hand, and in Stable-Baselines3's loop."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import DDPG, DQN, SAC, TD3
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.type_aliases import DictReplayBufferSamples

from gc_envs.sb3.multi_reengage import MultiReenGAGEDDPG, PointSetPolicy
from gc_envs.sb3.reengage import ReenGAGEDDPG, ReenGAGEDQN, ReenGAGESAC, ReenGAGETD3

B, D, A = 5, 3, 2


class Point(gymnasium.Env):
    """Moves in R^D; goals are D numbers, rewards -1 or 0, episodes of 4 steps."""

    def __init__(self, actions=None):
        box = gymnasium.spaces.Box(-5.0, 5.0, (D,), np.float32)
        self.observation_space = gymnasium.spaces.Dict(achieved_goal=box, desired_goal=box, observation=box)
        self.action_space = actions or gymnasium.spaces.Box(-1.0, 1.0, (A,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time, self.at = 0, np.zeros(D, np.float32)
        self.goal = self.np_random.uniform(-1, 1, D).astype(np.float32)
        return self._observe(), {}

    def _observe(self):
        return {"observation": self.at.copy(), "achieved_goal": self.at.copy(), "desired_goal": self.goal.copy()}

    def step(self, action):
        self.time += 1
        self.at = np.clip(self.at + np.resize(action, D), -5, 5).astype(np.float32)
        reward = -float(np.abs(self.at - self.goal).max() > 0.5)
        return self._observe(), reward, False, self.time == 4, {}


def make(kind, alpha=0.3, arch=(8,), **kwargs):
    actions = gymnasium.spaces.Discrete(4) if issubclass(kind, DQN) else None
    if issubclass(kind, (TD3, DDPG)):
        kwargs["action_noise"] = NormalActionNoise(np.zeros(A), np.full(A, 0.1))
    policy_kwargs = {"net_arch": list(arch), "activation_fn": torch.nn.Tanh, **kwargs.pop("policy_kwargs", {})}
    if kind.__name__.startswith("ReenGAGE"):
        kwargs["alpha"] = alpha
    return kind(
        "MultiInputPolicy", Point(actions), policy_kwargs=policy_kwargs, buffer_size=200, batch_size=16,
        learning_starts=20, seed=0, device="cpu", gamma=0.9, **kwargs,
    )  # fmt: skip


def batch(discrete=False, seed=0):
    rng = np.random.default_rng(seed)

    def numbers(*shape):
        return torch.from_numpy(rng.normal(size=shape).astype(np.float32))

    observation, following = ({k: numbers(B, D) for k in ("observation", "achieved_goal")} for _ in range(2))
    observation["desired_goal"] = following["desired_goal"] = numbers(B, D)
    following["desired_goal"] = following["desired_goal"].clone()
    actions = torch.from_numpy(rng.integers(4, size=(B, 1))) if discrete else numbers(B, A).clamp(-1, 1)
    rewards = torch.tensor([-1.0, 0.0, -1.0, -1.0, -1.0]).reshape(B, 1)
    dones = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).reshape(B, 1)
    return DictReplayBufferSamples(observation, actions, following, dones, rewards)


def loss_of(model, data):
    """The gradient loss of a batch, as training computes it."""
    data.observations["desired_goal"].requires_grad_()
    inputs = (data.observations,) if isinstance(model, DQN) else (data.observations, data.actions)
    return model.gradient_loss(data, model._critic()(*inputs))


def numeric_gradient(function, goal, eps=1e-2):
    """Central differences of `function(goal) -> [B]` in every goal dimension: [B, D]."""
    columns = []
    for i in range(goal.shape[1]):
        step = torch.zeros_like(goal)
        step[:, i] = eps
        columns.append((function(goal + step) - function(goal - step)) / (2 * eps))
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize("kind", [ReenGAGEDDPG, ReenGAGETD3, ReenGAGESAC, ReenGAGEDQN])
def test_the_term_is_what_finite_differences_of_q_and_of_its_target_give(kind):
    model = make(kind)
    data = batch(discrete=kind is ReenGAGEDQN)
    if kind is ReenGAGETD3:
        model.target_policy_noise = 0.0
    if kind is ReenGAGESAC:  # a fixed draw of the reparametrised action
        draw = torch.randn(B, A)

        def action_log_prob(obs, actor=model.actor):
            mean, log_std, _ = actor.get_action_dist_params(obs)
            rows = data.rewards[:, 0] == -1  # those that count are all the term looks at
            gaussian = mean + (draw if len(mean) == B else draw[rows]) * log_std.exp()
            action = gaussian.tanh()
            log_prob = torch.distributions.Normal(mean, log_std.exp()).log_prob(gaussian).sum(1)
            return action, log_prob - torch.log(1 - action**2 + 1e-6).sum(1)

        model.actor.action_log_prob = action_log_prob

    def q(index):
        def value(goal):
            observation = {**data.observations, "desired_goal": goal}
            if kind is ReenGAGEDQN:
                return model.q_net(observation).gather(1, data.actions.long())[:, 0]
            return model.critic(observation, data.actions)[index][:, 0]

        return value

    def target(goal):
        observation = {**data.next_observations, "desired_goal": goal}
        if kind is ReenGAGEDQN:
            values = model.q_net_target(observation)
            weights = torch.exp(values / 0.5)
            after = (weights * values).sum(1) / weights.sum(1)
        elif kind is ReenGAGESAC:
            action, log_prob = model.actor.action_log_prob(observation)
            first, second = model.critic_target(observation, action)
            after = torch.minimum(first, second)[:, 0] - model.log_ent_coef.exp() * log_prob
        else:
            critics = model.critic_target(observation, model.actor_target(observation))
            after = torch.cat(critics, 1).min(1).values
        return 0.9 * (1 - data.dones[:, 0]) * after

    with torch.no_grad():
        goal = data.observations["desired_goal"].clone()
        wanted = numeric_gradient(target, goal)
        critics = 1 if kind in (ReenGAGEDDPG, ReenGAGEDQN) else 2
        counts = (data.rewards == -1).float()
        expected = sum((counts * (numeric_gradient(q(i), goal) - wanted) ** 2).mean() for i in range(critics))
    assert expected > 1e-4
    torch.testing.assert_close(loss_of(model, data), expected, rtol=2e-3, atol=0)


def test_at_temperature_0_the_target_is_that_of_the_best_action():
    """The softmax goes over into the maximum: the gradient is that of the best action's value alone."""
    data = batch(discrete=True)
    losses = [loss_of(make(ReenGAGEDQN, temperature=temperature), data).item() for temperature in (0.0, 1e-4, 0.5)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0] != pytest.approx(losses[2], rel=1e-2)
    model = make(ReenGAGEDQN, temperature=0.0)
    values = model.q_net_target(data.next_observations)
    assert torch.equal(model._next_value(data.next_observations)[:, 0], values.max(1).values)


def linear(model, weights):
    """Give the critics, and their targets, Q = sum of weights * (achieved, desired, observation, action)."""
    for critic, row in zip((model.critic, model.critic_target), weights, strict=True):
        critic.qf0[0].weight.data = torch.tensor([row])
        critic.qf0[0].bias.data.zero_()


def test_a_linear_critic_is_worked_out_by_hand():
    """dQ/dg = w and dQ'/dg = w' + dA w'_a, where the target actor's action is A g (a linear actor without its tanh)."""
    model = make(ReenGAGEDDPG, arch=())
    w, w_target = [1.0, 2.0, 4.0], [0.5, 1.0, -1.0]
    linear(model, [[0.0] * D + w + [0.0] * (D + A), [0.0] * D + w_target + [0.0] * D + [2.0, 0.0]])
    actor = model.actor_target.mu
    actor[0].weight.data.zero_()
    actor[0].bias.data.zero_()
    actor[0].weight.data[0, D] = 0.25  # first action = tanh(0.25 g_1)
    data = batch()
    data.observations["desired_goal"].zero_()
    data.next_observations["desired_goal"].zero_()  # where tanh has slope 1
    following = np.array([0.5 + 2 * 0.25, 1.0, -1.0])
    squares = [np.square(w - 0.9 * (1 - done) * following).sum() for done in (0, 1, 0, 0)]  # row 1 paid 0: left out
    loss = loss_of(model, data)
    assert loss.item() == pytest.approx(sum(squares) / (B * D), rel=1e-5)
    loss.backward()
    # d/dw of the mean of (w - t)^2: 2 (w - t) / (B D), summed over the rows that count.
    by_hand = sum(2 * (np.array(w) - 0.9 * (1 - done) * following) / (B * D) for done in (0, 1, 0, 0))
    np.testing.assert_allclose(model.critic.qf0[0].weight.grad[0, D : 2 * D], by_hand, rtol=1e-5)
    assert all(p.grad is None for p in model.critic_target.parameters())
    assert all(p.grad is None for p in model.actor_target.parameters())


def test_the_dense_form_counts_all_transitions_and_the_rewards_own_gradient():
    def minus_squared_distance(achieved, desired):
        return -(achieved - desired).square().sum(-1)

    model = make(ReenGAGEDDPG, arch=(), reward=minus_squared_distance)
    linear(model, [[0.0] * D + [1.0, 2.0, 4.0] + [0.0] * (D + A), [0.0] * (3 * D + A)])
    data = batch()
    slope = 2 * (data.next_observations["achieved_goal"] - data.next_observations["desired_goal"])
    expected = (torch.tensor([1.0, 2.0, 4.0]) - slope).square().mean()
    torch.testing.assert_close(loss_of(model, data), expected)


@pytest.mark.parametrize(
    ("kind", "plain"), [(ReenGAGEDDPG, DDPG), (ReenGAGETD3, TD3), (ReenGAGESAC, SAC), (ReenGAGEDQN, DQN)]
)
def test_with_alpha_0_it_is_the_plain_algorithm_bitwise(kind, plain):
    models = [make(kind, alpha=0.0).learn(40), make(plain).learn(40), make(kind, alpha=0.3).learn(40)]
    first, second, third = ([p.detach() for p in model.policy.parameters()] for model in models)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, third, strict=True))


@pytest.mark.parametrize(("kind", "plain"), [(ReenGAGEDDPG, DDPG), (ReenGAGESAC, SAC), (ReenGAGEDQN, DQN)])
def test_an_update_adds_exactly_the_terms_gradient(kind, plain):
    """Before the optimiser's step the critic's gradient is that of SB3's own loss plus alpha times the term's."""
    data = batch(discrete=kind is ReenGAGEDQN)
    gradients = {}
    for name, model in (("both", make(kind)), ("plain", make(plain))):
        model.learn(20)  # no update yet, but everything is set up
        if plain is DQN:
            model.max_grad_norm = 1e9
        model.replay_buffer.sample = lambda *args, **kwargs: data
        critic = model.q_net if plain is DQN else model.critic
        optimizer = model.policy.optimizer if plain is DQN else model.critic.optimizer
        optimizer.step = lambda c=critic, n=name: gradients.update({n: [p.grad.clone() for p in c.parameters()]})
        torch.manual_seed(3)
        model.train(1, B)
    reference = make(kind)
    torch.manual_seed(3)
    if plain is SAC:  # the actor's draw for the current states and the target's own come first
        reference.actor.action_log_prob(data.observations)
        reference.actor.action_log_prob(data.next_observations)
    loss = reference.loss_scale * 0.3 * loss_of(reference, data)
    critic = reference.q_net if plain is DQN else reference.critic
    term = torch.autograd.grad(loss, list(critic.parameters()), allow_unused=True)
    assert any(t is not None and t.abs().max() > 1e-4 for t in term)
    for both, alone, added in zip(gradients["both"], gradients["plain"], term, strict=True):
        torch.testing.assert_close(both, alone + (0 if added is None else added), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("kind", [ReenGAGEDDPG, ReenGAGESAC, ReenGAGEDQN])
def test_saves_loads_and_goes_on_as_sb3_models_do(tmp_path, kind):
    model = make(kind).learn(40)
    model.save(tmp_path / "model")
    model.save_replay_buffer(tmp_path / "buffer")
    loaded = kind.load(tmp_path / "model", env=model.get_env(), device="cpu")
    loaded.load_replay_buffer(tmp_path / "buffer")
    assert loaded.alpha == 0.3
    assert loaded.replay_buffer.pos == model.replay_buffer.pos == 40
    observation = Point().reset(seed=1)[0]
    np.testing.assert_array_equal(
        loaded.predict(observation, deterministic=True)[0], model.predict(observation, deterministic=True)[0]
    )
    loaded.learn(20, reset_num_timesteps=False)
    assert loaded.num_timesteps == 60
    assert "train/gradient_loss" in loaded.logger.name_to_value


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: make(ReenGAGEDDPG, alpha=-0.1), "alpha must be at least 0, got -0.1"),
        (lambda: make(ReenGAGEDQN, temperature=-0.1), "temperature must be at least 0, got -0.1"),
        (lambda: make(ReenGAGEDDPG, random_share=1.5), r"random_share must be in \[0, 1\], got 1.5"),
        (lambda: ReenGAGESAC("MultiInputPolicy", Point(gymnasium.spaces.Discrete(4))), "use ReenGAGEDQN"),
        (lambda: ReenGAGEDQN("MultiInputPolicy", Point()), "use ReenGAGEDDPG"),
        (lambda: ReenGAGEDDPG("MlpPolicy", gymnasium.make("Pendulum-v1")), "desired_goal"),
        (lambda: make(ReenGAGEDDPG, policy_kwargs={"share_features_extractor": True}), "share_features_extractor"),
        (lambda: MultiReenGAGEDDPG(PointSetPolicy, Point()), "a set of points"),
    ],
)
def test_what_cannot_work_is_refused_at_construction(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_normalised_rewards_are_refused_in_the_sparse_form():
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    venv = VecNormalize(DummyVecEnv([Point]), norm_obs=False)
    with pytest.raises(ValueError, match="norm_reward=False"):
        ReenGAGEDDPG("MultiInputPolicy", venv)
    assert issubclass(make(ReenGAGEDDPG).replay_buffer_class, DictReplayBuffer)
