"""Dual LEO (PQN): actions come from a mixture of the values of LEO and of a PQN student (arXiv 2605.23551).

Letters: N environments, B batch, A actions.
"""

from dataclasses import dataclass
from typing import Any

from gc_envs.agents.config import converted
from gc_envs.agents.dual_leo import DualLEO, Pair
from gc_envs.agents.explore import epsilon_at, epsilon_greedy
from gc_envs.agents.leo import LEO, LEOConfig
from gc_envs.agents.on_policy import State
from gc_envs.agents.pqn import PQN, PQNConfig
from gc_envs.agents.types import Array
from gc_envs.core.task import Task


@dataclass(frozen=True)
class DualLEOPQNConfig(LEOConfig):
    """Settings of both learners, which are LEO's; the defaults are the published ones, except for environments."""

    student_share: float = 0.7
    """Weight of the student's values in those that are acted by; the rest is LEO's."""


class DualLEOPQN(DualLEO):
    """Learner of all goals' values and of one goal's values at a time, which acts by both."""

    name = "dual-leo-pqn"
    config_class = DualLEOPQNConfig
    config: DualLEOPQNConfig
    teacher: LEO
    student: PQN

    def __init__(self, task: Task[Any], config: DualLEOPQNConfig) -> None:
        super().__init__(task, config)
        self.teacher = LEO(task, converted(config, LEOConfig))
        self.student = PQN(task, converted(config, PQNConfig))

    def policy(self, train: Pair, update: Array, key: Array, observation: Any, goal: Array) -> tuple[Array, Any]:
        variables = Pair(train.teacher.variables, train.student.variables)
        taught, features = self.teacher.q(variables.teacher, observation, goal)
        own = self.student.q(variables.student, observation, goal)
        action = epsilon_greedy(key, self.mixture(taught, own), self.scheduled(update)["epsilon"])
        return action, Pair(features, own.max(axis=-1))

    def scheduled(self, update: Array) -> dict[str, Array]:
        return {"epsilon": epsilon_at(self.config, self.num_updates, update)}

    def mixture(self, taught: Array, own: Array) -> Array:
        """Return the values that are acted by, from LEO's and from the student's, [B, A]."""
        share = self.config.student_share
        return share * own + (1 - share) * taught

    def acting_state(self, state: State) -> Pair:
        return Pair(state.train.teacher.variables, state.train.student.variables)

    def act(self, acting_state: Pair, observation: Any, goal: Array) -> Array:
        taught, _ = self.teacher.q(acting_state.teacher, observation, goal)
        return self.mixture(taught, self.student.q(acting_state.student, observation, goal)).argmax(axis=-1)

    def q_values(self, acting_state: Pair, observation: Any) -> Array:
        return self.mixture(
            self.teacher.q_values(acting_state.teacher, observation),
            self.student.q_values(acting_state.student, observation),
        )
