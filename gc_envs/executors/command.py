"""One command in a process of its own, which never outlives the process that started it."""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO

TICK = 0.1  # seconds between two looks at clocks and requests to stop
GRACE = 20.0  # seconds from SIGTERM to SIGKILL, in which a training run saves
CANNOT_START = 127  # the exit status of shells for this

# The command becomes the shell that this starts, with its process id. A second shell in its process group reads a pipe
# of which this process alone has the other end: when this process is gone, however that came about, the pipe ends, and
# all of the group is killed. (PR_SET_PDEATHSIG, which only Linux has, leaves children of the command alone, and needs
# Python code between fork and exec, which is not safe beside JAX's threads.)
GUARDED = 'exec 3<&0 </dev/null; ( (read -r _; kill -KILL 0) <&3 3<&- >/dev/null 2>&1 & ) ; exec 3<&-; exec "$@"'


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: What it is called in progress lines.
        argv: Its words.
        log: The file that gets its errors.
        time_limit: The seconds after which it is killed; None for as many as it needs.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    time_limit: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        status: Its exit status, or minus the number of the signal that killed it.
        timed_out: Whether it was killed because of its time limit.
        error: Why it could not run, in one line; empty if it ran.
    """

    status: int
    timed_out: bool = False
    error: str = ""


LineCallback = Callable[[str, str], None]  # (name of the command, a line of its output)
DoneCallback = Callable[[str, Outcome], None]
TickCallback = Callable[[], None]


class Stopped(Exception):
    """A command was asked to stop."""


@dataclass(frozen=True)
class Stop:
    """Requests to running commands, from another thread.

    Attributes:
        soon: Set to end them with SIGTERM, and to kill them if they have not ended after `GRACE` seconds.
        now: Set to kill them.
    """

    soon: Event = field(default_factory=Event)
    now: Event = field(default_factory=Event)


def run_command(
    command: Command, on_line: LineCallback, stop: Stop, environment: Mapping[str, str], folder: str | None = None
) -> Outcome:
    """Run a command to its end.

    Args:
        command: The command.
        on_line: Called with every line of its output.
        stop: When to stop it.
        environment: Its environment variables.
        folder: The folder that it runs in, and from which the path of its log leads; by default, the current one.

    Returns:
        How it ended. What cannot be started is an outcome, too.

    Raises:
        Stopped: It was asked to stop, and has ended.
    """
    try:
        with Path(folder or ".", command.log).open("w") as log:
            process = _start(command, log, environment, folder)
    except OSError as error:
        return Outcome(CANNOT_START, error=f"cannot start {command.argv[0]}: {error.strerror}: {error.filename}")
    deadline = None if command.time_limit is None else time.monotonic() + command.time_limit
    timed_out = False
    try:
        for line in _output(process):
            if line is not None:
                on_line(command.name, line)
            elif stop.soon.is_set() or stop.now.is_set():
                raise Stopped(command.name)
            elif deadline is not None and time.monotonic() > deadline:
                timed_out = True
                break
    except BaseException:
        process.terminate()
        _wait(process, stop)
        raise
    finally:
        _kill(process)
    return Outcome(process.wait(), timed_out)


def _start(
    command: Command, log: IO[str], environment: Mapping[str, str], folder: str | None
) -> "subprocess.Popen[bytes]":
    """Start a command as the leader of a process group."""
    if shutil.which(command.argv[0], path=environment.get("PATH")) is None:
        raise FileNotFoundError(2, "no such program", command.argv[0])
    return subprocess.Popen(
        ["/bin/sh", "-c", GUARDED, "sh", *command.argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        env=environment, cwd=folder, start_new_session=True,
    )  # fmt: skip


def _output(process: "subprocess.Popen[bytes]") -> Iterator[str | None]:
    """Return the lines of a command's output until it has ended, with None between them at least every `TICK`."""
    assert process.stdout is not None
    rest, ended = b"", False
    with process.stdout as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while not ended:
            ended = process.poll() is not None  # then all that it has written fits into one read
            is_ready = selector.select(0 if ended else TICK)
            chunk = os.read(pipe.fileno(), 1 << 16) if is_ready else b""
            if is_ready and not chunk:  # closed; the command may go on
                selector.unregister(pipe)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
            yield None
    if rest:
        yield rest.decode(errors="replace")


def _wait(process: "subprocess.Popen[bytes]", stop: Stop) -> None:
    """Wait for the end of a command that has got SIGTERM, until it has to be killed."""
    until = time.monotonic() + GRACE
    while process.poll() is None and time.monotonic() < until and not stop.now.is_set():
        with contextlib.suppress(KeyboardInterrupt):  # Ray may cancel a task more than once
            stop.now.wait(TICK)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command and what it has started, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
