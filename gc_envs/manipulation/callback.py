"""MuJoCo C inside JAX by a callback: one call for all environments of a `vmap`, float32 in and out."""

import functools
import math
import threading

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from gc_envs.manipulation.c_backend import MujocoBatch
from gc_envs.manipulation.sim_state import SimState

Shapes = tuple[tuple[int, ...], ...]


class MujocoCallback:
    """A simulator of `model` in MuJoCo C, for use inside `jax.jit`.

    A simulation in which MuJoCo gives up becomes NaN, so that its environment counts as diverged.

    Args:
        model: The compiled model.
        threads: The number of native threads; 0 for one per processor.
    """

    def __init__(self, model: mujoco.MjModel, threads: int) -> None:
        self._model, self._threads = model, threads
        self._batches: dict[int, MujocoBatch] = {}  # by the number of environments
        self._lock = threading.Lock()  # two compiled programs may run at once

    def __call__(self, state: SimState, substeps: int) -> SimState:
        inputs = state[:-1]  # sensors follow from the rest
        changing = (state.qpos, state.qvel, state.qacc_warmstart)
        sizes = [*(leaf.size for leaf in changing), self._model.nsensordata]
        result = jax.pure_callback(
            functools.partial(self._run, tuple(leaf.shape for leaf in inputs), substeps),
            jax.ShapeDtypeStruct((sum(sizes),), np.float32),
            jnp.concatenate([jnp.ravel(leaf).astype(np.float32) for leaf in inputs]),  # one array costs less than six
            vmap_method="broadcast_all",
        )
        qpos, qvel, warmstart, sensordata = jnp.split(result, np.cumsum(sizes)[:-1])
        return state._replace(qpos=qpos, qvel=qvel, qacc_warmstart=warmstart, sensordata=sensordata)

    def _run(self, shapes: Shapes, substeps: int, flat: jax.Array) -> np.ndarray:
        """Simulate `flat` [..., n], states without sensors whose arrays have `shapes`; return what changed [..., m]."""
        rows = np.asarray(flat).reshape(-1, flat.shape[-1])
        columns = np.split(rows, np.cumsum([math.prod(shape) for shape in shapes])[:-1], axis=1)
        inputs = (column.reshape(len(rows), *shape) for column, shape in zip(columns, shapes))
        indices = np.arange(len(rows))
        with self._lock:
            if len(rows) not in self._batches:
                self._batches[len(rows)] = MujocoBatch(self._model, len(rows), self._threads)
            batch = self._batches[len(rows)]
            batch.reset(indices, SimState._make([*inputs, rows[:, :0]]))
            gave_up = batch.step(indices, substeps)
            after = batch.state
            changed = (after.qpos, after.qvel, after.qacc_warmstart, after.sensordata)
            result = np.concatenate(changed, axis=1, dtype=np.float32)
        result[gave_up] = np.nan
        return result.reshape(*flat.shape[:-1], -1)
