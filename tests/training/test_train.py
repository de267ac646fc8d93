"""Training runs: killed, stopped, resumed, refused; and what they leave in their folder."""

import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from tiny_run import KILLED, command, contents, final_state, flip, train

from gc_envs.agents import jax_trainer
from gc_envs.cli import main
from gc_envs.training import loop, options
from gc_envs.training.checkpoint import RunError, list_checkpoints
from gc_envs.training.logger import RunLogger, _truncate, read_csv
from gc_envs.training.run_dir import RunDir

STEPS = 1280


def rows(folder, name):
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


def assert_whole(folder, finished_run):
    """`folder` ended as the uninterrupted run did: bitwise, with no row twice and nothing left over."""
    assert final_state(folder) == final_state(finished_run)
    for name in ("metrics.csv", "evaluations.csv"):
        steps = [int(row["step"]) for row in rows(folder, name)]
        assert steps == sorted(set(steps)), name
        assert steps[-1] == STEPS
    assert rows(folder, "evaluations.csv") == rows(finished_run, "evaluations.csv")
    assert [path.name for path in (folder / "checkpoints").iterdir() if path.name.startswith(".")] == []
    for name in ("evaluation.json", "learning_curve.png", "agent.gif"):
        assert (folder / name).exists(), name
    assert contents(folder)["evaluation.json"] == contents(finished_run)["evaluation.json"]


def test_a_run_leaves_what_it_promises(finished_run):
    assert {path.name for path in finished_run.iterdir()} == {
        "config.json", "metrics.csv", "evaluations.csv", "evaluation.json", "learning_curve.png", "agent.gif",
        "checkpoints",
    }  # fmt: skip
    assert [path.name for path in list_checkpoints(finished_run / "checkpoints")] == [
        "step_000001216", "step_000001280"
    ]  # fmt: skip
    assert [int(row["step"]) for row in rows(finished_run, "evaluations.csv")] == [640, 1280]
    for row in rows(finished_run, "metrics.csv"):
        assert np.isfinite([float(value) for value in row.values()]).all()
        assert 0 <= float(row["running_success"]) <= 1
        assert 0 < int(row["goals_seen"]) <= int(row["goals"])
    config = json.loads((finished_run / "config.json").read_text())
    assert config["env_kwargs"] == {"size": 5}
    assert config["config"]["total_steps"] == STEPS
    assert {"gc_envs", "jax", "numpy"} <= set(config["versions"])
    assert (finished_run / "agent.gif").read_bytes()[:4] == b"GIF8"
    assert (finished_run / "learning_curve.png").read_bytes()[1:4] == b"PNG"


@pytest.fixture
def saves(monkeypatch):
    """The steps at which checkpoints are written."""
    steps, save = [], loop.save_checkpoint

    def record(folder, step, tree):
        steps.append(step)
        return save(folder, step, tree)

    monkeypatch.setattr(loop, "save_checkpoint", record)
    return steps


def test_the_same_command_gives_the_same_run_and_twenty_checkpoints(tmp_path, finished_run, saves):
    assert train(tmp_path / "run") == 0
    assert len(saves) >= 20
    assert saves == sorted(set(saves))
    assert_whole(tmp_path / "run", finished_run)


def test_a_checkpoint_is_written_when_the_time_is_up(tmp_path, finished_run, saves, monkeypatch):
    monkeypatch.setattr(options, "CHECKPOINTS", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "SAVING_SHARE", np.inf)
    monkeypatch.setattr(jax_trainer, "CHUNK_SECONDS", 0.0)  # a turn of the host after every update
    assert train(tmp_path / "run") == 0
    assert saves == list(range(32, STEPS + 1, 32))
    assert_whole(tmp_path / "run", finished_run)


