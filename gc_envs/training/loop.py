"""The training loop of every learner: what happens on the host while a `Trainer` advances.

Nothing the host does (logging, evaluating, saving) touches the trainer's state, so it never changes the result: N + N
steps across a kill equal 2N, bitwise on a CPU. Letters: R runs.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from gc_envs.training.checkpoint import checkpoint_step, list_checkpoints, save_checkpoint
from gc_envs.training.logger import RunLogger
from gc_envs.training.options import TrainOptions
from gc_envs.training.progress import Progress
from gc_envs.training.run_dir import RunDir
from gc_envs.training.signals import Interrupted, catch_signals
from gc_envs.training.together import Group
from gc_envs.training.trackers import TensorBoard, Tracker
from gc_envs.training.types import Policy, Trainer

CHECKPOINT_SECONDS = 50.0  # between two checkpoints at most, so that there is one a minute ...
SAVING_SHARE = 0.05  # ... unless saving would then take more than this share of the time

T = TypeVar("T")
OnStep = Callable[..., None]  # called after every step of an evaluation; raises `Interrupted` to stop it
Evaluate = Callable[[Policy, OnStep], Mapping[str, Any]]  # its result has "success", "success_last" and "return"


class Diverged(ValueError):
    """A figure of training, such as the loss, that was a number and is none any more."""


def train(
    trainer: Trainer,
    group: Group,
    options: TrainOptions,
    evaluate: Evaluate,
    trackers: Mapping[Path, Sequence[Tracker]] | None = None,
) -> list[Policy]:
    """Train runs to the end, together.

    Args:
        trainer: The runs in memory, before `init` or `restore`.
        group: The runs [R], each a run folder with a config.json, and the step to go on from.
        options: Evaluations and logs.
        evaluate: The evaluation made during training, given a policy of one of the runs.
        trackers: What gets every scalar of a run beside its folder, by that folder.

    Returns:
        The policy of each run [R].

    Raises:
        Interrupted: SIGINT or SIGTERM came; everything is saved.
        Diverged: A loss of one of the runs has become infinite or nan. Nothing of that run is saved after that was
            noticed; the others have been trained to the end.
        RunError: A checkpoint does not fit the settings, or all of a run are damaged.
    """
    with Progress(trainer.total_steps) as progress, catch_signals() as signals:
        found = [run.load_newest(group.step) for run in group.runs]
        saved = [checkpoint.arrays for checkpoint in found if checkpoint is not None]
        del found
        if saved:
            progress.say(f"going on from step {group.step:,}, compiling ...")
            trainer.restore(saved, group.step)
        else:
            progress.say("compiling ...")
            trainer.init()
        del saved  # the trainer has it now
        logs = []
        for run in group.runs:
            places = [*(trackers or {}).get(run.folder, ())]
            places += [TensorBoard(run, trainer.step)] if options.tensorboard else []
            logs.append(Log(run, RunLogger(run, trainer.step, places), trainer.reports_numbers))
        Loop(trainer, logs, options, evaluate, progress, signals).run()
    return list(trainer.policies())


@dataclass(eq=False)
class Log:
    """What the loop remembers of one run from turn to turn."""

    run: RunDir
    logger: RunLogger
    reports_numbers: bool
    """See `Trainer`."""
    finite: set[str] = field(default_factory=set)
    """Names of the metrics that have been numbers."""
    diverged: str = ""
    """How the run has diverged, in one line; empty while it has not."""

    def metrics(self, row: dict[str, float]) -> None:
        """Log a row, and note if a metric is no number that should be one, because it was one or all should be."""
        self.logger.metrics(row)
        finite = {name for name, value in row.items() if math.isfinite(value)}
        numbers = set(row) if self.reports_numbers else self.finite
        lost = next((name for name in row if name in numbers - finite), None)
        self.finite |= finite
        if lost is not None:
            saved = [checkpoint_step(path) for path in list_checkpoints(self.run.checkpoints)]
            last = f"the last checkpoint is of step {saved[-1]:,}" if saved else "there is no checkpoint yet"
            what = f"{lost} is {row[lost]} at step {row['step']:,}"
            self.diverged = f"{self.run.folder}: {what}: training diverged; {last}"


class Loop:
    """The loop of a trainer that is ready to advance, and what it remembers from turn to turn.

    Args:
        trainer: After `init` or `restore`.
        logs: What is kept of each of its runs, [R].
        options: See `train`.
        evaluate: See `train`.
        progress: The progress bar.
        signals: Filled with signals that ask the runs to stop.
    """

    def __init__(
        self, trainer: Trainer, logs: Sequence[Log], options: TrainOptions, evaluate: Evaluate, progress: Progress,
        signals: list[int],
    ) -> None:  # fmt: skip
        self.trainer, self.logs, self.evaluate = trainer, logs, evaluate
        self.progress, self.signals = progress, signals
        self.evaluate_at, self.save_at = options.milestones(trainer.total_steps)
        self.logged = trainer.step  # step of the last row of metrics
        self.seconds = 0.0  # of training since then, without evaluations and checkpoints
        self.saved_at, self.saving_took = time.monotonic(), 0.0
        self.evaluated = False  # whether the environments of evaluations have been compiled

    def run(self) -> None:
        """Alternate training with what is due on the host, until the last step."""
        self.evaluate_if_due()  # an evaluation that was due when the runs stopped
        while self.trainer.step < self.trainer.total_steps and self.running(self.logs):
            before = self.trainer.step
            self.advance()
            self.save_if_due(before)
            self.stop_if_asked()
            self.evaluate_if_due()
        if lines := [log.diverged for log in self.logs if log.diverged]:
            raise Diverged("; ".join(lines))

    def advance(self) -> None:
        """Train for about a second and log what there is to report."""
        until = min(step for step in self.save_at if step > self.trainer.step)
        started = time.monotonic()
        rows = self.trainer.advance(until)
        self.seconds += time.monotonic() - started
        if rows is None:
            return
        step = self.trainer.step
        steps_per_s = (step - self.logged) / self.seconds
        running = self.running(rows)
        for log, row in running:
            log.metrics({"step": step, "steps_per_s": round(steps_per_s, 1), **row})
        mean = {name: fmean(row[name] for _, row in running) for name in running[0][1]}
        self.progress.update(step, {**mean, "steps_per_s": steps_per_s * len(running)})
        self.logged, self.seconds = step, 0.0
        for log, _ in running:
            if log.diverged and self.running(self.logs):
                self.progress.console.print(f"{log.diverged}; the other runs go on", highlight=False, soft_wrap=True)

    def running(self, values: Sequence[T]) -> list[tuple[Log, T]]:
        """Return the runs that have not diverged, each with its part of `values` [R]."""
        return [(log, value) for log, value in zip(self.logs, values, strict=True) if not log.diverged]

    def save_if_due(self, before: int) -> None:
        """Write checkpoints where they were due since step `before`, on a signal, and once a minute."""
        now, step = time.monotonic(), self.trainer.step
        pause = max(CHECKPOINT_SECONDS, self.saving_took / SAVING_SHARE)
        if any(before < due <= step for due in self.save_at) or self.signals or now - self.saved_at > pause:
            for log, arrays in self.running(self.trainer.arrays()):
                save_checkpoint(log.run.checkpoints, step, arrays)
            self.saved_at = time.monotonic()
            self.saving_took = self.saved_at - now

    def evaluate_if_due(self) -> None:
        """Evaluate the runs for which that was due since their last evaluation, in this process or an earlier one."""
        step = self.trainer.step
        due = [
            log
            for log, last in self.running([log.logger.last_evaluation for log in self.logs])
            if any(last < at <= step for at in self.evaluate_at)
        ]
        if not due:
            return
        self.progress.say("evaluating ..." if self.evaluated else "compiling, then evaluating ...")
        self.evaluated = True
        for log, policy in self.running(self.trainer.policies()):
            if log in due:
                log.logger.evaluation(step, self.evaluate(policy, self.stop_if_asked))

    def stop_if_asked(self, *_: Any) -> None:
        """Raise `Interrupted` if a signal came."""
        if self.signals:
            raise Interrupted(self.signals[0], self.trainer.step)
