"""Stopping a run with a signal, once everything is saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """SIGINT or SIGTERM stopped a run after a checkpoint was written, or the commands that this process has started.

    Args:
        signum: Number of the signal.
        step: Environment steps that the run has taken; None for commands.
    """

    def __init__(self, signum: int, step: int | None = None) -> None:
        rest = "; the same command goes on" if step is None else f" at step {step}; go on with --resume"
        super().__init__(f"stopped by {signal.Signals(signum).name}{rest}")
        self.signum = signum


_open: list[list[int]] = []  # what the `catch_signals` of this process have caught, the innermost last


def caught_signals() -> list[int]:
    """Return the list of the innermost `catch_signals`, to which a signal to another process may be added."""
    return _open[-1] if _open else []


@contextmanager
def catch_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in a list instead of stopping the program; a second one of a kind stops it."""
    caught: list[int] = []
    before = {signum: signal.getsignal(signum) for signum in STOPPING}

    def catch(signum: int, frame: FrameType | None) -> None:
        caught.append(signum)
        signal.signal(signum, before[signal.Signals(signum)])

    with suppress(ValueError):  # outside the main thread, signals stay with whoever handles them
        for signum in STOPPING:
            signal.signal(signum, catch)
    _open.append(caught)
    try:
        yield caught
    finally:
        _open.pop()
        with suppress(ValueError):
            for signum in STOPPING:
                signal.signal(signum, before[signum])