def test_killed_in_mid_write_and_resumed_equals_an_uninterrupted_run_bitwise(tmp_path, finished_run):
    folder = tmp_path / "run"
    killed = subprocess.run([sys.executable, "-c", KILLED, *command(folder)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    saved = list_checkpoints(folder / "checkpoints")
    assert saved[-1].name == "step_000000384"
    assert any(path.name.startswith(".partial") for path in (folder / "checkpoints").iterdir())
    assert int(rows(folder, "metrics.csv")[-1]["step"]) > 384
    assert train(folder, "--resume") == 0
    assert_whole(folder, finished_run)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_leaves_cleanly(tmp_path, finished_run, monkeypatch, capsys, signum, code):
    update = loop.Progress.update

    def interrupt(self, step, row):
        update(self, step, row)
        if step >= 300:
            os.kill(os.getpid(), signum)

    handler = signal.getsignal(signum)
    with monkeypatch.context() as patch:
        patch.setattr(loop.Progress, "update", interrupt)
        assert train(tmp_path / "run") == code
    assert signal.getsignal(signum) is handler
    assert f"stopped by {signal.Signals(signum).name} at step" in capsys.readouterr().err
    step = int(rows(tmp_path / "run", "metrics.csv")[-1]["step"])
    assert list_checkpoints(tmp_path / "run" / "checkpoints")[-1].name == f"step_{step:09d}"
    assert 300 <= step < STEPS
    assert train(tmp_path / "run", "--resume") == 0
    assert_whole(tmp_path / "run", finished_run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "started with seed=0, not 1"),
        ({"width": 32}, "started with width=16, not 32"),
        ({"total_steps": 640}, "started with total_steps=1280, not 640; --resume takes the same flags, of which only"),
        ({"env_kwargs": "size=6"}, "started with size=5, not 6"),
        ({"learning_rate": 1e-3}, "started with learning_rate="),
    ],
)
def test_resuming_with_another_setting_is_refused_by_name(run_copy, capsys, changes, message):
    before = contents(run_copy)
    assert train(run_copy, "--resume", **changes) == 2
    assert message in capsys.readouterr().err
    assert contents(run_copy) == before


def test_resuming_without_total_steps_does_not_lengthen_a_run_to_the_default(run_copy, capsys):
    words = command(run_copy, "--resume")
    at = words.index("--total-steps")
    assert main(words[:at] + words[at + 2 :]) == 2
    assert "started with total_steps=1280, not 500000" in capsys.readouterr().err


CONSTANT = ("--no-anneal-learning-rate", "--epsilon-start", "0.1", "--epsilon-end", "0.1")


def test_a_lengthened_run_without_schedules_is_bitwise_the_longer_run(tmp_path, capsys):
    longer, run = tmp_path / "longer", tmp_path / "run"
    assert train(longer, *CONSTANT) == 0
    assert train(run, *CONSTANT, total_steps=640) == 0
    versions = json.loads((run / "config.json").read_text())["versions"]
    capsys.readouterr()
    assert train(run, *CONSTANT, "--resume") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "lengthened from 640 to 1,280 steps, as if it had been started with that number" in said
    assert final_state(run) == final_state(longer)
    config = json.loads((run / "config.json").read_text())
    assert config["config"] == json.loads((longer / "config.json").read_text())["config"]
    assert config["versions"] == versions
    assert [row["step"] for row in rows(run, "evaluations.csv")] == ["320", "640", "1280"]
    assert contents(run)["evaluation.json"] == contents(longer)["evaluation.json"]


