"""Run folders: what other versions made is refused in one line."""

import json

import pytest

import gc_envs
from gc_envs.agents import load_agent
from gc_envs.training.checkpoint import RunError, list_checkpoints, load_arrays
from gc_envs.training.run_dir import open_run


def test_a_run_of_format_1_is_refused_by_name(run_copy):
    path = run_copy / "config.json"
    contents = json.loads(path.read_text()) | {"format": 1}
    contents["versions"]["gc_envs"] = "0.1.0"
    path.write_text(json.dumps(contents))
    for use in (open_run, load_agent):
        with pytest.raises(RunError) as caught:
            use(run_copy)
        expected = f"{run_copy} was made by gc_envs 0.1.0 in run format 1; this version reads run format 2"
        assert str(caught.value) == expected


@pytest.mark.parametrize("older", [{"format": 1}, {"format": 2, "sha256": None}])
def test_checkpoints_of_older_formats_are_refused_by_name(run_copy, older):
    for path in list_checkpoints(run_copy / "checkpoints"):
        meta = json.loads((path / "meta.json").read_text()) | older
        (path / "meta.json").write_text(json.dumps({name: value for name, value in meta.items() if value is not None}))
        with pytest.raises(
            RunError, match=f"has checkpoint format {older['format']}; this version reads checkpoint format 3"
        ):
            load_arrays(path)
    with pytest.raises(RunError, match=f"has checkpoint format {older['format']}; this version"):
        load_agent(run_copy)


def test_a_run_says_which_version_made_it(finished_run):
    assert open_run(finished_run).versions["gc_envs"] == gc_envs.__version__
