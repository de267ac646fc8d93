"""The goal layer of an episode: commanded goal, clock, success, reward and end.

Array-API code that draws nothing, with any leading batch axes `...`, so that JAX tasks inside `jit` and NumPy states of
a C simulator are judged by the same lines. Its named tuples are pytrees without importing JAX.
"""

from enum import Enum
from typing import NamedTuple

from gc_envs.core.arrays import Array, array_namespace
from gc_envs.core.goals import GoalSpace


class OnSuccess(Enum):
    """What reaching the commanded goal does to the episode."""

    TERMINATE = "terminate"
    CONTINUE = "continue"
    RESAMPLE = "resample"  # a new goal is commanded and the episode goes on

    @classmethod
    def parse(cls, value: "OnSuccess | str") -> "OnSuccess":
        """The member for a name; ValueError lists the names."""
        try:
            return cls(value)
        except ValueError:
            raise ValueError(f"on_success={value!r} is not one of {[m.value for m in cls]}") from None


class Episode(NamedTuple):
    """What an episode adds to a world's state."""

    desired: Array  # [..., D] float32, the commanded goal
    clock: Array  # [...] int32, steps taken


class StepOutcome(NamedTuple):
    """How a step is judged: on the state it reached, by the goal that was commanded when it was taken."""

    success: Array  # [...] bool
    reward: Array  # [...] float32
    terminated: Array  # [...] bool
    truncated: Array  # [...] bool
    diverged: Array = False  # [...] bool, the step could not be taken: the world stays as it was, and the episode ends

    @property
    def done(self) -> Array:
        """Whether the episode has ended, bool [...]."""
        return self.terminated | self.truncated


def begin(desired: Array) -> Episode:
    """An episode that starts now with `desired` [..., D] commanded."""
    xp = array_namespace(desired)
    return Episode(desired, xp.zeros(desired.shape[:-1], dtype=xp.int32))


def evaluate_step(
    goals: GoalSpace, episode: Episode, achieved: Array, terminal: Array, *, horizon: int, on_success: OnSuccess
) -> tuple[Episode, StepOutcome]:
    """Advance the clock by the step that led to `achieved` [..., d] and judge it.

    `terminal` [...] bool says where the world itself has ended. Both `terminated` and `truncated` may be set.
    """
    success = goals.success(achieved, episode.desired)
    clock = episode.clock + 1
    terminated = terminal | success if on_success is OnSuccess.TERMINATE else terminal
    reward = goals.reward(achieved, episode.desired)
    return episode._replace(clock=clock), StepOutcome(success, reward, terminated, clock >= horizon)


def resample(episode: Episode, outcome: StepOutcome, candidates: Array, on_success: OnSuccess) -> Episode:
    """Command `candidates` [..., D] where a goal was reached and the episode goes on; else leave it as it is."""
    if on_success is not OnSuccess.RESAMPLE:
        return episode
    xp = array_namespace(episode.desired)
    renewed = outcome.success & ~outcome.done
    return episode._replace(desired=xp.where(renewed[..., None], candidates, episode.desired))
