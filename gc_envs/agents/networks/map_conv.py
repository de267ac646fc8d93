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
from gc_envs.core.one_hot import OneHotSpec

Array = jax.Array


class MapConv(nn.Module):
    """A 3x3 convolution (SAME) over the normalised one-hot maps of a compact observation, to [B, H, W, F].

    Each cell's block, item and light fall into one of J kinds, so the convolution over C channels is a sum of 9 rows
    of a [9, J, F] table; the few visible mobs are added where they stand.
    """

    spec: OneHotSpec
    features: int  # F

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


def _first_channel(spec: OneHotSpec, name: str) -> int:
    """Return the channel at which a map begins."""
    names = [key for key, _ in spec.maps]
    return sum(channels for _, channels in spec.maps[: names.index(name)])


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
