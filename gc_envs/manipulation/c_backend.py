"""MuJoCo C: simulations of a task side by side on native threads, without JAX.

N simulations; `lanes` [n] are the indices of some of them, distinct and in ascending order.
"""

import copy
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError

from gc_envs.manipulation.physics import PhysicsTask, SimState

STAGE = int(mujoco.mjtStage.mjSTAGE_VEL.value)  # as far as the sensors of positions and velocities go


class MujocoBatch:
    """N simulations of one model.

    Args:
        model: it is copied.
        num: N.
        threads: at most N are used; 0 for as many as there are processors.
    """

    state: SimState  # live views of all simulations, [N, ...] each

    def __init__(self, model: mujoco.MjModel, num: int, threads: int) -> None:
        self._model, self._threads, self.num = copy.copy(model), threads, num
        # A simulation that breaks down shall be seen to, not silently start over.
        self._model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET.value)
        self._open()
        self._defaults = self._batch.state[0].copy()

    def _open(self) -> None:
        self._batch, self._process = Batch(self._model, self.num, self._threads), os.getpid()
        self.state = SimState(*(self._batch.bind(field) for field in SimState._fields))

    def _where(self, lanes: np.ndarray) -> slice | np.ndarray:
        return slice(None) if len(lanes) == self.num else lanes

    def read(self, lanes: np.ndarray) -> SimState:
        """The states of `lanes`: views of the live ones where these are all lanes, copies elsewhere."""
        where = self._where(lanes)
        return SimState(*(values[where] for values in self.state))

    def write(self, lanes: np.ndarray, new: SimState, old: SimState) -> None:
        """Set the arrays of `new`, its sensors left out, that it does not share with `old`, which `read` gave."""
        where = self._where(lanes)
        for live, before, after in zip(self.state[:-1], old, new):
            if after is not before:
                live[where] = after

    def restart(self, lanes: np.ndarray, start: SimState) -> None:
        """Write the states `start`, its sensors left out, and MuJoCo's defaults for whatever it does not name."""
        where = self._where(lanes)
        self._batch.state[where] = self._defaults
        for live, values in zip(self.state[:-1], start):
            live[where] = values

    def advance(self, lanes: np.ndarray, substeps: int) -> np.ndarray:
        """Take so many substeps, if any, and bring the sensors up to date; bool [n] says where MuJoCo gave up."""
        if self._process != os.getpid():
            self._reopen()
        ids = None if len(lanes) == self.num else lanes
        try:
            with _quiet():
                if substeps:
                    self._batch.step(ids, substeps, STAGE)
                else:
                    self._batch.forward(ids, STAGE)
        except SimulationError as error:
            warnings.warn(str(error), RuntimeWarning, stacklevel=3)
            return np.isin(lanes, error.ids)
        return np.zeros(len(lanes), bool)

    def _reopen(self) -> None:
        """Start threads in a forked process, which inherits none."""
        inherited = self._batch
        _INHERITED.append(inherited)  # to end it would be to wait for its threads
        self._open()
        self._batch.state[:] = inherited.state
        self._batch.forward(stage=STAGE)

    def save(self, lanes: np.ndarray) -> np.ndarray:
        """All that decides what `lanes` do next, float64 [n, S]; a copy."""
        return np.array(self._batch.state[self._where(lanes)])

    def load(self, lanes: np.ndarray, saved: np.ndarray) -> None:
        """Go back to what `save` returned."""
        self._batch.state[self._where(lanes)] = saved
        self.advance(lanes, 0)


class MujocoSimulator:
    """`num_envs` simulations of `task`, in place: `core.batch_simulator.BatchSimulator` over MuJoCo C."""

    def __init__(self, task: PhysicsTask, num_envs: int) -> None:
        self.task = task
        self.simulation = MujocoBatch(task.model, num_envs, task.threads)
        self._all = np.arange(num_envs)

    def reset(self, lanes: np.ndarray, generators: Sequence[np.random.Generator]) -> None:
        """Draw start states until they are usable; a lane draws from its own generator alone."""
        lanes = np.asarray(lanes)
        still = np.zeros((len(lanes), *self.task.action_space.shape), np.float32)
        waiting = np.arange(len(lanes))
        while len(waiting):
            drawn = lanes[waiting]
            uniform = np.stack([generators[int(i)].random(self.task.num_start_uniforms) for i in waiting])
            self.simulation.restart(drawn, self.task.start(uniform))
            self.simulation.advance(drawn, 0)
            fault = np.zeros(len(drawn), bool)
            for _ in range(self.task.settling):
                fault |= self._act(drawn, still[waiting])
            waiting = waiting[fault | ~self.task.usable(self.simulation.read(drawn))]

    def step(self, lanes: np.ndarray, actions: np.ndarray) -> np.ndarray:
        lanes, actions = np.asarray(lanes), np.asarray(actions)
        fault = ~np.isfinite(actions).all(axis=1)
        taken = ~fault
        moving = lanes[taken]
        if len(moving):
            before = self.simulation.save(moving)
            broken = self._act(moving, actions[taken])
            if broken.any():
                self.simulation.load(moving[broken], before[broken])
            fault[taken] = broken
        return fault

    def _act(self, lanes: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Take one step; bool [n] says where that broke the simulation."""
        state = self.simulation.read(lanes)
        self.simulation.write(lanes, self.task.apply(state, actions), state)
        gave_up = self.simulation.advance(lanes, self.task.substeps)
        return gave_up | self.task.diverged(self.simulation.read(lanes))

    def observe(self) -> np.ndarray:
        return self.task.observe(self.simulation.state)

    def achieved(self) -> np.ndarray:
        return self.task.achieved(self.simulation.state)

    def render(self, lane: int, desired_goal: np.ndarray) -> np.ndarray:
        return self.task.render(SimState(*(np.array(values[lane]) for values in self.simulation.state)), desired_goal)

    def get_state(self) -> np.ndarray:
        return self.simulation.save(self._all)

    def set_state(self, state: np.ndarray) -> None:
        self.simulation.load(self._all, state)


_INHERITED: list[Batch] = []
_BROKEN = "Nan, Inf or huge value"  # how MuJoCo's warnings of a simulation that broke down begin


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MuJoCo from printing and logging: what broke is reported as a fault, the rest as a Python warning."""
    messages: set[str] = set()
    previous = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(messages.add)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(previous)
    for message in messages:
        if not message.startswith(_BROKEN):
            warnings.warn(f"MuJoCo: {message}", RuntimeWarning, stacklevel=4)
