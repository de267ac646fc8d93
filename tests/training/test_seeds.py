"""Several seeds in one program: run folders that equal those of single runs, stopped and resumed in all ways."""

import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from tiny_run import KILLED, command, contents, final_state, train

from gc_envs.agents import load_agent
from gc_envs.agents.jax_trainer import JaxTrainer
from gc_envs.agents.leo import LEOConfig
from gc_envs.cli import main
from gc_envs.training import loop
from gc_envs.training.checkpoint import list_checkpoints
from gc_envs.training.train import train_runs

TWO = ("--seeds", "2")
NAMES = ("seed-0", "seed-1")


@pytest.fixture(scope="session")
def alone(finished_run, tmp_path_factory):
    """Finished single runs with seeds 0 and 1, to be read only."""
    other = tmp_path_factory.mktemp("runs") / "seed-1"
    assert train(other, "--seed", "1") == 0
    return {"seed-0": finished_run, "seed-1": other}


@pytest.fixture(scope="session")
def together(tmp_path_factory):
    """The folder of the same two, trained together, to be read only."""
    folder = tmp_path_factory.mktemp("runs") / "both"
    assert train(folder, *TWO) == 0
    return folder


@pytest.fixture
def both(together, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(together, tmp_path / "both")


def steps(path):
    return [line.split(",")[0] for line in path.read_text().splitlines()]


def assert_like_alone(folder, alone):
    """Every run in `folder` is bitwise the single run with its seed."""
    for name, single in alone.items():
        run = folder / name
        assert final_state(run) == final_state(single), name
        for file in ("evaluations.csv", "evaluation.json"):
            assert (run / file).read_bytes() == (single / file).read_bytes(), (name, file)
        assert steps(run / "metrics.csv")[-1] == "1280"
        assert len(set(steps(run / "metrics.csv"))) == len(steps(run / "metrics.csv"))


def test_each_run_is_bitwise_the_single_run_with_its_seed(together, alone):
    assert sorted(path.name for path in together.iterdir()) == list(NAMES)
    assert_like_alone(together, alone)
    for name, single in alone.items():
        assert {path.name for path in (together / name).iterdir()} == {path.name for path in single.iterdir()}
        for file in ("config.json", "agent.gif"):
            assert (together / name / file).read_bytes() == (single / file).read_bytes(), (name, file)
    assert final_state(together / "seed-0") != final_state(together / "seed-1")


def test_each_run_is_an_ordinary_one(both, capsys):
    run = both / "seed-1"
    assert load_agent(run).run.config["seed"] == 1
    assert main(["evaluate", str(run)]) == 0
    assert main(["plot", *(str(both / name) for name in NAMES), "--out", str(both / "plot.png")]) == 0
    before = contents(run)
    assert train(run, "--seed", "1", "--resume") == 0
    assert "is finished" in " ".join(capsys.readouterr().err.split())
    assert contents(run) == before


def test_killed_between_two_checkpoints_of_a_step_and_resumed_equals_single_runs(tmp_path, alone, capsys):
    folder = tmp_path / "both"
    program = KILLED.replace("len(calls) == 7", "len(calls) == 8")  # the fourth of the second run
    killed = subprocess.run([sys.executable, "-c", program, *command(folder, *TWO)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    newest = [list_checkpoints(folder / name / "checkpoints")[-1].name for name in NAMES]
    assert newest == ["step_000000256", "step_000000192"]
    assert train(folder, *TWO, "--resume") == 0
    said = (
        "going back to the checkpoints of step 192, the newest that all of these 2 runs have, from seed-0 of step 256"
    )
    assert said in capsys.readouterr().err
    assert_like_alone(folder, alone)


def test_a_signal_saves_all_runs_and_each_goes_on_alone(tmp_path, alone, monkeypatch):
    folder, update = tmp_path / "both", loop.Progress.update

    def interrupt(self, step, row):
        update(self, step, row)
        if step >= 300:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Progress, "update", interrupt)
        assert train(folder, *TWO) == 143
    newest = {list_checkpoints(folder / name / "checkpoints")[-1].name for name in NAMES}
    assert len(newest) == 1
    assert train(folder / "seed-1", "--seed", "1", "--resume") == 0
    assert train(folder, *TWO, "--resume") == 0
    assert_like_alone(folder, alone)


def test_resuming_makes_the_seeds_that_are_missing_and_leaves_finished_ones_as_they_are(both, alone, capsys):
    before = contents(both / "seed-1")
    shutil.rmtree(both / "seed-0")
    assert train(both, *TWO, "--resume") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"{both}/seed-1 is finished" in said
    assert contents(both / "seed-1") == before
    assert_like_alone(both, alone)


def test_a_run_that_diverges_loses_nothing_of_the_others(tmp_path, alone, monkeypatch, capsys):
    advance = JaxTrainer.advance

    def diverging(self, until):
        rows = advance(self, until)
        return [row | {"loss": np.nan} if i == 1 and self.step > 300 else row for i, row in enumerate(rows)]

    folder = tmp_path / "both"
    with monkeypatch.context() as patch:
        patch.setattr(JaxTrainer, "advance", diverging)
        assert train(folder, *TWO) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {folder}/seed-1: loss is nan at step")
    assert not (folder / "seed-1" / "evaluation.json").exists()
    assert_like_alone(folder, {"seed-0": alone["seed-0"]})
    assert train(folder, *TWO, "--resume") == 0  # this time it does not
    assert_like_alone(folder, alone)


def test_nothing_is_written_where_one_of_the_folders_does_not_fit(both, capsys):
    shutil.rmtree(both / "seed-0")
    before = contents(both)
    assert train(both, *TWO) == 2
    assert "seed-1 already exists; pass --resume" in capsys.readouterr().err
    assert train(both, *TWO, "--resume", width=32) == 2
    assert "seed-1 was started with width=16, not 32" in capsys.readouterr().err
    assert train(both / "seed-1", *TWO, "--resume") == 2
    assert "seed-1 is a run itself; name a folder for the run folders" in capsys.readouterr().err
    assert contents(both) == before
    assert not (both / "seed-0").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["leo", "GC-Gridworld-v0", "--seeds", "0"], "seeds must be at least 1, got 0"),
        (["leo", "GC-Gridworld-v0", "--seeds", "2", "--seed", str(2**63 - 1)], f"seed must lie in 0..{2**63 - 1}, got"),
        (["leo", "GC-Gridworld-v0", "--seeds", "2", "--resume"], "--resume needs --run-dir"),
    ],
)
def test_wrong_seeds_are_one_line(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *flags]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_agents_that_train_one_seed_at_a_time_name_the_sweep(tmp_path, capsys):
    pytest.importorskip("stable_baselines3")
    flags = ["--seeds", "4", "--seed", "2", "--run-dir", str(tmp_path / "runs")]
    assert main(["train", "her-ddpg", "GC-ContinuousSeek-v0", *flags]) == 2
    line = "her-ddpg trains one seed at a time; `gc-envs sweep her-ddpg GC-ContinuousSeek-v0 --seeds 2:6` trains many"
    assert line in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_from_python_it_returns_the_agents(both):
    config = LEOConfig(
        total_steps=1280,
        num_envs=4,
        rollout_steps=8,
        minibatch_size=16,
        learning_rate=3e-3,
        gamma=0.9,
        width=16,
        depth=1,
    )
    agents = train_runs(
        "leo", "GC-Gridworld-v0", config, seeds=2, env_kwargs={"size": 5}, run_dir=both, resume=True
    )  # fmt: skip
    assert [agent.run.folder.name for agent in agents] == list(NAMES)
