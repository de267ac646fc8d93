"""Runs without what acting does not need: small folders to share, of which everything but training goes on to work."""

import dataclasses
import shutil
from pathlib import Path

from gc_envs.agents import get_learner
from gc_envs.training.checkpoint import RunError, save_checkpoint
from gc_envs.training.run_dir import open_run

KEPT = ("metrics.csv", "evaluations.csv", "evaluation.json")


def export_policy(run: Path | str, folder: Path | str) -> Path:
    """Write the trained agent of a run, with its settings and its learning curves, to a new run folder.

    Of the newest checkpoint, the folder gets the arrays that acting needs: no optimizers, replay buffers, environments
    or networks of the training only. It acts exactly as the run does.

    Args:
        run: The run folder.
        folder: The folder to write.

    Returns:
        `folder`.

    Raises:
        RunError: `run` is no run, has no checkpoint or is damaged, or there is something in `folder`.
    """
    source, folder = open_run(run), Path(folder)
    newest = source.load_newest()
    if newest is None:
        raise RunError(f"{source.folder} has no checkpoint yet")
    arrays = source.learner(get_learner(source.agent)).acting_arrays(newest.arrays)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} already exists; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    exported = dataclasses.replace(source, folder=folder, exported=True)
    exported.write()
    for name in KEPT:
        if (source.folder / name).exists():
            shutil.copyfile(source.folder / name, folder / name)
    checkpoint = save_checkpoint(exported.checkpoints, newest.step, arrays)
    shutil.copymode(checkpoint / "meta.json", checkpoint / "state.safetensors")  # others may read it
    return folder
