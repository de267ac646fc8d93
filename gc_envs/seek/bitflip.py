"""BitFlip: turn one string of bits into another, one bit at a time.

Source: "Hindsight Experience Replay" (arXiv 1707.01495), section "A motivating example", which samples start and goal
anew in every episode. (Stable-Baselines3's `BitFlippingEnv` always asks for all ones.)
"""

from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.arrays import Array, array_namespace
from gc_envs.core.goals import BoxGoals
from gc_envs.core.task import Task


class BitState(NamedTuple):
    """A string of bits."""

    bits: jax.Array  # [d] bool


class BitFlipTask(Task[BitState]):
    """A string of `bits` bits, of which action i flips bit i.

    The observation and the achieved goal are the bits as 0 and 1, float32 [bits]. A goal is a string of bits, reached
    when all bits are equal. The reward is 0 where the goal is reached and -1 elsewhere; reaching it ends the episode.
    Start and goal are uniformly random, and a goal that equals the start is sampled again.

    Args:
        bits: The length of the string, which is also the horizon in steps.
        num_anchor_goals: The number of fixed strings that `info["all_goals"]` reports on; fewer where there are not
            that many strings.

    Raises:
        ValueError: If `bits` or `num_anchor_goals` is below 1.
    """

    def __init__(self, bits: int = 20, num_anchor_goals: int = 64) -> None:
        if bits < 1:
            raise ValueError(f"bits must be at least 1, got {bits}")
        self.bits = self.horizon = bits
        self.action_space = gymnasium.spaces.Discrete(bits)
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (bits,), np.float32)
        self.goals = BitGoals(
            np.zeros(bits), np.ones(bits), threshold=0.0, distance=hamming, sampler=to_bits,
            num_anchor_goals=num_anchor_goals,
        )  # fmt: skip

    def reset(self, key: jax.Array) -> BitState:
        return BitState(jax.random.bernoulli(key, shape=(self.bits,)))

    def step(self, key: jax.Array, state: BitState, action: jax.Array) -> BitState:
        return BitState(state.bits ^ (jnp.arange(self.bits) == action))

    def observe(self, state: BitState) -> jax.Array:
        return state.bits.astype(jnp.float32)

    def achieved(self, state: BitState) -> jax.Array:
        return state.bits.astype(jnp.float32)

    def describe_goal(self, desired: np.ndarray) -> str:
        return "have the bits " + "".join(str(int(bit)) for bit in desired)

    def render(self, state: BitState, desired_goal: np.ndarray | None = None) -> np.ndarray:
        from gc_envs.seek.render import draw_bits

        return draw_bits(np.asarray(state.bits), None if desired_goal is None else np.asarray(desired_goal) > 0.5)


class BitGoals(BoxGoals):
    """The corners of the unit box."""

    def encode(self, goal: str | int | Array) -> np.ndarray:
        bits = super().encode(goal)
        if not np.isin(bits, (0, 1)).all():
            raise ValueError(f"a goal is {len(bits)} bits, 0 or 1 each, got {bits.tolist()}")
        return bits


def hamming(achieved: Array, desired: Array) -> Array:
    """Return the number of bits [...] that differ between [..., d] and [..., d], for any array library."""
    xp = array_namespace(achieved, desired)
    return xp.sum(xp.abs(achieved - desired), axis=-1)


def to_bits(uniform: Array) -> Array:
    """Return fair bits from uniform numbers in [0, 1), of any shape and array library."""
    xp = array_namespace(uniform)
    return xp.astype(uniform >= 0.5, uniform.dtype)
