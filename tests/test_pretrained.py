"""Exported agents act as their runs do, bit for bit, and those that come with the package reach their scores."""

import re
from pathlib import Path

import numpy as np
import pytest
from tiny_run import contents, flip

import gc_envs
from gc_envs.agents import load_agent
from gc_envs.cli import main
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.evaluation.intervals import success_interval
from gc_envs.suite.member_paths import paths_by_task
from gc_envs.suite.members import training_of
from gc_envs.suite.pretrained_score import measure_score, recorded_score
from gc_envs.suite.suites import suite_entries
from gc_envs.training.checkpoint import RunError, list_checkpoints, load_arrays
from gc_envs.training.export import KEPT, export_policy
from gc_envs.training.run_dir import PRETRAINED, open_run

SMALL = ["--total-steps", "60", "--learning-starts", "40", "--batch-size", "16", "--width", "16", "--depth", "1"]
SEEK = ["GC-ContinuousSeek-v0", "--env-kwargs", "dim=2"]
RUNS = {  # agent -> the words of `gc-envs train` after it
    "her-ddpg": [*SEEK, *SMALL, "--normalize"],
    "her-td3": [*SEEK, *SMALL],
    "reengage-sac": [*SEEK, *SMALL],
    "her-tqc": [*SEEK, *SMALL],
    "her-dqn": ["GC-BitFlip-v0", "--env-kwargs", "bits=4", *SMALL, "--learning-rate", "0.03"],
    "multi-reengage": [
        "GC-DriveSeek-v0", "--env-kwargs", "max_goals=5", *SMALL, "--encoder-width", "8", "--embedding", "4"
    ],
}  # fmt: skip


def actions(policy):
    """The actions in 50 start states."""
    return policy.act(GoalVectorEnv(policy.task, 50).reset(seed=3)[0])


def check_export(run, folder, begins):
    """Export a run, and compare actions and files; the names of its arrays begin with `begins`."""
    assert main(["export", str(run), str(folder)]) == 0
    whole, exported = load_agent(run), load_agent(folder)
    np.testing.assert_array_equal(actions(whole), actions(exported))
    assert len(np.unique(actions(whole))) > 1, "actions that differ between states"
    found = contents(folder)
    assert {name for name in found if "/" not in name} == {"config.json", *KEPT}
    (checkpoint,) = list_checkpoints(folder / "checkpoints")
    arrays = load_arrays(checkpoint)
    assert arrays
    assert all(name.startswith(begins) for name in arrays)
    assert (
        len(found[f"checkpoints/{checkpoint.name}/state.safetensors"])
        < 0.6 * (list_checkpoints(run / "checkpoints")[-1] / "state.safetensors").stat().st_size
    )
    return exported


@pytest.mark.parametrize("agent", RUNS)
def test_an_exported_agent_acts_exactly_as_its_run(agent, tmp_path):
    pytest.importorskip("stable_baselines3")
    run = tmp_path / "run"
    assert main(["train", agent, *RUNS[agent], "--evaluations", "2", "--threads", "1", "--run-dir", str(run)]) == 0
    begins = {"her-dqn": "q_net.", "multi-reengage": ("actor.", "critic.features_extractor.")}.get(agent, "actor.")
    begins = tuple(f"weights/policy/{begin}" for begin in ([begins] if isinstance(begins, str) else begins))
    check_export(run, tmp_path / "exported", begins)


@pytest.fixture(scope="module")
def exported_leo(finished_run, tmp_path_factory):
    """The tiny run of LEO, exported; to be read only."""
    folder = tmp_path_factory.mktemp("exported") / "leo"
    check_export(finished_run, folder, ("train/params/", "train/batch_stats/"))
    return folder


