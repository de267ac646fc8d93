"""The rows of the suites: complete, makeable, and never changed under a name."""

import dataclasses
import hashlib
import json
from pathlib import Path

import gymnasium
import pytest

import gc_envs
from gc_envs.registration import ROWS
from gc_envs.suite.result import load_suite_result
from gc_envs.suite.suites import STANDARD_V0, SUITES, suite_entries, suite_name

# Any change of what decides a score is a new version: add rows for it, and leave these as they are.
FROZEN = {
    "standard-v0": "5cd71088dbf38f29",
    "quick-v0": "2fc71457d9eeb403",
    "discrete-v0": "324081964015dba4",
    "continuous-v0": "c35b5944d4f87a0e",
}


def fingerprint(suite):
    """Return a hash of all that decides the scores of a suite; published marks and texts do not."""
    rows = [dataclasses.asdict(entry) for entry in SUITES[suite]]
    deciding = [{name: row[name] for name in row if name not in ("published", "source")} for row in rows]
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]


def test_rows_never_change_under_a_name():
    assert {suite: fingerprint(suite) for suite in SUITES} == FROZEN


def test_the_standard_suite_has_every_family_and_its_tasks_are_those_that_it_promises():
    assert [entry.name for entry in STANDARD_V0] == [
        "Gridworld", "Craftax-Classic", "Craftax", "ContinuousSeek-5", "ContinuousSeek-10", "ContinuousSeek-20",
        "DriveSeek", "NoisySeek", "BitFlip-20", "BitFlip-40", "PandaReach", "PandaPush", "PandaSlide",
        "PandaPickAndPlace", "HandReach", "HandManipulateBlock",
    ]  # fmt: skip
    families = {row.id: row.family for row in ROWS}
    assert {families[entry.env_id] for entry in STANDARD_V0} == set(families.values())


def test_discrete_and_continuous_divide_the_standard_suite_by_its_actions():
    for suite, kind in (("discrete-v0", gymnasium.spaces.Discrete), ("continuous-v0", gymnasium.spaces.Box)):
        for entry in suite_entries(suite):
            assert isinstance(gc_envs.make_task(entry.env_id, **entry.env_kwargs).action_space, kind), entry.name
    both = {entry.name for suite in ("discrete-v0", "continuous-v0") for entry in suite_entries(suite)}
    assert both == {entry.name for entry in STANDARD_V0}


def test_quick_is_part_of_standard_with_one_seed():
    standard = {entry.name: entry for entry in STANDARD_V0}
    for entry in suite_entries("quick"):
        assert entry == dataclasses.replace(standard[entry.name], seeds=(0,))


@pytest.mark.parametrize("entry", STANDARD_V0, ids=lambda entry: entry.name)
def test_an_episode_is_as_long_as_the_row_says(entry):
    """As long as the task's own, where Craftax's 10,000 steps are cut to 512."""
    horizon = gc_envs.make_task(entry.env_id, **entry.env_kwargs).horizon
    assert entry.max_steps == min(horizon, 512)


def test_scores_are_0_for_random_actions_and_1_for_the_reference():
    for entry in STANDARD_V0:
        assert entry.score(entry.random_score) == 0
        assert entry.score(entry.reference) == 1
        assert all(mark.value > entry.random_score for mark in entry.published)


def test_a_name_without_a_version_is_the_newest(monkeypatch):
    monkeypatch.setitem(SUITES, "quick-v10", ())
    monkeypatch.setitem(SUITES, "quick-v9", ())
    assert suite_name("quick") == "quick-v10"
    assert suite_name("quick-v0") == "quick-v0"


def test_unknown_names_are_answered_with_those_that_there_are():
    with pytest.raises(ValueError, match="unknown suite 'quik'; known: standard-v0, quick-v0"):
        suite_name("quik")
    with pytest.raises(ValueError, match="unknown suite 'quick-v7'"):
        suite_name("quick-v7")
    with pytest.raises(ValueError, match="quick-v0 has no task 'Craftax'; it has: Gridworld, "):
        suite_entries("quick", ["Gridworld", "Craftax"])


def test_the_page_has_the_rows():
    page = (Path(__file__).parents[2] / "docs" / "suite.md").read_text()
    for entry in STANDARD_V0:
        environment = " ".join([f"`{entry.env_id}`", *(f"{name}={value}" for name, value in entry.env_kwargs.items())])
        scale = f"{entry.metric} | {entry.random_score:g} | {entry.reference:g}"
        assert f"| {entry.name} | {environment} | {entry.max_steps} | {scale} |" in page


def test_the_scores_of_random_actions_are_those_of_the_random_agent():
    path = Path(__file__).parents[2] / "leaderboard" / "standard-v0" / "random.json"
    tasks = load_suite_result(path).tasks
    for entry in STANDARD_V0:
        assert tasks[entry.name].value() == pytest.approx(entry.random_score, abs=5.1e-5), entry.name
