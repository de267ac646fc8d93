"""MJX: MuJoCo written in JAX, and on NVIDIA Warp. A lane's state is `SimState` alone; the rest comes from a blank."""

import contextlib
import functools
import io
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

with contextlib.redirect_stdout(io.StringIO()):  # it prints that Warp is not there
    from mujoco import mjx

from gc_envs.manipulation.physics import PhysicsTask, SimState, SimulateFn

CONTACTS = 64  # that Warp has room for in a lane; more than the robots here ever have


def mjx_simulator(task: PhysicsTask) -> SimulateFn:
    """The simulator of `task` in MJX, compiled by XLA.

    Raises:
        NotImplementedError: for a model with a feature that MJX lacks, which it names.
    """
    with _supported("MJX"):
        fixed = mjx.put_model(task.model, impl="jax"), mjx.make_data(task.model, impl="jax")
        fixed = jax.tree.map(np.asarray, fixed)  # on no device, and constants of whatever is compiled

    def simulate(state: SimState, substeps: int) -> SimState:
        model, blank = jax.tree.map(jnp.asarray, fixed)

        def substep(_: int, state: SimState) -> SimState:
            data = mjx.step(model, _fill(blank, state))
            return state._replace(qpos=data.qpos, qvel=data.qvel, qacc_warmstart=data.qacc_warmstart)

        with jax.default_matmul_precision("highest"):  # a GPU would round factors to 10 bits
            if substeps:
                state = jax.lax.fori_loop(0, substeps, substep, state)
            data = mjx.sensor_pos(model, mjx.fwd_position(model, _fill(blank, state)))
            data = mjx.sensor_vel(model, mjx.fwd_velocity(model, data))
        return state._replace(sensordata=data.sensordata)

    return simulate


def warp_simulator(task: PhysicsTask) -> SimulateFn:
    """The simulator of `task` in MJX on Warp. A lane with more contacts than there is room for becomes NaN: a fault.

    Raises:
        NotImplementedError: for a model with a feature that Warp lacks, which it names.
    """
    rows = 6 * task.model.neq + task.model.njnt + task.model.nv + 2 * task.model.ntendon + 6 * CONTACTS

    @functools.cache
    def fixed(lanes: int) -> tuple[Any, Any]:
        with _supported("Warp"):
            blank = mjx.make_data(task.model, impl="warp", naconmax=lanes * CONTACTS, njmax=rows)
            return mjx.put_model(task.model, impl="warp"), blank

    def simulate(state: SimState, substeps: int, lanes: int) -> SimState:
        model, blank = fixed(lanes)

        def substep(_: int, carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
            data = mjx.step(model, carry[0])
            return data, carry[1] | data._impl.overflow

        carry = _fill(blank, state), blank._impl.overflow
        data, overflow = jax.lax.fori_loop(0, substeps, substep, carry) if substeps else carry
        seen = mjx.forward(model, data)  # current sensors, and another warm start
        qpos = jnp.where(overflow | seen._impl.overflow, jnp.nan, data.qpos)
        return state._replace(qpos=qpos, qvel=data.qvel, qacc_warmstart=data.qacc_warmstart, sensordata=seen.sensordata)

    return lambda state, substeps: _counted((), functools.partial(simulate, substeps=substeps))(state)


def _counted(batch: tuple[int, ...], simulate: Callable[..., SimState]) -> Callable[[SimState], SimState]:
    """`simulate` for states [*batch, ...], told their number: in Warp, all lanes share the room for contacts."""

    @jax.custom_batching.custom_vmap
    def run(state: SimState) -> SimState:
        lanes = math.prod(batch)
        flat = jax.tree.map(lambda x: x.reshape(lanes, *x.shape[len(batch) :]), state)
        result = jax.vmap(functools.partial(simulate, lanes=lanes))(flat)
        return jax.tree.map(lambda x: x.reshape(*batch, *x.shape[1:]), result)

    @run.def_vmap
    def _(size: int, batched: list[SimState], state: SimState) -> tuple[SimState, SimState]:
        whole = jax.tree.map(lambda x, b: x if b else jnp.broadcast_to(x, (size, *x.shape)), state, batched[0])
        return _counted((size, *batch), simulate)(whole), jax.tree.map(lambda _: True, whole)

    return run


def _fill(blank: Any, state: SimState) -> Any:
    """MJX's data with all of `state` but its sensors."""
    return blank.replace(**{field: getattr(state, field) for field in SimState._fields[:-1]})


@contextlib.contextmanager
def _supported(name: str) -> Any:
    """Make arrays outside any trace that is under way, and say which feature of a model is missing."""
    try:
        with jax.ensure_compile_time_eval():
            yield
    except NotImplementedError as error:
        raise NotImplementedError(f"{name} cannot run this model: {error}; backend='c' can") from error
