"""Checkpoints: named plain arrays in a safetensors file, without pickle.

A checkpoint is a folder `step_000012345` with `state.safetensors` and `meta.json`. It is written under another name and
renamed when it is complete, so a write that dies half-way leaves the previous checkpoint as it was.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

FORMAT = 2
KEPT = 2  # checkpoints of a run


class RunError(ValueError):
    """A run folder or checkpoint that cannot be used; the message says why in one line."""


def save_checkpoint(folder: Path, step: int, tree: Any) -> Path:
    """Write a checkpoint and delete all but the newest `KEPT` of its folder.

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
    save_file(arrays, partial / "state.safetensors")
    (partial / "meta.json").write_text(json.dumps({"format": FORMAT, "step": step}))
    for path in partial.iterdir():
        _sync(path)
    if final.exists():  # the same step, written again
        shutil.rmtree(final)
    os.rename(partial, final)
    _sync(folder)
    for old in list_checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old)
    for stale in folder.glob(".partial_*"):
        shutil.rmtree(stale, ignore_errors=True)
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints under `folder`, oldest first."""
    return sorted((path for path in folder.glob("step_[0-9]*") if path.is_dir()), key=checkpoint_step)


def checkpoint_step(checkpoint: Path) -> int:
    """Return the environment steps taken until `checkpoint`."""
    return int(checkpoint.name.removeprefix("step_"))


def load_arrays(checkpoint: Path) -> dict[str, np.ndarray]:
    """Return the named arrays of a checkpoint.

    Raises:
        RunError: It is missing, damaged or of another format.
    """
    for name in ("meta.json", "state.safetensors"):
        if not (checkpoint / name).is_file():
            raise RunError(f"{checkpoint} is not a whole checkpoint: {name} is missing")
    try:
        found = json.loads((checkpoint / "meta.json").read_text())["format"]
        if found != FORMAT:
            raise RunError(f"{checkpoint} has checkpoint format {found}; this version reads checkpoint format {FORMAT}")
        return load_file(checkpoint / "state.safetensors")
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise RunError(f"{checkpoint} is damaged: {error!r}") from error


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


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
