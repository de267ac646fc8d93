"""The training loop of every learner: what happens on the host while a `Trainer` advances.

Nothing the host does (logging, evaluating, saving) touches the trainer's state, so it never changes the result: N + N
steps across a kill equal 2N, bitwise on a CPU.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gc_envs.training.checkpoint import checkpoint_step, list_checkpoints, save_checkpoint
from gc_envs.training.logger import RunLogger
from gc_envs.training.options import TrainOptions
from gc_envs.training.progress import Progress
from gc_envs.training.run_dir import RunDir
from gc_envs.training.signals import Interrupted, catch_signals
from gc_envs.training.trackers import TensorBoard, Tracker
from gc_envs.training.types import Policy, Trainer

CHECKPOINT_SECONDS = 50.0  # between two checkpoints at most, so that there is one a minute ...
SAVING_SHARE = 0.05  # ... unless saving would then take more than this share of the time

OnStep = Callable[..., None]  # called after every step of an evaluation; raises `Interrupted` to stop it
Evaluate = Callable[[Policy, OnStep], Mapping[str, Any]]  # its result has "success", "success_last" and "return"


class Diverged(ValueError):
    """A figure of training, such as the loss, that was a number and is none any more."""


def train(
    trainer: Trainer, run: RunDir, options: TrainOptions, evaluate: Evaluate, trackers: Sequence[Tracker] = ()
) -> Policy:
    """Train to the end, from the newest checkpoint of `run` that can be used, if it has one.

    Args:
        trainer: The run in memory, before `init` or `restore`.
        run: A run folder with a config.json.
        options: Evaluations and logs.
        evaluate: The evaluation made during training.
        trackers: What gets every scalar beside the run folder.

    Raises:
        Interrupted: SIGINT or SIGTERM came; everything is saved.
        Diverged: A loss has become infinite or nan; nothing is saved after that was noticed.
        RunError: The checkpoint does not fit the settings, or all of them are damaged.
    """
    newest = run.load_newest()
    with Progress(trainer.total_steps) as progress, catch_signals() as signals:
        if newest is None:
            progress.say("compiling ...")
            trainer.init()
        else:
            progress.say(f"going on from step {newest.step:,}, compiling ...")
            trainer.restore(newest.arrays, newest.step)
        del newest  # the trainer has it now
        if options.tensorboard:
            trackers = [*trackers, TensorBoard(run, trainer.step)]
        Loop(trainer, run, options, evaluate, RunLogger(run, trainer.step, trackers), progress, signals).run()
    return trainer.policy()


class Loop:
    """The loop of a trainer that is ready to advance, and what it remembers from turn to turn.

    Args:
        trainer: After `init` or `restore`.
        run: See `train`.
        options: See `train`.
        evaluate: See `train`.
        logger: The logs of the run.
        progress: The progress bar.
        signals: Filled with signals that ask the run to stop.
    """

    def __init__(
        self, trainer: Trainer, run: RunDir, options: TrainOptions, evaluate: Evaluate, logger: RunLogger,
        progress: Progress, signals: list[int],
    ) -> None:  # fmt: skip
        self.trainer, self.run_dir, self.evaluate = trainer, run, evaluate
        self.logger, self.progress, self.signals = logger, progress, signals
        self.evaluate_at, self.save_at = options.milestones(trainer.total_steps)
        self.logged = trainer.step  # step of the last row of metrics
        self.finite: set[str] = set()  # names of the metrics that have been numbers
        self.seconds = 0.0  # of training since then, without evaluations and checkpoints
        self.saved_at, self.saving_took = time.monotonic(), 0.0
        self.evaluated = False  # whether the environments of evaluations have been compiled

    def run(self) -> None:
        """Alternate training with what is due on the host, until the last step."""
        self.evaluate_if_due()  # an evaluation that was due when the run stopped
        while self.trainer.step < self.trainer.total_steps:
            before = self.trainer.step
            self.advance()
            self.save_if_due(before)
            self.stop_if_asked()
            self.evaluate_if_due()

    def advance(self) -> None:
        """Train for about a second and log what there is to report."""
        until = min(step for step in self.save_at if step > self.trainer.step)
        started = time.monotonic()
        metrics = self.trainer.advance(until)
        self.seconds += time.monotonic() - started
        if metrics is not None:
            step = self.trainer.step
            row = {"step": step, "steps_per_s": round((step - self.logged) / self.seconds, 1), **metrics}
            self.logger.metrics(row)
            self.progress.update(step, row)
            self.logged, self.seconds = step, 0.0
            self.stop_if_diverged(metrics)

    def stop_if_diverged(self, metrics: Mapping[str, float]) -> None:
        """Raise `Diverged` if a metric that was a number is none any more; losses are none before the first update."""
        finite = {name for name, value in metrics.items() if math.isfinite(value)}
        for name in metrics:
            if name in self.finite - finite:
                saved = [checkpoint_step(path) for path in list_checkpoints(self.run_dir.checkpoints)]
                last = f"the last checkpoint is of step {saved[-1]:,}" if saved else "there is no checkpoint yet"
                raise Diverged(f"{name} is {metrics[name]} at step {self.trainer.step:,}: training diverged; {last}")
        self.finite |= finite

    def save_if_due(self, before: int) -> None:
        """Write a checkpoint where one was due since step `before`, on a signal, and once a minute."""
        now, step = time.monotonic(), self.trainer.step
        pause = max(CHECKPOINT_SECONDS, self.saving_took / SAVING_SHARE)
        if any(before < due <= step for due in self.save_at) or self.signals or now - self.saved_at > pause:
            save_checkpoint(self.run_dir.checkpoints, step, self.trainer.arrays())
            self.saved_at = time.monotonic()
            self.saving_took = self.saved_at - now

    def evaluate_if_due(self) -> None:
        """Evaluate if that was due since the last evaluation, in this process or an earlier one."""
        step = self.trainer.step
        if any(self.logger.last_evaluation < due <= step for due in self.evaluate_at):
            self.progress.say("evaluating ..." if self.evaluated else "compiling, then evaluating ...")
            self.evaluated = True
            self.logger.evaluation(step, self.evaluate(self.trainer.policy(), self.stop_if_asked))

    def stop_if_asked(self, *_: Any) -> None:
        """Raise `Interrupted` if a signal came."""
        if self.signals:
            raise Interrupted(self.signals[0], self.trainer.step)
