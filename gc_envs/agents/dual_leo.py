"""Dual LEO (arXiv 2605.23551): LEO is the teacher of a goal-conditioned student; both learn from the same rollouts."""

from typing import Any, NamedTuple

import jax

from gc_envs.agents.goal_stats import GoalStats
from gc_envs.agents.leo import LEO
from gc_envs.agents.on_policy import OnPolicy
from gc_envs.agents.types import Array, Transition


class Pair(NamedTuple):
    """Something of the teacher's, and of the student's."""

    teacher: Any
    student: Any


class DualLEO(OnPolicy):
    """What both have in common: two learners whose networks are a `Pair`, as are the extras of the rollout."""

    teacher: LEO
    student: OnPolicy

    def init_train(self, key: Array, observation: Any) -> Pair:
        teacher_key, student_key = jax.random.split(key)
        return Pair(
            self.teacher.init_train(teacher_key, observation), self.student.init_train(student_key, observation)
        )

    def learn(
        self, key: Array, train: Pair, update: Array, batch: Transition, last: Any, stats: GoalStats
    ) -> tuple[Pair, dict[str, Array]]:
        keys, learnt = Pair(*jax.random.split(key)), {}
        metrics: dict[str, Array] = {}
        for part in Pair._fields:
            learner, seen = getattr(self, part), batch._replace(extras=getattr(batch.extras, part))
            learnt[part], found = learner.learn(getattr(keys, part), getattr(train, part), update, seen, last, stats)
            metrics |= {f"{part}_{name}": value for name, value in found.items()}
        return Pair(**learnt), metrics
