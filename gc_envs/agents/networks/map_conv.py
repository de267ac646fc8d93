"""The convolution over the one-hot maps of an observation, by table look-up.

The maps are batch-renormalised and convolved as published, without ever holding the one-hot maps: with few kinds of
cell, a convolution is a sum of table rows.
Letters: B batch, H x W map, C map channels, F convolution features, J kinds of cell, M mob slots.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gc_envs.agents.networks.norm import InputNorm
from gc_envs.core.one_hot import GoalMask, OneHotSpec

Array = jax.Array


class MapConv(nn.Module):
    """A 3x3 convolution (SAME) over the normalised one-hot maps of a compact observation, to [B, H, W, F].

    Each cell's block, item and light fall into one of J kinds, so the convolution over C channels is a sum of 9 rows
    of a [9, J, F] table; the few visible mobs are added where they stand. With `goals`, their masks are C channels
    more, of which one number is not zero.
    """

    spec: OneHotSpec
    features: int  # F
    goals: GoalMask | None = None  # masks of the goals that the network is conditioned on
    normalize: bool = True

    @nn.compact
    def __call__(self, observation: dict[str, Array], train: bool, goal: Array | None = None) -> Array:
        """Return the convolution, before any activation.

        Args:
            observation: Compact observations [B].
            train: Whether to update the normalisation statistics.
            goal: Indices [B] into `goals`.
        """
        spec = self.spec
        kinds = cell_kinds(spec)  # [J, C]
        kind = cell_kind(spec, observation)  # [B, H, W]
        mobs = observation["mobs"].astype(jnp.int32)
        batch, cells = kind.shape[0], spec.height * spec.width
        cell, channel = mobs[..., 0], spec.first_channel("mob_map") + mobs[..., 1]  # [B, M], of single numbers
        if self.goals is not None:
            kinds = np.pad(kinds, ((0, 0), (0, spec.num_channels)))
            cell = jnp.concatenate([cell, jnp.asarray(self.goals.cell)[goal][:, None]], axis=1)
            goal_channel = spec.num_channels + jnp.asarray(self.goals.channel)[goal]
            channel = jnp.concatenate([channel, goal_channel[:, None]], axis=1)

        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, kinds.shape[1], self.features))
        kernel = kernel.reshape(9, -1, self.features)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        if self.normalize:
            kind_share = jnp.zeros(len(kinds)).at[kind.reshape(-1)].add(1.0) / (batch * cells)
            visible = (cell < cells).astype(jnp.float32)
            mean = (kind_share @ kinds).at[channel.reshape(-1)].add(visible.reshape(-1) / (batch * cells))
            # One-hot inputs are their own squares.
            multiplier, shift = InputNorm(name="norm")(mean, mean, train)
            constant = jnp.einsum("c,tcf->tf", shift, kernel)
            kernel = kernel * multiplier[:, None]
            bias = jnp.einsum("hwt,tf->hwf", _taps_inside(spec), constant) + bias

        # Padding is zero after normalisation: kind J is a row of zeros.
        padded = jnp.pad(kind, ((0, 0), (1, 1), (1, 1)), constant_values=len(kinds))
        table = jnp.pad(jnp.einsum("jc,tcf->tjf", kinds, kernel), ((0, 0), (0, 1), (0, 0)))  # [9, J + 1, F]
        out = bias
        for tap in range(9):
            row, column = divmod(tap, 3)
            out = out + table[tap][padded[:, row : row + spec.height, column : column + spec.width]]

        target = jnp.asarray(_tap_targets(spec))[cell]  # [B, M, 9], the cell that each tap of a number's cell feeds
        values = jnp.moveaxis(kernel, 0, 1)[channel]  # [B, M, 9, F]
        flat = jnp.where(target < cells, jnp.arange(batch)[:, None, None] * cells + target, batch * cells)
        out = out.reshape(batch * cells, self.features).at[flat].add(values, mode="drop")
        return out.reshape(batch, spec.height, spec.width, self.features)


def cell_kinds(spec: OneHotSpec) -> np.ndarray:
    """Return the channels that each kind of cell sets, mobs aside, float32 [J, C].

    Kinds are combinations of block and item, or of block and whether a mob is there.
    """
    channels = dict(spec.maps)
    blocks, others = channels["block_map"], _other_kinds(spec)
    table = np.zeros((blocks * others + 1, spec.num_channels), np.float32)
    for block in range(blocks):
        for other in range(others):
            row = table[block * others + other]
            row[spec.first_channel("block_map") + block] = 1
            if "item_map" in channels:
                row[spec.first_channel("item_map") + other] = 1
            elif channels["mob_map"] > spec.num_mob_types and other == 0:
                row[spec.first_channel("mob_map") + spec.num_mob_types] = 1
            if "light_map" in channels:
                row[spec.first_channel("light_map") + 1] = 1
    if "light_map" in channels:  # the last kind: a dark cell
        table[-1, spec.first_channel("light_map")] = 1
    return table


def cell_kind(spec: OneHotSpec, observation: dict[str, Array]) -> Array:
    """Return the kind of every cell, int32 [B, H, W], an index into `cell_kinds`."""
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
    """Return how many kinds of cell there are for each kind of block."""
    return dict(spec.maps).get("item_map", 2)


def _taps_inside(spec: OneHotSpec) -> np.ndarray:
    """Return whether each tap of the 3x3 window at each cell lies on the map, float32 [H, W, 9]."""
    inside = np.pad(np.ones((spec.height, spec.width), np.float32), 1)
    taps = [inside[r : r + spec.height, c : c + spec.width] for r in range(3) for c in range(3)]
    return np.stack(taps, axis=-1)


def _tap_targets(spec: OneHotSpec) -> np.ndarray:
    """Return the output cell for which each tap reads an input cell, int32 [H*W + 1, 9]; H*W where there is none."""
    cells = spec.height * spec.width
    targets = np.full((cells + 1, 9), cells, np.int32)
    for cell in range(cells):
        for tap in range(9):
            row, column = cell // spec.width - tap // 3 + 1, cell % spec.width - tap % 3 + 1
            if 0 <= row < spec.height and 0 <= column < spec.width:
                targets[cell, tap] = row * spec.width + column
    return targets
