"""Losses as pure functions. Letter: B minibatch."""

import jax
import jax.numpy as jnp

Array = jax.Array


def clipped_surrogate(log_prob: Array, old_log_prob: Array, advantage: Array, clip: float) -> Array:
    """Return PPO's policy loss, float32 [] (arXiv 1707.06347, equation 7), to be minimised.

    Args:
        log_prob: Log-probability of the taken actions, [B].
        old_log_prob: The same under the policy that took them, [B].
        advantage: Advantage of the taken actions, [B].
        clip: Distance of the probability ratio from 1 beyond which it brings nothing more.
    """
    ratio = jnp.exp(log_prob - old_log_prob)
    return -jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage).mean()


def clipped_value_loss(value: Array, old_value: Array, target: Array, clip: float) -> Array:
    """Return half the mean squared error, float32 [], of values that may move by `clip` from the old ones.

    Args:
        value: Values, [B].
        old_value: Values when the rollout was made, [B].
        target: What they are to become, [B].
        clip: Distance from the old values beyond which a smaller error brings nothing more.
    """
    clipped = old_value + jnp.clip(value - old_value, -clip, clip)
    return 0.5 * jnp.maximum(jnp.square(value - target), jnp.square(clipped - target)).mean()
