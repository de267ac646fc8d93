"""The all-goals head: Q[B, G, A] from features [B, H], and the parts of it that acting and learning need.

On Craftax the head is three quarters of the network's multiplications (512 goals x 43 actions), and no caller but
`values` needs all of it. The kernel is [A, G, H], so that one action's [G, H] lies together.
Letters: B batch, G goals, A actions, H features.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

Array = jax.Array


class AllGoalsHead(nn.Module):
    """Linear layer to [G, A], then a sigmoid: a discounted 0/1 reward lies in [0, 1]."""

    num_goals: int
    num_actions: int
    features: int

    def setup(self) -> None:
        self.kernel = self.param("kernel", _orthogonal_head, (self.num_actions, self.num_goals, self.features))
        self.bias = self.param("bias", nn.initializers.zeros_init(), (self.num_actions, self.num_goals))

    def values(self, features: Array) -> Array:
        """Q of every goal and action, [B, G, A]."""
        return nn.sigmoid(jnp.einsum("bh,agh->bga", features, self.kernel) + self.bias.T)

    def max_values(self, features: Array) -> Array:
        """The best action's Q for every goal, [B, G]; one action at a time, so [B, G, A] is never held."""

        def step(best: Array, weights: tuple[Array, Array]) -> tuple[Array, None]:
            kernel, bias = weights
            return jnp.maximum(best, features @ kernel.T + bias), None

        lowest = jnp.full((features.shape[0], self.num_goals), -jnp.inf)
        return nn.sigmoid(jax.lax.scan(step, lowest, (self.kernel, self.bias))[0])

    def goal_values(self, features: Array, goal: Array) -> Array:
        """Q of every action for one goal per row: [B, A] for `goal` [B] int."""
        return nn.sigmoid(jnp.einsum("bh,abh->ba", features, self.kernel[:, goal]) + self.bias[:, goal].T)

    def action_values(self, features: Array, action: Array) -> Array:
        """Q of every goal for one action per row: [B, G] for `action` [B] int."""
        return nn.sigmoid(single_action_product(self.kernel, features, action) + self.bias[action])


def _orthogonal_head(key: Array, shape: tuple[int, int, int], dtype: jnp.dtype = jnp.float32) -> Array:
    actions, goals, features = shape
    return orthogonal(1.0)(key, (features, goals * actions), dtype).reshape(features, goals, actions).transpose(2, 1, 0)


def orthogonal(scale: float) -> Callable[..., Array]:
    """An initialiser for [n, m] with orthonormal rows or columns, times `scale`.

    The distribution is that of `nn.initializers.orthogonal` (QR of a Gaussian matrix). An elongated Gaussian matrix is
    so well conditioned that the Cholesky factor of its Gram matrix gives the same Q, many times faster than
    Householder's QR on a CPU.
    """

    def init(key: Array, shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
        long, short = max(shape), min(shape)
        if long < 2 * short:
            return nn.initializers.orthogonal(scale)(key, shape, dtype)
        gaussian = jax.random.normal(key, (long, short), dtype)
        factor = jnp.linalg.cholesky(gaussian.T @ gaussian, upper=True)
        q = jax.lax.linalg.triangular_solve(factor, gaussian, left_side=False, lower=False)
        return scale * (q if shape[0] >= shape[1] else q.T)

    return init


TILE = 16  # rows of one action that are multiplied together


@jax.custom_vjp
def single_action_product(kernel: Array, features: Array, action: Array) -> Array:
    """`features[b] @ kernel[action[b]].T` for every row: [B, G] for kernel [A, G, H], features [B, H], action [B].

    Rows are sorted by action and multiplied in tiles of one action each: 1 / A of the multiplications of the whole
    head, and the same numbers.
    """
    return _forward(kernel, features, action)[0]


def _forward(kernel: Array, features: Array, action: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    rows, tile_action, count = _tiles(action, kernel.shape[0])
    platforms: dict[str, Any] = {"cpu": functools.partial(_product_looped, count=count), "default": _product_batched}
    return jax.lax.platform_dependent(kernel, features, rows, tile_action, **platforms), (kernel, features, action)


def _backward(residuals: tuple[Array, Array, Array], gradient: Array) -> tuple[Array, Array, None]:
    kernel, features, action = residuals
    rows, tile_action, count = _tiles(action, kernel.shape[0])
    platforms: dict[str, Any] = {"cpu": functools.partial(_gradient_looped, count=count), "default": _gradient_batched}
    d_kernel, d_features = jax.lax.platform_dependent(kernel, features, gradient, rows, tile_action, **platforms)
    return d_kernel, d_features, None


single_action_product.defvjp(_forward, _backward)


def _tiles(action: Array, num_actions: int) -> tuple[Array, Array, Array]:
    """Rows of each tile [K, TILE] (B where a tile is not full), the action of each tile [K], and how many are used.

    K = A + B // TILE always suffices: every action wastes less than one tile.
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


# On a CPU, tiles run one after another and as many as there are; elsewhere a loop would wait for the host at every
# turn, so all K run at once.


def _product_looped(kernel: Array, features: Array, rows: Array, tile_action: Array, count: Array) -> Array:
    def body(i: Array, out: Array) -> Array:
        product = _take_rows(features, rows[i]) @ kernel[tile_action[i]].T
        return out.at[rows[i]].set(product, mode="drop")

    return jax.lax.fori_loop(0, count, body, jnp.zeros((features.shape[0], kernel.shape[1]), features.dtype))


def _product_batched(kernel: Array, features: Array, rows: Array, tile_action: Array) -> Array:
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

    return jax.lax.fori_loop(0, count, body, (jnp.zeros_like(kernel), jnp.zeros_like(features)))


def _gradient_batched(
    kernel: Array, features: Array, gradient: Array, rows: Array, tile_action: Array
) -> tuple[Array, Array]:
    g, x = _take_rows(gradient, rows), _take_rows(features, rows)
    d_kernel = jnp.zeros_like(kernel).at[tile_action].add(jnp.einsum("krg,krh->kgh", g, x))
    d_rows = jnp.einsum("krg,kgh->krh", g, kernel[tile_action])
    return d_kernel, jnp.zeros_like(features).at[rows].set(d_rows, mode="drop")


def _take_rows(x: Array, rows: Array) -> Array:
    return x.at[rows].get(mode="fill", fill_value=0)
