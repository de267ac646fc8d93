"""MuJoCo C: simulations of one model side by side on native threads, without JAX.

N is the number of simulations. `indices` [n] are those of some of them, distinct and in ascending order.
"""

import copy
import os
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import gymnasium
import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError

from gc_envs.manipulation.sim_state import SimState

STAGE = int(mujoco.mjtStage.mjSTAGE_VEL.value)  # MuJoCo's last stage that updates sensors of positions and velocities
_DIVERGED = "Nan, Inf or huge value"  # how MuJoCo's warnings of a diverged simulation begin
_INHERITED: list[Batch] = []  # from the process that this one was forked from


class SimulatedTask(Protocol):
    """What `MujocoSimulator` needs of a task; `physics.PhysicsTask` documents the members and offers all of them."""

    model: mujoco.MjModel
    threads: int
    action_space: gymnasium.spaces.Box
    substeps: int
    num_start_uniforms: int
    settle_steps: int
    start_tries: int

    def initial_state(self, uniform: np.ndarray) -> SimState: ...
    def valid_start(self, state: SimState) -> np.ndarray: ...
    def clip_and_set_controls(self, state: SimState, action: np.ndarray) -> SimState: ...
    def diverged(self, state: SimState) -> np.ndarray: ...
    def observe(self, state: SimState) -> np.ndarray: ...
    def achieved(self, state: SimState) -> np.ndarray: ...
    def render(self, state: SimState, desired_goal: np.ndarray) -> np.ndarray: ...


class MujocoBatch:
    """N simulations of one model.

    Args:
        model: The model, which is copied.
        num: The number of simulations N.
        threads: The number of native threads, of which at most N are used; 0 for one per processor.
    """

    state: SimState  # live views of all simulations, [N, ...] each

    def __init__(self, model: mujoco.MjModel, num: int, threads: int) -> None:
        self._model, self._threads, self.num = copy.copy(model), threads, num
        # A diverged simulation must be reported, and not silently start over.
        self._model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET.value)
        self._open()
        self._defaults = self._batch.state[0].copy()

    def _open(self) -> None:
        self._batch, self._process = Batch(self._model, self.num, self._threads), os.getpid()
        self.state = SimState(*(self._batch.bind(field) for field in SimState._fields))

    def _rows(self, indices: np.ndarray) -> slice | np.ndarray:
        """Return what selects `indices` in the live arrays: a slice, which makes no copies, for all simulations."""
        return slice(None) if len(indices) == self.num else indices

    def read(self, indices: np.ndarray) -> SimState:
        """Return the states of `indices`: the live views if these are all simulations, and copies if not."""
        if len(indices) == self.num:
            return self.state
        return SimState(*(values[indices] for values in self.state))

    def write(self, indices: np.ndarray, new: SimState, old: SimState) -> None:
        """Set the arrays of `new`, except its sensors, that are not the same objects as in `old`, which `read` gave."""
        rows = self._rows(indices)
        for live, before, after in zip(self.state[:-1], old, new):
            if after is not before:
                live[rows] = after

    def reset(self, indices: np.ndarray, states: SimState) -> None:
        """Set `states`, except their sensors, and MuJoCo's defaults for everything that they do not name."""
        rows = self._rows(indices)
        self._batch.state[rows] = self._defaults
        for live, values in zip(self.state[:-1], states):
            live[rows] = values

    def step(self, indices: np.ndarray, substeps: int) -> np.ndarray:
        """Take `substeps` timesteps, which may be 0, and update the sensors.

        Returns:
            Where MuJoCo gave up, bool [n].
        """
        if self._process != os.getpid():
            self._reopen()
        selected = None if len(indices) == self.num else indices
        try:
            with _MujocoWarnings():
                if substeps:
                    self._batch.step(selected, substeps, STAGE)
                else:
                    self._batch.forward(selected, STAGE)
        except SimulationError as error:
            warnings.warn(str(error), RuntimeWarning, stacklevel=3)
            return np.isin(indices, error.ids)
        return np.zeros(len(indices), bool)

    def _reopen(self) -> None:
        """Start new threads in a forked process, which inherits none."""
        inherited = self._batch
        _INHERITED.append(inherited)  # its destructor would wait for threads that do not exist here
        self._open()
        self._batch.state[:] = inherited.state
        self._batch.forward(stage=STAGE)

    def get_state(self, indices: np.ndarray) -> np.ndarray:
        """Return a copy of everything that decides what `indices` do next, float64 [n, S]."""
        return np.array(self._batch.state[self._rows(indices)])

    def set_state(self, indices: np.ndarray, state: np.ndarray) -> None:
        """Restore what `get_state` returned."""
        self._batch.state[self._rows(indices)] = state
        self.step(indices, 0)


