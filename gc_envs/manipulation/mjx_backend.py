"""MJX: MuJoCo written in JAX, and the same on NVIDIA Warp.

An environment's state is `SimState` alone. All other fields of MJX's data come from a template that the model makes.
"""

import contextlib
import functools
import io
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

with contextlib.redirect_stdout(io.StringIO()):  # it prints that Warp is not installed
    from mujoco import mjx

from gc_envs.manipulation.sim_state import SimState, SimulateFn

MAX_CONTACTS = 64  # that Warp has room for in an environment; more than the robots here ever have


def make_mjx_simulate_fn(model: mujoco.MjModel) -> SimulateFn:
    """Return the simulator of one state of `model` in MJX, compiled by XLA.

    Raises:
        NotImplementedError: If the model has a feature that MJX lacks; the message names it.
    """
    with _unsupported_features_named("MJX"):
        fixed = mjx.put_model(model, impl="jax"), mjx.make_data(model, impl="jax")
        fixed = jax.tree.map(np.asarray, fixed)  # on no device, and constants of whatever is compiled

    def simulate(state: SimState, substeps: int) -> SimState:
        mjx_model, template = jax.tree.map(jnp.asarray, fixed)

        def substep(_: int, state: SimState) -> SimState:
            data = mjx.step(mjx_model, _fill(template, state))
            return state._replace(qpos=data.qpos, qvel=data.qvel, qacc_warmstart=data.qacc_warmstart)

        with jax.default_matmul_precision("highest"):  # a GPU would round factors to 10 bits
            if substeps:
                state = jax.lax.fori_loop(0, substeps, substep, state)
            data = mjx.sensor_pos(mjx_model, mjx.fwd_position(mjx_model, _fill(template, state)))
            data = mjx.sensor_vel(mjx_model, mjx.fwd_velocity(mjx_model, data))
        return state._replace(sensordata=data.sensordata)

    return simulate


def make_warp_simulate_fn(model: mujoco.MjModel) -> SimulateFn:
    """Return the simulator of one state of `model` in MJX on Warp.

    An environment with more contacts than there is room for becomes NaN, so that it counts as diverged.

    Raises:
        NotImplementedError: If the model has a feature that Warp lacks; the message names it.
    """
    max_constraints = 6 * model.neq + model.njnt + model.nv + 2 * model.ntendon + 6 * MAX_CONTACTS

    @functools.cache
    def fixed(num_envs: int) -> tuple[Any, Any]:
        with _unsupported_features_named("Warp"):
            template = mjx.make_data(model, impl="warp", naconmax=num_envs * MAX_CONTACTS, njmax=max_constraints)
            return mjx.put_model(model, impl="warp"), template

    def simulate(state: SimState, substeps: int, num_envs: int) -> SimState:
        mjx_model, template = fixed(num_envs)

        def substep(_: int, carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
            data = mjx.step(mjx_model, carry[0])
            return data, carry[1] | data._impl.overflow

        carry = _fill(template, state), template._impl.overflow
        data, overflow = jax.lax.fori_loop(0, substeps, substep, carry) if substeps else carry
        after = mjx.forward(mjx_model, data)  # current sensors, and another warm start
        qpos = jnp.where(overflow | after._impl.overflow, jnp.nan, data.qpos)
        return state._replace(
            qpos=qpos, qvel=data.qvel, qacc_warmstart=data.qacc_warmstart, sensordata=after.sensordata
        )

    return lambda state, substeps: _with_num_envs((), functools.partial(simulate, substeps=substeps))(state)


def _with_num_envs(batch: tuple[int, ...], simulate: Callable[..., SimState]) -> Callable[[SimState], SimState]:
    """Return `simulate` for states [*batch, ...], called with their number `num_envs`.

    In Warp all environments share the room for contacts, whose size must be known.
    """

    @jax.custom_batching.custom_vmap
    def run(state: SimState) -> SimState:
        num_envs = math.prod(batch)
        flat = jax.tree.map(lambda x: x.reshape(num_envs, *x.shape[len(batch) :]), state)
        result = jax.vmap(functools.partial(simulate, num_envs=num_envs))(flat)
        return jax.tree.map(lambda x: x.reshape(*batch, *x.shape[1:]), result)

    @run.def_vmap
    def _(size: int, batched: list[SimState], state: SimState) -> tuple[SimState, SimState]:
        whole = jax.tree.map(lambda x, b: x if b else jnp.broadcast_to(x, (size, *x.shape)), state, batched[0])
        return _with_num_envs((size, *batch), simulate)(whole), jax.tree.map(lambda _: True, whole)

    return run


def _fill(template: Any, state: SimState) -> Any:
    """Return MJX's data with all of `state` but its sensors, which follow from the rest."""
    return template.replace(**{field: getattr(state, field) for field in SimState._fields[:-1]})


@contextlib.contextmanager
def _unsupported_features_named(name: str) -> Iterator[None]:
    """Build a model outside any trace that is under way, and name the backend in errors about missing features."""
    try:
        with jax.ensure_compile_time_eval():
            yield
    except NotImplementedError as error:
        raise NotImplementedError(f"{name} cannot run this model: {error}; backend='c' can") from error
