"""Checkpoints: what goes in comes out, and what is damaged says so in one line."""

import json
import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gc_envs.training import checkpoint
from gc_envs.training.checkpoint import (
    RunError,
    list_checkpoints,
    load_arrays,
    load_newest,
    nested,
    save_checkpoint,
    unflatten,
)  # fmt: skip

TREE = {
    "params": {"torso": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}, "bias": np.zeros(0, np.float32)},
    "scalars": [np.int32(7), np.float32(0.5), np.bool_(True)],
    "key": np.array([1, 2**32 - 1], np.uint32),
    "bytes": np.array([[255]], np.uint8),
    "long": np.array([2**40], np.int64),
    "mask": np.array([True, False]),
    "half": np.array([1.5], np.float16),
    "brain": jnp.array([1.5, -2], jnp.bfloat16),
    "device": jnp.arange(3),
    "strided": np.arange(12, dtype=np.float32).reshape(3, 4).T,
}


def test_every_kind_of_leaf_survives(tmp_path):
    path = save_checkpoint(tmp_path, 12345, TREE)
    assert path.name == "step_000012345"
    back = unflatten(load_arrays(path), TREE)
    assert jax.tree.structure(back) == jax.tree.structure(TREE)
    for ours, theirs in zip(jax.tree.leaves(back), jax.tree.leaves(TREE), strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_array_equal(np.asarray(ours, np.float64), np.asarray(theirs, np.float64))


def test_a_checkpoint_is_plain_named_arrays(tmp_path):
    path = save_checkpoint(tmp_path, 1, TREE)
    assert {file.name for file in path.iterdir()} == {"state.safetensors", "meta.json"}
    arrays = load_arrays(path)
    assert "params/torso/kernel" in arrays
    np.testing.assert_array_equal(nested(arrays, "params")["torso"]["kernel"], TREE["params"]["torso"]["kernel"])


def test_the_last_two_are_kept(tmp_path):
    for step in (5, 10, 999_999_990, 1_000_000_000):
        save_checkpoint(tmp_path, step, {"x": np.int64([step])})
    kept = list_checkpoints(tmp_path)
    assert [load_arrays(path)["x"][0] for path in kept] == [999_999_990, 1_000_000_000]


def test_the_same_step_may_be_written_again(tmp_path):
    for value in (1, 2):
        path = save_checkpoint(tmp_path, 3, {"x": np.float32([value])})
    assert load_arrays(path)["x"] == 2


@pytest.mark.parametrize("broken", ["save_file", "rename", "fsync"])
def test_a_write_that_dies_half_way_leaves_the_previous_one(tmp_path, monkeypatch, broken):
    save_checkpoint(tmp_path, 1, {"x": np.float32([1])})

    def die(*args):
        if broken == "save_file":
            args[1].write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint if broken == "save_file" else os, broken, die)
    with pytest.raises(OSError, match="no space left"):
        save_checkpoint(tmp_path, 2, {"x": np.float32([2])})
    monkeypatch.undo()
    (only,) = list_checkpoints(tmp_path)
    assert load_arrays(only)["x"] == 1
    save_checkpoint(tmp_path, 2, {"x": np.float32([2])})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_000000001", "step_000000002"]


def damage(path, how):
    state, meta = path / "state.safetensors", path / "meta.json"
    if how == "half":
        state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    elif how == "empty":
        state.write_bytes(b"")
    elif how == "noise":
        state.write_bytes(b"\x80\x04pickled" * 20)
    elif how == "no state":
        state.unlink()
    elif how == "no meta":
        meta.unlink()
    elif how == "half meta":
        meta.write_text('{"format"')
    elif how == "odd meta":
        meta.write_text("[]")
    elif how == "other format":
        meta.write_text(json.dumps({"format": 99}))
    else:
        shutil.rmtree(path)


DAMAGES = ["half", "empty", "noise", "no state", "no meta", "half meta", "odd meta", "other format", "gone"]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_named_in_one_line(tmp_path, how):
    path = save_checkpoint(tmp_path, 1, TREE)
    damage(path, how)
    with pytest.raises(RunError, match="step_000000001") as caught:
        load_arrays(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bit", range(8))
def test_no_flipped_bit_gives_other_arrays(tmp_path, bit):
    path = save_checkpoint(tmp_path, 1, {"x": np.arange(3, dtype=np.float32), "n": np.int32(7)})
    for file in path.iterdir():
        whole = file.read_bytes()
        for place in range(len(whole)):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            with pytest.raises(RunError, match="step_000000001"):
                load_arrays(path)
        file.write_bytes(whole)
    assert load_arrays(path)["n"] == 7


def test_a_checkpoint_without_a_checksum_or_of_another_step_is_refused(tmp_path):
    path = save_checkpoint(tmp_path, 1, TREE)
    meta = json.loads((path / "meta.json").read_text())
    (path / "meta.json").write_text(json.dumps({"format": meta["format"], "step": 1}))
    with pytest.raises(RunError, match="does not have the SHA-256 in meta.json"):
        load_arrays(path)
    (path / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(RunError, match="step_000000002 is damaged: meta.json is that of step 1"):
        load_arrays(path.rename(tmp_path / "step_000000002"))


def test_a_damaged_checkpoint_is_passed_over_in_one_line(tmp_path, capsys):
    assert load_newest(tmp_path) is None
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"x": np.int64([step])})
    assert load_newest(tmp_path).step == 2
    assert capsys.readouterr().err == ""
    damage(tmp_path / "step_000000002", "half")
    assert load_newest(tmp_path).step == load_newest(tmp_path).arrays["x"] == 1
    line, again = capsys.readouterr().err.splitlines()
    assert line == again
    assert line.startswith(f"{tmp_path}/step_000000002 is damaged: ")
    assert line.endswith("; using step_000000001, the checkpoint of step 1")
    damage(tmp_path / "step_000000001", "half meta")
    with pytest.raises(RunError, match="step_000000002 is damaged: .*; no other checkpoint can be used"):
        load_newest(tmp_path)


def test_going_on_from_an_earlier_checkpoint_replaces_the_damaged_ones(tmp_path):
    for step in (5, 9):
        save_checkpoint(tmp_path, step, {"x": np.int64([step])})
    damage(tmp_path / "step_000000009", "half")
    save_checkpoint(tmp_path, 7, {"x": np.int64([7])})
    assert [load_arrays(path)["x"][0] for path in list_checkpoints(tmp_path)] == [5, 7]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"x": np.zeros((2, 2), np.float32)}, r"x is float32\[3\], expected float32\[2, 2\]"),
        ({"x": np.zeros(3, np.int32)}, "expected int32"),
        ({"x": np.zeros(3, np.float32), "y": np.zeros(3)}, "'y' is in only one"),
        ({}, "'x' is in only one"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, template, message):
    path = save_checkpoint(tmp_path, 1, {"x": np.zeros(3, np.float32)})
    with pytest.raises(RunError, match=message):
        unflatten(load_arrays(path), template)
