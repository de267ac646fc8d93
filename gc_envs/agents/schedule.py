"""What happens on the host while an agent trains, and when; the same for every learner."""

import dataclasses
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHECKPOINTS = 20  # at least, over a run of any length ...
CHECKPOINT_SECONDS = 50.0  # ... and one after this long, so that there is one a minute


@dataclasses.dataclass(frozen=True)
class Schedule:
    """What happens between updates, none of which changes what is learned."""

    evaluations: int = 5  # over the run, evenly spaced, the last at its end
    eval_episodes: int = 1  # per goal and evaluation; of drawn goals, 100 times as many
    tensorboard: bool = False  # also write TensorBoard events into the run folder

    def milestones(self, total: int) -> tuple[set[int], set[int]]:
        """When to evaluate and when to save, of `total` updates or steps; the last of them is in both."""
        evaluate = {round(i * total / self.evaluations) for i in range(1, self.evaluations + 1)}
        every = max(1, total // CHECKPOINTS)
        return evaluate, {*range(every, total + 1, every), *evaluate, total}


class Interrupted(Exception):
    """SIGINT or SIGTERM came; a checkpoint was written first."""

    def __init__(self, signum: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name} at step {step}; go on with --resume")
        self.signum = signum


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """SIGINT and SIGTERM are noted in the list instead of stopping the program; a second one stops it."""
    caught: list[int] = []
    handled = (signal.SIGINT, signal.SIGTERM)
    try:
        before: dict[int, Any] = {s: signal.getsignal(s) for s in handled}

        def note(signum: int, frame: Any) -> None:
            caught.append(signum)
            signal.signal(signum, before[signum])

        for s in handled:
            signal.signal(s, note)
    except ValueError:  # not in the main thread: signals stay with whoever owns it
        yield caught
        return
    try:
        yield caught
    finally:
        for s in handled:
            signal.signal(s, before[s])
