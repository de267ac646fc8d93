"""Statistics of a finite goal set while training. Letters: N environments, G goals."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gc_envs.agents import sharding
from gc_envs.agents.sharding import REPLICATED, SHARDED

Array = jax.Array


class GoalStats(NamedTuple):
    """Which goals were seen, and how often the first goal of an episode is reached before the episode ends."""

    episode_goal: Array  # [N] int32, the goal desired at the start of the episode
    pending: Array  # [N] bool, whether that goal is still to be reached in this episode
    seen: Array  # [G] bool, goals that held in any environment at any time
    successes: Array  # [G] float32, episodes whose first goal was reached, with forgetting
    failures: Array  # [G] float32, episodes whose first goal was not, with forgetting
    finished: Array  # float32, episodes that have ended, with forgetting
    reached: Array  # float32, those of them whose first goal was reached

    @property
    def success_rate(self) -> Array:
        """Running success rate of every goal, [G]; 0 where it was never tried."""
        return self.successes / (self.successes + self.failures + 1e-7)

    def metrics(self) -> dict[str, Array]:
        """Return what every learner on finite goals reports.

        Returns:
            running_success: Share of the finished episodes, with forgetting, whose first goal was reached; 0 before one
                has finished.
            goal_success: Mean of `success_rate` over all goals. A success counts when the goal is reached and a failure
                when the episode ends, so it is too high until episodes end.
            goals_seen: Number of goals that held at some time.
            goals: G.
        """
        return {
            "running_success": self.reached / jnp.maximum(self.finished, 1e-7),
            "goal_success": self.success_rate.mean(),
            "goals_seen": self.seen.sum(),
            "goals": jnp.int32(self.seen.shape[0]),
        }

    def after_step(self, success: Array, done: Array, holding: Array, next_goal: Array) -> "GoalStats":
        """Return the statistics after one step of all environments.

        Args:
            success: Whether the step reached the goal that was desired, [N] bool.
            done: Whether it ended the episode, [N] bool.
            holding: Goals that hold in any environment after the step or after the reset that followed, [G] bool.
            next_goal: The goal desired after that reset, [N] int32; read only where `done`.
        """
        reached = self.pending & success
        failed = self.pending & done & ~success
        return GoalStats(
            episode_goal=jnp.where(done, next_goal, self.episode_goal),
            pending=done | (self.pending & ~success),
            seen=self.seen | holding,
            successes=self.successes.at[self.episode_goal].add(reached),
            failures=self.failures.at[self.episode_goal].add(failed),
            finished=self.finished + done.sum(),
            reached=self.reached + (done & (success | ~self.pending)).sum(),
        )

    def split(self) -> "GoalStats":
        """Return statistics in which each device can count by itself, until `merge`; see `sharding`."""
        return self._replace(**sharding.once(self._counts()))

    def merge(self) -> "GoalStats":
        """Return the statistics of all devices, after `split`."""
        return self._replace(seen=sharding.union(self.seen), **sharding.total(self._counts()))

    def forget(self, factor: float) -> "GoalStats":
        """Return the statistics with past episodes weighted by `factor`."""
        return self._replace(**{name: count * factor for name, count in self._counts().items()})

    def _counts(self) -> dict[str, Array]:
        return {name: getattr(self, name) for name in ("successes", "failures", "finished", "reached")}


# How the statistics lie on several devices.
GOAL_STATS_SPECS = GoalStats(
    episode_goal=SHARDED, pending=SHARDED, seen=REPLICATED, successes=REPLICATED, failures=REPLICATED,
    finished=REPLICATED, reached=REPLICATED,
)  # fmt: skip


def init_goal_stats(goal: Array, seen: Array) -> GoalStats:
    """Return the statistics at the start of episodes with `goal` [N] desired, where goals `seen` [G] have held."""
    none, zero = jnp.zeros(seen.shape, jnp.float32), jnp.zeros((), jnp.float32)
    return GoalStats(goal, jnp.ones(goal.shape, bool), seen, none, none, zero, zero)
