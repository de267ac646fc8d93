"""From an observation, and for goal-conditioned networks a goal, to features. Letters: B batch, G goals."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gc_envs.agents.networks.initializers import orthogonal
from gc_envs.agents.networks.map_conv import MapConv
from gc_envs.agents.networks.norm import InputNorm
from gc_envs.core.one_hot import GoalMask, OneHotSpec
from gc_envs.core.task import Task

Array = jax.Array


def goal_inputs(task: Task[Any], *, one_hot: bool) -> GoalMask:
    """Return what goal-conditioned networks take of each goal of a finite set beside the observation.

    That is the goal's mask, as in the source (arXiv 2605.23551); without `one_hot` it is the categories that the mask
    picks; and where the task has no masks, the goal's index as a one-hot vector.

    Args:
        task: A task with finite goals.
        one_hot: Whether the network one-hot encodes observations.
    """
    mask, spec = task.goal_mask, task.one_hot_spec
    if mask is None or spec is None:
        num_goals = task.goals.num_goals
        nowhere = np.zeros(num_goals, np.int32)
        return GoalMask(np.eye(num_goals, dtype=np.float32), nowhere, nowhere)
    if one_hot:
        return mask
    parts = np.split(mask.scalars, [spec.first_class(index) for index in range(1, len(spec.scalars))], axis=1)
    categories = np.stack([part.argmax(axis=1) for part in parts], axis=1)
    return GoalMask(categories.astype(np.float32), mask.cell, mask.channel)


class Torso(nn.Module):
    """Features [B, width] of an observation: a 3x3 convolution over maps, then dense layers, LayerNorm and ReLU.

    Categories (a task with a `OneHotSpec`) are one-hot encoded and batch-renormalised, as published. With `goals`, the
    features are those of an observation and a goal, whose mask is treated like the observation.
    """

    spec: OneHotSpec | None  # how the observation unfolds into one-hot numbers; None: it is numbers already
    width: int = 1024  # units in each dense layer
    depth: int = 4  # dense layers
    conv_features: int = 32  # channels of the convolution
    goals: GoalMask | None = None  # what `goal_inputs` returned
    normalize: bool = True  # without: no batch renormalisation and no LayerNorm

    @nn.compact
    def __call__(self, observation: Any, train: bool, goal: Array | None = None) -> Array:
        """Return features.

        Args:
            observation: Observations [B, ...].
            train: Whether to update the normalisation statistics.
            goal: Indices [B] into `goals`.
        """
        kernel_init = orthogonal(np.sqrt(2))
        spec = self.spec
        inputs = self._scalars(observation)
        if self.goals is not None:
            inputs = jnp.concatenate([inputs, jnp.asarray(self.goals.scalars)[goal]], axis=-1)
        num_maps = 0
        if spec is not None and spec.height:
            conv = MapConv(spec, self.conv_features, self.goals, self.normalize, name="conv")
            maps = self._activate(conv(observation, train, goal))
            maps = maps.reshape(maps.shape[0], -1)
            num_maps = maps.shape[1]
        kernel = self.param("kernel", kernel_init, (num_maps + inputs.shape[1], self.width))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.width,))
        scalar_kernel = kernel[num_maps:]
        x: Array
        if self.normalize:  # (inputs * multiplier + shift) @ kernel, with the affine map folded into the kernel
            moments = jnp.mean(inputs, axis=0), jnp.mean(jnp.square(inputs), axis=0)
            multiplier, shift = InputNorm(name="norm")(*moments, train)
            x = inputs @ (multiplier[:, None] * scalar_kernel) + shift @ scalar_kernel + bias
        else:
            x = inputs @ scalar_kernel + bias
        if num_maps:
            x = x + maps @ kernel[:num_maps]
        x = self._activate(x)
        for _ in range(self.depth - 1):
            x = self._activate(nn.Dense(self.width, kernel_init=kernel_init)(x))
        return x

    def _activate(self, x: Array) -> Array:
        return nn.relu(nn.LayerNorm()(x) if self.normalize else x)

    def _scalars(self, observation: Any) -> Array:
        """Return what of the observation is not on a map, float32 [B, n]."""
        scalars: Array = observation["scalars"] if isinstance(observation, dict) else observation
        if self.spec is None:
            return scalars.reshape(scalars.shape[0], -1).astype(jnp.float32)
        one_hot: Array = self.spec.one_hot_scalars(scalars)
        return one_hot
