"""Bootstrap targets. Letters: T steps, N lanes, G goals."""

import jax
import jax.numpy as jnp

Array = jax.Array


def all_goals_targets(achieved: Array, over: Array, next_value: Array, gamma: float) -> Array:
    """One-step target of every goal, float32 [T, N, G] (arXiv 2605.23551, section 4).

    Reaching goal g pays 1 and ends the task with respect to g, whatever the commanded goal was; so nothing is
    bootstrapped where g holds or the episode is over.

    Args:
        achieved: [T, N, G] bool, goals that hold in the state reached.
        over: [T, N] bool, whether the episode ended there.
        next_value: [T, N, G], value of every goal in the state reached.
        gamma: discount.
    """
    goes_on = ~(achieved | over[..., None])
    return achieved.astype(jnp.float32) + gamma * jnp.where(goes_on, next_value, 0.0)
