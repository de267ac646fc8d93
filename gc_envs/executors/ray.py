"""Commands as tasks of a Ray cluster, https://docs.ray.io; each is a process on one of its nodes."""

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gc_envs.executors.command import (
    CANNOT_START,
    GRACE,
    TICK,
    Command,
    DoneCallback,
    LineCallback,
    Outcome,
    Stop,
    TickCallback,
    run_command,
)
from gc_envs.training.signals import Interrupted, catch_signals

RETRIES = 3  # of a command whose node has died
FORWARDED = ("PYTHONPATH", "JAX_", "XLA_", "GC_ENVS_", "MUJOCO_", "PYOPENGL_")  # beginnings of names of variables


def run_ray(
    commands: Sequence[Command],
    jobs: int | None = None,
    *,
    on_line: LineCallback,
    on_done: DoneCallback,
    on_tick: TickCallback | None = None,
    cpus: int | None = None,
    gpus: float = 0.0,
) -> dict[str, Outcome]:
    """Run commands on the Ray cluster that RAY_ADDRESS names or that runs here, or else on one of this machine alone.

    They run in the folder of this process, which all nodes have to share, with the same Python. A command whose node
    dies is started again on another one.

    Args:
        commands: See `run_commands`.
        jobs: How many run at a time; by default, as many as the cluster has room for.
        on_line: See `run_commands`.
        on_done: See `run_commands`.
        on_tick: See `run_commands`.
        cpus: How many cores each is given; by default 1.
        gpus: How many GPUs each is given; .5 puts two commands on one.

    Returns:
        How each ended, by name.

    Raises:
        Interrupted: SIGINT or SIGTERM came; the commands have been stopped as by `run_local`.
        ImportError: Ray is not installed.
        OSError: Nothing answers at RAY_ADDRESS, or a node does not have the folder of this process.
    """
    with _cluster() as ray, catch_signals() as signals:
        from ray.util.queue import Queue

        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(_node_id(ray), soft=False)
        lines = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        task = ray.remote(num_cpus=cpus or 1, num_gpus=gpus, max_retries=RETRIES)(_run)
        todo = list(commands)
        running: dict[Any, str] = {}  # reference -> name
        outcomes: dict[str, Outcome] = {}
        try:
            while todo or running:
                while todo and len(running) < (jobs or len(commands)):
                    command = todo.pop(0)
                    running[task.remote(command, os.getcwd(), _environment(), lines)] = command.name
                done, _ = ray.wait(list(running), timeout=TICK)
                for name, line in _arrived(lines):
                    on_line(name, line)
                for reference in done:
                    name = running.pop(reference)
                    outcomes[name] = _outcome(ray, reference)
                    on_done(name, outcomes[name])
                if on_tick is not None:
                    on_tick()
                if signals:
                    raise Interrupted(signals[0])
        except BaseException:
            for reference in running:
                ray.cancel(reference)
            if running:
                ray.wait(list(running), num_returns=len(running), timeout=GRACE + 1)
            raise
    return outcomes


def _run(command: Command, folder: str, environment: dict[str, str], lines: Any) -> Outcome:
    """Run a command in a process of a node. Ray cancels it by raising KeyboardInterrupt here."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a cluster started in the background may not have
    return run_command(
        command, lambda name, line: lines.put((name, line)), Stop(), dict(os.environ) | environment, folder
    )


@contextmanager
def _cluster() -> Iterator[Any]:
    """Connect to a cluster, and leave it if this process was not connected before."""
    try:
        import ray
    except ImportError:
        raise ModuleNotFoundError('the executor ray needs Ray; install it with: pip install "gc_envs[ray]"') from None
    was_connected = ray.is_initialized()
    if not was_connected:
        _check_address()
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    try:
        _check_nodes(ray)
        yield ray
    finally:
        if not was_connected:
            ray.shutdown()


def _check_address() -> None:
    """Raise ConnectionError if nothing answers at RAY_ADDRESS, which Ray itself takes minutes to find out."""
    address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise ConnectionError(
                f"no Ray cluster answers at RAY_ADDRESS={address}: {error.strerror or error}"
            ) from None


def _check_nodes(ray: Any) -> None:
    """Raise OSError if a node does not share the folder of this process, ImportError if it does not have gc_envs."""
    with tempfile.NamedTemporaryFile(dir=".", prefix=".gc_envs-shared-") as file:
        missing = _nodes_without(ray, os.path.abspath(file.name))
    if missing:
        raise FileNotFoundError(
            f"{os.getcwd()} is not the same folder on the Ray node {missing[0]}: commands run in this folder, so it "
            "has to be on a file system that all nodes share"
        )


def _nodes_without(ray: Any, path: str) -> list[str]:
    """Return the addresses of the nodes on which a file does not exist."""
    on_node = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    probe = ray.remote(num_cpus=0, max_retries=0)(_exists)
    probes = [probe.options(scheduling_strategy=on_node(node, soft=False)).remote(path) for node in nodes]
    missing = []
    for address, reference in zip(nodes.values(), probes, strict=True):
        try:
            missing += [] if ray.get(reference) else [address]
        except ray.exceptions.RayTaskError as error:
            raise ModuleNotFoundError(f"the Ray node {address} cannot import gc_envs: {error.cause}") from error
        except ray.exceptions.RayError:  # it has died, and Ray will run nothing there
            continue
    return missing


def _exists(path: str) -> bool:
    """Return whether a file exists. It is a function of this module, so that the node has to import it."""
    return os.path.exists(path)


def _environment() -> dict[str, str]:
    """Return the variables of this process that decide what a command does."""
    return {name: value for name, value in os.environ.items() if name.startswith(FORWARDED)}


def _node_id(ray: Any) -> str:
    return str(ray.get_runtime_context().get_node_id())


def _arrived(lines: Any) -> list[tuple[str, str]]:
    """Return the lines of output that have arrived, each with the name of its command."""
    return [lines.get_nowait() for _ in range(lines.qsize())]


def _outcome(ray: Any, reference: Any) -> Outcome:
    """Return how a command ended, or that Ray could not run it."""
    try:
        return ray.get(reference)  # type: ignore[no-any-return]
    except ray.exceptions.RayError as error:
        words = " ".join(str(error).split())
        return Outcome(CANNOT_START, error=f"Ray could not run it: {type(error).__name__}: {words}")
