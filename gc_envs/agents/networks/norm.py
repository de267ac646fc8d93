"""Normalisation of network inputs."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from gc_envs.agents import sharding

Array = jax.Array


class InputNorm(nn.Module):
    """Batch renormalisation (Ioffe 2017, arXiv 1702.03275) as an affine map of the input, given its moments.

    `x * multiplier + shift` is the normalised, scaled and shifted input. With `train` the moments of the batch are
    used, corrected towards the running ones once `warmup` batches have been seen, and the running ones are updated.
    """

    momentum: float = 0.999  # of the running moments
    r_max: float = 3.0  # bound of the correction of the standard deviation, r in the paper
    d_max: float = 5.0  # bound of the correction of the mean, d in the paper
    warmup: int = 1000  # batches without corrections
    epsilon: float = 1e-3  # added to variances

    @nn.compact
    def __call__(self, mean: Array, mean_square: Array, train: bool) -> tuple[Array, Array]:
        """Return the multiplier [n] and the shift [n].

        Args:
            mean: Mean of each input over the batch, [n]; of several devices, over the part that each has.
            mean_square: Mean of its square, [n].
            train: Whether to use and to learn from these moments, instead of using the running ones.
        """
        size = mean.shape
        scale = self.param("scale", nn.initializers.ones_init(), size)
        bias = self.param("bias", nn.initializers.zeros_init(), size)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, size)
        running_var = self.variable("batch_stats", "var", jnp.ones, size)
        batches = self.variable("batch_stats", "batches", jnp.zeros, (), jnp.int32)
        if not train:
            centre, var = running_mean.value, running_var.value
        else:
            mean, mean_square = sharding.mean((mean, mean_square))
            batch_var = jnp.maximum(mean_square - mean**2, 0.0)
            std, running_std = jnp.sqrt(batch_var + self.epsilon), jnp.sqrt(running_var.value + self.epsilon)
            r = jnp.clip(std / running_std, 1 / self.r_max, self.r_max)
            d = jnp.clip((mean - running_mean.value) / running_std, -self.d_max, self.d_max)
            warm = batches.value >= self.warmup
            centre = jnp.where(warm, mean - d * jnp.sqrt(batch_var) / r, mean)
            var = jnp.where(warm, batch_var / r**2, batch_var)
            if not self.is_initializing():
                running_mean.value = self.momentum * running_mean.value + (1 - self.momentum) * mean
                running_var.value = self.momentum * running_var.value + (1 - self.momentum) * batch_var
                batches.value = batches.value + 1
        multiplier = jax.lax.rsqrt(var + self.epsilon) * scale
        return multiplier, bias - centre * multiplier
