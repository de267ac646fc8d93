"""The product of features with the weights of one action per row, for the all-goals head.

Letters: B batch, G goals, A actions, H features, K tiles.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array
TILE = 16  # rows of one action that are multiplied together


@jax.custom_vjp
def single_action_product(kernel: Array, features: Array, action: Array) -> Array:
    """Return `features[b] @ kernel[action[b]].T` for every row b, [B, G].

    Rows are sorted by action and multiplied in tiles of one action each: 1 / A of the multiplications of the whole
    head, and the same numbers.

    Args:
        kernel: Weights [A, G, H].
        features: Features [B, H].
        action: Actions [B] int.
    """
    return _forward(kernel, features, action)[0]


def _forward(kernel: Array, features: Array, action: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    rows, tile_action, count = _tiles(action, kernel.shape[0])
    platforms: dict[str, Any] = {"cpu": functools.partial(_product_looped, count=count), "default": _product_batched}
    product: Array = jax.lax.platform_dependent(kernel, features, rows, tile_action, **platforms)
    return product, (kernel, features, action)


def _backward(residuals: tuple[Array, Array, Array], gradient: Array) -> tuple[Array, Array, None]:
    kernel, features, action = residuals
    rows, tile_action, count = _tiles(action, kernel.shape[0])
    platforms: dict[str, Any] = {"cpu": functools.partial(_gradient_looped, count=count), "default": _gradient_batched}
    d_kernel, d_features = jax.lax.platform_dependent(kernel, features, gradient, rows, tile_action, **platforms)
    return d_kernel, d_features, None


single_action_product.defvjp(_forward, _backward)


def _tiles(action: Array, num_actions: int) -> tuple[Array, Array, Array]:
    """Return the rows of each tile [K, TILE] (B where it is not full), the action of each tile [K], and the tiles used.

    K = A + B // TILE always suffices, because every action wastes less than one tile.
    """
    batch = action.shape[0]
    order = jnp.argsort(action)  # stable
    counts = jnp.zeros(num_actions, jnp.int32).at[action].add(1)
    first_row = jnp.cumsum(counts) - counts  # of an action, among the sorted rows
    last_tile = jnp.cumsum(-(-counts // TILE))  # one past the last tile of an action
    tile = jnp.arange(num_actions + batch // TILE)
    tile_action = jnp.searchsorted(last_tile, tile, side="right").clip(max=num_actions - 1)
    first_tile = last_tile - -(-counts // TILE)
    within = (tile - first_tile[tile_action])[:, None] * TILE + jnp.arange(TILE)
    used = (within < counts[tile_action][:, None]) & (tile < last_tile[-1])[:, None]
    rows = order.at[first_row[tile_action][:, None] + within].get(mode="clip")
    return jnp.where(used, rows, batch), tile_action, last_tile[-1]


# On a CPU, the tiles that are used run one after another; elsewhere such a loop would wait for the host at every turn,
# so all K run at once.


def _product_looped(kernel: Array, features: Array, rows: Array, tile_action: Array, count: Array) -> Array:
    """Return the product [B, G], one of `count` tiles at a time."""

    def body(i: Array, out: Array) -> Array:
        product = _take_rows(features, rows[i]) @ kernel[tile_action[i]].T
        return out.at[rows[i]].set(product, mode="drop")

    nothing = jnp.zeros((features.shape[0], kernel.shape[1]), features.dtype)
    product: Array = jax.lax.fori_loop(0, count, body, nothing)
    return product


def _product_batched(kernel: Array, features: Array, rows: Array, tile_action: Array) -> Array:
    """Return the product [B, G], all tiles at once."""
    product = jnp.einsum("krh,kgh->krg", _take_rows(features, rows), kernel[tile_action])
    return jnp.zeros((features.shape[0], kernel.shape[1]), features.dtype).at[rows].set(product, mode="drop")


def _gradient_looped(
    kernel: Array, features: Array, gradient: Array, rows: Array, tile_action: Array, count: Array
) -> tuple[Array, Array]:
    def body(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        d_kernel, d_features = carry
        g, action = _take_rows(gradient, rows[i]), tile_action[i]
        d_kernel = d_kernel.at[action].add(g.T @ _take_rows(features, rows[i]))
        return d_kernel, d_features.at[rows[i]].set(g @ kernel[action], mode="drop")

    nothing = jnp.zeros_like(kernel), jnp.zeros_like(features)
    gradients: tuple[Array, Array] = jax.lax.fori_loop(0, count, body, nothing)
    return gradients


def _gradient_batched(
    kernel: Array, features: Array, gradient: Array, rows: Array, tile_action: Array
) -> tuple[Array, Array]:
    g, x = _take_rows(gradient, rows), _take_rows(features, rows)
    d_kernel = jnp.zeros_like(kernel).at[tile_action].add(jnp.einsum("krg,krh->kgh", g, x))
    d_rows = jnp.einsum("krg,kgh->krh", g, kernel[tile_action])
    return d_kernel, jnp.zeros_like(features).at[rows].set(d_rows, mode="drop")


def _take_rows(x: Array, rows: Array) -> Array:
    """Return rows of `x`, zeros where there is no such row."""
    return x.at[rows].get(mode="fill", fill_value=0)
