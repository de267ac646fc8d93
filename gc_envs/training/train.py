"""`gc-envs train`, from settings to a finished run folder: build, train, evaluate, plot and record."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from gc_envs.agents import get_learner, load_agent
from gc_envs.agents.config import check_ranges
from gc_envs.agents.distributed import default_devices, follow, is_follower, lead
from gc_envs.evaluation.evaluate import SAMPLED_EPISODES, Evaluation, Evaluator
from gc_envs.evaluation.plots import plot_learning_curve
from gc_envs.evaluation.table import format_table, save_json
from gc_envs.evaluation.video import record_episodes, save_gif
from gc_envs.registration import get_row, make_task
from gc_envs.training.checkpoint import RunError
from gc_envs.training.loop import Diverged, Evaluate, train
from gc_envs.training.options import TrainOptions
from gc_envs.training.run_dir import RunDir, open_run
from gc_envs.training.together import group_by_step
from gc_envs.training.trackers import Tracker, check_installed, open_wandb
from gc_envs.training.types import Policy, TrainableLearner

RECORDED_GOALS = 6  # in the video of a trained agent


def train_run(
    agent: str,
    env_id: str,
    config: Any,
    *,
    env_kwargs: dict[str, Any] | None = None,
    options: TrainOptions | None = None,
    run_dir: Path | str | None = None,
    resume: bool = False,
    lengthen: bool = True,
    devices: int | None = None,
) -> Policy | None:
    """Train an agent in a run folder, evaluate every goal, plot the learning curve and record a video.

    Args:
        agent: Name of a learner, see `agents.LEARNERS`.
        env_id: A registered id, "module:id" or "module:class".
        config: An instance of the learner's `config_class`.
        env_kwargs: Arguments of the environment.
        options: Evaluations and logs.
        run_dir: The run folder; by default a new one under `runs/`.
        resume: Whether to go on from the newest checkpoint of `run_dir`, or from the start if it has none.
        lengthen: Whether a run that is resumed may be given a larger `total_steps` than it was started with.
        devices: The number of devices that the environments are divided among, which may change from resumption to
            resumption; by default one, or all of several processes.

    Returns:
        The trained agent; of several processes (`agents.distributed`), the first one returns it, and the others None.

    Raises:
        RunError: The folder holds a run and `resume` is False, or the run was started with other settings.
        ValueError: The environment or a setting cannot be trained with.
        ModuleNotFoundError: What `options` ask for is not installed.
        Interrupted: SIGINT or SIGTERM came; everything is saved.
    """
    folder = _folder(agent, env_id, run_dir, resume=resume)
    learner, wanted = build_run(agent, env_id, config, env_kwargs or {}, folder)
    devices = default_devices() if devices is None else devices
    learner.check_machine(devices)
    if is_follower():
        follow(learner.trainer([wanted], devices))
        return None
    with lead():
        (policy,) = _train(
            learner, [wanted], options or TrainOptions(), resume=resume, lengthen=lengthen, devices=devices
        )  # fmt: skip
    return policy


def train_runs(
    agent: str,
    env_id: str,
    config: Any,
    *,
    seeds: int,
    env_kwargs: dict[str, Any] | None = None,
    options: TrainOptions | None = None,
    run_dir: Path | str | None = None,
    resume: bool = False,
    lengthen: bool = True,
) -> list[Policy]:
    """Do what `train_run` does for several seeds at once, in one program.

    Runs that are resumed and have been trained to different steps go on in one program for each of these steps.

    Args:
        agent: Name of a learner in JAX.
        env_id: See `train_run`.
        config: Settings of the run with the first seed; the others have the seeds that follow.
        seeds: Number of runs.
        env_kwargs: See `train_run`.
        options: See `train_run`.
        run_dir: The folder of the run folders, which are named after their seeds, such as seed-3; by default a new one
            under `runs/`.
        resume: Whether the runs that are there go on; those that are not are started.
        lengthen: See `train_run`.

    Returns:
        The trained agent of each seed.

    Raises:
        ValueError: Not as many seeds can be trained, or the agent trains one at a time.
        Diverged: A run has diverged; the others have ended.
        Exception: What `train_run` raises.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    if not get_learner(agent).trains_together:
        raise ValueError(
            f"{agent} trains one seed at a time; `gc-envs sweep {agent} {env_id} --seeds "
            f"{config.seed}:{config.seed + seeds}` trains many, each in a process of its own"
        )
    folder = _folder(agent, env_id, run_dir, resume=resume)
    if (folder / "config.json").exists():
        raise RunError(f"{folder} is a run itself; name a folder for the run folders")
    check_ranges(dataclasses.replace(config, seed=config.seed + seeds - 1))
    learner, first = build_run(agent, env_id, config, env_kwargs or {}, folder)
    learner.check_machine(devices=1, runs=seeds)
    wanted = [
        dataclasses.replace(first, folder=folder / f"seed-{seed}", config={**first.config, "seed": seed})
        for seed in range(config.seed, config.seed + seeds)
    ]
    return _train(learner, wanted, options or TrainOptions(), resume=resume, lengthen=lengthen, many=True)


