"""Train a grid of runs: every combination of settings, with every seed, each an ordinary run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from gc_envs.executors import Executor, Outcome, run_commands
from gc_envs.training.options import TrainOptions
from gc_envs.training.sweep_runs import Setting, SweepRun, logs_folder, sweep_runs


@dataclass(frozen=True)
class SweepResult:
    """How a run of a sweep ended.

    Attributes:
        name: The name of its folder.
        folder: The run folder.
        status: "finished", "found finished" where an earlier sweep had trained it, or "failed".
        success: The success of its evaluation.
        log: The file of what it printed, for runs that were started.
        error: Why it failed, in one line.
    """

    name: str
    folder: Path
    status: Literal["finished", "found finished", "failed"]
    success: float | None = None
    log: Path | None = None
    error: str = ""


class Reporter(Protocol):
    """What shows how far a sweep is."""

    def start(self, runs: Sequence[SweepRun]) -> None:
        """Show the runs that are to be trained."""

    def tick(self) -> None:
        """Show how far they are; called several times a second."""

    def finish(self, result: SweepResult) -> None:
        """Show how a run ended."""


def sweep(
    agent: str,
    env_id: str,
    *,
    seeds: Sequence[int],
    grid: Mapping[str, Sequence[Setting]] | None = None,
    run_dir: Path | str,
    preset: str = "default",
    env_kwargs: Mapping[str, Any] | None = None,
    options: TrainOptions | None = None,
    executor: Executor = "local",
    reporter: Reporter | None = None,
    **resources: Any,
) -> list[SweepResult]:
    """Train an agent with every combination of settings and every seed.

    What an earlier call finished is not trained again, and what it left unfinished goes on. A run that fails does not
    disturb the others.

    Args:
        agent: Name of a learner, see `agents.LEARNERS`.
        env_id: A registered id, "module:id" or "module:class".
        seeds: The seeds.
        grid: The values of settings of the agent.
        run_dir: The folder of the run folders.
        preset: The named settings that `grid` changes.
        env_kwargs: Arguments of the environment.
        options: Evaluations and logs of every run.
        executor: "local" for processes of this machine, "ray" for a Ray cluster.
        reporter: What shows how far the sweep is.
        resources: Further arguments of `executors.run_commands`: `jobs`, the runs at a time; `cpus` of each; and for
            Ray `gpus` of each.

    Returns:
        How each run ended, in the order of the grid.

    Raises:
        ValueError: Something that is asked for is not valid, or a folder holds a run of other settings. Nothing has
            been started.
        Interrupted: SIGINT or SIGTERM came. The runs have saved; the same call goes on.
    """
    runs = sweep_runs(
        agent, env_id, seeds=seeds, grid=grid, run_dir=run_dir, preset=preset, env_kwargs=env_kwargs, options=options
    )
    results = {one.name: _result(one) for one in runs if one.is_finished()}
    todo = {one.name: one for one in runs if one.name not in results}

    def on_done(name: str, outcome: Outcome) -> None:
        results[name] = _result(todo[name], outcome)
        if reporter is not None:
            reporter.finish(results[name])

    with logs_folder(runs):
        if reporter is not None:
            reporter.start(list(todo.values()))
        run_commands(
            [one.command for one in todo.values()], executor, on_line=lambda name, line: None, on_done=on_done,
            on_tick=reporter.tick if reporter is not None else None, **resources,
        )  # fmt: skip
    return [results[one.name] for one in runs]


def _result(one: SweepRun, outcome: Outcome | None = None) -> SweepResult:
    """Return how a run ended, or that it was found finished."""
    if outcome is None:
        return SweepResult(one.name, one.folder, "found finished", one.success())
    log = one.command.log
    if outcome.status == 0:
        return SweepResult(one.name, one.folder, "finished", one.success(), log)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    error = outcome.error or f"status {outcome.status}{last and f': {last}'}"
    return SweepResult(one.name, one.folder, "failed", one.success(), log, error)
