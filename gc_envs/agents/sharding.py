"""Training on several devices: each has its share of the environments, and a copy of all else.

`shard` makes a function of a learner into a program of several devices, with `jax.shard_map`. The function then sees
the arrays of one device, so a learner takes sizes from arrays, not from its config. The other functions are for
learners to call where a figure is about all environments; outside `shard` they change nothing.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

Array = jax.Array
AXIS = "devices"
DIVIDED = ("num_envs", "minibatch_size")  # how the names of settings end that devices share
SHARDED: Any = P(AXIS)  # type: ignore[no-untyped-call]  # arrays with a row for each environment
REPLICATED: Any = P()  # type: ignore[no-untyped-call]  # arrays that are equal on all devices


def is_sharded() -> bool:
    """Return whether the program that is being traced is one of several devices."""
    return AXIS in jax.sharding.get_abstract_mesh().manual_axes


def mean(tree: Any) -> Any:
    """Return the means over all devices of means over the samples of each."""
    return jax.lax.pmean(tree, AXIS) if is_sharded() else tree  # type: ignore[no-untyped-call]


def total(tree: Any) -> Any:
    """Return the sums over all devices."""
    return jax.lax.psum(tree, AXIS) if is_sharded() else tree  # type: ignore[no-untyped-call]


def once(tree: Any) -> Any:
    """Return arrays that are equal on all devices as terms that `total` adds to just these: zeros but on the first."""
    if not is_sharded():
        return tree
    first = jax.lax.axis_index(AXIS) == 0
    return jax.tree.map(lambda x: jnp.where(first, x, jnp.zeros_like(x)), tree)


def union(mask: Array) -> Array:
    """Return where `mask`, bool, is true on any device."""
    if not is_sharded():
        return mask
    found: Array = jax.lax.pmax(mask.astype(jnp.int32), AXIS).astype(bool)  # type: ignore[no-untyped-call]
    return found


def own_key(key: Array) -> Array:
    """Return a key that differs from device to device, made from one (typed, consumed) that all have."""
    return jax.random.fold_in(key, jax.lax.axis_index(AXIS)) if is_sharded() else key


def own_size(size: int) -> int:
    """Return how many of `size` samples each device has."""
    return size // jax.lax.axis_size(AXIS) if is_sharded() else size


def own_rows(x: Array) -> Array:
    """Return the rows of this device, of an array [N, ...] that all have."""
    if not is_sharded():
        return x
    size = own_size(x.shape[0])
    rows: Array = jax.lax.dynamic_slice_in_dim(x, jax.lax.axis_index(AXIS) * size, size)
    return rows


def check_devices(config: Any, devices: int) -> None:
    """Raise ValueError if there are not so many devices, or if they cannot share the environments and minibatches.

    Args:
        config: The settings of a learner.
        devices: The number of devices.
    """
    found = jax.device_count()
    if not 1 <= devices <= found:
        raise ValueError(f"devices must lie in 1..{found}, the devices that JAX finds here, got {devices}")
    if jax.process_count() > 1 and devices != found:
        raise ValueError(f"{jax.process_count()} processes train on all of their {found} devices, not on {devices}")
    sizes = {
        field.name: getattr(config, field.name) for field in dataclasses.fields(config) if field.name.endswith(DIVIDED)
    }
    for name, size in sizes.items():
        if size % devices:
            fits = max(count for count in range(1, devices) if all(size % count == 0 for size in sizes.values()))
            raise ValueError(
                f"{name}={size} cannot be divided among {devices} devices; "
                f"try {fits} devices, or {name}={-(-size // devices) * devices}"
            )


def make_mesh(devices: int) -> Mesh | None:
    """Return the first `devices` devices as a mesh; None for a single one, on which nothing is sharded."""
    return Mesh(np.array(jax.devices()[:devices]), (AXIS,)) if devices > 1 else None


def shard(function: Callable[..., Any], mesh: Mesh | None, in_specs: Any, out_specs: Any) -> Callable[..., Any]:
    """Return `function` as a program of all devices of `mesh`, or itself without one.

    Args:
        function: A function of arrays.
        mesh: What `make_mesh` returned.
        in_specs: Prefix of the tree of its arguments, with `SHARDED` and `REPLICATED` as leaves.
        out_specs: The same of its result. What it says is replicated must have been computed alike on all devices.
    """
    if mesh is None:
        return function
    sharded: Callable[..., Any] = jax.shard_map(
        function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
    )
    return sharded


def place(tree: Any, mesh: Mesh | None, specs: Any) -> Any:
    """Return NumPy arrays as arrays on the devices of `mesh`, or on the default device without one."""
    if mesh is None:
        return jax.device_put(tree)
    return jax.device_put(
        tree, jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs, is_leaf=lambda leaf: isinstance(leaf, P))
    )