def test_lengthening_says_which_schedules_change_and_deletes_earlier_results(run_copy, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr("gc_envs.training.train.train", lambda *args: pytest.fail("stopped"))
        with pytest.raises(pytest.fail.Exception):
            train(run_copy, "--resume", total_steps=2560)
    said = " ".join(capsys.readouterr().err.split())
    assert "lengthened from 1,280 to 2,560 steps; from here on with the learning rate and the share of" in said
    assert "random actions of a run of 2,560 steps, until here with what belongs to 1,280" in said
    assert not (run_copy / "evaluation.json").exists()
    assert train(run_copy, "--resume", total_steps=2560) == 0
    assert rows(run_copy, "metrics.csv")[-1]["step"] == rows(run_copy, "evaluations.csv")[-1]["step"] == "2560"
    assert {"evaluation.json", "agent.gif", "learning_curve.png"} <= set(contents(run_copy))


def test_a_number_of_steps_that_is_rounded_is_said(tmp_path, capsys):
    assert train(tmp_path / "run", total_steps=70) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "total_steps=70 is rounded to 64, a whole number of rollouts" in said
    assert said.index("compiling ...") < said.index("(first figures after")
    assert train(tmp_path / "other", total_steps=64) == 0
    assert "rounded" not in capsys.readouterr().err


def test_a_folder_that_holds_a_run_is_not_overwritten(run_copy, tmp_path, capsys):
    before = contents(run_copy)
    assert train(run_copy) == 2
    assert "already exists; pass --resume" in capsys.readouterr().err
    assert contents(run_copy) == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    for flags in ((), ("--resume",)):
        assert train(other, *flags) == 2
        assert contents(other) == {"thesis.tex": b"years of work"}


def test_resuming_a_finished_run_changes_nothing(run_copy, capsys):
    before = contents(run_copy)
    assert train(run_copy, "--resume") == 0
    assert "is finished" in capsys.readouterr().err
    assert contents(run_copy) == before


@pytest.mark.parametrize("start", ["no folder", "empty folder", "no checkpoint"])
def test_resuming_what_has_no_checkpoint_starts_at_the_beginning(tmp_path, run_copy, finished_run, start):
    folder = tmp_path / "run"
    if start != "no folder":
        folder.mkdir()
    if start == "no checkpoint":
        (folder / "config.json").write_bytes((run_copy / "config.json").read_bytes())
        (folder / "metrics.csv").write_bytes((run_copy / "metrics.csv").read_bytes())
    assert train(folder, "--resume") == 0
    assert_whole(folder, finished_run)


def test_a_run_killed_after_its_last_update_is_evaluated_on_resume(run_copy, finished_run):
    for name in ("evaluation.json", "agent.gif", "learning_curve.png"):
        (run_copy / name).unlink()
    assert train(run_copy, "--resume") == 0
    assert_whole(run_copy, finished_run)


@pytest.mark.parametrize("damaged", ["state.safetensors", "config.json"])
def test_a_damaged_run_is_not_resumed(run_copy, capsys, damaged):
    checkpoints = list_checkpoints(run_copy / "checkpoints")
    paths = [run_copy / damaged] if damaged == "config.json" else [path / damaged for path in checkpoints]
    for path in paths:
        path.write_bytes(path.read_bytes()[:20])
    before = contents(run_copy)
    assert train(run_copy, "--resume", total_steps=1280) == 2
    error = capsys.readouterr().err
    assert "is damaged" in error
    assert "Traceback" not in error
    assert contents(run_copy) == before


# The length of the header of state.safetensors, its header and its arrays; the format and the checksum in meta.json.
# That no bit of either file can change unnoticed is tested in test_checkpoint.py.
FLIPS = [("state.safetensors", 0.0), ("state.safetensors", 0.01), ("state.safetensors", 0.8)]
FLIPS += [("meta.json", 0.12), ("meta.json", 0.5)]


@pytest.mark.parametrize(("name", "place"), FLIPS)
def test_a_run_goes_back_to_the_checkpoint_before_a_damaged_one_and_ends_bitwise_the_same(
    run_copy, finished_run, capsys, name, place
):
    before, newest = list_checkpoints(run_copy / "checkpoints")
    flip(newest / name, place)
    assert train(run_copy, "--resume") == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if newest.name in line]
    assert line.startswith(str(newest))
    assert line.endswith("; using step_000001216, the checkpoint of step 1,216")
    assert_whole(run_copy, finished_run)
    assert [path.name for path in list_checkpoints(run_copy / "checkpoints")] == [before.name, newest.name]


def test_what_a_damaged_checkpoint_is_resumed_from_is_what_an_undamaged_run_is(run_copy, finished_run, tmp_path):
    undamaged = shutil.copytree(run_copy, tmp_path / "undamaged")
    shutil.rmtree(list_checkpoints(undamaged / "checkpoints")[-1])
    flip(list_checkpoints(run_copy / "checkpoints")[-1] / "state.safetensors", 0.6)
    for folder in (run_copy, undamaged):
        assert train(folder, "--resume") == 0
    assert final_state(run_copy) == final_state(undamaged)
    steps = [[row["step"] for row in rows(folder, "metrics.csv")] for folder in (run_copy, undamaged)]
    assert steps[0][-1] == steps[1][-1] == str(STEPS)


