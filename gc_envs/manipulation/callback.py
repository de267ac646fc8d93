"""MuJoCo C inside JAX, by a callback: all lanes of a `vmap` in one call, float32 in and out."""

import functools
import math
import threading

import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.manipulation.c_backend import MujocoBatch
from gc_envs.manipulation.physics import PhysicsTask, SimState

Shapes = tuple[tuple[int, ...], ...]


class CallbackSimulator:
    """The simulator of `task` in MuJoCo C. A lane in which MuJoCo gives up becomes NaN, and so a fault."""

    def __init__(self, task: PhysicsTask) -> None:
        self._model, self._threads = task.model, task.threads
        self._simulations: dict[int, MujocoBatch] = {}  # by the number of lanes
        self._lock = threading.Lock()  # two compiled programs may run at once

    def __call__(self, state: SimState, substeps: int) -> SimState:
        given = state[:-1]  # sensors follow from the rest
        moved = (state.qpos, state.qvel, state.qacc_warmstart)
        sizes = [*(leaf.size for leaf in moved), self._model.nsensordata]
        result = jax.pure_callback(
            functools.partial(self._run, tuple(leaf.shape for leaf in given), substeps),
            jax.ShapeDtypeStruct((sum(sizes),), np.float32),
            jnp.concatenate([jnp.ravel(leaf).astype(np.float32) for leaf in given]),  # one array costs less than six
            vmap_method="broadcast_all",
        )
        qpos, qvel, warmstart, sensordata = jnp.split(result, np.cumsum(sizes)[:-1])
        return state._replace(qpos=qpos, qvel=qvel, qacc_warmstart=warmstart, sensordata=sensordata)

    def _run(self, shapes: Shapes, substeps: int, flat: jax.Array) -> np.ndarray:
        """What moved, [..., m], for `flat` [..., n]: states without sensors, whose arrays have `shapes`."""
        rows = np.asarray(flat).reshape(-1, flat.shape[-1])
        columns = np.split(rows, np.cumsum([math.prod(shape) for shape in shapes])[:-1], axis=1)
        given = (column.reshape(len(rows), *shape) for column, shape in zip(columns, shapes))
        lanes = np.arange(len(rows))
        with self._lock:
            if len(rows) not in self._simulations:
                self._simulations[len(rows)] = MujocoBatch(self._model, len(rows), self._threads)
            simulation = self._simulations[len(rows)]
            simulation.restart(lanes, SimState._make([*given, rows[:, :0]]))
            gave_up = simulation.advance(lanes, substeps)
            now = simulation.state
            moved = (now.qpos, now.qvel, now.qacc_warmstart, now.sensordata)
            result = np.concatenate(moved, axis=1, dtype=np.float32)
        result[gave_up] = np.nan
        return result.reshape(*flat.shape[:-1], -1)
