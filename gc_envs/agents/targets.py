"""Bootstrap targets as pure functions. Letters: T steps, N environments, G goals, `...` any axes."""

import jax
import jax.numpy as jnp

Array = jax.Array


def td_target(reward: Array, done: Array, next_value: Array, gamma: float) -> Array:
    """Return `reward + gamma * next_value`, float32 [...], with nothing bootstrapped where `done`.

    Args:
        reward: Reward of the step, [...].
        done: Whether the return ends with the step, [...] bool.
        next_value: Value of the state reached, [...]; read only where not `done`.
        gamma: Discount per step.
    """
    return reward.astype(jnp.float32) + gamma * jnp.where(done, 0.0, next_value)


def all_goals_target(achieved: Array, done: Array, next_value: Array, gamma: float) -> Array:
    """Return the one-step target of every goal, float32 [T, N, G] (arXiv 2605.23551, section 4).

    Reaching goal g pays 1 and ends the task with respect to g, whichever goal was desired. So nothing is bootstrapped
    where g holds or the episode ended.

    Args:
        achieved: Goals that hold in the state reached, [T, N, G] bool.
        done: Whether the episode ended there, [T, N] bool.
        next_value: Value of every goal in the state reached, [T, N, G].
        gamma: Discount per step.
    """
    return td_target(achieved, achieved | done[..., None], next_value, gamma)