def test_resume_needs_to_know_which_run(capsys):
    from gc_envs.cli import main

    assert main(["train", "leo", "GC-Gridworld-v0", "--resume"]) == 2
    assert "--run-dir" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("step,x\n1,1\n2,2\n3,3\n", "step,x\n1,1\n2,2\n"),
        ("step,x\n1,1\n2,", "step,x\n1,1\n"),
        ("step,x\n1,1\n2", "step,x\n1,1\n"),
        ("step,x\n", "step,x\n"),
        ("step,", None),
        ("", None),
    ],
)
def test_rows_that_a_kill_cut_off_or_a_resume_repeats_are_dropped(tmp_path, text, kept):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    _truncate(path, 2)
    assert (path.read_text() if path.exists() else None) == kept


def damage_line(path, number, text):
    lines = path.read_text().splitlines()
    lines[number] = text
    path.write_text("\n".join(lines) + "\n")


LOGS = ("metrics.csv", "evaluations.csv")


@pytest.mark.parametrize(
    ("number", "text", "said"),
    [
        (0, "stfp,running_success", "its first column is not step but 'stfp'"),
        (0, None, "its columns are not step,"),
        (1, "x1,\ufffd\x00", "line 2 is not "),
    ],
)
def test_a_damaged_log_is_kept_aside_and_the_run_goes_on(run_copy, finished_run, capsys, number, text, said):
    shutil.rmtree(list_checkpoints(run_copy / "checkpoints")[-1])
    damaged = {}
    for path in map(run_copy.joinpath, LOGS):
        header = path.read_text().splitlines()[0]
        damage_line(path, number, header.replace("success", "succfss") if text is None else text)
        damaged[path] = path.read_bytes()
    assert train(run_copy, "--resume") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if " is damaged: " in line]
    assert len(lines) == 2
    for line, path in zip(lines, damaged):
        assert line.startswith(f"{path} is damaged: {said}")
        assert line.endswith(f"kept as {path.name}.damaged, and a new one has its whole rows")
        aside = path.with_name(f"{path.name}.damaged").read_bytes()
        assert aside == damaged[path] or text is None  # then noticed once rows after the checkpoint have been dropped
        kept = rows(run_copy, path.name)
        assert list(kept[0]) == list(rows(finished_run, path.name)[0])
        assert kept[-1]["step"] == str(STEPS)
    assert final_state(run_copy) == final_state(finished_run)
    assert (run_copy / "learning_curve.png").exists()


def test_a_damaged_log_of_a_finished_run_is_named_and_everything_else_is_made(run_copy, capsys):
    (run_copy / "agent.gif").unlink()
    damage_line(run_copy / "metrics.csv", 0, "step,steps_per_s")
    assert train(run_copy, "--resume") == 0
    error = capsys.readouterr().err
    assert f"no learning curve: {run_copy / 'metrics.csv'} is damaged" in error.replace("\n", " ").replace("  ", " ")
    assert (run_copy / "agent.gif").exists()


def test_no_flipped_bit_in_a_log_stops_a_run(tmp_path, capsys):
    path = tmp_path / "metrics.csv"
    text = b"step,running_success\r\n10,0.5\r\n20,nan\r\n"
    for place in range(len(text)):
        for bit in range(8):
            path.write_bytes(text[:place] + bytes([text[place] ^ 1 << bit]) + text[place + 1 :])
            with contextlib.suppress(RunError):
                read_csv(path, ("step", "running_success"))
            logger = RunLogger(RunDir(tmp_path, "", "", {}, {}), 20)
            logger.metrics({"step": 30, "running_success": 0.7})
            columns = read_csv(path, ("step", "running_success"))
            assert (columns["step"][-1], columns["running_success"][-1]) == (30, 0.7)
            for aside in tmp_path.glob("*.damaged*"):
                aside.unlink()