class MujocoSimulator:
    """The `core.batch_simulator.BatchSimulator` over MuJoCo C: `num_envs` simulations of `task`, changed in place."""

    def __init__(self, task: SimulatedTask, num_envs: int) -> None:
        self.task = task
        self.batch = MujocoBatch(task.model, num_envs, task.threads)
        self._all = np.arange(num_envs)

    def reset(self, indices: np.ndarray, generators: Sequence[np.random.Generator]) -> None:
        """Sample start states until they are valid; each simulation draws from its own generator alone.

        Raises:
            RuntimeError: If a simulation has found no valid start after the task's `start_tries`.
        """
        indices = np.asarray(indices)
        no_action = np.zeros((len(indices), *self.task.action_space.shape), np.float32)
        pending = np.arange(len(indices))  # positions in `indices`
        for _ in range(self.task.start_tries):
            if not len(pending):
                return
            sampled = indices[pending]
            uniform = np.stack([generators[int(i)].random(self.task.num_start_uniforms) for i in pending])
            self.batch.reset(sampled, self.task.initial_state(uniform))
            self.batch.step(sampled, 0)
            diverged = np.zeros(len(sampled), bool)
            for _ in range(self.task.settle_steps):
                diverged |= self._step(sampled, no_action[pending])
            pending = pending[diverged | ~self.task.valid_start(self.batch.read(sampled))]
        if len(pending):
            task = type(self.task).__name__
            raise RuntimeError(f"{task} found no valid start state among {self.task.start_tries} sampled ones")

    def step(self, indices: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Take one environment step; bool [n] says where the action is not finite or the simulation diverged.

        These simulations are left in the state they were in.
        """
        indices, actions = np.asarray(indices), np.asarray(actions)
        finite = np.isfinite(actions)
        if finite.all():
            return self._step_or_revert(indices, actions)
        finite = finite.all(axis=1)
        diverged = ~finite
        if finite.any():
            diverged[finite] = self._step_or_revert(indices[finite], actions[finite])
        return diverged

    def _step_or_revert(self, indices: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Take one step and revert it where it diverged, bool [n]."""
        before = self.batch.get_state(indices)
        diverged = self._step(indices, actions)
        if diverged.any():
            self.batch.set_state(indices[diverged], before[diverged])
        return diverged

    def _step(self, indices: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Take one step; bool [n] says where it diverged."""
        state = self.batch.read(indices)
        self.batch.write(indices, self.task.clip_and_set_controls(state, actions), state)
        gave_up = self.batch.step(indices, self.task.substeps)
        return gave_up | self.task.diverged(self.batch.read(indices))

    def observe(self) -> np.ndarray:
        return self.task.observe(self.batch.state)

    def achieved(self) -> np.ndarray:
        return self.task.achieved(self.batch.state)

    def render(self, index: int, desired_goal: np.ndarray) -> np.ndarray:
        return self.task.render(SimState(*(np.array(values[index]) for values in self.batch.state)), desired_goal)

    def get_state(self) -> np.ndarray:
        return self.batch.get_state(self._all)

    def set_state(self, state: np.ndarray) -> None:
        self.batch.set_state(self._all, state)


class _MujocoWarnings:
    """Context in which MuJoCo neither prints nor logs.

    A diverged simulation is reported by `MujocoSimulator.step`; every other warning becomes a Python warning.
    """

    def __enter__(self) -> None:
        self._messages: set[str] = set()
        self._previous = mujoco.get_mju_user_warning()
        mujoco.set_mju_user_warning(self._messages.add)

    def __exit__(self, *error: Any) -> None:
        mujoco.set_mju_user_warning(self._previous)
        if error[0] is None:
            for message in self._messages:
                if not message.startswith(_DIVERGED):
                    warnings.warn(f"MuJoCo: {message}", RuntimeWarning, stacklevel=3)
