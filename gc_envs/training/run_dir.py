"""Run folders: what was trained, on what and with which settings, and where its files are.

RUN/config.json            what to build again
RUN/metrics.csv            one row for about every second of training
RUN/evaluations.csv        one row per evaluation during training
RUN/evaluation.json        the last evaluation, goal by goal
RUN/learning_curve.png     RUN/agent.gif
RUN/checkpoints/step_.../  the last two
RUN/wandb_id               the id of the run on Weights & Biases, if it is there
"""

import dataclasses
import difflib
import importlib.metadata
import json
import os
from pathlib import Path
from typing import Any

from gc_envs.device import describe_device
from gc_envs.registration import make_task
from gc_envs.training.checkpoint import (
    Checkpoint,
    RunError,
    check_checkpoint,
    checkpoint_step,
    list_checkpoints,
    load_newest,
)

FORMAT = 2
PRETRAINED = Path(__file__).parent.parent / "pretrained_agents"  # exported runs that come with this package, by name
RESULTS = ("evaluation.json", "learning_curve.png", "agent.gif")  # made when a run has ended
PACKAGES = (
    "gc_envs", "jax", "flax", "optax", "numpy", "gymnasium", "craftax", "mujoco", "torch",
    "stable-baselines3",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class RunDir:
    """A run folder and what its config.json says."""

    folder: Path
    agent: str
    env_id: str
    env_kwargs: dict[str, Any]
    config: dict[str, Any]
    versions: dict[str, str] = dataclasses.field(default_factory=dict)  # of packages, when the run was started
    device: str | None = None  # what it was started on, in words
    exported: bool = False  # whether it has only what acting needs, see `training.export`

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def has_results(self) -> bool:
        """Whether the run has been evaluated and recorded after its end."""
        return all((self.folder / name).exists() for name in ("evaluation.json", "agent.gif"))

    def load_newest(self, latest: int | None = None) -> Checkpoint | None:
        """Return the newest checkpoint that can be used, or None before the first; see `checkpoint.load_newest`."""
        return load_newest(self.checkpoints, latest)

    def whole_steps(self) -> list[int]:
        """Return the steps of the checkpoints that can be used, ascending."""
        return [checkpoint_step(path) for path in list_checkpoints(self.checkpoints) if _is_whole(path)]

    def is_finished(self, total_steps: int) -> bool:
        """Return whether the newest checkpoint is that of `total_steps`, the end of the run, and whole."""
        found = list_checkpoints(self.checkpoints)
        return bool(found) and checkpoint_step(found[-1]) == total_steps and _is_whole(found[-1])

    def learner(self, learner_class: Any) -> Any:
        """Return the learner as it was built for this run.

        Raises:
            RunError: The run is another agent's, or has a setting that this version does not know.
        """
        if self.agent != learner_class.name:
            raise RunError(f"{self.folder} holds a {self.agent} agent, not {learner_class.name}")
        try:
            task = make_task(self.env_id, **self.env_kwargs)
            return learner_class(task, learner_class.config_class(**self.config))
        except TypeError as error:
            raise RunError(f"{self.folder} was made by another version: {error}") from error

    def check_free(self) -> None:
        """Raise RunError if the folder already holds something."""
        if self.folder.exists() and (not self.folder.is_dir() or set(os.listdir(self.folder)) - {".config.json"}):
            raise RunError(f"{self.folder} already exists; pass --resume to go on with it, or another --run-dir")

    def create(self) -> None:
        """Make the folder and write config.json.

        Raises:
            RunError: The folder already holds something.
        """
        self.check_free()
        self.folder.mkdir(parents=True, exist_ok=True)
        dataclasses.replace(self, versions=installed_versions(), device=describe_device()).write()

    def lengthened(self, total_steps: int) -> "RunDir":
        """Return this run with a larger `total_steps`, which is written to its config.json.

        What was made when the run ended earlier is deleted.
        """
        for name in RESULTS:
            (self.folder / name).unlink(missing_ok=True)
        longer = dataclasses.replace(self, config={**self.config, "total_steps": total_steps})
        longer.write()
        return longer

    def write(self) -> None:
        """Write config.json into the folder."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        contents = {"format": FORMAT, **fields}
        del contents["folder"]
        whole = self.folder / ".config.json"  # renamed once written, so that a kill leaves all of it or nothing
        whole.write_text(json.dumps(contents, indent=2) + "\n")
        whole.rename(self.folder / "config.json")

    def check_same(self, other: "RunDir", *, lengthen: bool = False) -> None:
        """Raise RunError for the first setting in which `other`, a request to resume, differs from this run.

        Args:
            other: The request.
            lengthen: Whether `total_steps` may be larger.
        """
        for name in ("agent", "env_id"):
            if getattr(self, name) != getattr(other, name):
                raise RunError(
                    f"{self.folder} was started with {name}={getattr(self, name)!r}, not {getattr(other, name)!r}"
                )
        for mine, theirs in ((self.env_kwargs, other.env_kwargs), (self.config, other.config)):
            for name in sorted(set(mine) | set(theirs)):
                longer = lengthen and name == "total_steps" and theirs.get(name, 0) > mine.get(name, 0)
                if mine.get(name) != theirs.get(name) and not longer:
                    raise RunError(
                        f"{self.folder} was started with {name}={mine.get(name)!r}, not {theirs.get(name)!r}; "
                        "--resume takes the same flags, of which only --total-steps may be larger"
                    )


def pretrained_names() -> list[str]:
    """Return the names of the pretrained agents that come with this package."""
    return sorted(path.parent.name for path in PRETRAINED.glob("*/config.json"))


def find_run(folder: Path | str) -> Path:
    """Return the folder of a run, which may be the name of a pretrained agent where there is no such folder."""
    is_name = not Path(folder).exists() and str(folder) in pretrained_names()
    return PRETRAINED / folder if is_name else Path(folder)


def open_run(folder: Path | str) -> RunDir:
    """Return the run in a folder.

    Args:
        folder: The folder, or the name of a pretrained agent.

    Raises:
        RunError: There is none, its config.json is damaged, or another version of this package made it.
    """
    folder = find_run(folder)
    path = folder / "config.json"
    if not path.is_file():
        near = [] if folder.exists() else difflib.get_close_matches(str(folder), pretrained_names(), n=1)
        hint = f"; did you mean the pretrained agent {near[0]}?" if near else ""
        raise RunError(f"{folder} is not a run folder: it has no config.json{hint}")
    try:
        contents = json.loads(path.read_text())
        found, maker = contents["format"], contents["versions"].get("gc_envs", "of another version")
        if found != FORMAT:
            raise RunError(
                f"{folder} was made by gc_envs {maker} in run format {found}; this version reads run format {FORMAT}"
            )
        contents = {"device": None, "exported": False} | contents  # runs that were started earlier have neither
        fields = {f.name: contents[f.name] for f in dataclasses.fields(RunDir) if f.name != "folder"}
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged: {error!r}") from error
    return RunDir(folder, **fields)


def _is_whole(checkpoint: Path) -> bool:
    try:
        check_checkpoint(checkpoint)
    except RunError:
        return False
    return True


def trained_arrays(run: RunDir) -> dict[str, Any]:
    """Return the arrays of the newest checkpoint that can be used; RunError if there is none."""
    newest = run.load_newest()
    if newest is None:
        raise RunError(f"{run.folder} has no checkpoint yet")
    return newest.arrays


def installed_versions() -> dict[str, str]:
    """Return the versions of the installed packages that decide what a run does."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
