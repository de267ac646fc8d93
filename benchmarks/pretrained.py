"""Put trained agents into the package: `python benchmarks/pretrained.py RUN ...` exports runs and records their scores.

An agent is called like its run folder. Rows for docs/pretrained.md are printed.
"""

import shutil
import sys
from pathlib import Path

from gc_envs.suite.members import training_of
from gc_envs.suite.pretrained_score import measure_score, recorded_score
from gc_envs.training.export import export_policy
from gc_envs.training.run_dir import PRETRAINED, open_run


def add(run: Path) -> None:
    """Export a run and record its score."""
    folder = PRETRAINED / run.name
    shutil.rmtree(folder, ignore_errors=True)
    export_policy(run, folder)
    measure_score(run.name).save(run.name)


def row(name: str) -> str:
    """Return an agent's row of the table in docs/pretrained.md."""
    run, score = open_run(name), recorded_score(name)
    training = training_of(run, score.entry.metric)
    size = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
    cells = (
        f"`{name}`", f"`{run.agent}`", score.task, f"{training.steps:,}", f"{training.seconds / 60:.1f}",
        f"{score.entry.metric} {score.value:.2f}", f"{size / 1e6:.2f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    for word in sys.argv[1:]:
        add(Path(word))
        print(row(Path(word).name), flush=True)
