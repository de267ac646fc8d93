"""Sweeps: which runs there are, what is left of them after failures and signals, and how they go on."""

import dataclasses
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from rich.console import Console
from tiny_run import contents, final_state, settings

from gc_envs.cli import main
from gc_envs.cli.sweep import parse_seeds
from gc_envs.executors import run_commands
from gc_envs.training import sweep as sweep_module
from gc_envs.training.checkpoint import list_checkpoints
from gc_envs.training.logger import read_csv
from gc_envs.training.sweep import SweepResult, sweep
from gc_envs.training.sweep_progress import SweepProgress

LONG = 64_000  # steps of a run that is to be interrupted


def words(run_dir, *flags, **changes):
    """Arguments of `gc-envs` for a sweep of tiny runs; `width="16,32"` sets a setting."""
    given = settings() | changes
    env_kwargs = given.pop("env_kwargs")
    pairs = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    return [
        "sweep", "leo", "GC-Gridworld-v0", *pairs, "--env-kwargs", env_kwargs, "--run-dir", str(run_dir), "--jobs", "2",
        *flags,
    ]  # fmt: skip


def folders(run_dir):
    return sorted(path.name for path in run_dir.glob("[!.]*"))


@pytest.fixture(scope="module")
def finished_sweep(tmp_path_factory):
    """The folder of a sweep of two widths and two seeds, to be read only."""
    run_dir = tmp_path_factory.mktemp("sweeps") / "tiny"
    assert main(words(run_dir, "--seeds", "0:2", width="16,32")) == 0
    return run_dir


@pytest.fixture
def no_commands(monkeypatch):
    """Fails a test that starts a run."""

    def start_none(commands, *args, **kwargs):
        assert not commands
        return {}

    monkeypatch.setattr(sweep_module, "run_commands", start_none)


def test_the_runs_are_ordinary_runs_in_folders_with_the_names_of_what_varies(finished_sweep, finished_run):
    assert folders(finished_sweep) == ["width=16-seed0", "width=16-seed1", "width=32-seed0", "width=32-seed1"]
    assert final_state(finished_sweep / "width=16-seed0") == final_state(finished_run)
    assert final_state(finished_sweep / "width=16-seed1") != final_state(finished_run)


def test_plot_draws_a_sweep(finished_sweep, tmp_path, capsys):
    from gc_envs.evaluation.plots import METRICS, _curves
    from gc_envs.training.run_dir import open_run

    runs = [str(path) for path in sorted(finished_sweep.glob("*"))]  # like the shell's RUN_DIR/*
    runs = [run for run in runs if not os.path.basename(run).startswith(".")]
    assert main(["plot", *runs, "--out", str(tmp_path / "curves.png")]) == 0
    labels = [curve.label for curve in _curves([open_run(run) for run in runs], METRICS["success"])]
    assert labels == [f"leo, width={width} (mean of 2 seeds, 95% interval)" for width in (16, 32)]


def test_what_is_finished_is_not_trained_again(finished_sweep, no_commands, capsys):
    runs = {name: data for name, data in contents(finished_sweep).items() if not name.startswith(".logs")}
    assert main(words(finished_sweep, "--seeds", "0:2", width="16,32")) == 0
    shown = capsys.readouterr().out
    assert shown.count("found finished") == 4
    assert f"gc-envs plot {finished_sweep}/*" in shown
    after = {name: data for name, data in contents(finished_sweep).items() if not name.startswith(".logs")}
    assert after == runs


