"""Multi-ReenGAGE: DDPG on goals that are sets of points, with a DeepSets encoder and the gradient term on its gates.

"Goal-Conditioned Q-learning as Knowledge Distillation" (arXiv 2208.13298), equations 13 to 19 and appendix equations 37
to 40. Letters: B batch, n points a goal may have, M points present in the whole batch, S numbers in a state, E numbers
in an embedding.
"""

from typing import Any

import gymnasium
import torch
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, create_mlp
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.td3.policies import TD3Policy

from gc_envs.sb3.losses import Tensor
from gc_envs.sb3.reengage import Observation, ReenGAGEDDPG
from gc_envs.core.goals import PointSetGoals
from gc_envs.sb3.her_buffer import NO_HINDSIGHT


class PointSetEncoder(BaseFeaturesExtractor):
    """Goal dictionaries to [B, E + S]: the mean over n points of squared gate times embedding, and the state.

    The gate of a point is the first number of its row in `desired_goal` (1 present, 0 padding), and the only part of
    the goal that gradients reach. Padding is never encoded: squared gates keep its gradient at 0 all the same. The
    state is achieved goal and observation together (section "Multi-ReenGAGE").

    Actor and critic ask about the same observations one after the other, and encoding is most of the work, so the last
    answer is kept for as long as question and weights stay what they were.
    """

    def __init__(
        self, observation_space: gymnasium.spaces.Dict, encoder_arch: tuple[int, ...] = (400, 400), embedding: int = 20
    ) -> None:
        state = sum(gymnasium.spaces.flatdim(observation_space[name]) for name in ("achieved_goal", "observation"))
        super().__init__(observation_space, embedding + state)
        self.n_max, self.embedding = gymnasium.spaces.flatdim(observation_space["desired_goal"]) // 3, embedding
        self.encoder = torch.nn.Sequential(*create_mlp(2 + state, embedding, list(encoder_arch)))
        self._asked: tuple[list[Tensor], list[int], bool] = ([], [], False)
        self._answer = torch.empty(0)

    def forward(self, observation: Observation) -> Tensor:
        tensors = [*observation.values(), *self.parameters()]
        written, with_grad = [tensor._version for tensor in tensors], torch.is_grad_enabled()
        before, written_before, with_grad_before = self._asked
        unchanged = len(before) == len(tensors) and all(a is b for a, b in zip(before, tensors, strict=True))
        if not unchanged or (written, with_grad) != (written_before, with_grad_before):
            self._asked, self._answer = (tensors, written, with_grad), self._encode(observation)
        return self._answer

    def _encode(self, observation: Observation) -> Tensor:
        state = torch.cat([observation["achieved_goal"], observation["observation"]], dim=1)  # [B, S]
        points = observation["desired_goal"].reshape(len(state), self.n_max, 3)
        row, item = (points[..., 0] > 0.5).nonzero(as_tuple=True)  # [M] each
        embedded = self.encoder(torch.cat([points[row, item, 1:].detach(), state[row]], dim=1))  # [M, E]
        gated = points[row, item, :1].square() * embedded
        pooled = torch.zeros(len(state), self.embedding, device=state.device).index_add(0, row, gated)
        return torch.cat([pooled / self.n_max, state], dim=1)


class BorrowedEncoder(BaseFeaturesExtractor):
    """The critic's encoder in the actor's hands: the actor sees what the critic sees, and never trains it."""

    def __init__(self, owner: PointSetEncoder) -> None:
        super().__init__(owner._observation_space, owner.features_dim)
        self.owner = [owner]  # in a list, so that its parameters do not become the actor's

    def forward(self, observation: Observation) -> Tensor:
        with torch.set_grad_enabled(observation["desired_goal"].requires_grad):  # for gate gradients through the actor
            return self.owner[0](observation)


class PointSetPolicy(TD3Policy):
    """Actor and critic over one `PointSetEncoder`, their targets over its target; the critic alone trains it.

    Takes the arguments of TD3Policy: `net_arch` (default [400]) are the hidden layers of the heads, and
    `features_extractor_kwargs` go to the encoder.
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
    """DDPG on point-set goals; `alpha` weighs the mean over the n_max gates (20 on DriveSeek, 100 on NoisySeek).

    The gradient term matches dQ/db to 2 R_item + gamma dQ'/db for the gates b (equation 19 with squared gates), over
    all transitions. With alpha = 0 it is the paper's baseline: the same networks without the term.

    Raises:
        ValueError: as ReenGAGE; for a goal that is no set of points, or hindsight relabelling, which needs achieved
            goals that can be commanded.
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
        """The reward [B] as a function of the gates: the sum of squared gate times item reward (equation 38)."""
        return (desired[..., ::3].square() * self._goals.item_rewards(achieved, desired.detach())).sum(dim=-1)

    def _goal_gradient(self, value: Tensor, goal: Tensor, **kwargs: Any) -> Tensor:
        return super()._goal_gradient(value, goal, **kwargs)[:, ::3]  # [B, n_max], the gates
