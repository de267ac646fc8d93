"""Which runs go on together: those that have a checkpoint of the same step."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from gc_envs.training.run_dir import RunDir


class Group(NamedTuple):
    """Runs that go on from the same step."""

    step: int  # of their checkpoints; 0 if they have none
    runs: list[RunDir]


def group_by_step(runs: Sequence[RunDir]) -> list[Group]:
    """Return runs in groups that can go on together, as few as possible.

    All of them are one group, except where some have been trained further than others. A run goes back to the
    checkpoint before its newest one where that is the newest that all of its group have; a line on stderr says so.

    Raises:
        RunError: A run has checkpoints, and none of them can be used.
    """
    groups = []
    left = {run.folder: (run, run.whole_steps() or [0]) for run in runs}
    for run, steps in left.values():
        if steps == [0]:
            run.load_newest()  # raises where there are only damaged ones
    while left:
        counts = Counter(step for _, steps in left.values() for step in steps)
        start = max(counts, key=lambda step: (counts[step], step))
        chosen = [(run, steps) for run, steps in left.values() if start in steps]
        groups.append(Group(start, [run for run, _ in chosen]))
        further = [f"{run.folder.name} of step {steps[-1]:,}" for run, steps in chosen if steps[-1] > start]
        if further:
            have = f"the newest that all of these {len(chosen)} runs have"
            print(
                f"going back to the checkpoints of step {start:,}, {have}, from {', '.join(further)}", file=sys.stderr
            )
        for run, _ in chosen:
            del left[run.folder]
    return groups