def test_a_dry_run_prints_the_commands_of_what_is_not_finished(finished_sweep, tmp_path, capsys):
    assert main(words(tmp_path / "none", "--seeds", "3,1", "--dry-run", anneal_learning_rate="false")) == 0
    first, second = map(shlex.split, capsys.readouterr().out.splitlines())
    assert not (tmp_path / "none").exists()
    assert first[:6] == [sys.executable, "-m", "gc_envs.cli", "train", "leo", "GC-Gridworld-v0"]
    assert {"--resume", "--no-anneal-learning-rate"} <= set(first)
    assert first[first.index("--env-kwargs") + 1] == "size=5"
    assert [line[line.index("--seed") + 1] for line in (first, second)] == ["3", "1"]
    assert [line[-1] for line in (first, second)] == [str(tmp_path / "none" / f"seed{seed}") for seed in (3, 1)]
    assert main(words(finished_sweep, "--seeds", "0:3", "--dry-run", width="16,32")) == 0
    assert re.findall(r"\S+-seed\d", capsys.readouterr().out) == [
        str(finished_sweep / f"width={width}-seed2") for width in (16, 32)
    ]


def test_the_name_of_a_folder_does_not_depend_on_how_settings_are_written(tmp_path, capsys):
    names = []
    for rate, order in (("1e-4,0.0003", ("gamma", "learning_rate")), ("0.0001,3e-4", ("learning_rate", "gamma"))):
        given = {"learning_rate": rate, "gamma": ".9,0.99"}
        assert main(words(tmp_path, "--dry-run", **{name: given[name] for name in order})) == 0
        names.append([line.rsplit("/", 1)[1] for line in capsys.readouterr().out.splitlines()])
    assert names[0] == names[1]
    assert names[0][0] == "gamma=0.9,learning_rate=0.0001-seed0"


def test_a_run_that_fails_loses_no_others(tmp_path, capsys):
    assert main(words(tmp_path / "sweep", learning_rate="1e30,1e-3")) == 2
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["learning_rate=1e+30-seed0", "-", "failed"] in rows
    (success,) = [row[1] for row in rows if row[0] == "learning_rate=0.001-seed0" and row[2] == "finished"]
    assert 0 <= float(success) <= 1
    log = tmp_path / "sweep" / ".logs" / "learning_rate=1e+30-seed0.log"
    assert f"learning_rate=1e+30-seed0 failed, see {log}: status 2: error: " in shown.out
    assert "training diverged" in log.read_text()
    assert shown.err.splitlines()[-1] == "error: 1 of 2 runs failed; the same command tries them again"


@pytest.mark.parametrize("signum", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_sweep_that_was_stopped_goes_on(tmp_path, signum, capsys):
    arguments, run = words(tmp_path, total_steps=LONG), tmp_path / "seed0"
    program = [sys.executable, "-m", "gc_envs.cli", *arguments]
    process = subprocess.Popen(program, stderr=subprocess.PIPE)
    while not list_checkpoints(run / "checkpoints"):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signum)
    _, error = process.communicate(timeout=60)
    if signum == signal.SIGTERM:
        assert process.returncode == 143
        assert error.decode().splitlines()[-1] == "stopped by SIGTERM; the same command goes on"
    assert read_csv(run / "metrics.csv", ())["step"][-1] < LONG
    assert main(arguments) == 0
    assert "going on from step" in (tmp_path / ".logs" / "seed0.log").read_text()
    assert read_csv(run / "metrics.csv", ())["step"][-1] == LONG
    assert "seed0" in capsys.readouterr().out


def test_two_sweeps_do_not_train_in_the_same_folder(finished_sweep, no_commands, monkeypatch):
    def again(*args, **kwargs):
        with pytest.raises(ValueError, match=f"another sweep is training in {finished_sweep}"):
            sweep("leo", "GC-Gridworld-v0", seeds=[7], run_dir=finished_sweep)
        return {}

    monkeypatch.setattr(sweep_module, "run_commands", again)
    with pytest.raises(KeyError):  # because no run has ended
        sweep("leo", "GC-Gridworld-v0", seeds=[8], run_dir=finished_sweep)


