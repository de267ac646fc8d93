"""The state of a simulation, as every physics backend and every task sees it. Imports neither JAX nor MuJoCo."""

from collections.abc import Callable
from typing import NamedTuple

from gc_envs.core.arrays import Array


class SimState(NamedTuple):
    """Everything that decides what MuJoCo does next, and the sensors that tasks read.

    Names and meanings are those of `mujoco.MjData`. Velocities are in m/s and rad/s. The arrays have any leading batch
    axes `...`.
    """

    qpos: Array  # [..., nq]
    qvel: Array  # [..., nv]
    ctrl: Array  # [..., nu]
    mocap_pos: Array  # [..., nmocap, 3]
    mocap_quat: Array  # [..., nmocap, 4]
    qacc_warmstart: Array  # [..., nv]
    sensordata: Array  # [..., nsensordata], of the state above; only sensors of positions and velocities are updated


# (state, substeps) -> the state after so many of the model's timesteps; 0 only brings the sensors up to date.
SimulateFn = Callable[[SimState, int], SimState]
