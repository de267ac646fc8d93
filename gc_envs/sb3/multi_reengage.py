"""Multi-ReenGAGE: DDPG on goals that are sets of points, with a DeepSets encoder and the gradient term on its gates.

"Goal-Conditioned Q-learning as Knowledge Distillation" (arXiv 2208.13298), equations 13 to 19 and appendix equations 37
to 40. Axes: B batch, n places for points in a goal, M points present in the whole batch, S numbers in a state, E
numbers in an embedding.
"""

from typing import Any

import gymnasium
import torch
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, create_mlp
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.td3.policies import TD3Policy

from gc_envs.core.goals import PointSetGoals
from gc_envs.sb3.her_buffer import NO_HINDSIGHT
from gc_envs.sb3.losses import Tensor
from gc_envs.sb3.reengage import Observation, ReenGAGEDDPG


class PointSetEncoder(BaseFeaturesExtractor):
    """Encoder of goal dictionaries [B, E + S]: the mean over n places of squared gate times embedding, and the state.

    The gate of a point is the first number of its row in `desired_goal` (1 present, 0 padding), and the only part of
    the goal that gradients reach. Padding is not encoded; its gradient would be 0 anyway, because gates are squared.
    The state is achieved goal and observation together (section "Multi-ReenGAGE").

    Actor and critic encode the same observations one after the other, and encoding is most of the work, so the last
    result is returned again while the tensors and the weights that it was computed from are unchanged.

    Args:
        observation_space: Space of the goal dictionaries.
        encoder_arch: Number of units in each hidden layer of the encoder of points.
        embedding: Number of outputs E of the encoder of points.
    """

    def __init__(
        self, observation_space: gymnasium.spaces.Dict, encoder_arch: tuple[int, ...] = (400, 400), embedding: int = 20
    ) -> None:
        state = sum(gymnasium.spaces.flatdim(observation_space[name]) for name in ("achieved_goal", "observation"))
        super().__init__(observation_space, embedding + state)
        self.n_max, self.embedding = gymnasium.spaces.flatdim(observation_space["desired_goal"]) // 3, embedding
        self.encoder = torch.nn.Sequential(*create_mlp(2 + state, embedding, list(encoder_arch)))
        # What the last result was computed from: tensors, their versions (torch counts writes), whether with gradient.
        self._last_inputs: tuple[list[Tensor], list[int], bool] = ([], [], False)
        self._last_result = torch.empty(0)

    def forward(self, observation: Observation) -> Tensor:
        """Return the encoding [B, E + S] of `observation`."""
        tensors = [*observation.values(), *self.parameters()]
        versions, with_grad = [tensor._version for tensor in tensors], torch.is_grad_enabled()
        last_tensors, *last = self._last_inputs
        same = len(last_tensors) == len(tensors) and all(a is b for a, b in zip(last_tensors, tensors, strict=True))
        if not same or [versions, with_grad] != last:
            self._last_inputs, self._last_result = (tensors, versions, with_grad), self._encode(observation)
        return self._last_result

    def _encode(self, observation: Observation) -> Tensor:
        """Return the encoding [B, E + S] of `observation`, computed anew."""
        state = torch.cat([observation["achieved_goal"], observation["observation"]], dim=1)  # [B, S]
        points = observation["desired_goal"].reshape(len(state), self.n_max, 3)
        row, item = (points[..., 0] > 0.5).nonzero(as_tuple=True)  # [M] each
        embedded = self.encoder(torch.cat([points[row, item, 1:].detach(), state[row]], dim=1))  # [M, E]
        gated = points[row, item, :1].square() * embedded
        pooled = torch.zeros(len(state), self.embedding, device=state.device).index_add(0, row, gated)
        return torch.cat([pooled / self.n_max, state], dim=1)


class BorrowedEncoder(BaseFeaturesExtractor):
    """Features extractor of the actor that calls the critic's encoder and never trains it.

    Args:
        owner: The critic's encoder.
    """

    def __init__(self, owner: PointSetEncoder) -> None:
        super().__init__(owner._observation_space, owner.features_dim)
        self.owner = [owner]  # in a list, so that its parameters do not become the actor's

    def forward(self, observation: Observation) -> Tensor:
        """Return the encoding [B, E + S] of `observation`, without gradients for the encoder's weights."""
        with torch.set_grad_enabled(observation["desired_goal"].requires_grad):  # for gate gradients through the actor
            return self.owner[0](observation)


class PointSetPolicy(TD3Policy):
    """Policy whose actor and critic share one `PointSetEncoder`, which only the critic trains; so do their targets.

    Args:
        args: Arguments of `TD3Policy`.
        kwargs: Arguments of `TD3Policy`: `net_arch` (default [400]) is the number of units in each hidden layer of the
            actor's and the critic's heads, `features_extractor_kwargs` are the arguments of the encoder.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        defaults: dict[str, Any] = {"net_arch": [400], "n_critics": 1, "features_extractor_class": PointSetEncoder}
        super().__init__(*args, **(defaults | kwargs))

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        for actor, critic in ((self.actor, self.critic), (self.actor_target, self.critic_target)):
            assert isinstance(critic.features_extractor, PointSetEncoder)
            actor.features_extractor = BorrowedEncoder(critic.features_extractor)
        rate: Any = {"lr": lr_schedule(1)}
        self.actor.optimizer = self.optimizer_class(self.actor.parameters(), **rate, **self.optimizer_kwargs)


class MultiReenGAGEDDPG(ReenGAGEDDPG):
    """DDPG with the gradient term on goals that are sets of points.

    The term matches dQ/db to 2 R_item + gamma dQ'/db for the gates b (equation 19 with squared gates), over all
    transitions; `alpha` weighs its mean over the n gates of a goal (the paper: 20 on DriveSeek, 100 on NoisySeek). The
    target's gradient goes through the target actor, as in equation 40; in the paper's public code it does not. With
    alpha = 0 it is the paper's baseline: the same networks without the term.

    Raises:
        ValueError: In the cases of `ReenGAGE`, for goals that are no sets of points, or for a replay buffer with
            hindsight relabelling, which needs achieved goals that can be desired goals.
    """

    policy_aliases = {**ReenGAGEDDPG.policy_aliases, "PointSetPolicy": PointSetPolicy}

    def _setup_model(self) -> None:
        buffer = self.replay_buffer_class
        if buffer is not None and issubclass(buffer, HerReplayBuffer):
            raise ValueError(NO_HINDSIGHT)
        spaces: Any = getattr(self.observation_space, "spaces", {})
        goal, achieved = (getattr(spaces.get(name), "shape", None) for name in ("desired_goal", "achieved_goal"))
        if achieved != (2,) or goal is None or len(goal) != 1 or goal[0] % 3:
            raise ValueError(f"a set of points is [n * 3] (present, x, y) and achieved [2], not {goal} and {achieved}")
        box = spaces["achieved_goal"]
        self._goals = PointSetGoals(goal[0] // 3, float(box.low[0]), float(box.high[0]))
        super()._setup_model()

    def reward(self, achieved: Tensor, desired: Tensor) -> Tensor:
        """Return the reward [B] as a function of the gates: the sum of squared gate times item reward (equation 38)."""
        return (desired[..., ::3].square() * self._goals.item_rewards(achieved, desired.detach())).sum(dim=-1)

    def _goal_gradient(self, value: Tensor, goal: Tensor, **kwargs: Any) -> Tensor:
        """Return the gradient [B, n] of each `value` [B, 1] with respect to the gates of its own goal."""
        return super()._goal_gradient(value, goal, **kwargs)[:, ::3]
