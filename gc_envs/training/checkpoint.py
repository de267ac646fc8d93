"""Checkpoints: named plain arrays in a safetensors file, without pickle.

A checkpoint is a folder `step_000012345` with `state.safetensors` and `meta.json`. It is written under another name and
renamed when it is complete, so a write that dies half-way leaves the previous checkpoint as it was. `meta.json` holds
the SHA-256 of the arrays' file: later damage is noticed by whatever loads it, which then uses the previous checkpoint.
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

FORMAT = 3
KEPT = 2  # checkpoints of a run


class RunError(ValueError):
    """A run folder or checkpoint that cannot be used; the message says why in one line."""


class Checkpoint(NamedTuple):
    """What a checkpoint holds."""

    step: int  # environment steps taken until it was written
    arrays: dict[str, np.ndarray]  # by name


def save_checkpoint(folder: Path, step: int, tree: Any) -> Path:
    """Write a checkpoint, and keep of the others in its folder only the newest `KEPT - 1` of earlier steps.

    Checkpoints of later steps are those that were damaged when the run went back to an earlier one.

    Args:
        folder: Folder of a run's checkpoints; it is made if needed.
        step: Environment steps taken.
        tree: Named arrays, or any pytree of arrays, whose leaves are then named as by `flatten`.

    Returns:
        The checkpoint's folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step_{step:09d}"
    partial = folder / f".partial_{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    # Not np.ascontiguousarray, which makes a scalar an array of one.
    arrays = {name: np.asarray(leaf, order="C") for name, leaf in flatten(jax.device_get(tree)).items()}
    state = partial / "state.safetensors"
    save_file(arrays, state)
    (partial / "meta.json").write_text(json.dumps({"format": FORMAT, "step": step, "sha256": _sha256(state)}))
    for path in partial.iterdir():
        _sync(path)
    if final.exists():  # the same step, written again
        shutil.rmtree(final)
    os.rename(partial, final)
    _sync(folder)
    found = list_checkpoints(folder)
    kept = [path for path in found if checkpoint_step(path) <= step][-KEPT:]
    for path in found:
        if path not in kept:
            shutil.rmtree(path)
    for stale in folder.glob(".partial_*"):
        shutil.rmtree(stale, ignore_errors=True)
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints under `folder`, oldest first."""
    return sorted((path for path in folder.glob("step_[0-9]*") if path.is_dir()), key=checkpoint_step)


def checkpoint_step(checkpoint: Path) -> int:
    """Return the environment steps taken until `checkpoint`."""
    return int(checkpoint.name.removeprefix("step_"))


def check_checkpoint(checkpoint: Path) -> None:
    """Raise RunError if a checkpoint is missing, damaged or of another format."""
    meta, state = (checkpoint / name for name in ("meta.json", "state.safetensors"))
    for path in (meta, state):
        if not path.is_file():
            raise RunError(f"{checkpoint} is not a whole checkpoint: {path.name} is missing")
    try:
        written = json.loads(meta.read_text())
        found, step, checksum = (written.get(name) for name in ("format", "step", "sha256"))
        if found != FORMAT:
            raise RunError(f"{checkpoint} has checkpoint format {found}; this version reads checkpoint format {FORMAT}")
        if step != checkpoint_step(checkpoint):
            raise RunError(f"{checkpoint} is damaged: meta.json is that of step {step}")
        if checksum != _sha256(state):
            raise RunError(f"{checkpoint} is damaged: state.safetensors does not have the SHA-256 in meta.json")
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, OSError) as error:
        raise RunError(f"{checkpoint} is damaged: {error!r}") from error


def load_arrays(checkpoint: Path) -> dict[str, np.ndarray]:
    """Return the named arrays of a checkpoint.

    Raises:
        RunError: It is missing, damaged or of another format.
    """
    check_checkpoint(checkpoint)
    try:
        return load_file(checkpoint / "state.safetensors")
    except SafetensorError as error:
        raise RunError(f"{checkpoint} is damaged: {error!r}") from error


def load_newest(folder: Path, latest: int | None = None) -> Checkpoint | None:
    """Return the newest checkpoint under `folder` that can be used, or None if there are none.

    A line on stderr says which checkpoints were passed over because they are damaged.

    Args:
        folder: Folder of a run's checkpoints.
        latest: The step after which checkpoints are not used, if any.

    Raises:
        RunError: There are checkpoints, and none of them can be used.
    """
    errors: list[RunError] = []
    for path in reversed(list_checkpoints(folder)):
        try:
            found = Checkpoint(checkpoint_step(path), load_arrays(path))
        except RunError as error:
            errors.append(error)
            continue
        if latest is not None and found.step > latest:
            continue
        for passed_over in errors:
            print(f"{passed_over}; using {path.name}, the checkpoint of step {found.step:,}", file=sys.stderr)
        return found
    if errors:
        raise RunError(f"{errors[0]}; no other checkpoint can be used")
    return None


def nested(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """Return the arrays named `prefix/...` as the nested dictionary that they came from."""
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        if name.startswith(f"{prefix}/"):
            *path, leaf = name.removeprefix(f"{prefix}/").split("/")
            branch = tree
            for part in path:
                branch = branch.setdefault(part, {})
            branch[leaf] = array
    return tree


def flatten(tree: Any) -> dict[str, Any]:
    """Return the leaves of a pytree by name, such as `train/params/torso/kernel`, in tree order."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def unflatten(arrays: dict[str, np.ndarray], template: Any) -> Any:
    """Return a pytree like `template`, which has arrays or shapes as leaves, with the arrays of the same names.

    Raises:
        RunError: Names, shapes or dtypes differ; the message names the first that does.
    """
    expected = flatten(template)
    unmatched = sorted(set(arrays) ^ set(expected))
    if unmatched:
        raise RunError(f"the checkpoint does not fit this configuration: {unmatched[0]!r} is in only one of the two")
    for name, leaf in expected.items():
        if arrays[name].shape != leaf.shape or arrays[name].dtype != leaf.dtype:
            found, wanted = (f"{x.dtype}{list(x.shape)}" for x in (arrays[name], leaf))
            raise RunError(f"the checkpoint does not fit this configuration: {name} is {found}, expected {wanted}")
    return jax.tree.unflatten(jax.tree.structure(template), [arrays[name] for name in expected])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
