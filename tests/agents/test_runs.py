"""Runs of every learner in JAX from the command line: resumed, loaded, evaluated, rendered, exported."""

import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from tiny_learners import NAMES
from tiny_run import KILLED, STEPS, command, contents, final_state, train

from gc_envs.agents import load_agent
from gc_envs.cli import main
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.training.checkpoint import list_checkpoints
from gc_envs.training.export import export_policy
from gc_envs.training.logger import read_csv
from gc_envs.training.run_dir import open_run

# The runs of LEO are tested everywhere else.
SLOW = tuple(name for name in NAMES if name not in ("leo", "dual-leo-ppo"))


@pytest.fixture(scope="module", params=["dual-leo-ppo", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def run(request, tmp_path_factory):
    """The folder of a finished run, to be read only."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    assert train(folder, agent=request.param) == 0
    return folder


def test_goes_on_exactly_from_an_earlier_checkpoint(run, tmp_path):
    """As a run that was stopped: the newest checkpoint and what came after it are gone."""
    copy = shutil.copytree(run, tmp_path / "copy")
    saved = list_checkpoints(copy / "checkpoints")
    assert [path.name for path in saved] == ["step_000001216", f"step_{STEPS:09d}"]
    shutil.rmtree(saved[-1])
    assert train(copy, "--resume", agent=open_run(run).agent) == 0
    assert final_state(copy) == final_state(run)
    assert contents(copy)["evaluation.json"] == contents(run)["evaluation.json"]


def test_reports_and_evaluates_while_it_trains(run):
    metrics = read_csv(run / "metrics.csv", ("step", "running_success"))
    assert all(np.isfinite(column).all() for column in metrics.values())
    assert read_csv(run / "evaluations.csv", ("step",))["step"] == [STEPS // 2, STEPS]


def test_an_exported_run_acts_evaluates_and_renders_as_the_run_does(run, tmp_path, grid_task):
    exported = export_policy(run, tmp_path / "exported")
    before, after = load_agent(run), load_agent(exported)
    goals = grid_task.goals.num_goals
    observation, _ = GoalVectorEnv(grid_task, goals).reset(seed=0, options={"goals": np.arange(goals)})
    for cell in grid_task.cells.astype(np.float32):
        observation["observation"] = np.broadcast_to(cell, (goals, 2))
        np.testing.assert_array_equal(before.act(observation), after.act(observation))
    for path, name in ((run, "run"), (exported, "exported")):
        assert main(["evaluate", str(path), "--json", str(tmp_path / f"{name}.json")]) == 0
    files = contents(tmp_path)
    assert files["run.json"] == files["exported.json"]
    assert main(["render", str(exported), "--max-steps", "3", "--out", str(tmp_path / "agent.gif")]) == 0
    assert len(files["exported/checkpoints/" + f"step_{STEPS:09d}" + "/state.safetensors"]) < len(final_state(run))


@pytest.mark.slow
def test_killed_in_mid_write_and_resumed_equals_an_uninterrupted_run_bitwise(run, tmp_path):
    arguments = command(tmp_path / "run", agent=open_run(run).agent)
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert train(tmp_path / "run", "--resume", agent=open_run(run).agent) == 0
    assert final_state(tmp_path / "run") == final_state(run)
