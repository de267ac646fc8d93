"""`gc-envs sweep`."""

import re
import shlex
import types
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

import tyro
from tyro.conf import Positional

from gc_envs.cli.env_kwargs import KINDS, parse_env_kwargs, parse_word
from gc_envs.cli.words import EnvId, EnvKwargs

if TYPE_CHECKING:
    from gc_envs.training.sweep import SweepResult

AgentName = Annotated[Positional[str], tyro.conf.arg(metavar="AGENT")]
RunDirPath = Annotated[Path, tyro.conf.arg(metavar="RUN_DIR")]
Grid = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=VALUE,...")]


def sweep(
    agent: AgentName,
    env_id: EnvId,
    *,
    run_dir: RunDirPath,
    seeds: str = "0",
    set: Grid = (),
    preset: str = "default",
    env_kwargs: EnvKwargs = (),
    executor: Literal["local", "ray", "slurm"] = "local",
    jobs: int | None = None,
    cpus: int | None = None,
    gpus: float = 0.0,
    slurm_options: str = "",
    dry_run: bool = False,
) -> None:
    """Train a grid of runs, every combination of settings with every seed; the same command goes on after a stop.

    Args:
        agent: Train this agent.
        env_id: Train on this id; `gc-envs list` shows all ids. A task of your own is MODULE:CLASS.
        run_dir: Write the run folders into this folder.
        seeds: Train with these seeds; 0:10 is 0 to 9, and 0,3,5 are three.
        set: Train with each of these values of a setting, such as learning_rate=1e-4,3e-4; `gc-envs train AGENT ID
            --help` shows the settings. Give it again for further settings.
        preset: Start from these named settings; "paper" names the published ones.
        env_kwargs: Make the environment with these arguments, such as size=12 or horizon=50.
        executor: Train in processes of this machine, on a Ray cluster, or print a script for SLURM's sbatch.
        jobs: Train this many runs at a time; by default, one for each core, or as many as the cluster has room for.
        cpus: Give each run this many cores; by default, Ray and SLURM give 1, and a run on this machine takes what it
            finds.
        gpus: Give each run this many GPUs of the Ray cluster; for SLURM, say it in its options.
        slurm_options: Give sbatch these options, such as --slurm-options="--partition=gpu --time=04:00:00".
        dry_run: Print the commands, and start nothing.
    """
    leave_accelerators_to_the_runs()
    from gc_envs.agents import get_learner
    from gc_envs.training.options import TrainOptions
    from gc_envs.training.sweep import sweep as run_sweep
    from gc_envs.training.sweep_runs import logs_folder, sweep_runs

    for name, value in (("jobs", jobs), ("cpus", cpus)):
        if value is not None and value < 1:
            raise ValueError(f"--{name} must be at least 1, got {value}")
    for flag, is_given, needed in (("--gpus", gpus, "ray"), ("--slurm-options", slurm_options, "slurm")):
        if is_given and executor != needed:
            raise ValueError(f"{flag} is for --executor {needed}, not {executor}")
    settings = parse_settings(set, {"options": TrainOptions, agent: get_learner(agent).config_class})
    arguments: dict[str, Any] = {
        "seeds": parse_seeds(seeds), "grid": settings[agent], "run_dir": run_dir, "preset": preset,
        "env_kwargs": parse_env_kwargs(env_id, env_kwargs), "options": TrainOptions(**one_each(settings["options"])),
    }  # fmt: skip
    if dry_run or executor == "slurm":
        runs = [run for run in sweep_runs(agent, env_id, **arguments) if not run.is_finished()]
        if dry_run:
            print("\n".join(shlex.join(run.command.argv) for run in runs))
        else:
            from gc_envs.executors.slurm import sbatch_script

            commands = [run.command for run in runs]
            script = sbatch_script(commands, run_dir.name, jobs=jobs, cpus=cpus, options=slurm_options)
            with logs_folder(runs):
                print(script, end="")
        return
    from gc_envs.training.sweep_progress import SweepProgress

    resources: dict[str, Any] = {"jobs": jobs, "cpus": cpus} | ({"gpus": gpus} if gpus else {})
    with SweepProgress() as progress:
        results = run_sweep(agent, env_id, executor=executor, reporter=progress, **arguments, **resources)
    show(results, run_dir)


def leave_accelerators_to_the_runs() -> None:
    """Keep JAX of this process, which only checks settings, from taking the memory of GPUs."""
    import jax

    jax.config.update("jax_platforms", "cpu")


def parse_seeds(text: str) -> list[int]:
    """Return the seeds that "0:10" or "0,3,5" names.

    >>> parse_seeds("2:5")
    [2, 3, 4]
    """
    if re.fullmatch(r"\d+(,\d+)*", text):
        return [int(seed) for seed in text.split(",")]
    first, separator, end = text.partition(":")
    if separator and first.isdecimal() and end.isdecimal() and int(first) < int(end):
        return list(range(int(first), int(end)))
    raise ValueError(f"--seeds: {text!r} is neither a range such as 0:10, which is 0 to 9, nor a list such as 0,3,5")


def parse_settings(words: Sequence[str], classes: dict[str, type]) -> dict[str, dict[str, list[Any]]]:
    """Parse words such as "learning_rate=1e-4,3e-4" with the types of the fields of dataclasses.

    Args:
        words: The words.
        classes: The dataclasses by name; the last of them is the one that unknown settings are put down to.

    Returns:
        The values of the settings of each class, by its name.
    """
    hints = {name: get_type_hints(cls) for name, cls in classes.items()}
    parsed: dict[str, dict[str, list[Any]]] = {name: {} for name in classes}
    for word in words:
        setting, separator, text = word.partition("=")
        setting = setting.replace("-", "_")
        if not separator or not text:
            raise ValueError(f"--set {word}: write NAME=VALUE,VALUE,..., such as learning_rate=1e-4,3e-4")
        owner = next((name for name in classes if setting in hints[name]), list(classes)[-1])
        if setting in parsed[owner]:
            raise ValueError(f"--set {word}: {setting} is given twice; name all of its values at once")
        kind = hints[owner].get(setting, str)
        parsed[owner][setting] = [parse_setting(setting, value, kind) for value in text.split(",")]
    return parsed


def parse_setting(name: str, text: str, kind: Any) -> Any:
    """Return a value of a setting, whose type may also admit None."""
    kinds = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if text == "None" and types.NoneType in kinds:
        return None
    try:
        return parse_word(text, kinds[0])
    except (ValueError, KeyError):
        raise ValueError(f"--set {name}: {text!r} is not {KINDS[kinds[0]]}") from None


def one_each(options: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the only value of each option."""
    for name, values in options.items():
        if len(values) > 1:
            raise ValueError(f"--set {name} takes one value: it changes nothing of what is learned")
    return {name: values[0] for name, values in options.items()}


def show(results: Sequence["SweepResult"], run_dir: Path) -> None:
    """Print the runs as a table, and raise ValueError if any of them failed."""
    from rich.console import Console

    from gc_envs.training.sweep_progress import result_table

    Console().print(result_table(results))
    failures = [result for result in results if result.status == "failed"]
    if not failures:
        print(f"gc-envs plot {shlex.quote(str(run_dir))}/*  draws their learning curves, with intervals over seeds")
    for result in failures:
        print(f"{result.name} failed, see {result.log}: {result.error}")
    if failures:
        raise ValueError(f"{len(failures)} of {len(results)} runs failed; the same command tries them again")
