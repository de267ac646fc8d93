"""A suite is evaluated as `evaluate` would, whatever fails, wherever it is stopped."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import suite_agents

import gc_envs
from gc_envs.cli import main
from gc_envs.suite.result import SuiteResultError, load_suite_result
from gc_envs.suite.run import evaluate_suite

SEEK = ["ContinuousSeek-5", "ContinuousSeek-10"]
STRAIGHT = "suite_agents:straight"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """Make `suite_agents` importable in worker processes."""
    here = str(Path(__file__).parent.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))


@pytest.fixture(scope="module")
def straight_file(tmp_path_factory):
    """The result of an agent that goes straight to its goals, evaluated in this process."""
    path = tmp_path_factory.mktemp("suite") / "straight.json"
    evaluate_suite(suite_agents.straight, "quick", tasks=["Gridworld", "ContinuousSeek-5"], json=path)
    return path


def without_times(path):
    contents = json.loads(Path(path).read_text())
    return {name: value for name, value in contents.items() if name not in ("times", "command", "agent")}


def policy_of(act):
    return lambda env_spec, observation_space, action_space: act


def test_counts_are_those_of_evaluate(straight_file):
    result = load_suite_result(straight_file)
    assert result.agent == "straight"
    assert result.suite == "quick-v0"
    task = result.tasks["ContinuousSeek-5"]
    act = suite_agents.straight(task_spec(5), None, None)
    by_evaluate = gc_envs.evaluate(act, "GC-ContinuousSeek-v0", env_kwargs={"dim": 5}, seed=0)
    (one,) = task.members[0].seeds
    assert task.status == "done"
    assert (one.success, one.successes, one.returns) == (1.0, [100], [])
    assert (one.success_last, one.mean_return) == (by_evaluate["success_last"], by_evaluate["return"])


def task_spec(dim):
    return dataclasses.replace(gymnasium.spec("GC-ContinuousSeek-v0"), kwargs={"dim": dim})


def test_what_an_agent_cannot_do_is_reported(straight_file):
    task = load_suite_result(straight_file).tasks["Gridworld"]
    assert (task.status, task.members, task.error) == ("cannot", [], None)


def test_a_function_gets_the_spec_and_the_spaces_of_a_single_environment():
    seen = {}

    def make_policy(env_spec, observation_space, action_space):
        seen.update(spec=env_spec, observation=observation_space, action=action_space)

    evaluate_suite(make_policy, "quick", tasks=["BitFlip-20"])
    assert (seen["spec"].id, seen["spec"].max_episode_steps) == ("GC-BitFlip-v0", 20)
    assert seen["spec"].kwargs["bits"] == 20
    assert seen["observation"]["desired_goal"].shape == (20,)
    assert seen["action"].n == 20


def test_returns_are_kept_where_they_are_the_metric():
    result = evaluate_suite(policy_of(lambda o: np.zeros((len(o["observation"]), 1))), "quick", tasks=["DriveSeek"])
    (one,) = result.tasks["DriveSeek"].members[0].seeds
    assert len(one.returns) == 300
    assert one.mean_return == pytest.approx(np.mean(one.returns))
    assert one.successes == [round(300 * one.success)]


def test_a_finite_goal_set_is_counted_goal_by_goal():
    result = evaluate_suite(policy_of(lambda o: np.zeros(len(o["observation"]), int)), "quick", tasks=["Gridworld"])
    task = result.tasks["Gridworld"]
    by_evaluate = gc_envs.evaluate(lambda o: np.zeros(len(o["observation"]), int), "GC-Gridworld-v0")
    assert dict(zip(task.goals, task.members[0].seeds[0].successes, strict=True)) == by_evaluate["per_goal"]
    assert 0 < task.value() < 1


def test_worker_processes_give_the_same_file_bit_for_bit(straight_file, tmp_path):
    again = tmp_path / "again.json"
    evaluate_suite(STRAIGHT, "quick", tasks=["Gridworld", "ContinuousSeek-5"], json=again, jobs=2)
    ours, theirs = without_times(straight_file), without_times(again)
    assert theirs["tasks"]["ContinuousSeek-5"]["members"][0].pop("name") == STRAIGHT
    assert ours["tasks"]["ContinuousSeek-5"]["members"][0].pop("name") == "straight"
    assert ours == theirs
    assert not Path(f"{again}.parts").exists()


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (
            lambda o: np.zeros((len(o["observation"]), 4)),
            r"no actions: action of shape \(100, 4\) given, expected \(100, 5\)",
        ),
        (lambda o: np.full((len(o["observation"]), 5), np.nan), "no actions: an action is NaN or infinite"),
        (lambda o: np.full((len(o["observation"]), 5), "left"), "no actions: actions are numbers, got <U4"),
        (lambda o: None, "no actions: actions are numbers, got object"),
        (lambda o: 1 / 0, r"the policy raises ZeroDivisionError: division by zero \(test_run.py, line \d+\)"),
        ("left", "a policy is an SB3 model, has .act, or is a callable; got str"),
    ],
)
def test_a_policy_that_fails_on_one_task_does_not_lose_the_others(act, error):
    def make_policy(env_spec, observation_space, action_space):
        return act if env_spec.kwargs.get("dim") == 5 else suite_agents.straight(env_spec, None, None)

    result = evaluate_suite(make_policy, "continuous", tasks=SEEK)
    failed, done = (result.tasks[name] for name in SEEK)
    assert failed.status == "failed"
    assert re.search(error, failed.error)
    assert "\n" not in failed.error
    assert (done.status, done.value()) == ("done", 1.0)


def test_discrete_actions_are_whole_numbers_in_range():
    for wrong, error in ((20, "action 20 is outside 0..19"), (0.5, "discrete actions are integers, got float64")):
        result = evaluate_suite(
            policy_of(lambda o, w=wrong: np.full(len(o["observation"]), w)), "quick", tasks=["BitFlip-20"]
        )
        assert error in result.tasks["BitFlip-20"].error


def test_a_policy_may_ask_for_another_observation_and_for_nothing_else():
    def act(observation):
        return np.zeros((len(observation["observation"]), 5))

    act.env_kwargs = {"dim": 2}
    result = evaluate_suite(policy_of(act), "quick", tasks=["ContinuousSeek-5"])
    assert "a policy may choose only: observation" in result.tasks["ContinuousSeek-5"].error


def test_a_slow_policy_is_stopped_between_two_steps():
    def slow(observation):
        time.sleep(0.3)
        return np.zeros((len(observation["observation"]), 5))

    result = evaluate_suite(policy_of(slow), "quick", tasks=["ContinuousSeek-5"], time_limit=0.5)
    assert result.tasks["ContinuousSeek-5"].error == "stopped after its time limit of 0.5 s; --time-limit gives it more"


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        ("suite_agents:hanging", "stopped after its time limit of 40 s"),
        ("suite_agents:dying", "its process ended with status 9"),
    ],
)
def test_a_process_that_hangs_or_dies_does_not_lose_the_other_tasks(policy, error, monkeypatch, tmp_path):
    monkeypatch.setattr("gc_envs.suite.run.START_SECONDS", 0.0)
    path = tmp_path / "r.json"
    result = evaluate_suite(policy, "continuous", tasks=SEEK, json=path, time_limit=40, jobs=2)
    assert error in result.tasks[SEEK[0]].error
    assert result.tasks[SEEK[1]].value() == 1.0
    assert load_suite_result(path) == result


def test_a_killed_evaluation_goes_on_with_the_next_unfinished_task(monkeypatch, tmp_path):
    log, path = tmp_path / "log", tmp_path / "r.json"
    monkeypatch.setenv("SUITE_AGENTS_LOG", str(log))
    words = [
        sys.executable,
        "-m",
        "gc_envs.cli",
        "evaluate",
        "--suite",
        "continuous",
        "--policy",
        STRAIGHT,
        "--task",
        *SEEK,
    ]
    words += ["--json", str(path), "--jobs", "1"]
    environment = {**os.environ, "SUITE_AGENTS_WAIT": "10"}
    with subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (log.exists() and log.read_text().split() == ["5", "10"]) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert not path.exists()
    assert main(words[3:]) == 0
    assert log.read_text().split() == ["5", "10", "10"]  # the first task was not evaluated again
    assert [task.value() for task in load_suite_result(path).tasks.values()] == [1.0, 1.0]


def test_the_parts_of_another_evaluation_are_not_mixed_in(tmp_path):
    path = tmp_path / "r.json"
    parts = tmp_path / "r.json.parts"
    parts.mkdir()
    (parts / "request.json").write_text('{"suite": "quick-v0", "source": {"policy": "suite_agents:dying"}}')
    with pytest.raises(ValueError, match=r"r.json.parts has an unfinished evaluation of something else; delete it, or"):
        evaluate_suite(STRAIGHT, "quick", tasks=["ContinuousSeek-5"], json=path)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda text: text[:-100], "is no result of `gc-envs evaluate --suite`: Input data was truncated"),
        (lambda text: "{}", "is no result of `gc-envs evaluate --suite`: Object missing required field `schema`"),
        (
            lambda text: text.replace('"schema": 1', '"schema": 7'),
            "its schema is 7, and this version reads up to 1; upgrade",
        ),
        (lambda text: text.replace('"max_steps": 10', '"max_steps": 11'), "max_steps is 11, in quick-v0 it is 10"),
        (lambda text: text.replace('"quick-v0"', '"quick-v9"'), "unknown suite 'quick-v9'; known: standard-v0"),
        (lambda text: text.replace("[100]", "[99]"), "success of seed 0 is not that of its counts"),
        (lambda text: text.replace("[100]", "[101]"), "successes of seed 0 are not 1 counts up to 100"),
        (lambda text: text.replace('"success": 1.0', '"success": "all"'), "Expected `float`, got `str`"),
        (lambda text: text.replace('"status": "done"', '"status": "cannot"'), "status is 'cannot' with 1 members"),
    ],
)
def test_a_file_that_is_no_result_is_refused_in_one_line(straight_file, tmp_path, change, error):
    text = straight_file.read_text()
    changed = tmp_path / "changed.json"
    changed.write_text(change(text))
    assert changed.read_text() != text
    with pytest.raises(SuiteResultError) as caught:
        load_suite_result(changed)
    assert error in str(caught.value)
    assert str(changed) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_videos_need_a_file_to_stand_beside():
    with pytest.raises(ValueError, match="videos=2 needs `json`"):
        evaluate_suite(suite_agents.straight, "quick", videos=2)


WRONG = {
    ("--suite", "quick"): "name what to evaluate: run folders or model files, or else --policy MODULE:FUNCTION",
    ("--suite", "quick", "--policy", "straight"): "a policy is written MODULE:FUNCTION, such as my_module:make_policy",
    (
        "--suite",
        "quick",
        "--policy",
        "not_there:f",
    ): "needs a module 'not_there', which is not found: run from the folder",
    ("--suite", "quick", "--policy", "suite_agents:f"): "has no 'f'; what can be called there: straight, note, hanging",
    ("--suite", "quick", "--policy", "suite_agents:number"): "has a 'number' that cannot be called",
    ("--suite", "fast", "--policy", STRAIGHT): "unknown suite 'fast'",
    ("--suite", "quick", "--policy", STRAIGHT, "--task", "Chess"): "quick-v0 has no task 'Chess'",
    ("--suite", "quick", "not_there"): "not_there is not a run folder",
    ("--suite", "quick", "Chess=runs/x"): "'Chess=runs/x' names no task of this suite; it has: Gridworld",
    ("--suite", "quick", "--policy", STRAIGHT, "--jbos", "2"): "did you mean --jobs?",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_words_get_one_line(words, capsys):
    assert main(["evaluate", *words]) == 2
    error = capsys.readouterr().err
    assert WRONG[words] in error
    assert error.count("\n") == 1


def test_the_command_prints_a_line_for_each_task_and_fails_if_one_fails(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("from suite_agents import dying as make_policy\n")
    words = [
        "--suite",
        "continuous",
        "--policy",
        "mine:make_policy",
        "--task",
        *SEEK,
        "--json",
        "r.json",
        "--name",
        "me",
    ]
    assert main(["evaluate", *words]) == 2
    out, err = capsys.readouterr()
    assert "ContinuousSeek-10  success 1.000" in err
    assert "ContinuousSeek-5   failed: its process ended with status 9" in err
    assert "error: a task failed; the same command evaluates it again" in err
    assert out.splitlines()[0].strip() == "me on continuous-v0"
    assert "evaluates it again" not in out
    monkeypatch.setenv("SUITE_AGENTS_LOG", str(tmp_path / "log"))
    assert main(["evaluate", *words]) == 2
    assert not (tmp_path / "log").exists()  # the task that was done is not evaluated again, the other one dies again
    command = load_suite_result("r.json").command
    assert command == f"gc-envs evaluate --suite continuous --policy mine:make_policy --name me --task {' '.join(SEEK)}"


def test_suites_are_listed(capsys):
    assert main(["suites"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("quick-v0        6 tasks  six small tasks")
    assert main(["suites", "quick"]) == 0
    assert "GC-ContinuousSeek-v0 dim=5, 10 steps; success: random 0, reference 1" in capsys.readouterr().out
