"""Where a list of commands runs: in processes of this machine, on a Ray cluster, or in a SLURM array job."""

from collections.abc import Sequence
from typing import Any, Literal

from gc_envs.executors.command import Command, DoneCallback, LineCallback, Outcome, TickCallback
from gc_envs.executors.local import run_local

__all__ = ["Command", "Executor", "Outcome", "run_commands", "run_local"]

Executor = Literal["local", "ray"]


def run_commands(
    commands: Sequence[Command],
    executor: Executor = "local",
    *,
    jobs: int | None = None,
    on_line: LineCallback,
    on_done: DoneCallback,
    on_tick: TickCallback | None = None,
    **resources: Any,
) -> dict[str, Outcome]:
    """Run commands and wait for all of them; one that fails does not disturb the others.

    Args:
        commands: The commands, whose names differ.
        executor: "local" for processes of this machine, "ray" for a Ray cluster.
        jobs: How many run at a time; by default, those that fit: see the two functions.
        on_line: Called with every line of their output, perhaps from another thread.
        on_done: Called when one has ended, from this thread.
        on_tick: Called several times a second, from this thread.
        resources: Further arguments of `run_local` or `run_ray`.

    Returns:
        How each ended, by name.

    Raises:
        Interrupted: SIGINT or SIGTERM came; the commands have been stopped.
        ValueError: The executor is unknown.
        ImportError: Ray is not installed.
        OSError: The Ray cluster cannot run commands from this folder.
    """
    if executor == "local":
        run = run_local
    elif executor == "ray":
        from gc_envs.executors.ray import run_ray as run  # type: ignore[assignment]
    else:
        raise ValueError(f"unknown executor {executor!r}; known: local, ray")
    return run(commands, jobs, on_line=on_line, on_done=on_done, on_tick=on_tick, **resources)
