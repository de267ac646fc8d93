"""Exported agents act as their runs do, bit for bit, and those that come with the package reach their scores."""

import numpy as np
import pytest
from tiny_run import contents, flip

from gc_envs.agents import load_agent
from gc_envs.cli import main
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.training.checkpoint import RunError, list_checkpoints, load_arrays
from gc_envs.training.export import export_policy

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
    assert {"config.json", "metrics.csv", "evaluations.csv", "evaluation.json"} == {
        name for name in found if "/" not in name
    }
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