BASE = ["sweep", "leo", "GC-Gridworld-v0", "--run-dir", "{new}"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["sweep", "pqr", "GC-Gridworld-v0", "--run-dir", "{new}"], "unknown agent 'pqr'; known: leo"),
        (["sweep", "leo", "GC-Gridwold-v0", "--run-dir", "{new}"], "nearest: GC-Gridworld-v0"),
        (["sweep", "leo", "GC-Gridworld-v0"], "arguments are required: RUN_DIR"),
        ([*BASE, "--preset", "tiny"], "no preset 'tiny' for GC-Gridworld-v0"),
        ([*BASE, "--env-kwargs", "sise=5"], "takes no 'sise=5'"),
        ([*BASE, "--seeds", "0-10"], "--seeds: '0-10' is neither a range such as 0:10, which is 0 to 9, nor a list"),
        ([*BASE, "--seeds", "5:5"], "--seeds: '5:5' is neither"),
        ([*BASE, "--seeds", "0,"], "--seeds: '0,' is neither"),
        ([*BASE, "--seeds", "0,3,0"], "seeds: 0 is given twice"),
        ([*BASE, "--seeds", "99999999999999999999"], "seed must lie in 0..9223372036854775807"),
        ([*BASE, "--set", "width"], "--set width: write NAME=VALUE,VALUE,..."),
        ([*BASE, "--set", "width="], "--set width=: write NAME=VALUE"),
        ([*BASE, "--set", "width=16,"], "--set width: '' is not an integer"),
        ([*BASE, "--set", "width=16,wide"], "--set width: 'wide' is not an integer"),
        ([*BASE, "--set", "learning_rate=fast"], "--set learning_rate: 'fast' is not a number"),
        ([*BASE, "--set", "one_hot=maybe"], "--set one_hot: 'maybe' is not true or false"),
        ([*BASE, "--set", "learning_rate=1e-3,0.001"], "learning_rate: 0.001 is given twice"),
        ([*BASE, "--set", "width=16", "--set", "width=32"], "width is given twice; name all of its values at once"),
        ([*BASE, "--set", "widht=16"], "leo has no setting 'widht'; it has total_steps, num_envs"),
        ([*BASE, "--set", "seed=1,2"], "leo has no setting 'seed'"),
        ([*BASE, "--set", "evaluations=2,3"], "--set evaluations takes one value"),
        ([*BASE, "--set", "minibatch_size=128,500"], "minibatch_size=500 does not divide"),
        ([*BASE, "--set", "gamma=2"], "gamma must lie in 0..1, got 2.0"),
        ([*BASE, "--jobs", "0"], "--jobs must be at least 1, got 0"),
        ([*BASE, "--executor", "slrum"], "'slrum' is none of local, ray, slurm"),
        ([*BASE, "--slurm-options=--time=1"], "--slurm-options is for --executor slurm, not local"),
        ([*BASE, "--gpus", "1"], "--gpus is for --executor ray, not local"),
        (
            [*BASE, "--executor", "slurm", "--slurm-options=time 1"],
            "options of sbatch are words such as --partition",
        ),
        (["sweep", "leo", "GC-Gridworld-v0", "--run-dir", "{run}"], "is a run itself"),
        (["sweep", "leo", "GC-Gridworld-v0", "--run-dir", "{parent}"], "was started with"),
    ],
    ids=lambda value: " ".join(value[3:]) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_line_before_anything_starts(argv, message, run_copy, tmp_path, capsys, no_commands):
    (tmp_path / "sweep").mkdir()
    run_copy.rename(tmp_path / "sweep" / "seed0")
    places = {"new": tmp_path / "new", "run": tmp_path / "sweep" / "seed0", "parent": tmp_path / "sweep"}
    before = contents(tmp_path)
    assert main([arg.format(**places) for arg in argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert contents(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep"]


def test_seeds():
    assert parse_seeds("0:3") == [0, 1, 2]
    assert parse_seeds("4") == [4]
    assert parse_seeds("5,2") == [5, 2]


def test_more_steps_lengthen_the_runs_of_a_sweep(finished_sweep, capsys):
    arguments = words(finished_sweep, "--seeds", "0", "--dry-run", width="16,32", total_steps=2560)
    assert main(arguments) == 0
    assert capsys.readouterr().out.count("--total-steps 2560") == 2


@pytest.mark.slow
def test_a_slurm_job_that_got_sigterm_goes_on_when_it_runs_again(tmp_path, capsys):
    options = "--partition=gpu --gres=gpu:1 --time=04:00:00"
    flags = ("--executor", "slurm", f"--slurm-options={options}", "--cpus", "3", "--seeds", "4,2")
    assert main(words(tmp_path / "a sweep", *flags, total_steps=LONG)) == 0
    script = tmp_path / "sweep.sh"
    script.write_text(capsys.readouterr().out)
    for line in (f"#SBATCH {options}", "#SBATCH --array=0-1%2", "#SBATCH --requeue", "#SBATCH --signal=B:TERM@120"):
        assert line in script.read_text().splitlines()
    run = tmp_path / "a sweep" / "seed2"
    job = {"env": os.environ | {"SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "3"}, "cwd": "/"}
    process = subprocess.Popen(["bash", str(script)], **job)
    while not list_checkpoints(run / "checkpoints"):
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait(60) == 143
    assert read_csv(run / "metrics.csv", ())["step"][-1] < LONG
    assert subprocess.run(["bash", str(script)], **job, check=False).returncode == 0
    log = (tmp_path / "a sweep" / ".logs" / "seed2.log").read_text()
    assert "stopped by SIGTERM at step" in log
    assert "going on from step" in log
    assert folders(tmp_path / "a sweep") == ["seed2"]


def test_progress_is_plain_lines_without_a_terminal(tmp_path):
    """Each run says when it starts, each quarter of its steps, and how it ends."""
    out = io.StringIO()
    progress = SweepProgress(Console(file=out, width=40))
    log, shares = tmp_path / "seed0.log", [0.0, 0.1, 0.6, 0.7, 1.0]
    run = SimpleNamespace(name="seed0", command=SimpleNamespace(log=log), share_done=lambda: shares.pop(0))
    with progress:
        progress.start([run])
        progress.tick()  # before it has begun
        log.touch()
        while shares:
            progress.looked = 0.0
            progress.tick()
        progress.finish(SweepResult("seed0", tmp_path, "finished", 0.5, log))
    assert out.getvalue().splitlines() == [
        "1 runs to train",
        "seed0: started",
        "seed0: 60%",
        "seed0: 100%",
        "seed0: finished, success 0.500  (1/1 ended)",
    ]


def test_progress_is_a_line_for_each_running_run_in_a_terminal(tmp_path):
    progress = SweepProgress(Console(file=io.StringIO(), force_terminal=True, width=100))
    log = tmp_path / "seed0.log"
    log.touch()
    run = SimpleNamespace(name="seed0", command=SimpleNamespace(log=log), share_done=lambda: 0.25)
    waiting = SimpleNamespace(name="seed1", command=SimpleNamespace(log=tmp_path / "seed1.log"))
    with progress:
        progress.start([run, waiting])
        progress.tick()
        assert [(task.description, task.fields["status"]) for task in progress.bar.tasks] == [
            ("all runs", "0/2 ended"),
            ("seed0", "25%"),
        ]
        progress.finish(SweepResult("seed0", tmp_path, "failed", None, log, "status 2"))
        assert [task.description for task in progress.bar.tasks] == ["all runs"]
    assert "seed0: failed, status 2" in progress.console.file.getvalue()


def test_the_function_returns_how_each_run_ended(tmp_path, monkeypatch):
    def run_others(commands, executor, **arguments):
        programs = {"seed0": "true", "seed1": "false"}
        others = [dataclasses.replace(command, argv=(programs[command.name],)) for command in commands]
        return run_commands(others, executor, **arguments)

    monkeypatch.setattr(sweep_module, "run_commands", run_others)
    results = sweep("leo", "GC-Gridworld-v0", seeds=[1, 0], run_dir=tmp_path, env_kwargs={"size": 5}, jobs=1)
    assert [(result.name, result.status, result.error) for result in results] == [
        ("seed1", "failed", "status 1"),
        ("seed0", "finished", ""),
    ]
