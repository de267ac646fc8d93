"""From an observation to features. Letter: B batch."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gc_envs.agents.networks.initializers import orthogonal
from gc_envs.agents.networks.map_conv import MapConv
from gc_envs.agents.networks.norm import InputNorm
from gc_envs.core.one_hot import OneHotSpec

Array = jax.Array


class Torso(nn.Module):
    """Features [B, width] of an observation: a 3x3 convolution over maps, then dense layers, LayerNorm and ReLU.

    Categories (a task with a `OneHotSpec`) are one-hot encoded and batch-renormalised, as published.
    """

    spec: OneHotSpec | None  # how the observation unfolds into one-hot numbers; None: it is numbers already
    width: int = 1024  # units in each dense layer
    depth: int = 4  # dense layers
    conv_features: int = 32  # channels of the convolution

    @nn.compact
    def __call__(self, observation: Any, train: bool) -> Array:
        kernel_init = orthogonal(np.sqrt(2))
        spec = self.spec
        inputs = self._scalars(observation)
        moments = jnp.mean(inputs, axis=0), jnp.mean(jnp.square(inputs), axis=0)
        multiplier, shift = InputNorm(name="norm")(*moments, train)
        num_maps = 0
        if spec is not None and spec.height:
            maps = nn.relu(nn.LayerNorm()(MapConv(spec, self.conv_features, name="conv")(observation, train)))
            maps = maps.reshape(maps.shape[0], -1)
            num_maps = maps.shape[1]
        kernel = self.param("kernel", kernel_init, (num_maps + inputs.shape[1], self.width))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.width,))
        # (inputs * multiplier + shift) @ kernel, with the affine map folded into the kernel.
        x: Array = inputs @ (multiplier[:, None] * kernel[num_maps:]) + shift @ kernel[num_maps:] + bias
        if num_maps:
            x = x + maps @ kernel[:num_maps]
        x = nn.relu(nn.LayerNorm()(x))
        for _ in range(self.depth - 1):
            x = nn.relu(nn.LayerNorm()(nn.Dense(self.width, kernel_init=kernel_init)(x)))
        return x

    def _scalars(self, observation: Any) -> Array:
        """Return what of the observation is not on a map, float32 [B, n]."""
        scalars: Array = observation["scalars"] if isinstance(observation, dict) else observation
        if self.spec is None:
            return scalars.reshape(scalars.shape[0], -1).astype(jnp.float32)
        one_hot: Array = self.spec.one_hot_scalars(scalars)
        return one_hot
