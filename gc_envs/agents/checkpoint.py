"""Checkpoints: a pytree as named plain arrays in a safetensors file. No pickle.

A checkpoint is a folder `step_000012345` with `state.safetensors` and `meta.json`. It is written under another name and
renamed when it is whole, so a write that dies half-way leaves the previous one as it was.
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

FORMAT = 1
KEPT = 2


class RunError(ValueError):
    """A run folder that cannot be used, with the reason in one line."""


def save_checkpoint(folder: Path, step: int, tree: Any) -> Path:
    """Write `tree` as the checkpoint of `step` under `folder`; of the earlier ones, the newest is kept."""
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
    """Checkpoints under `folder`, oldest first."""
    return sorted(path for path in folder.glob("step_*") if path.is_dir())


def load_arrays(checkpoint: Path) -> dict[str, np.ndarray]:
    """The named arrays of a checkpoint.

    Raises:
        RunError: when it is missing, truncated or of another format.
    """
    for name in ("meta.json", "state.safetensors"):
        if not (checkpoint / name).is_file():
            raise RunError(f"{checkpoint} is not a whole checkpoint: {name} is missing")
    try:
        found = json.loads((checkpoint / "meta.json").read_text())["format"]
        if found != FORMAT:
            raise RunError(f"{checkpoint} has checkpoint format {found}; this version reads {FORMAT}")
        return load_file(checkpoint / "state.safetensors")
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise RunError(f"{checkpoint} is damaged: {error!r}") from error


def restore(checkpoint: Path, template: Any) -> Any:
    """`checkpoint` as a pytree like `template` (arrays, or shapes from `jax.eval_shape`)."""
    arrays = load_arrays(checkpoint)
    expected = flatten(template)
    if set(arrays) != set(expected):
        name = sorted(set(arrays) ^ set(expected))[0]
        raise RunError(f"{checkpoint} does not fit this configuration: {name!r} is in only one of the two")
    for name, leaf in expected.items():
        if arrays[name].shape != leaf.shape or arrays[name].dtype != leaf.dtype:
            found, wanted = (f"{x.dtype}{list(x.shape)}" for x in (arrays[name], leaf))
            raise RunError(f"{checkpoint} does not fit this configuration: {name} is {found}, expected {wanted}")
    return jax.tree.unflatten(jax.tree.structure(template), [arrays[name] for name in expected])


def nested(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """The arrays named `prefix/...` as the nested dictionary they came from."""
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
    """Leaves by name, such as `params/torso/kernel`, in tree order."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
