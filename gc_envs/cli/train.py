"""`gc-envs train`."""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import OmitArgPrefixes, Positional

from gc_envs.agents import LEARNERS, get_learner
from gc_envs.agents.presets import preset
from gc_envs.cli.env_kwargs import parse_env_kwargs
from gc_envs.cli.words import EnvId, EnvKwargs, help_alone
from gc_envs.training.options import TrainOptions


@dataclass(frozen=True)
class TrainArguments:
    """Train an agent, evaluate it on every goal, plot its learning curve and record a video of it."""

    agent: Annotated[Positional[str], tyro.conf.arg(metavar="AGENT")]
    """Train this agent."""
    env_id: EnvId
    """Train on this id; `gc-envs list` shows all ids. A task of your own is MODULE:CLASS."""
    preset: str = "default"
    """Start from these named settings; "paper" names the published ones."""
    env_kwargs: EnvKwargs = ()
    """Make the environment with these arguments, such as size=12 or horizon=50."""
    run_dir: Path | None = None
    """Write to this run folder; by default, to a new one under runs/."""
    seeds: int | None = None
    """Train this many runs at once in one program, with the seeds --seed, --seed + 1, ..., each in a run folder of its
    own: seed-K in --run-dir."""
    resume: bool = False
    """Continue from the newest checkpoint of --run-dir; the other flags are those of its start, and only --total-steps
    may be larger."""
    devices: int | None = None
    """Divide the environments among this many devices (one by default; all of them with --distributed)."""
    distributed: bool = False
    """Train together with other processes, of this or other machines, that run the same command."""
    options: Annotated[TrainOptions, tyro.conf.arg(name="evaluation and log")] = field(default_factory=TrainOptions)
    """These flags change nothing of what is learned."""


def train(argv: list[str]) -> None:
    """Parse the words after `gc-envs train`, twice, and train.

    The first time finds agent, environment and preset, on which the flags of the config and their defaults depend.
    """
    parse = functools.partial(tyro.cli, prog="gc-envs train", config=(OmitArgPrefixes,))
    without_help = [word for word in argv if word not in ("-h", "--help")]
    if len(without_help) < 2:  # shows the help, or raises the error that names what is missing
        more = "`gc-envs train AGENT ID --help` also shows the settings of the agent."
        description = f"{TrainArguments.__doc__} {more}\n\nAgents: {', '.join(LEARNERS)}."
        parse(TrainArguments, args=help_alone(argv), description=description)
    first, _ = parse(TrainArguments, args=without_help, add_help=False, return_unknown_args=True)
    if first.distributed:  # before anything computes
        from gc_envs.agents.distributed import initialize

        initialize()
    env_kwargs = parse_env_kwargs(first.env_id, first.env_kwargs)
    config_class = get_learner(first.agent).config_class
    defaults = config_class(**preset(first.agent, first.preset, first.env_id, env_kwargs))

    def run(
        given: Annotated[TrainArguments, tyro.conf.arg(name="")],
        config: Annotated[config_class, tyro.conf.arg(name=first.agent)] = defaults,  # type: ignore[valid-type]
    ) -> None:
        from gc_envs.training.train import train_run, train_runs

        shared: dict[str, Any] = {
            "env_kwargs": env_kwargs, "options": given.options, "run_dir": given.run_dir, "resume": given.resume,
            "lengthen": any(word.startswith(("--total-steps", "--total_steps")) for word in argv),
        }  # fmt: skip
        if given.seeds is None:
            train_run(given.agent, given.env_id, config, devices=given.devices, **shared)
        elif given.devices not in (None, 1) or given.distributed:
            raise ValueError("--seeds trains on one device: give either it or --devices and --distributed")
        else:
            train_runs(given.agent, given.env_id, config, seeds=given.seeds, **shared)

    parse(run, args=help_alone(argv), description=TrainArguments.__doc__)
