"""Training in several processes, on one machine or many: all run the same command, and the first one leads.

Every process runs the same programs, each on its own devices. The first one drives its trainer as ever: it alone reads
and writes files, evaluates and shows progress. What its trainer does on the devices it tells the others (`tell`), whose
trainers do the same (`follow`). In a single process, all functions here do nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from gc_envs.training.checkpoint import RunError
from gc_envs.training.signals import Interrupted, catch_signals, caught_signals

INIT, RESTORE, RUN, ARRAYS, END = range(5)  # what the first process tells the others; with a number
FAILED = -1  # with END: an error stopped the first process
ADDRESS = "JAX_COORDINATOR_ADDRESS"  # HOST:PORT at which the first process listens; JAX reads it
VARIABLES = ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def initialize() -> None:
    """Join the processes of a distributed run; to be called before anything is computed.

    JAX finds out from SLURM, Open MPI, Kubernetes or Cloud TPU which processes there are. Elsewhere, environment
    variables say it: `ADDRESS`, and `VARIABLES`, the number of processes and which of them this is, from 0.

    Raises:
        ValueError: Nothing says which processes there are.
    """
    try:
        num_processes, process_id = (int(os.environ[name]) if name in os.environ else None for name in VARIABLES)
        jax.distributed.initialize(num_processes=num_processes, process_id=process_id)
    except ValueError as error:
        names = f"{ADDRESS}, {' and '.join(VARIABLES)}"
        raise ValueError(f"--distributed needs SLURM, Open MPI or the variables {names}: {error}") from error


def is_distributed() -> bool:
    """Return whether there are several processes. JAX's devices are left alone where there is only one."""
    return jax.distributed.is_initialized() and jax.process_count() > 1


def is_follower() -> bool:
    """Return whether there are several processes, and this is not the first."""
    return is_distributed() and jax.process_index() > 0


def default_devices() -> int:
    """Return the number of devices to train on: all those of several processes, or one."""
    return jax.device_count() if is_distributed() else 1


def tell(command: int, number: int = 0) -> None:
    """Have the other processes do `command` with this one, if this is the first of several."""
    if is_distributed() and not is_follower():
        broadcast(np.array([command, number], np.int32))


def broadcast(tree: Any) -> Any:
    """Return the NumPy arrays of the first process, bit for bit; the others give arrays of the same shapes."""
    if not is_distributed():
        return tree

    def send(array: np.ndarray) -> np.ndarray:  # as bytes: it is a sum with zeros, in which -0.0 would become 0.0
        sent = multihost_utils.broadcast_one_to_all(array.reshape(-1).view(np.uint8))
        received: np.ndarray = np.asarray(sent).view(array.dtype).reshape(array.shape)
        return received

    return jax.tree.map(send, tree)


def fetch(tree: Any) -> Any:
    """Return arrays that lie on the devices of all processes as NumPy arrays; all processes call it."""
    return multihost_utils.process_allgather(tree, tiled=True) if is_distributed() else jax.device_get(tree)


def share_signals() -> None:
    """Have every process know of a signal that asks one of them to stop; all processes call it."""
    if not is_distributed():
        return
    caught = caught_signals()
    found = multihost_utils.process_allgather(np.array(caught[:1] or [0], np.int32))
    if not caught:
        caught.extend(int(signum) for signum in found.reshape(-1) if signum)


@contextmanager
def lead() -> Iterator[None]:
    """Tell the other processes how this one ended, when the context ends."""
    number = FAILED
    try:
        yield
        number = 0
    except Interrupted as stop:
        number = stop.signum
        raise
    finally:
        tell(END, number)


def follow(trainer: Any) -> None:
    """Do what the first process does with its trainer, until it has ended.

    Args:
        trainer: A `JaxTrainer` that has been made like that of the first process.

    Raises:
        Interrupted: A signal has stopped the run.
        RunError: An error has stopped the first process.
    """
    with catch_signals():  # the first process is told of them, and stops all
        while True:
            command, number = (int(x) for x in broadcast(np.zeros(2, np.int32)))
            if command == END:
                break
            if command == INIT:
                trainer.init()
            elif command == RESTORE:
                trainer.restore(trainer.blank_arrays(), number * trainer.learner.steps_per_update)
            elif command == RUN:
                trainer.run(number)
            elif command == ARRAYS:
                trainer.arrays()
    if number == FAILED:
        raise RunError("an error, which it shows, stopped process 0")
    if number:
        raise Interrupted(number, trainer.step)
