"""Where a list of commands runs: in processes of this machine."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: What it is called in progress lines.
        argv: Its words.
        log: The file that gets its errors, and its output where nobody reads that.
        time_limit: The seconds after which it is killed; None for as many as it needs.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    time_limit: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit status, and whether it was killed because of its time limit."""

    status: int
    timed_out: bool = False


LineCallback = Callable[[str, str], None]  # (name of the command, a line of its output)
DoneCallback = Callable[[str, Outcome], None]


def run_local(
    commands: Sequence[Command], jobs: int, on_line: LineCallback, on_done: DoneCallback, threads: int | None = None
) -> dict[str, Outcome]:
    """Run commands, `jobs` at a time, and wait for all of them. They are killed if this process is interrupted.

    Args:
        commands: The commands.
        jobs: How many run at a time.
        on_line: Called with every line of their output, from other threads.
        on_done: Called when one has ended, from other threads.
        threads: How many threads NumPy and torch compute with in each; by default, as many as they choose.

    Returns:
        How each ended, by name.
    """
    environment = dict(os.environ)
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads)}
    running: set[subprocess.Popen[str]] = set()
    stopped = threading.Event()

    def run(command: Command) -> Outcome:
        if stopped.is_set():
            return Outcome(-signal.SIGTERM)
        with command.log.open("w") as log:
            process = subprocess.Popen(
                command.argv, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, start_new_session=True
            )
            running.add(process)
            timer = _Timer(process, command.time_limit)
            assert process.stdout is not None
            for line in process.stdout:
                on_line(command.name, line.rstrip("\n"))
            outcome = Outcome(process.wait(), timer.stop())
            running.discard(process)
        on_done(command.name, outcome)
        return outcome

    with ThreadPoolExecutor(jobs) as pool:
        try:
            return dict(zip((command.name for command in commands), pool.map(run, commands), strict=True))
        except BaseException:
            stopped.set()
            for process in list(running):
                _kill(process)
            raise


class _Timer:
    """Kills a command after its time limit, if it has one."""

    def __init__(self, process: "subprocess.Popen[str]", seconds: float | None) -> None:
        self.process, self.has_fired = process, False
        self.timer = None if seconds is None else threading.Timer(seconds, self._fire)
        if self.timer is not None:
            self.timer.daemon = True
            self.timer.start()

    def _fire(self) -> None:
        self.has_fired = True
        _kill(self.process)

    def stop(self) -> bool:
        """Return whether the command was killed."""
        if self.timer is not None:
            self.timer.cancel()
        return self.has_fired


def _kill(process: "subprocess.Popen[str]") -> None:
    """Kill a command and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def failed(outcomes: Iterable[Outcome]) -> bool:
    """Return whether any command ended with an error."""
    return any(outcome.status for outcome in outcomes)
