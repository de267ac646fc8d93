"""TensorBoard and Weights & Biases get what the CSV files get."""

import csv
import importlib.util
import os
import signal
import sys
from types import SimpleNamespace

import pytest
from tiny_run import train

from gc_envs.training import loop


class FakeWandB(SimpleNamespace):
    """What `gc_envs` uses of the package `wandb`, with everything that it was sent."""

    def __init__(self, refuses=None):
        super().__init__(Error=type("Error", (Exception,), {}), Settings=dict, inits=[], logged=[], codes=[])
        self.Image = self.Video = lambda path, **kwargs: path
        self.refuses, self.sent = refuses, []  # by run

    def init(self, **kwargs):
        if self.refuses:
            raise self.Error(self.refuses)
        self.inits.append(kwargs)
        sent = []
        self.sent.append(sent)

        def log(values, step=None):
            self.logged.append((step, values))
            sent.append(values)

        return SimpleNamespace(log=log, finish=lambda exit_code: self.codes.append(exit_code))


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", FakeWandB())
    for name in ("WANDB_PROJECT", "WANDB_NAME"):
        monkeypatch.delenv(name, raising=False)
    return sys.modules["wandb"]


def rows(path):
    with path.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def interrupt_at(step):
    update = loop.Progress.update

    def update_and_interrupt(self, at, row):
        update(self, at, row)
        if at >= step:
            os.kill(os.getpid(), signal.SIGTERM)

    return update_and_interrupt


def test_wandb_gets_every_scalar_and_the_figures_and_a_resumed_run_is_the_same_run(tmp_path, fake, monkeypatch):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(loop.Progress, "update", interrupt_at(300))
        assert train(folder, "--wandb") == 143
    assert train(folder, "--wandb", "--wandb-project", "grids", "--wandb-name", "first", "--resume") == 0
    first, second = fake.inits
    assert (first["project"], first["name"], first["resume"]) == ("gc-envs", "run", "allow")
    assert (second["project"], second["name"]) == ("grids", "first")
    assert first["id"] == second["id"] == (folder / "wandb_id").read_text().strip()
    assert first["dir"] == str(folder)
    assert first["config"]["agent"] == "leo"
    assert (first["config"]["env_kwargs"], first["config"]["width"]) == ({"size": 5}, 16)
    assert fake.codes == [1, 0]
    *scalars, (step, figures) = fake.logged
    assert step is None
    assert figures == {name: str(folder / file) for name, file in (
        ("learning_curve", "learning_curve.png"), ("agent", "agent.gif"),
    )}  # fmt: skip
    for prefix, name in (("train/", "metrics.csv"), ("evaluation/", "evaluations.csv")):
        sent = [
            {"step": step} | {key.removeprefix(prefix): value for key, value in values.items()}
            for step, values in scalars if next(iter(values)).startswith(prefix)
        ]  # fmt: skip
        assert sent == rows(folder / name)


def test_several_seeds_are_as_many_runs(tmp_path, fake):
    folder = tmp_path / "both"
    assert train(folder, "--wandb", "--seeds", "2", total_steps=64) == 0
    assert train(folder, "--wandb", "--wandb-name", "first", "--seeds", "3", "--resume", total_steps=64) == 0
    assert [init["name"] for init in fake.inits] == ["both-seed-0", "both-seed-1", "first-seed-2"]
    assert [init["config"]["seed"] for init in fake.inits] == [0, 1, 2]
    assert {init["reinit"] for init in fake.inits} == {"create_new"}, "or W&B would take them for one"
    assert len({init["id"] for init in fake.inits}) == 3
    assert fake.codes == [0, 0, 0]
    for seed, sent in enumerate(fake.sent):
        success = [values["train/running_success"] for values in sent if "train/running_success" in values]
        assert success == [row["running_success"] for row in rows(folder / f"seed-{seed}" / "metrics.csv")]
        assert sent[-1] == {
            "learning_curve": str(folder / f"seed-{seed}" / "learning_curve.png"),
            "agent": str(folder / f"seed-{seed}" / "agent.gif"),
        }  # fmt: skip


def test_project_and_name_may_come_from_the_environment(tmp_path, fake, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    monkeypatch.setenv("WANDB_NAME", "seventh")
    assert train(tmp_path / "run", "--wandb", total_steps=64) == 0
    assert (fake.inits[0]["project"], fake.inits[0]["name"]) == ("theirs", "seventh")


@pytest.mark.parametrize(("flag", "module"), [("--wandb", "wandb"), ("--tensorboard", "tensorboardX")])
def test_a_missing_package_is_one_line_with_the_pip_command(tmp_path, monkeypatch, capsys, flag, module):
    monkeypatch.setitem(sys.modules, module, None)
    assert train(tmp_path / "run", flag) == 2
    extra = flag.removeprefix("--")
    assert capsys.readouterr().err == f'error: {flag} needs: pip install "gc_envs[{extra}]"\n'
    assert not (tmp_path / "run").exists()


def test_a_refusal_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", FakeWandB(refuses="api_key not configured\n  call wandb.login()"))
    assert train(tmp_path / "run", "--wandb") == 2
    assert capsys.readouterr().err == "error: --wandb: api_key not configured (WANDB_MODE=offline needs no login)\n"


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="needs the extra wandb")
def test_the_package_itself_works_offline_and_continues_its_run(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(loop.Progress, "update", interrupt_at(300))
        assert train(folder, "--wandb") == 143
    assert train(folder, "--wandb", "--resume") == 0
    known = (folder / "wandb_id").read_text().strip()
    written = sorted((folder / "wandb").glob("offline-run-*"))
    assert [path.name.split("-")[-1] for path in written] == [known, known]
    assert all(next(path.glob("*.wandb")).stat().st_size > 1000 for path in written)
    media = {path.suffix for path in (written[-1] / "files" / "media").rglob("*") if path.is_file()}
    assert media == {".png", ".gif"}


def test_tensorboard_writes_events_beside_the_csv(tmp_path):
    pytest.importorskip("tensorboardX")
    assert train(tmp_path / "run", "--tensorboard", total_steps=64) == 0
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
