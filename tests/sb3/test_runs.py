"""Stable-Baselines3 agents through the command line: trained, killed, resumed, evaluated, refused."""

import csv
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from tiny_run import KILLED, contents, final_state, flip

from gc_envs.agents import load_agent
from gc_envs.cli import main
from gc_envs.sb3.algorithms import ALGORITHMS
from gc_envs.sb3.trainer import SB3Trainer
from gc_envs.training.checkpoint import RunError, list_checkpoints

SMALL = [
    "--learning-starts", "40", "--batch-size", "16", "--width", "16", "--depth", "1", "--evaluations", "2",
    "--threads", "1",  # so that runs that are compared compute alike
]  # fmt: skip
IDS = {
    "ddpg": ["GC-ContinuousSeek-v0", "--env-kwargs", "dim=2"],
    "td3": ["GC-ContinuousSeek-v0", "--env-kwargs", "dim=2"],
    "sac": ["GC-ContinuousSeek-v0", "--env-kwargs", "dim=2"],
    "tqc": ["GC-ContinuousSeek-v0", "--env-kwargs", "dim=2"],
    "dqn": ["GC-BitFlip-v0", "--env-kwargs", "bits=4"],
    "multi": ["GC-DriveSeek-v0", "--env-kwargs", "max_goals=5"],
}
AGENTS = ["her-ddpg", "reengage-ddpg", "her-td3", "reengage-sac", "reengage-dqn", "multi-reengage"]
OTHERS = ["reengage-td3", "her-tqc", "her-sac", "her-dqn"]  # the same classes in other combinations


def command(folder, agent, *flags, steps=120):
    base = "multi" if agent.startswith("multi") else agent.split("-")[1]
    sizes = ["--encoder-width", "8", "--embedding", "4"] if base == "multi" else []
    return ["train", agent, *IDS[base], "--total-steps", str(steps), *SMALL, *sizes, "--run-dir", str(folder), *flags]


def rows(folder, name):
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


