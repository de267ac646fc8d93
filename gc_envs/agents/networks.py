"""Networks: from an observation to features, and the LEO network on top.

Inputs that are categories (a task with a `OneHotSpec`) are one-hot encoded and batch-renormalised, as published; both are
done by table look-up, which gives the same function without ever holding the one-hot observation.
Letters: B batch, H x W map, C map channels, F convolution features, J kinds of cell, M mob slots.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gc_envs.agents.heads import AllGoalsHead, orthogonal
from gc_envs.core.one_hot import OneHotSpec

Array = jax.Array


class InputNorm(nn.Module):
    """Batch renormalisation (Ioffe 2017, arXiv 1702.03275) as an affine map of the input, given its moments.

    `x * multiplier + shift` is the normalised, scaled and shifted input. With `train` the moments of the batch are
    used, corrected towards the running ones once `warmup` batches have been seen, and the running ones are updated.
    """

    momentum: float = 0.999
    r_max: float = 3.0
    d_max: float = 5.0
    warmup: int = 1000
    epsilon: float = 1e-3

    @nn.compact
    def __call__(self, mean: Array, mean_square: Array, train: bool) -> tuple[Array, Array]:
        """(multiplier, shift), both shaped like `mean` [n]; the moments are of each input over the batch."""
        size = mean.shape
        scale = self.param("scale", nn.initializers.ones_init(), size)
        bias = self.param("bias", nn.initializers.zeros_init(), size)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, size)
        running_var = self.variable("batch_stats", "var", jnp.ones, size)
        batches = self.variable("batch_stats", "batches", jnp.zeros, (), jnp.int32)
        if not train:
            centre, var = running_mean.value, running_var.value
        else:
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


class MapConv(nn.Module):
    """3x3 convolution (SAME) over the normalised one-hot maps of a compact observation: [B, H, W, F].

    Each cell's block, item and light fall into one of J kinds, so the convolution over C channels is a sum of 9 rows
    of a [9, J, F] table; the few visible mobs are added where they stand.
    """

    spec: OneHotSpec
    features: int

    @nn.compact
    def __call__(self, observation: dict[str, Array], train: bool) -> Array:
        spec = self.spec
        kinds = cell_kinds(spec)  # [J, C]
        first_mob = _first_channel(spec, "mob_map")
        kind = cell_kind(spec, observation)  # [B, H, W]
        mobs = observation["mobs"].astype(jnp.int32)
        batch, cells = kind.shape[0], spec.height * spec.width

        kind_share = jnp.zeros(len(kinds)).at[kind.reshape(-1)].add(1.0) / (batch * cells)
        visible = (mobs[..., 0] < cells).astype(jnp.float32)
        mean = kind_share @ kinds
        mean = mean.at[first_mob + mobs[..., 1].reshape(-1)].add(visible.reshape(-1) / (batch * cells))
        # One-hot inputs are their own squares.
        multiplier, shift = InputNorm(name="norm")(mean, mean, train)

        fan_in = nn.initializers.lecun_normal()
        kernel = self.param("kernel", fan_in, (3, 3, spec.num_channels, self.features)).reshape(9, -1, self.features)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        table = jnp.einsum("jc,tcf->tjf", kinds, kernel * multiplier[:, None])  # [9, J, F]
        constant = jnp.einsum("c,tcf->tf", shift, kernel)
        out = jnp.einsum("hwt,tf->hwf", _taps_inside(spec), constant) + bias

        # Padding is zero after normalisation: kind J is a row of zeros.
        padded = jnp.pad(kind, ((0, 0), (1, 1), (1, 1)), constant_values=len(kinds))
        table = jnp.pad(table, ((0, 0), (0, 1), (0, 0)))
        for tap in range(9):
            row, column = divmod(tap, 3)
            out = out + table[tap][padded[:, row : row + spec.height, column : column + spec.width]]

        target = jnp.asarray(_tap_targets(spec))[mobs[..., 0]]  # [B, M, 9] cell that each tap of a mob's cell feeds
        mob_table = (kernel * multiplier[:, None])[:, first_mob : first_mob + spec.num_mob_types]
        values = jnp.moveaxis(mob_table, 0, 1)[mobs[..., 1]]  # [B, M, 9, F]
        flat = jnp.where(target < cells, jnp.arange(batch)[:, None, None] * cells + target, batch * cells)
        out = out.reshape(batch * cells, self.features).at[flat].add(values, mode="drop")
        return out.reshape(batch, spec.height, spec.width, self.features)


class Torso(nn.Module):
    """Observation to features [B, width]: 3x3 convolution over maps, then `depth` dense layers, LayerNorm and ReLU."""

    spec: OneHotSpec | None
    width: int = 1024
    depth: int = 4
    conv_features: int = 32

    @nn.compact
    def __call__(self, observation: Any, train: bool) -> Array:
        kernel_init = orthogonal(np.sqrt(2))
        spec = self.spec
        inputs = self._scalars(observation)
        moments = jnp.mean(inputs, axis=0), jnp.mean(jnp.square(inputs), axis=0)
        multiplier, shift = InputNorm(name="norm")(*moments, train)
        num_maps = 0
        if spec is not None and spec.height:
            x = nn.relu(nn.LayerNorm()(MapConv(spec, self.conv_features, name="conv")(observation, train)))
            maps = x.reshape(x.shape[0], -1)
            num_maps = maps.shape[1]
        kernel = self.param("kernel", kernel_init, (num_maps + inputs.shape[1], self.width))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.width,))
        # (inputs * multiplier + shift) @ kernel, with the affine map folded into the kernel.
        x = inputs @ (multiplier[:, None] * kernel[num_maps:]) + shift @ kernel[num_maps:] + bias
        if num_maps:
            x = x + maps @ kernel[:num_maps]
        x = nn.relu(nn.LayerNorm()(x))
        for _ in range(self.depth - 1):
            x = nn.relu(nn.LayerNorm()(nn.Dense(self.width, kernel_init=kernel_init)(x)))
        return x

    def _scalars(self, observation: Any) -> Array:
        scalars = observation["scalars"] if isinstance(observation, dict) else observation
        if self.spec is None:
            return scalars.reshape(scalars.shape[0], -1).astype(jnp.float32)
        return self.spec.one_hot_scalars(scalars)


class LEONetwork(nn.Module):
    """Every goal's action values in one pass (arXiv 2605.23551, section 4)."""

    spec: OneHotSpec | None
    num_goals: int
    num_actions: int
    width: int = 1024
    depth: int = 4
    conv_features: int = 32

    def setup(self) -> None:
        self.torso = Torso(self.spec, self.width, self.depth, self.conv_features)
        self.head = AllGoalsHead(self.num_goals, self.num_actions, self.width)

    def features(self, observation: Any, train: bool = False) -> Array:
        """[B, width]; the head's methods take it from there."""
        return self.torso(observation, train)

    def values(self, features: Array) -> Array:
        """[B, G, A]; see `AllGoalsHead` for this and the next three."""
        return self.head.values(features)

    def max_values(self, features: Array) -> Array:
        """[B, G]."""
        return self.head.max_values(features)

    def goal_values(self, features: Array, goal: Array) -> Array:
        """[B, A] for goal [B]."""
        return self.head.goal_values(features, goal)

    def action_values(self, features: Array, action: Array) -> Array:
        """[B, G] for action [B]."""
        return self.head.action_values(features, action)

    def __call__(self, observation: Any, train: bool = False) -> Array:
        """[B, G, A]."""
        return self.values(self.features(observation, train))


