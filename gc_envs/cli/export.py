"""`gc-envs export`: a trained agent to share."""

from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from gc_envs.cli.words import RunFolder


def export(run: RunFolder, folder: Annotated[Positional[Path], tyro.conf.arg(metavar="FOLDER")]) -> None:
    """Write a trained agent to a small folder to share: a run folder without what acting does not need.

    Args:
        run: Export the agent of this run folder.
        folder: Write to this new folder; evaluate, render and plot take it like the run itself.
    """
    from gc_envs.training.export import export_policy

    written = export_policy(run, folder)
    size = sum(path.stat().st_size for path in written.rglob("*") if path.is_file())
    print(f"wrote {written} ({size / 1e6:.2f} MB)")
