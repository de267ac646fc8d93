"""The loop, driven with a trainer that counts: when it logs, evaluates, saves and stops."""

import csv

import numpy as np
import pytest

from gc_envs.training import loop
from gc_envs.training.checkpoint import list_checkpoints, load_arrays
from gc_envs.training.options import TrainOptions
from gc_envs.training.run_dir import RunDir
from gc_envs.training.signals import Interrupted

TOTAL = 1000
RESULT = {"success": 0.5, "success_last": 0.25, "return": 1.0}


class Counter:
    """A trainer that takes 7 steps at a time, so it overshoots; every second row is missing."""

    total_steps = TOTAL

    def __init__(self, signals=None):
        self.step, self.calls, self.started = 0, 0, None

    def init(self):
        self.started = "init"

    def restore(self, arrays, step):
        assert arrays["step"] == step
        self.step, self.started = step, "restore"

    def advance(self, until):
        assert self.step < until <= TOTAL
        self.step = min(self.step + 7, -(-until // 7) * 7)
        self.calls += 1
        return None if self.calls % 2 else {"running_success": 0.5}

    def arrays(self):
        return {"step": np.int64(self.step)}

    def policy(self):
        return ("policy at", self.step)


class Host:
    """A run folder, and what happened in it."""

    def __init__(self, folder):
        self.run = RunDir(folder, "counter", "none", {}, {})
        self.evaluated, self.saved, self.stop_at = [], [], None

    def evaluate(self, policy, on_step):
        self.evaluated.append(policy[1])
        on_step(1, 1)
        return RESULT

    def train(self, trainer=None, **options):
        self.trainer = trainer or Counter()
        return loop.train(self.trainer, self.run, TrainOptions(**options), self.evaluate)

    def column(self, name, column="step"):
        with (self.run.folder / name).open() as file:
            return [float(row[column]) for row in csv.DictReader(file)]


@pytest.fixture
def host(tmp_path, monkeypatch):
    host = Host(tmp_path)
    save = loop.save_checkpoint

    def record(folder, step, arrays):
        host.saved.append(step)
        return save(folder, step, arrays)

    monkeypatch.setattr(loop, "save_checkpoint", record)
    return host


def test_evaluations_and_checkpoints_come_at_or_just_past_their_steps(host):
    assert host.train(evaluations=3) == ("policy at", 1001)
    assert host.trainer.started == "init"
    assert host.evaluated == host.column("evaluations.csv") == [336, 672, 1001]  # due at 333, 667 and 1000
    due = sorted({*range(50, 1001, 50), 333, 667})
    assert host.saved == sorted({-(-step // 7) * 7 for step in due})
    assert host.column("evaluations.csv", "success_last") == [0.25] * 3


def test_a_row_that_is_not_there_yet_is_no_row(host):
    host.train()
    steps = host.column("metrics.csv")
    assert steps == sorted(set(steps))
    assert len(steps) == host.trainer.calls // 2
    assert all(np.isfinite(host.column("metrics.csv", "steps_per_s")))


def test_a_checkpoint_a_minute_unless_that_takes_too_much_of_the_time(host, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "SAVING_SHARE", np.inf)
    host.train()
    assert host.saved == list(range(7, 1002, 7))
    for path in list_checkpoints(host.run.checkpoints):
        (path / "meta.json").unlink()
    host.run.checkpoints.rename(host.run.folder / "old")
    host.saved.clear()
    monkeypatch.setattr(loop, "SAVING_SHARE", 1e-9)
    host.train()
    assert len(host.saved) == 20 + 1  # those that were due anyway, and the first, before it is known what saving takes


def interrupt(host, monkeypatch, *, in_evaluation=None, after=None):
    """Make a signal come during the evaluation at a step, or in the call of `advance` that passes a step."""
    signals = []
    monkeypatch.setattr(loop, "catch_signals", lambda: Caught(signals))
    if in_evaluation is not None:
        evaluate = host.evaluate

        def noisy(policy, on_step):
            if policy[1] == in_evaluation:
                signals.append(15)
            return evaluate(policy, on_step)

        host.evaluate = noisy
    trainer = Counter()
    advance = trainer.advance

    def signalled(until):
        row = advance(until)
        if after is not None and trainer.step > after:
            signals.append(15)
        return row

    trainer.advance = signalled
    with pytest.raises(Interrupted, match="stopped by SIGTERM at step"):
        host.train(trainer, evaluations=2)
    monkeypatch.undo()


class Caught:
    """Stands in for `catch_signals`."""

    def __init__(self, signals):
        self.signals = signals

    def __enter__(self):
        return self.signals

    def __exit__(self, *exc):
        pass


def test_a_signal_saves_and_stops_and_the_run_goes_on_from_there(host, monkeypatch):
    interrupt(host, monkeypatch, after=300)
    (*_, newest) = list_checkpoints(host.run.checkpoints)
    assert load_arrays(newest)["step"] == host.trainer.step == 301
    host.train(evaluations=2)
    assert host.trainer.started == "restore"
    assert host.evaluated == host.column("evaluations.csv") == [504, 1001]


@pytest.mark.parametrize("step", [504, 1001])
def test_an_evaluation_that_a_signal_cut_short_is_made_up_for_and_none_is_made_twice(host, monkeypatch, step):
    interrupt(host, monkeypatch, in_evaluation=step)
    assert host.trainer.step == step
    host.train(evaluations=2)
    assert host.trainer.started == "restore"
    assert host.column("evaluations.csv") == [504, 1001]
    assert host.evaluated == sorted([504, 1001, step])
    host.train(evaluations=2)
    assert host.evaluated == sorted([504, 1001, step])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_no_number_any_more_stops_the_run_in_one_line(host, bad):
    trainer = Counter()
    advance = trainer.advance

    def diverging(until):
        advance(until)
        loss = np.nan if trainer.step < 50 else 1.0 if trainer.step < 300 else bad  # nan before the first update
        return {"running_success": 0.5, "loss": loss}

    trainer.advance = diverging
    with pytest.raises(ValueError, match=rf"^loss is {bad} at step 301: training diverged; the last .* of step 252$"):
        host.train(trainer)
    assert host.saved[-1] == 252
    assert host.column("metrics.csv")[-1] == 301, "the row is logged all the same"


def test_without_evaluations_the_end_is_still_saved(host):
    host.train(evaluations=0)
    assert host.evaluated == []
    assert host.saved[-1] == 1001


def test_milestones_of_any_length():
    assert TrainOptions(evaluations=2).milestones(10) == ([5, 10], list(range(1, 11)))
    assert TrainOptions(evaluations=0).milestones(1) == ([], [1])
    evaluate, save = TrainOptions(evaluations=3).milestones(64)
    assert evaluate == [21, 43, 64]
    assert save == sorted({*range(3, 65, 3), 43, 64})
