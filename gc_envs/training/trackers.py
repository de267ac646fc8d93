"""Where the scalars of a run go beside its CSV files: TensorBoard, and Weights & Biases (W&B)."""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from gc_envs.training.checkpoint import RunError
from gc_envs.training.options import TrainOptions
from gc_envs.training.run_dir import RunDir

PROJECT = "gc-envs"  # W&B project of runs that name none
ID_FILE = "wandb_id"  # in the run folder: the id under which W&B knows the run, so that resuming continues it


class Tracker(Protocol):
    """One of the places."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Record scalars by name, such as "train/running_success", of environment step `step`."""

    def figures(self, paths: Sequence[Path]) -> None:
        """Record the images of a finished run, PNG or GIF."""


class TensorBoard:
    """TensorBoard events in the run folder.

    Args:
        run: The run folder.
        step: Where training goes on; TensorBoard hides events of an earlier start from there on.
    """

    def __init__(self, run: RunDir, step: int) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(run.folder / "tensorboard"), purge_step=step)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def figures(self, paths: Sequence[Path]) -> None:
        pass


class WandB:
    """A run on W&B, the same one whenever the run folder is the same.

    W&B keeps what it was sent first of each step, so rows that a resumed run repeats are not recorded twice.

    Args:
        run: The run folder; W&B's own files are in its folder wandb/.
        options: Project and name.
        many: Whether the run is one of several in the same folder, whose names end with those of their run folders.

    Raises:
        RunError: W&B refuses, for want of a login for example.
    """

    def __init__(self, run: RunDir, options: TrainOptions, *, many: bool = False) -> None:
        import wandb

        known = run.folder / ID_FILE
        if not known.exists():
            known.write_text(uuid.uuid4().hex[:8] + "\n")
        settings = {"agent": run.agent, "env_id": run.env_id, "env_kwargs": run.env_kwargs, "versions": run.versions}
        folder = run.folder.resolve()
        name = options.wandb_name or os.environ.get("WANDB_NAME") or (folder.parent if many else folder).name
        self._failed = True  # until the run has ended
        try:
            self._run = wandb.init(
                project=options.wandb_project or os.environ.get("WANDB_PROJECT") or PROJECT,
                name=f"{name}-{folder.name}" if many else name,
                id=known.read_text().strip(), resume="allow", reinit="create_new", dir=str(run.folder),
                config={**settings, **run.config}, settings=wandb.Settings(console="off"),
            )  # fmt: skip
        except wandb.Error as error:
            reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise RunError(f"--wandb: {reason[0]} (WANDB_MODE=offline needs no login)") from error

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def figures(self, paths: Sequence[Path]) -> None:
        import wandb

        kinds: dict[str, Any] = {".png": wandb.Image, ".gif": lambda path: wandb.Video(path, format="gif")}
        self._run.log({path.stem: kinds[path.suffix](str(path)) for path in paths if path.suffix in kinds})
        self._failed = False

    def close(self) -> None:
        """Send what is left; a run whose figures have not been recorded has failed or was stopped."""
        self._run.finish(exit_code=int(self._failed))


def check_installed(options: TrainOptions) -> None:
    """Raise ModuleNotFoundError, with the pip command, if what `options` ask for is not installed."""
    try:
        if options.tensorboard:
            from tensorboardX import SummaryWriter  # noqa: F401
    except ImportError:
        raise ModuleNotFoundError('--tensorboard needs: pip install "gc_envs[tensorboard]"') from None
    try:
        if options.wandb:
            from wandb import init  # noqa: F401 - a folder wandb/, which W&B makes, is a module without it
    except ImportError:
        raise ModuleNotFoundError('--wandb needs: pip install "gc_envs[wandb]"') from None


@contextmanager
def open_wandb(
    runs: Sequence[RunDir], options: TrainOptions, *, many: bool = False
) -> Iterator[dict[Path, list[Tracker]]]:
    """Return a context with the W&B run of each of `runs`, by its folder; empty lists if `options` ask for none."""
    with ExitStack() as stack:
        opened: dict[Path, list[Tracker]] = {run.folder: [] for run in runs}
        for run in runs if options.wandb else ():
            tracker = WandB(run, options, many=many)
            stack.callback(tracker.close)
            opened[run.folder].append(tracker)
        yield opened
