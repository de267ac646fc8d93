"""The goal layer of an episode: desired goal, clock, success, reward and end.

This is array-API code that samples nothing, with any leading batch axes `...`, so that the same lines evaluate JAX
states inside `jit` and NumPy states of a C simulator. The named tuples are pytrees without importing JAX.
"""

from enum import Enum
from typing import Any, NamedTuple

from gc_envs.core.arrays import Array, array_namespace
from gc_envs.core.goals import GoalSpace


class OnSuccess(Enum):
    """What reaching the desired goal does to the episode."""

    TERMINATE = "terminate"
    CONTINUE = "continue"
    RESAMPLE = "resample"  # the episode goes on with a new desired goal

    @classmethod
    def parse(cls, value: "OnSuccess | str") -> "OnSuccess":
        """Return the member called `value`.

        Raises:
            ValueError: If there is none; the message lists the names.
        """
        try:
            return cls(value)
        except ValueError:
            raise ValueError(f"on_success={value!r} is not one of {[m.value for m in cls]}") from None


class Episode(NamedTuple):
    """What an episode adds to the state of a task."""

    desired: Array  # [..., D] float32, the desired goal
    goal: Array  # [...] int32, its index in the all-goals set, -1 where it is not in it
    clock: Array  # [...] int32, steps taken


class EnvState(NamedTuple):
    """One environment's state; with a leading [N] on every leaf, the states of N environments."""

    state: Any  # the task's own state; () where a simulator outside JAX holds it
    achieved: Array  # [G] bool or [d] float32, what `state` achieves
    episode: Episode
    key: Array  # [2] uint32, the chain of random keys that all start states, goals and noise are drawn from


class StepOutcome(NamedTuple):
    """What a step brought: evaluated on the state that it led to, under the goal that was desired when it was taken."""

    success: Array  # [...] bool
    reward: Array  # [...] float32
    terminated: Array  # [...] bool
    truncated: Array  # [...] bool
    terminal: Array  # [...] bool, the state that the step led to ends the episode whatever the goal
    diverged: Array  # [...] bool, the step could not be taken: the state is unchanged and the episode is truncated

    @property
    def done(self) -> Array:
        """Whether the episode has ended, bool [...]."""
        return self.terminated | self.truncated


def begin(goals: GoalSpace, desired: Array) -> Episode:
    """Return an episode at step 0 whose desired goal is `desired` [..., D]."""
    goal = goals.index(desired)
    return Episode(desired, goal, array_namespace(desired).zeros_like(goal))


def set_desired(goals: GoalSpace, episode: Episode, mask: Array, desired: Array) -> Episode:
    """Replace the desired goal by `desired` [..., D] where `mask` [...]; the clock goes on."""
    xp = array_namespace(episode.desired)
    return episode._replace(
        desired=xp.where(mask[..., None], desired, episode.desired),
        goal=xp.where(mask, goals.index(desired), episode.goal),
    )


def evaluate_step(
    goals: GoalSpace,
    episode: Episode,
    achieved: Array,
    *,
    terminal: Array,
    diverged: Array,
    horizon: int,
    on_success: OnSuccess,
) -> tuple[Episode, StepOutcome]:
    """Advance the clock by the step that led to `achieved`, and evaluate that step.

    Args:
        goals: The goal space.
        episode: The episode before the step.
        achieved: What the state after the step achieves, [..., d].
        terminal: Whether that state ends the episode whatever the goal, bool [...].
        diverged: Whether the step could not be taken, bool [...]. Its episode is truncated and not terminated: where
            rewards are negative, an end would otherwise be worth more than any state.
        horizon: The number of steps after which an episode is truncated.
        on_success: What reaching the desired goal does.

    Returns:
        The episode after the step, with the same desired goal, and the outcome. Both `terminated` and `truncated` may
        be set.
    """
    success, reward = goals.evaluate(achieved, episode.desired)
    clock = episode.clock + 1
    terminated = terminal | success if on_success is OnSuccess.TERMINATE else terminal
    truncated = diverged | (clock >= horizon)
    return episode._replace(clock=clock), StepOutcome(success, reward, terminated, truncated, terminal, diverged)


def resample(goals: GoalSpace, episode: Episode, outcome: StepOutcome, candidates: Array) -> Episode:
    """Replace the desired goal by `candidates` [..., D] where it was reached and the episode goes on."""
    return set_desired(goals, episode, outcome.success & ~outcome.done, candidates)
