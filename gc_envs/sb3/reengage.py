"""ReenGAGE for Stable-Baselines3: the critic also matches the gradient of its target with respect to the goal.

"Goal-Conditioned Q-learning as Knowledge Distillation" (arXiv 2208.13298), equations 8 and 9; appendix equations 31 and
32 for discrete actions. The classes are Stable-Baselines3's own with one more loss term: they are made, trained, saved
and loaded in the same way, with any replay buffer. Axes: B batch, D numbers in a goal, A actions.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import torch
from stable_baselines3 import DDPG, DQN, SAC, TD3
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from gc_envs.sb3.explore import RandomActions
from gc_envs.sb3.losses import Tensor, attach_loss, check_weight

Observation = dict[str, Tensor]
Reward = Callable[[Tensor, Tensor], Tensor]  # (achieved [B, d], desired [B, D]) -> differentiable reward [B]


class ReenGAGE(OffPolicyAlgorithm):
    """Base of the four algorithms with the gradient term.

    The term is `alpha` times the squared difference between the gradient of the value and that of its target, both with
    respect to the goal, averaged over the batch and over the D goal dimensions. (The paper writes alpha / D and sums
    over dimensions, which is the same.) It is added once per critic, with the factor that the critic's own loss has
    (0.5 in SAC).

    Args:
        args: Arguments of the Stable-Baselines3 class.
        alpha: Weight of the term; 0 is the plain algorithm.
        low_reward: For the sparse form (equation 9, the default), the reward of the transitions that are used: those
            rewarded with exactly this number, on which the reward does not depend on the goal.
        reward: For the dense form (equation 8), a differentiable function from achieved [B, d] and desired goals [B, D]
            to rewards [B], whose gradient is part of the target's; all transitions are used. `compute_reward` of the
            environments of this package is such a function.
        kwargs: Arguments of the Stable-Baselines3 class.

    Raises:
        ValueError: A negative alpha, observations without a desired goal, actions that the algorithm cannot take, a
            features extractor that actor and critic share (it would be trained without the goal's gradient), or
            rewards normalised by VecNormalize in the sparse form, which compares them with `low_reward`.
    """

    action_kind: type[gymnasium.Space] = gymnasium.spaces.Box
    alternative = "ReenGAGEDQN or Stable-Baselines3's DQN"  # classes for the other kind of actions
    critic: Any
    loss_scale = 1.0  # factor that the algorithm multiplies the loss of each critic with
    reward: Reward | None = None

    def __init__(
        self, *args: Any, alpha: float = 0.1, low_reward: float = -1.0, reward: Reward | None = None, **kwargs: Any
    ) -> None:
        check_weight("alpha", alpha)
        environment = kwargs["env"] if "env" in kwargs else args[1]
        space = getattr(environment, "action_space", None)
        if space is not None and not isinstance(space, self.action_kind):
            wanted = self.action_kind.__name__
            raise ValueError(f"{type(self).__name__} needs {wanted} actions, not {space}; use {self.alternative}")
        self.alpha, self.low_reward = alpha, low_reward
        if reward is not None:
            self.reward = reward
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        super()._setup_model()
        if "desired_goal" not in getattr(self.observation_space, "spaces", {}):
            raise ValueError(
                f"{type(self).__name__} needs observations with a desired_goal, not {self.observation_space}"
            )
        if getattr(self.policy, "share_features_extractor", False):
            raise ValueError(f"{type(self).__name__} needs policy_kwargs with share_features_extractor=False")
        normalizer = self._vec_normalize_env
        if self.alpha and self.reward is None and normalizer is not None and normalizer.norm_reward:
            raise ValueError("the sparse form compares rewards with low_reward: use VecNormalize(norm_reward=False)")

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Make `gradient_steps` updates of Stable-Baselines3's own, with the gradient term added to each of them."""
        if not self.alpha:
            super().train(gradient_steps, batch_size)
            return
        waiting: list[Any] = []  # the sampled batch, until the critic is called with it
        losses: list[Tensor] = []

        def require_gradient(batch: Any) -> None:
            batch.observations["desired_goal"].requires_grad_()
            waiting[:] = [batch]

        def add_term(module: torch.nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
            if not waiting or inputs[0] is not waiting[0].observations:
                return output
            loss = self.loss_scale * self.alpha * self.gradient_loss(waiting[0], output)
            losses.append(loss.detach())
            waiting.pop().observations["desired_goal"].requires_grad_(False)  # the actor's update does not need it
            first, *others = output if isinstance(output, tuple) else (output,)
            attached = attach_loss(first, loss)
            return (attached, *others) if isinstance(output, tuple) else attached

        # The term is attached to the critic's output, so that the algorithm's own backward pass includes it.
        hook = self._critic().register_forward_hook(add_term)
        with hook, _after(self.replay_buffer, "sample", require_gradient):
            super().train(gradient_steps, batch_size)
        self.logger.record("train/gradient_loss", torch.stack(losses).mean().item())

    def gradient_loss(self, batch: Any, output: Any) -> Tensor:
        """Return the mean squared difference [] between the goal gradients of Q and of its target.

        The target's gradient includes that through the action which the target policy chooses for the goal. It is a
        constant of this loss.

        Args:
            batch: Replay batch whose `observations["desired_goal"]` requires a gradient.
            output: Output of the critic for `batch.observations` (and `batch.actions`, unless actions are discrete).
        """
        goal = batch.observations["desired_goal"]
        # The transitions that are used: in the sparse form, those with the low reward.
        rows = slice(None) if self.reward else (batch.rewards[:, 0] == self.low_reward).nonzero()[:, 0]
        following = {name: part[rows] for name, part in batch.next_observations.items()}
        following["desired_goal"] = next_goal = following["desired_goal"].detach().requires_grad_()
        discount = self.gamma if batch.discounts is None else batch.discounts[rows]
        target = (1 - batch.dones[rows]) * discount * self._next_value(following)  # [rows, 1]
        if self.reward:
            target = target + self.reward(following["achieved_goal"], next_goal).reshape(-1, 1)
        wanted = self._goal_gradient(target, next_goal)  # [rows, D]
        loss = torch.zeros((), device=goal.device)
        for value in self._values(output, batch.actions):
            found = self._goal_gradient(value, goal, create_graph=True)  # [B, D]
            loss = loss + (found[rows] - wanted).square().sum() / found.numel()
        return loss

    def _goal_gradient(self, value: Tensor, goal: Tensor, **kwargs: Any) -> Tensor:
        """Return the gradient [B, D] of each `value` [B, 1] with respect to its own row of `goal` [B, D]."""
        return torch.autograd.grad(value.sum(), goal, **kwargs)[0]

    def _critic(self) -> torch.nn.Module:
        """Return the network whose output the term is attached to."""
        return self.critic

    def _values(self, output: Any, action: Tensor) -> tuple[Tensor, ...]:
        """Return Q [B, 1] of `action`, one per critic, from the output of `_critic`."""
        return output

    @abstractmethod
    def _next_value(self, observation: Observation) -> Tensor:
        """Return the value [B, 1] of the next state that the target bootstraps from, differentiable in the goal."""


class ReenGAGETD3(ReenGAGE, RandomActions, TD3):
    """TD3 with the gradient term, for which the smoothing noise of the target action is sampled anew.

    Args:
        args: Arguments of `ReenGAGE`.
        kwargs: Arguments of `ReenGAGE`, and `random_share` as in `RandomActions`.
    """

    def _next_value(self, observation: Observation) -> Tensor:
        action = self.actor_target(observation)
        if self.target_policy_noise > 0:
            noise = torch.randn_like(action) * self.target_policy_noise
            action = (action + noise.clamp(-self.target_noise_clip, self.target_noise_clip)).clamp(-1, 1)
        return torch.cat(self.critic_target(observation, action), dim=1).min(dim=1, keepdim=True).values


class ReenGAGEDDPG(ReenGAGETD3, DDPG):
    """DDPG with the gradient term: the paper's algorithm."""


class ReenGAGESAC(ReenGAGE, SAC):
    """SAC with the gradient term, through the reparametrised action and its entropy."""

    loss_scale = 0.5

    def _next_value(self, observation: Observation) -> Tensor:
        action, log_probability = self.actor.action_log_prob(observation)
        value = torch.cat(self.critic_target(observation, action), dim=1).min(dim=1, keepdim=True).values
        weight = self.ent_coef_tensor if self.log_ent_coef is None else self.log_ent_coef.detach().exp()
        return value - weight * log_probability.reshape(-1, 1)


class ReenGAGEDQN(ReenGAGE, DQN):
    """DQN with the gradient term.

    The gradient's target weighs actions by softmax(Q / temperature) (appendix, equation 32). At temperature 0, which is
    in the paper's grid, that is the best action alone. The value's own target keeps the maximum.

    Args:
        args: Arguments of `ReenGAGE`.
        temperature: Temperature of that softmax, at least 0.
        kwargs: Arguments of `ReenGAGE`.
    """

    action_kind = gymnasium.spaces.Discrete
    alternative = "ReenGAGEDDPG, ReenGAGETD3 or ReenGAGESAC"

    def __init__(self, *args: Any, temperature: float = 0.5, **kwargs: Any) -> None:
        check_weight("temperature", temperature)
        self.temperature = temperature
        super().__init__(*args, **kwargs)

    def _critic(self) -> torch.nn.Module:
        return self.q_net

    def _values(self, output: Any, action: Tensor) -> tuple[Tensor, ...]:
        return (output.gather(1, action.long()),)

    def _next_value(self, observation: Observation) -> Tensor:
        values = self.q_net_target(observation)  # [B, A]
        if not self.temperature:
            return values.max(dim=1, keepdim=True).values
        return ((values / self.temperature).softmax(dim=1) * values).sum(dim=1, keepdim=True)


@contextmanager
def _after(owner: Any, method: str, then: Callable[[Any], Any]) -> Iterator[None]:
    """Call `then(result)` after every call of `owner.method` inside the `with` block."""
    call = getattr(owner, method)

    def call_then(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        then(result)
        return result

    setattr(owner, method, call_then)  # on the object, where it hides the method of the class
    try:
        yield
    finally:
        delattr(owner, method)
