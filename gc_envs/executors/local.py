"""Commands in processes of this machine."""

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from gc_envs.executors.command import (
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

MAX_JOBS = 8  # commands at a time by default, on machines with more cores


def run_local(
    commands: Sequence[Command],
    jobs: int | None = None,
    *,
    on_line: LineCallback,
    on_done: DoneCallback,
    on_tick: TickCallback | None = None,
    cpus: int | None = None,
) -> dict[str, Outcome]:
    """Run commands in processes of this machine, which end when this process does, even if it is killed.

    Args:
        commands: See `run_commands`.
        jobs: How many run at a time; by default, one for each core, at most `MAX_JOBS`.
        on_line: See `run_commands`.
        on_done: See `run_commands`.
        on_tick: See `run_commands`.
        cpus: How many threads NumPy and torch compute with in each; by default, as many as they choose.

    Returns:
        How each ended, by name.

    Raises:
        Interrupted: SIGINT or SIGTERM came. The commands got SIGTERM, and were killed if they had not ended after 20
            seconds or a second SIGINT.
    """
    environment = dict(os.environ) | ({"OMP_NUM_THREADS": str(cpus)} if cpus else {})
    outcomes: dict[str, Outcome] = {}
    stop = Stop()
    with catch_signals() as signals, ThreadPoolExecutor(jobs or min(os.cpu_count() or 1, MAX_JOBS)) as pool:
        waiting = {pool.submit(run_command, command, on_line, stop, environment): command.name for command in commands}
        try:
            while waiting:
                for future in wait(waiting, TICK, FIRST_COMPLETED).done:
                    name = waiting.pop(future)
                    outcomes[name] = future.result()  # or what `on_line` has raised
                    on_done(name, outcomes[name])
                if on_tick is not None:
                    on_tick()
                if signals:
                    raise Interrupted(signals[0])
        except BaseException:
            stop.soon.set()
            _cancel(waiting)
            raise
        finally:
            stop.now.set()
    return outcomes


def _cancel(waiting: dict["Future[Outcome]", str]) -> None:
    """Wait for the end of the commands that run, and start no others."""
    wait([future for future in waiting if not future.cancel()])
