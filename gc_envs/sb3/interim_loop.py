"""The host loop over an `SB3Trainer`, until `gc_envs.training` has the one for all learners."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from gc_envs.agents.checkpoint import load_arrays, save_checkpoint
from gc_envs.agents.log import Log
from gc_envs.agents.progress import Progress
from gc_envs.agents.runs import Run
from gc_envs.agents.schedule import CHECKPOINT_SECONDS, Interrupted, Schedule, noted_signals
from gc_envs.sb3.trainer import SB3Trainer

SAVING_SHARE = 0.05


def train(trainer: SB3Trainer, run: Run, schedule: Schedule, evaluate: Callable[..., Mapping[str, Any]]) -> Any:
    """Train to the end, from the newest checkpoint of `run` if it has one."""
    latest = run.latest()
    eval_at, save_at = schedule.milestones(trainer.total_steps)
    with Progress(trainer.total_steps, run.folder.name) as progress, noted_signals() as signals:
        if latest is None:
            trainer.init()
        else:
            trainer.restore(load_arrays(latest), int(latest.name.removeprefix("step_")))
        step = trainer.step
        log = Log(run, step, schedule.tensorboard)
        before, saved_at, saving_took = step - 1, time.monotonic(), 0.0

        def due(milestones: set[int]) -> bool:
            return any(before < milestone <= step for milestone in milestones)

        def leave_if_asked(*_: Any) -> None:
            if signals:
                raise Interrupted(signals[0], step)

        while True:
            if due(eval_at) and step not in log.evaluated:
                log.evaluation(step, evaluate(trainer.policy(), leave_if_asked))
            if step >= trainer.total_steps:
                return trainer.policy()
            before, started = step, time.monotonic()
            row = trainer.advance(min(stop for stop in save_at | {trainer.total_steps} if stop > step))
            step = trainer.step
            row = {"step": step, "steps_per_s": round((step - before) / (time.monotonic() - started), 1), **row}
            log.metrics(row)
            progress.update(step, row)
            pause = max(CHECKPOINT_SECONDS, saving_took / SAVING_SHARE)
            if due(save_at) or signals or time.monotonic() - saved_at > pause:
                started = time.monotonic()
                save_checkpoint(run.checkpoints, step, trainer.arrays())
                saved_at = time.monotonic()
                saving_took = saved_at - started
            leave_if_asked()