def cell_kinds(spec: OneHotSpec) -> np.ndarray:
    """What each kind of cell switches on, float32 [J, C], mobs aside. Kinds run over block x item (or x mob-free)."""
    channels = dict(spec.maps)
    blocks, others = channels["block_map"], _other_kinds(spec)
    table = np.zeros((blocks * others + 1, spec.num_channels), np.float32)
    for block in range(blocks):
        for other in range(others):
            row = table[block * others + other]
            row[_first_channel(spec, "block_map") + block] = 1
            if "item_map" in channels:
                row[_first_channel(spec, "item_map") + other] = 1
            elif channels["mob_map"] > spec.num_mob_types and other == 0:
                row[_first_channel(spec, "mob_map") + spec.num_mob_types] = 1
            if "light_map" in channels:
                row[_first_channel(spec, "light_map") + 1] = 1
    if "light_map" in channels:  # the last kind: a dark cell
        table[-1, _first_channel(spec, "light_map")] = 1
    return table


def cell_kind(spec: OneHotSpec, observation: dict[str, Array]) -> Array:
    """The kind of every cell, int32 [B, H, W]: an index into `cell_kinds`."""
    channels = dict(spec.maps)
    blocks, others = observation["block_map"].astype(jnp.int32), _other_kinds(spec)
    if "item_map" in channels:
        other = observation["item_map"].astype(jnp.int32)
    else:
        cell = observation["mobs"][..., 0].astype(jnp.int32)
        occupied = (cell[..., None] == jnp.arange(spec.height * spec.width)).any(axis=-2)
        other = occupied.reshape(blocks.shape).astype(jnp.int32)
    return jnp.where(blocks < channels["block_map"], blocks * others + other, channels["block_map"] * others)


def _other_kinds(spec: OneHotSpec) -> int:
    return dict(spec.maps).get("item_map", 2)


def _first_channel(spec: OneHotSpec, name: str) -> int:
    names = [key for key, _ in spec.maps]
    return sum(channels for _, channels in spec.maps[: names.index(name)])


def _taps_inside(spec: OneHotSpec) -> np.ndarray:
    """Whether each tap of the 3x3 window at each cell lies on the map, float32 [H, W, 9]."""
    inside = np.pad(np.ones((spec.height, spec.width), np.float32), 1)
    taps = [inside[r : r + spec.height, c : c + spec.width] for r in range(3) for c in range(3)]
    return np.stack(taps, axis=-1)


def _tap_targets(spec: OneHotSpec) -> np.ndarray:
    """The output cell that tap t reads each input cell for, int32 [H*W + 1, 9]; H*W where there is none."""
    cells = spec.height * spec.width
    targets = np.full((cells + 1, 9), cells, np.int32)
    for cell in range(cells):
        for tap in range(9):
            row, column = cell // spec.width - tap // 3 + 1, cell % spec.width - tap % 3 + 1
            if 0 <= row < spec.height and 0 <= column < spec.width:
                targets[cell, tap] = row * spec.width + column
    return targets
