"""The runs of a sweep: their folders, their commands, and whether all of them can be started."""

import dataclasses
import fcntl
import itertools
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gc_envs.agents import get_learner
from gc_envs.agents.presets import preset as preset_settings
from gc_envs.executors import Command
from gc_envs.training.flags import env_kwargs_flags, setting_flags
from gc_envs.training.logger import read_csv
from gc_envs.training.options import TrainOptions
from gc_envs.training.run_dir import RunDir, open_run
from gc_envs.training.train import build_run

LOGS = ".logs"  # the folder of the logs; its name begins with a dot so that RUN_DIR/* is the runs alone
Setting = int | float | bool | str | None


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
        name: The name of its folder: its seed, and those of its settings that have several values in the sweep.
        run: The run folder that it is to be.
        command: The command that trains it, or goes on with it.
        total_steps: The environment steps after which it is finished.
    """

    name: str
    run: RunDir
    command: Command
    total_steps: int

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run.folder

    def is_finished(self) -> bool:
        """Return whether it has been trained and evaluated."""
        return self.run.has_results and self.run.is_finished(self.total_steps)

    def share_done(self) -> float:
        """Return the share of its steps that its log has, in 0..1."""
        steps = read_csv(self.folder / "metrics.csv", ("step",)).get("step", [0])
        return steps[-1] / self.total_steps

    def success(self) -> float | None:
        """Return the success of its last evaluation, or None before that."""
        path = self.folder / "evaluation.json"
        return float(json.loads(path.read_text())["success"]) if path.exists() else None


def sweep_runs(
    agent: str,
    env_id: str,
    *,
    seeds: Sequence[int],
    grid: Mapping[str, Sequence[Setting]] | None = None,
    run_dir: Path | str,
    preset: str = "default",
    env_kwargs: Mapping[str, Any] | None = None,
    options: TrainOptions | None = None,
) -> list[SweepRun]:
    """Return the runs of a sweep, checked as far as that is possible before any of them has begun; see `sweep`."""
    config_class = get_learner(agent).config_class
    kwargs, values = dict(env_kwargs or {}), {name: list(given) for name, given in sorted((grid or {}).items())}
    defaults = preset_settings(agent, preset, env_id, kwargs)
    _check_names(agent, config_class, values, seeds)
    if (Path(run_dir) / "config.json").exists():
        raise ValueError(f"{run_dir} is a run itself; name a folder for the run folders")
    varied = [name for name, given in values.items() if len(given) > 1]
    runs = []
    for chosen in itertools.product(*values.values()):
        settings = dict(zip(values, chosen, strict=True))
        config = config_class(**defaults | settings | {"seed": min(seeds)})
        learner, wanted = build_run(agent, env_id, config, kwargs, Path(run_dir))
        words = [
            sys.executable, "-m", "gc_envs.cli", "train", agent, env_id, "--preset", preset,
            *setting_flags(settings), *setting_flags(_changed(options or TrainOptions())), "--resume",
            *env_kwargs_flags(kwargs),
        ]  # fmt: skip
        for seed in seeds:
            name = _folder_name({name: settings[name] for name in varied}, seed)
            run = dataclasses.replace(wanted, folder=Path(run_dir) / name, config={**wanted.config, "seed": seed})
            argv = (*words, "--seed", str(seed), "--run-dir", str(run.folder))
            command = Command(name, argv, Path(run_dir) / LOGS / f"{name}.log")
            runs.append(SweepRun(name, run, command, learner.total_steps))
    for one in runs:
        if one.folder.is_dir() and any(one.folder.iterdir()):
            open_run(one.folder).check_same(one.run, lengthen="total_steps" in values)
    return runs


@contextmanager
def logs_folder(runs: Sequence[SweepRun]) -> Iterator[None]:
    """Make the folder of the logs of a sweep, without those of an earlier call, and let no other one use it.

    Raises:
        ValueError: Another sweep trains in the same folder on this machine.
    """
    folder = runs[0].command.log.parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"another sweep is training in {folder.parent}") from None
        for one in runs:
            one.command.log.unlink(missing_ok=True)
        yield


def _check_names(agent: str, config_class: Any, grid: Mapping[str, list[Setting]], seeds: Sequence[int]) -> None:
    """Raise ValueError for an unknown setting, one without values, and what is there twice."""
    known = [field.name for field in dataclasses.fields(config_class) if field.name != "seed"]
    for name in grid:
        if name not in known:
            hint = "; seeds are given by `seeds`" if name == "seed" else ""
            raise ValueError(f"{agent} has no setting {name!r}; it has {', '.join(known)}{hint}")
    lists: list[tuple[str, list[Any]]] = [*grid.items(), ("seeds", list(seeds))]
    for name, given in lists:
        if not given:
            raise ValueError(f"{name}: no values are given")
        twice = [value for value in given if given.count(value) > 1]
        if twice:
            raise ValueError(f"{name}: {twice[0]} is given twice")


def _folder_name(settings: Mapping[str, Setting], seed: int) -> str:
    """Return settings and a seed as the name of a folder, the same for every way to write a number."""
    pairs = ",".join(re.sub(r"[^\w.=+-]+", "_", f"{name}={value}") for name, value in settings.items())
    return f"{pairs}-seed{seed}" if pairs else f"seed{seed}"


def _changed(options: TrainOptions) -> dict[str, Any]:
    """Return the options that are not the default ones."""
    return {name: value for name, value in vars(options).items() if value != getattr(TrainOptions(), name)}
