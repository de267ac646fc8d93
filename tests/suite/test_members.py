"""What names policies: functions, run folders, pretrained agents and their tasks."""

import dataclasses
import json
import shlex
import shutil

import numpy as np
import pytest

from gc_envs.agents.random import make_policy
from gc_envs.cli import main
from gc_envs.suite.member_paths import paths_by_task
from gc_envs.suite.members import (
    PolicySource,
    import_policy,
    members_of_function,
    train_command,
    training_of,
)
from gc_envs.suite.suites import suite_entries
from gc_envs.training.run_dir import PRETRAINED, open_run

ENTRIES = suite_entries("standard-v0")
(GRID,) = suite_entries("quick-v0", ["Gridworld"])


class Chooser:
    """A policy that asks for arguments of the environment."""

    def __init__(self, **env_kwargs):
        self.env_kwargs = env_kwargs

    def act(self, observation):
        return np.zeros(len(observation["observation"]), int)


def test_a_function_is_given_the_spaces_of_one_environment():
    given = []

    def make_policy(env_spec, observation_space, action_space):
        given.append((env_spec.id, env_spec.kwargs["horizon"], observation_space["observation"].shape, action_space.n))
        return Chooser()

    (member,) = members_of_function(make_policy, GRID, "mine:make_policy")
    assert given == [("GC-Gridworld-v0", 200, (2,), 4)]
    assert (member.name, member.env_kwargs, member.training) == ("mine:make_policy", {}, None)
    assert members_of_function(lambda *_: None, GRID, "mine:none") == []


def test_a_policy_chooses_how_it_sees_but_not_what_it_does():
    (member,) = members_of_function(lambda *_: Chooser(observation="compact"), GRID, "mine:f")
    assert member.env_kwargs == {"observation": "compact"}
    with pytest.raises(ValueError, match=r"\{'size': 5\} .* change the task; a policy may choose only: observation"):
        members_of_function(lambda *_: Chooser(size=5), GRID, "mine:f")


def test_random_actions_are_the_same_in_every_process():
    def actions():
        policy = members_of_function(make_policy, GRID, "random")[0].policy
        return [policy({"desired_goal": np.zeros((6, 107))}).tolist() for _ in range(3)]

    first = actions()
    assert first == actions()
    assert len({tuple(row) for row in first}) == 3


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("mine", "a policy is written MODULE:FUNCTION"),
        ("gc_envs.suite.members:", "a policy is written MODULE:FUNCTION"),
        ("gc_envs.agents.random:rndom", "has no 'rndom'; what can be called there: make_policy"),
    ],
)
def test_a_name_that_is_no_function_is_refused(name, error):
    with pytest.raises(ValueError, match=error):
        import_policy(name)


def test_runs_are_members_of_the_task_that_they_were_trained_on(tmp_path):
    """Two runs of a task, one by the name of a pretrained agent; the horizon in training does not matter."""
    copy = shutil.copytree(PRETRAINED / "leo-gridworld", tmp_path / "lr=1e-3")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"env_kwargs": {"horizon": 77}}))
    found = paths_by_task(["leo-gridworld", "BitFlip-20=her-bitflip20", str(copy)], ENTRIES)
    assert found == {"Gridworld": ["leo-gridworld", str(copy)], "BitFlip-20": ["her-bitflip20"]}
    members = PolicySource(paths=found).members(GRID)
    assert [member.name for member in members] == ["leo-gridworld", "lr=1e-3"]
    assert members[0].training == dataclasses.replace(members[1].training, command=members[0].training.command)
    assert PolicySource(paths=found).members(suite_entries("quick", ["DriveSeek"])[0]) == []


def test_a_run_of_another_environment_is_refused(finished_run):
    with pytest.raises(ValueError, match=rf"{finished_run} is for no task of this suite: it wants observations Dict\("):
        paths_by_task([str(finished_run)], ENTRIES)
    with pytest.raises(ValueError, match=rf"{finished_run} cannot be evaluated on Gridworld: it wants observations"):
        paths_by_task([f"Gridworld={finished_run}"], ENTRIES)
    with pytest.raises(ValueError, match="Chess=.* names no task of this suite; it has: Gridworld, "):
        paths_by_task([f"Chess={finished_run}"], ENTRIES)
    with pytest.raises(ValueError, match="leo-gridworld is named twice"):
        paths_by_task(["leo-gridworld", "Gridworld=leo-gridworld"], ENTRIES)


def test_training_is_summed_up_from_the_logs(run_copy):
    (run_copy / "metrics.csv").write_text("step,steps_per_s\n100,50\n300,100\n")
    (run_copy / "evaluations.csv").write_text("step,success,success_last,return\n100,0.25,0,1\n300,0.5,0,2\n")
    training = training_of(open_run(run_copy), "success")
    assert (training.agent, training.seed, training.steps, training.seconds) == ("leo", 0, 300, 4.0)
    assert training.curve == {"step": [100, 300], "success": [0.25, 0.5]}
    assert training_of(open_run(run_copy), "return").curve["return"] == [1, 2]


@pytest.mark.parametrize("changes", [{}, {"width": 512, "one_hot": False, "gamma": 0.99}])
def test_the_command_trains_the_run_again(run_copy, monkeypatch, changes):
    """Also where a setting is the agent's default, and the environment's preset has another."""
    path = run_copy / "config.json"
    contents = json.loads(path.read_text())
    contents["config"] |= changes
    path.write_text(json.dumps(contents))
    run, given = open_run(run_copy), []
    monkeypatch.setattr("gc_envs.training.train.train_run", lambda *args, **kwargs: given.append((args, kwargs)))
    assert main(shlex.split(train_command(run))[1:]) == 0
    ((agent, env_id, config), kwargs) = given[0]
    assert (agent, env_id, kwargs["env_kwargs"]) == ("leo", run.env_id, run.env_kwargs)
    assert dataclasses.asdict(config) == contents["config"]
