"""Dual LEO (PPO): PPO acts, and its policy is pulled towards LEO's greedy actions (arXiv 2605.23551).

LEO learns from PPO's rollouts. Letters: N environments, B minibatch, A actions.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from gc_envs.agents.config import check_divides, converted
from gc_envs.agents.distributions import categorical_log_prob
from gc_envs.agents.dual_leo import DualLEO, Pair
from gc_envs.agents.explore import linear_schedule
from gc_envs.agents.leo import LEO, LEOConfig
from gc_envs.agents.on_policy import State
from gc_envs.agents.ppo import PPO, PPOConfig, Samples
from gc_envs.agents.types import Array
from gc_envs.core.task import Task


@dataclass(frozen=True)
class DualLEOPPOConfig(PPOConfig):
    """Settings of PPO, and of LEO where they differ; the defaults are the published ones, except for environments."""

    clone_weight: float = 0.1
    """Weight in PPO's loss of the cross-entropy to LEO's greedy action for the desired goal, at the start."""

    anneal_clone: bool = True
    """Whether that weight falls linearly to 0 at the end of training."""

    teacher_epochs: int = 2
    """Passes of LEO over a rollout in one update."""

    teacher_minibatch_size: int = 512
    """Environment steps in a minibatch of LEO; it must divide rollout_steps x num_envs."""

    teacher_depth: int = 4
    """Number of dense layers of LEO before its head."""

    teacher_conv_features: int = 16
    """Channels of LEO's convolution over the map; unused where observations have no map."""

    def check(self, samples: int) -> None:
        super().check(samples)
        check_divides("teacher_minibatch_size", self.teacher_minibatch_size, samples)

    @property
    def schedules(self) -> tuple[str, ...]:
        falls = self.anneal_clone and self.clone_weight
        return (*super().schedules, *(("the weight of cloning",) if falls else ()))

    @property
    def teacher(self) -> LEOConfig:
        """The settings of LEO."""
        return converted(
            self, LEOConfig, epochs=self.teacher_epochs, minibatch_size=self.teacher_minibatch_size,
            depth=self.teacher_depth, conv_features=self.teacher_conv_features,
        )  # fmt: skip


class Taught(NamedTuple):
    """What is kept of acting, [N]: `ppo.Acted`, and what LEO would have done."""

    log_prob: Array
    value: Array
    teacher_action: Array


class CloningPPO(PPO):
    """PPO whose loss also has the cross-entropy to a teacher's actions."""

    config: DualLEOPPOConfig

    def objective(self, update: Array, logits: Array, value: Array, samples: Samples) -> Array:
        cross_entropy = -categorical_log_prob(logits, samples.acted.teacher_action).mean()
        return super().objective(update, logits, value, samples) + self.clone_weight(update) * cross_entropy

    def clone_weight(self, update: Array) -> Array:
        """Return the weight of the cross-entropy after `update` updates."""
        c = self.config
        return linear_schedule(c.clone_weight, 0.0 if c.anneal_clone else c.clone_weight, self.num_updates, update)


class DualLEOPPO(DualLEO):
    """Learner of all goals' values, and of a policy and its values for one goal at a time, which acts."""

    name = "dual-leo-ppo"
    config_class = DualLEOPPOConfig
    config: DualLEOPPOConfig
    teacher: LEO
    student: CloningPPO

    def __init__(self, task: Task[Any], config: DualLEOPPOConfig) -> None:
        super().__init__(task, config)
        self.teacher, self.student = LEO(task, config.teacher), CloningPPO(task, config)

    def policy(self, train: Pair, update: Array, key: Array, observation: Any, goal: Array) -> tuple[Array, Any]:
        q, features = self.teacher.q(train.teacher.variables, observation, goal)
        action, acted = self.student.policy(train.student, update, key, observation, goal)
        return action, Pair(features, Taught(acted.log_prob, acted.value, q.argmax(axis=-1)))

    def scheduled(self, update: Array) -> dict[str, Array]:
        return {"clone_weight": self.student.clone_weight(update)}

    def acting_state(self, state: State) -> Any:
        return state.train.student.params

    def act(self, acting_state: Any, observation: Any, goal: Array) -> Array:
        return self.student.act(acting_state, observation, goal)