def _folder(agent: str, env_id: str, run_dir: Path | str | None, *, resume: bool) -> Path:
    """Return the folder that the user names, or a new one under `runs/`."""
    if resume and run_dir is None:
        raise RunError("--resume needs --run-dir, the run to go on with")
    if not isinstance(env_id, str):
        raise ValueError(f"a run folder has to name how its task is made: give 'module:class', not {env_id!r}")
    name = re.sub(r"[^\w.-]+", "-", env_id)  # a folder of its own for FOLDER/NAME-v0 and module:class
    return Path(run_dir or Path("runs") / f"{agent}-{name}-{datetime.now():%Y%m%d-%H%M%S}")


def _train(
    learner: TrainableLearner, wanted: Sequence[RunDir], options: TrainOptions, *, resume: bool, lengthen: bool,
    many: bool = False, devices: int = 1,
) -> list[Policy]:  # fmt: skip
    """Train, evaluate, plot and record runs that differ only in their seed and folder.

    Args:
        learner: What trains them.
        wanted: The runs as they are asked for.
        options: Evaluations and logs.
        resume: See `train_run`.
        lengthen: See `train_run`.
        many: Whether they were asked for by a number of seeds, so that their folders are in one of their own.
        devices: See `train_run`.
    """
    check_installed(options)
    console, config = Console(stderr=True), learner.config
    evaluator = Evaluator(
        wanted[0].env_id, episodes_per_goal=options.eval_episodes, episodes=SAMPLED_EPISODES * options.eval_episodes,
        seed=config.seed, env_kwargs=wanted[0].env_kwargs,
    )  # fmt: skip
    # Opened last, so that what cannot be run leaves no folder.
    runs = [_lengthened(run, config) for run in _open_or_create(wanted, resume=resume, lengthen=lengthen)]
    left = [run for run in runs if not run.is_finished(learner.total_steps)]
    for run in runs:
        if run not in left:
            console.print(f"{run.folder} is finished", highlight=False)
    shown = [run for run in runs if run in left or not run.has_results]
    results: dict[Path, Evaluation] = {}

    def evaluate(policy: Policy, on_step: Callable[..., None]) -> Evaluation:
        assert policy.run is not None
        results[policy.run.folder] = evaluator(policy, on_step, seed=policy.run.config["seed"])
        return results[policy.run.folder]

    with open_wandb(shown, options, many=many) as trackers:
        policies, diverged = _train_groups(learner, left, options, evaluate, trackers, devices)
        for run in shown:
            if run.folder not in policies and run.is_finished(learner.total_steps):
                policies[run.folder] = load_agent(run.folder)
            if policy := policies.get(run.folder):  # otherwise it has diverged
                result = results.get(run.folder) or evaluator(policy, seed=run.config["seed"])
                finish(policy, run, result, trackers[run.folder], brief=many)
    if diverged:
        raise Diverged("; ".join(diverged))
    return [policies.get(run.folder) or load_agent(run.folder) for run in runs]


def _train_groups(
    learner: TrainableLearner, runs: Sequence[RunDir], options: TrainOptions, evaluate: Evaluate,
    trackers: Mapping[Path, Sequence[Tracker]], devices: int,
) -> tuple[dict[Path, Policy], list[str]]:  # fmt: skip
    """Train runs to the end; return policies by their folders, and what is to be said about those that diverged."""
    policies: dict[Path, Policy] = {}
    diverged, console, asked = [], Console(stderr=True), learner.config.total_steps
    for group in group_by_step(runs):
        folders = ", ".join(str(run.folder) for run in group.runs)
        console.print(f"training {learner.name} on {group.runs[0].env_id} in [bold]{folders}[/bold]", highlight=False)
        if learner.total_steps != asked:
            rounded = f"total_steps={asked:,} is rounded to {learner.total_steps:,}"
            console.print(f"{rounded}, a whole number of rollouts", highlight=False)
        try:
            trained = train(learner.trainer(group.runs, devices), group, options, evaluate, trackers)
            policies |= {run.folder: policy for run, policy in zip(group.runs, trained, strict=True)}
        except Diverged as error:
            diverged.append(str(error))
    return policies, diverged


