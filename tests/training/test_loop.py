"""The loop, driven with a trainer that counts: when it logs, evaluates, saves and stops."""

import csv
import re

import numpy as np
import pytest

from gc_envs.training import loop
from gc_envs.training.checkpoint import list_checkpoints, load_arrays
from gc_envs.training.loop import Diverged
from gc_envs.training.options import TrainOptions
from gc_envs.training.run_dir import RunDir
from gc_envs.training.signals import Interrupted
from gc_envs.training.together import group_by_step

TOTAL = 1000
RESULT = {"success": 0.5, "success_last": 0.25, "return": 1.0}


class Counter:
    """A trainer that takes 7 steps at a time, so it overshoots; every second row is missing."""

    total_steps, reports_numbers = TOTAL, False

    def __init__(self, signals=None):
        self.step, self.calls, self.started = 0, 0, None

    def init(self):
        self.started = "init"

    def restore(self, arrays, step):
        assert arrays == [{"step": step}]
        self.step, self.started = step, "restore"

    def advance(self, until):
        assert self.step < until <= TOTAL
        self.step = min(self.step + 7, -(-until // 7) * 7)
        self.calls += 1
        return None if self.calls % 2 else [{"running_success": 0.5}]

    def arrays(self):
        return [{"step": np.int64(self.step)}]

    def policies(self):
        return [("policy at", self.step)]


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
        (group,) = group_by_step([self.run])
        (policy,) = loop.train(self.trainer, group, TrainOptions(**options), self.evaluate)
        return policy

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
        return [{"running_success": 0.5, "loss": loss}]

    trainer.advance = diverging
    folder = re.escape(str(host.run.folder))
    with pytest.raises(Diverged, match=rf"^{folder}: loss is {bad} at step 301: training diverged; .* of step 252$"):
        host.train(trainer)
    assert host.saved[-1] == 252
    assert host.column("metrics.csv")[-1] == 301, "the row is logged all the same"


def test_a_loss_that_should_be_a_number_from_the_start_stops_the_run_at_once(host):
    trainer = Counter()
    trainer.reports_numbers, advance = True, trainer.advance

    def diverging(until):
        advance(until)
        return [{"running_success": 0.5, "loss": np.nan}]

    trainer.advance = diverging
    with pytest.raises(Diverged, match="loss is nan at step 7: training diverged; there is no checkpoint yet"):
        host.train(trainer)


class Counters(Counter):
    """Three runs; from step 300 on, the losses of `bad` are none."""

    bad = ()

    def advance(self, until):
        super().advance(until)
        return [
            {"running_success": i / 2, "loss": np.nan if i in self.bad and self.step > 300 else 1.0} for i in range(3)
        ]

    def arrays(self):
        return [{"step": np.int64(self.step), "run": np.int64(i)} for i in range(3)]

    def policies(self):
        return [(i, self.step) for i in range(3)]


class Hosts:
    """Three run folders."""

    def __init__(self, folder):
        self.runs = [RunDir(folder / f"seed-{i}", "counter", "none", {}, {}) for i in range(3)]
        for run in self.runs:
            run.folder.mkdir()
        self.evaluated = []

    def evaluate(self, policy, on_step):
        self.evaluated.append(policy)
        return RESULT

    def train(self, trainer):
        (group,) = group_by_step(self.runs)
        return loop.train(trainer, group, TrainOptions(evaluations=2), self.evaluate)

    def rows(self, i, name):
        with (self.runs[i].folder / name).open() as file:
            return [tuple(map(float, row.values())) for row in csv.DictReader(file)]


def test_several_runs_have_logs_checkpoints_and_evaluations_of_their_own(tmp_path, monkeypatch):
    shown, update = [], loop.Progress.update
    monkeypatch.setattr(loop.Progress, "update", lambda *args: (shown.append(args[1:]), update(*args)))
    hosts = Hosts(tmp_path)
    assert hosts.train(Counters()) == [(0, 1001), (1, 1001), (2, 1001)]
    assert hosts.evaluated == [(i, step) for step in (504, 1001) for i in range(3)]
    for i, run in enumerate(hosts.runs):
        steps, _, success, _ = zip(*hosts.rows(i, "metrics.csv"), strict=True)
        assert steps == tuple(range(7, 1002, 7))
        assert set(success) == {i / 2}
        assert [load_arrays(path)["run"] for path in list_checkpoints(run.checkpoints)] == [i, i]
        assert [row[0] for row in hosts.rows(i, "evaluations.csv")] == [504, 1001]
    assert [step for step, _ in shown] == list(range(7, 1002, 7))
    row = shown[0][1]
    assert row["running_success"] == 0.5, "the mean"
    assert row["steps_per_s"] == pytest.approx(3 * hosts.rows(0, "metrics.csv")[0][1], rel=0.01), "of all"


def test_a_run_that_diverges_is_named_and_the_others_go_on_to_the_end(tmp_path, capsys):
    hosts, trainer = Hosts(tmp_path), Counters()
    trainer.bad = (1,)
    with pytest.raises(Diverged, match=r"^\S*seed-1: loss is nan at step 301: training diverged; .* of step 252$"):
        hosts.train(trainer)
    assert "of step 252; the other runs go on" in capsys.readouterr().err
    ends = [list_checkpoints(run.checkpoints)[-1].name for run in hosts.runs]
    assert ends == ["step_000001001", "step_000000252", "step_000001001"]
    assert [hosts.rows(i, "metrics.csv")[-1][0] for i in range(3)] == [1001, 301, 1001]
    assert hosts.evaluated == [(i, step) for step in (504, 1001) for i in (0, 2)]


def test_training_stops_once_all_runs_have_diverged(tmp_path):
    hosts, trainer = Hosts(tmp_path), Counters()
    trainer.bad = (0, 1, 2)
    with pytest.raises(Diverged, match=r"seed-0: loss is nan .*; \S*seed-1: loss .*; \S*seed-2: loss"):
        hosts.train(trainer)
    assert trainer.step == 301


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