def interrupted_at(first):
    """`SB3Trainer.advance`, followed by SIGTERM from step `first` on."""
    advance = SB3Trainer.advance

    def advance_and_interrupt(self, until):
        row = advance(self, until)
        if self.step >= first:
            os.kill(os.getpid(), signal.SIGTERM)
        return row

    return advance_and_interrupt


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run per agent, made when first asked for."""
    made = {}

    def run(agent):
        if agent not in made:
            made[agent] = tmp_path_factory.mktemp("runs") / agent
            assert main(command(made[agent], agent)) == 0
        return made[agent]

    return run


@pytest.mark.parametrize("agent", [*AGENTS, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_every_agent_trains_and_leaves_what_a_run_promises(finished, agent, capsys):
    folder = finished(agent)
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "metrics.csv", "evaluations.csv", "evaluation.json", "learning_curve.png", "agent.gif",
        "checkpoints", "monitor",
    }  # fmt: skip
    assert [row["step"] for row in rows(folder, "evaluations.csv")] == ["60", "120"]
    assert rows(folder, "metrics.csv")[-1]["step"] == "120"
    gradient = float(rows(folder, "metrics.csv")[-1]["gradient_loss"])
    assert np.isnan(gradient) == agent.startswith("her")
    assert (folder / "monitor" / "000000000.monitor.csv").read_text().count("\n") >= 5
    policy = load_agent(folder)
    space = policy.task.observation_space
    observation = {
        "observation": np.zeros((3, *space.shape), np.float32),
        "achieved_goal": np.zeros((3, *policy.task.goals.achieved_space.shape), np.float32),
        "desired_goal": np.zeros((3, *policy.task.goals.desired_space.shape), np.float32),
    }
    actions = policy.act(observation)
    assert actions.shape == (3, *policy.task.action_space.shape)
    assert policy.act({name: value[0] for name, value in observation.items()}) in policy.task.action_space
    assert main(["evaluate", str(folder), "--episodes", "4"]) == 0
    assert "success" in capsys.readouterr().out


def test_killed_in_mid_write_and_resumed_equals_an_uninterrupted_run_bitwise(tmp_path, finished):
    folder = tmp_path / "run"
    arguments = command(folder, "reengage-ddpg")
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert list_checkpoints(folder / "checkpoints")[-1].name == "step_000000036"
    assert main([*arguments, "--resume"]) == 0
    assert final_state(folder) == final_state(finished("reengage-ddpg"))
    assert rows(folder, "evaluations.csv") == rows(finished("reengage-ddpg"), "evaluations.csv")
    steps = [int(row["step"]) for row in rows(folder, "metrics.csv")]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("agent", ["her-td3", "reengage-sac", "reengage-dqn", "multi-reengage"])
def test_a_signal_saves_and_resuming_goes_on_bitwise(tmp_path, finished, monkeypatch, agent):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(SB3Trainer, "advance", interrupted_at(60))  # where an evaluation is due, after the checkpoint
        assert main(command(folder, agent)) == 143
    assert 60 <= int(list_checkpoints(folder / "checkpoints")[-1].name.removeprefix("step_")) < 120
    assert main(command(folder, agent, "--resume")) == 0
    assert final_state(folder) == final_state(finished(agent))
    assert rows(folder, "evaluations.csv") == rows(finished(agent), "evaluations.csv")
    assert main(command(folder, agent, "--resume")) == 0  # finished: nothing to do


def test_a_run_of_several_environments_resumes_bitwise(tmp_path, monkeypatch):
    flags = ("--num-envs", "3", "--train-every", "2", "--gradient-steps", "2", "--normalize", "--action-l2", "1")
    assert main(command(tmp_path / "whole", "her-ddpg", *flags)) == 0
    with monkeypatch.context() as patch:
        patch.setattr(SB3Trainer, "advance", interrupted_at(1))
        assert main(command(tmp_path / "run", "her-ddpg", *flags)) == 143
    assert main(command(tmp_path / "run", "her-ddpg", *flags, "--resume")) == 0
    assert final_state(tmp_path / "run") == final_state(tmp_path / "whole")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["her-sac", "GC-Gridworld-v0"], "needs Box actions, GridworldTask has Discrete(4); use leo, pqn, "),
        (["her-dqn", "GC-ContinuousSeek-v0"], "use her-ddpg, her-td3, her-sac, her-tqc, reengage-ddpg"),
        (["her-ddpg", "GC-DriveSeek-v0"], "use multi-reengage, or her_goals=0"),
        (["multi-reengage", "GC-ContinuousSeek-v0"], "needs goals that are sets of points"),
        (["reengage-ddpg", "GC-ContinuousSeek-v0", "--alpha", "-1"], "alpha must be at least 0, got -1.0"),
        (["her-ddpg", "GC-ContinuousSeek-v0", "--learning-starts", "5"], "at least 10 (horizon x num_envs)"),
        (["her-ddpg", "GC-ContinuousSeek-v0", "--batch-size", "0"], "batch_size must be at least 1, got 0"),
        (["her-td3", "GC-ContinuousSeek-v0", "--action-l2", "-1"], "action_l2 must be at least 0, got -1.0"),
        (["multi-reengage", "GC-DriveSeek-v0", "--normalize"], "normalize is for goals that are numbers"),
        (["leo", "GC-ContinuousSeek-v0"], "needs a finite goal set"),
        (["reengage-ddpg", "GC-ContinuousSeek-v0", "--preset", "paper", "--env-kwargs", "dim=7"],
         "it has one for GC-ContinuousSeek-v0 dim=5, GC-ContinuousSeek-v0 dim=10, GC-ContinuousSeek-v0 dim=20"),
        (["her-td3", "GC-ContinuousSeek-v0", "--preset", "paper"], "presets of her-td3: default"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_in_one_line_that_says_what_can(tmp_path, capsys, arguments, message):
    assert main(["train", *arguments, "--run-dir", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_another_agents_run_and_a_damaged_one_are_refused(tmp_path, finished):
    with pytest.raises(RunError, match="holds a her-ddpg agent, not her-td3"):
        ALGORITHMS["her-td3"].load(finished("her-ddpg"))
    copy = tmp_path / "copy"
    for name, data in contents(finished("her-ddpg")).items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(data)
    for path in list_checkpoints(copy / "checkpoints"):
        state = path / "state.safetensors"
        state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(RunError, match="is damaged"):
        load_agent(copy)


FLIPS = [("state.safetensors", 0.01), ("state.safetensors", 0.6), ("meta.json", 0.12), ("meta.json", 0.7)]


@pytest.mark.parametrize(("name", "place"), FLIPS)
def test_a_run_goes_back_to_the_checkpoint_before_a_damaged_one_and_ends_bitwise_the_same(
    tmp_path, finished, capsys, name, place
):
    folder = shutil.copytree(finished("reengage-ddpg"), tmp_path / "run")
    before, newest = list_checkpoints(folder / "checkpoints")
    flip(newest / name, place)
    assert main(command(folder, "reengage-ddpg", "--resume")) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if newest.name in line]
    assert line.endswith(f"; using {before.name}, the checkpoint of step {int(before.name.removeprefix('step_')):,}")
    assert final_state(folder) == final_state(finished("reengage-ddpg"))
    assert rows(folder, "evaluations.csv") == rows(finished("reengage-ddpg"), "evaluations.csv")
    steps = [int(row["step"]) for row in rows(folder, "metrics.csv")]
    assert steps == sorted(set(steps))
    assert steps[-1] == 120


@pytest.mark.parametrize(
    ("agent", "shorter", "flags"),
    [
        ("reengage-ddpg", 60, ()),  # ends with an episode, and then without
        ("her-td3", 66, ()),
        ("her-ddpg", 66, ("--num-envs", "3", "--train-every", "2")),
        ("her-ddpg", 60, ("--buffer-size", "80")),
    ],
)
def test_a_lengthened_run_is_bitwise_the_longer_run(tmp_path, capsys, agent, shorter, flags):
    for folder, steps in (("longer", 120), ("run", shorter)):
        assert main(command(tmp_path / folder, agent, *flags, steps=steps)) == 0
    capsys.readouterr()
    assert main(command(tmp_path / "run", agent, *flags, "--resume")) == 0
    assert f"from {shorter} to 120 steps, as if it had been started with" in " ".join(capsys.readouterr().err.split())
    assert final_state(tmp_path / "run") == final_state(tmp_path / "longer")


def test_a_lengthened_dqn_says_what_depends_on_the_length(tmp_path, capsys):
    assert main(command(tmp_path / "run", "her-dqn", steps=60)) == 0
    capsys.readouterr()
    assert main(command(tmp_path / "run", "her-dqn", "--resume")) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "from 60 to 120 steps; from here on with the probability of a random action of a run of 120 steps" in said
    assert rows(tmp_path / "run", "metrics.csv")[-1]["step"] == "120"


def test_a_number_of_steps_that_is_rounded_is_said(tmp_path, capsys):
    assert main(command(tmp_path / "run", "her-td3", "--num-envs", "3", steps=61)) == 0
    assert "total_steps=61 is rounded to 63, a whole number of rollouts" in " ".join(capsys.readouterr().err.split())