def finish(
    policy: Policy, run: RunDir, result: Evaluation, trackers: Sequence[Tracker] = (), *, brief: bool = False
) -> None:
    """Write, print and give to `trackers` what a finished run shows: table, learning_curve.png and agent.gif.

    `brief` prints one line with its folder instead of the table.
    """
    console = Console(stderr=True)
    save_json(result, run.folder / "evaluation.json")
    table = format_table(result)
    print(f"{run.folder}: {table.splitlines()[0]}" if brief else table)
    written = [run.folder / "evaluation.json"]
    try:
        curve = plot_learning_curve(run.folder, f"{run.agent} on {run.env_id}")
        written += [curve] if curve else []
    except RunError as error:
        console.print(f"no learning curve: {error}", highlight=False)
    console.print("recording a video of the agent ...", highlight=False)
    try:
        episodes = record_episodes(
            policy, run.env_id, goals_to_record(result), seed=result["seed"], env_kwargs=run.env_kwargs
        )
        comment = f"gc-envs: {run.agent} on {run.env_id}, seed {result['seed']}"
        written.append(save_gif(episodes, run.folder / "agent.gif", policy.task.render_fps, comment=comment))
    except (OSError, NotImplementedError) as error:  # what cannot be rendered has been trained all the same
        console.print(f"no video: {error}", highlight=False)
    for path in written:
        console.print(f"wrote {path}", highlight=False)
    for tracker in trackers:
        tracker.figures(written)


def goals_to_record(result: Evaluation) -> list[str] | int:
    """Return a few goals that the agent reached (any if it reached none), or how many goals to sample.

    They are spread evenly over the goal set.
    """
    if not result["per_goal"]:
        return RECORDED_GOALS
    names = [name for name, rate in result["per_goal"].items() if rate > 0] or list(result["per_goal"])
    count = min(RECORDED_GOALS, len(names))
    return [names[(2 * i + 1) * len(names) // (2 * count)] for i in range(count)]


def build_run(
    agent: str, env_id: str, config: Any, env_kwargs: dict[str, Any], folder: Path
) -> tuple[TrainableLearner, RunDir]:
    """Return the learner, and the run that `folder` is to hold."""
    learner_class, row = get_learner(agent), get_row(env_id)
    if learner_class.takes_compact:
        env_kwargs = row.agent_kwargs | env_kwargs
    needed = learner_class.on_success
    if needed is not None and env_kwargs.get("on_success", needed) != needed:
        raise ValueError(
            f"{agent} trains with on_success={needed!r}, not {env_kwargs['on_success']!r}; give that to an evaluation"
        )
    task = make_task(env_id, **env_kwargs)
    if task.backend != "jax":  # so that the run says which physics it is about, and goes on with the same
        env_kwargs = {**env_kwargs, "backend": task.backend}
    return learner_class(task, config), RunDir(folder, agent, row.reference, env_kwargs, dataclasses.asdict(config))


def _lengthened(run: RunDir, config: Any) -> RunDir:
    """Return a run with `config.total_steps`; if it was started with fewer, write that and say what it changes."""
    before, after = run.config["total_steps"], config.total_steps
    if before >= after:
        return run
    line = f"{run.folder}: lengthened from {before:,} to {after:,} steps"
    if config.schedules:
        line += (
            f"; from here on with {' and '.join(config.schedules)} of a run of {after:,} steps, "
            f"until here with what belongs to {before:,}"
        )
    else:
        line += ", as if it had been started with that number"
    Console(stderr=True).print(line, highlight=False)
    return run.lengthened(after)


def _open_or_create(wanted: Sequence[RunDir], *, resume: bool, lengthen: bool) -> list[RunDir]:
    """Return the runs in the folders of `wanted`, and new ones where there are none.

    All are checked before the first new one is made.
    """
    found = [_open(run, lengthen=lengthen) if resume else None for run in wanted]
    new = [run for run, opened in zip(wanted, found, strict=True) if opened is None]
    for run in new:
        run.check_free()
    for run in new:
        run.create()
    return [opened or run for run, opened in zip(wanted, found, strict=True)]


def _open(wanted: RunDir, *, lengthen: bool) -> RunDir | None:
    """Return the run in the folder of `wanted`, checked to be the same; None if there is nothing."""
    if not wanted.folder.is_dir() or not any(wanted.folder.iterdir()):
        return None
    run = open_run(wanted.folder)
    if run.exported:
        raise RunError(f"{run.folder} was exported: it has what acting needs, and nothing to go on training with")
    run.check_same(wanted, lengthen=lengthen)
    return run