def test_an_exported_agent_is_evaluated_rendered_and_plotted_like_a_run(
    exported_leo, finished_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name, run in (("whole", finished_run), ("exported", exported_leo)):
        assert main(["evaluate", str(run), "--json", f"{name}.json"]) == 0
        assert main(["render", str(run), "--max-steps", "3", "--out", f"{name}.gif"]) == 0
        assert main(["plot", str(run), "--out", f"{name}.png"]) == 0
    files = contents(tmp_path)
    assert files["whole.json"] == files["exported.json"]
    assert files["whole.png"] == files["exported.png"]
    assert set(files) >= {"whole.gif", "exported.gif"}


def test_an_exported_run_is_exported_again_and_never_resumed(exported_leo, tmp_path, capsys):
    again = export_policy(exported_leo, tmp_path / "again")
    assert contents(again) == contents(exported_leo)
    before = contents(exported_leo)
    assert main(["train", "leo", "GC-Gridworld-v0", "--run-dir", str(exported_leo), "--resume"]) == 2
    error = f"error: {exported_leo} was exported: it has what acting needs, and nothing to go on training with"
    assert capsys.readouterr().err.splitlines()[-1] == error
    assert contents(exported_leo) == before


def test_what_cannot_be_exported_is_refused_in_one_line(finished_run, run_copy, tmp_path, capsys):
    def refused(run, folder=tmp_path / "new"):
        with pytest.raises(RunError) as caught:
            export_policy(run, folder)
        return str(caught.value)

    assert refused(tmp_path / "none").endswith("none is not a run folder: it has no config.json")
    assert refused(finished_run, run_copy) == f"{run_copy} already exists; name a new folder"
    for checkpoint in list_checkpoints(run_copy / "checkpoints"):
        flip(checkpoint / "state.safetensors", 0.5)
    assert "is damaged" in refused(run_copy)
    assert not (tmp_path / "new").exists()
    assert main(["export", str(finished_run)]) == 2
    assert capsys.readouterr().err.startswith("error: the following arguments are required: FOLDER")


def test_damage_to_an_exported_agent_is_noticed(exported_leo, tmp_path):
    folder = export_policy(exported_leo, tmp_path / "damaged")
    (checkpoint,) = list_checkpoints(folder / "checkpoints")
    flip(checkpoint / "state.safetensors", 0.9)
    with pytest.raises(RunError, match="does not have the SHA-256"):
        load_agent(folder)


PAGE = Path(__file__).parent.parent / "docs" / "pretrained.md"
EXACT = ("Gridworld", "ContinuousSeek-5", "ContinuousSeek-10", "BitFlip-20")  # no physics, and no close decisions
SLOW = ("Craftax-Classic",)


def named(names):
    """Parameters of a test: the agents, those on slow tasks marked as slow."""
    return [pytest.param(n, marks=[pytest.mark.slow] * (recorded_score(n).task in SLOW)) for n in names]


@pytest.mark.parametrize("name", named(gc_envs.pretrained()))
def test_a_pretrained_agent_reaches_its_score(name):
    recorded = recorded_score(name)
    if "Panda" in recorded.task:
        pytest.importorskip("mujoco")
    if open_run(name).agent != "leo":
        pytest.importorskip("stable_baselines3")
    measured = measure_score(name)
    assert (measured.suite, measured.task) == (recorded.suite, recorded.task)
    if recorded.task in EXACT:
        assert measured == recorded
    else:
        low, high = success_interval(np.array(recorded.result.successes), recorded.entry.episodes)
        assert low <= measured.value <= high


def test_the_page_says_what_is_recorded():
    rows = re.findall(r"^\| `([\w-]+)` \| `([\w-]+)` \|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    assert sorted(name for name, *_ in rows) == gc_envs.pretrained()
    for name, agent, cells in rows:
        run, score = open_run(name), recorded_score(name)
        training = training_of(run, score.entry.metric)
        megabytes = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file()) / 1e6
        assert agent == run.agent
        assert [cell.strip() for cell in cells.split("|")] == [
            score.task, f"{training.steps:,}", f"{training.seconds / 60:.1f}",
            f"{score.entry.metric} {score.value:.2f}", f"{megabytes:.2f}",
        ]  # fmt: skip


def test_all_of_them_are_small():
    assert sum(path.stat().st_size for path in PRETRAINED.rglob("*") if path.is_file()) < 7e6


def test_names_stand_for_runs_wherever_runs_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gc_envs.pretrained("leo-gridworld").run.folder == PRETRAINED / "leo-gridworld"
    assert main(["evaluate", "leo-gridworld", "--max-steps", "30"]) == 0
    assert "GC-Gridworld-v0: success" in capsys.readouterr().out
    assert main(["render", "leo-gridworld", "--max-steps", "2"]) == 0
    assert main(["plot", "leo-gridworld", "--out", "curve.png"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"sampled-seed0.gif", "curve.png"}, "not in the package"
    assert paths_by_task(["leo-gridworld"], suite_entries("quick")) == {"Gridworld": ["leo-gridworld"]}
    export_policy("leo-gridworld", tmp_path / "leo-gridworld")
    assert open_run("leo-gridworld").folder == Path("leo-gridworld"), "a folder comes first"


def test_an_unknown_name_is_answered_with_the_nearest(capsys):
    with pytest.raises(ValueError, match=r"'leo-gridword'; did you mean 'leo-gridworld'\? known: her-bitflip20, "):
        gc_envs.pretrained("leo-gridword")
    with pytest.raises(ValueError, match=r"unknown pretrained agent 'dreamer'; known: her-bitflip20, "):
        gc_envs.pretrained("dreamer")
    assert main(["evaluate", "leo-gridword"]) == 2
    error = "leo-gridword is not a run folder: it has no config.json; did you mean the pretrained agent leo-gridworld?"
    assert capsys.readouterr().err == f"error: {error}\n"
