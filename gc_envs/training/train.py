"""`gc-envs train`, from settings to a finished run folder: build, train, evaluate, plot and record."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from gc_envs.agents import get_learner, load_agent
from gc_envs.agents.distributed import default_devices, follow, is_follower, lead
from gc_envs.evaluation.evaluate import SAMPLED_EPISODES, Evaluation, Evaluator
from gc_envs.evaluation.plots import plot_learning_curve
from gc_envs.evaluation.table import format_table, save_json
from gc_envs.evaluation.video import record_episodes, save_gif
from gc_envs.registration import get_row, make_task
from gc_envs.training.checkpoint import RunError
from gc_envs.training.loop import train
from gc_envs.training.options import TrainOptions
from gc_envs.training.run_dir import RunDir, open_run
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
    if resume and run_dir is None:
        raise RunError("--resume needs --run-dir, the run to go on with")
    options = options or TrainOptions()
    check_installed(options)
    if not isinstance(env_id, str):
        raise ValueError(f"a run folder has to name how its task is made: give 'module:class', not {env_id!r}")
    name = re.sub(r"[^\w.-]+", "-", env_id)  # a folder of its own for FOLDER/NAME-v0 and module:class
    folder = Path(run_dir or Path("runs") / f"{agent}-{name}-{datetime.now():%Y%m%d-%H%M%S}")
    learner, wanted = build_run(agent, env_id, config, env_kwargs or {}, folder)
    devices = default_devices() if devices is None else devices
    learner.check_devices(devices)
    if is_follower():
        follow(learner.trainer(wanted, devices))
        return None
    with lead():
        return _run(env_id, learner, wanted, options, devices, resume=resume, lengthen=lengthen)


def _run(
    env_id: str, learner: TrainableLearner, wanted: RunDir, options: TrainOptions, devices: int, *, resume: bool,
    lengthen: bool,
) -> Policy:  # fmt: skip
    """Do what `train_run` says, in the first process."""
    agent, config, folder = wanted.agent, learner.config, wanted.folder
    console = Console(stderr=True)
    evaluator = Evaluator(
        env_id, episodes_per_goal=options.eval_episodes, episodes=SAMPLED_EPISODES * options.eval_episodes,
        seed=config.seed, env_kwargs=wanted.env_kwargs,
    )  # fmt: skip
    # Opened last, so that what cannot be run leaves no folder.
    run = _open_or_create(wanted, resume=resume, lengthen=lengthen)
    if run.config["total_steps"] < config.total_steps:
        console.print(f"{folder}: {_lengthening(run.config['total_steps'], config)}", highlight=False)
        run = run.lengthened(config.total_steps)
    result: Evaluation | None = None

    def evaluate(policy: Policy, on_step: Callable[..., None]) -> Evaluation:
        nonlocal result
        result = evaluator(policy, on_step)
        return result

    finished = run.is_finished(learner.total_steps)
    policy: Policy
    if finished:
        console.print(f"{folder} is finished", highlight=False)
        policy = load_agent(folder)
        if (folder / "evaluation.json").exists() and (folder / "agent.gif").exists():
            return policy
    with open_wandb(run, options) as wandb:
        trackers = [wandb] if wandb else []
        if not finished:
            console.print(f"training {agent} on {env_id} in [bold]{folder}[/bold]", highlight=False)
            if learner.total_steps != config.total_steps:
                rounded = f"total_steps={config.total_steps:,} is rounded to {learner.total_steps:,}"
                console.print(f"{rounded}, a whole number of rollouts", highlight=False)
            policy = train(learner.trainer(run, devices), run, options, evaluate, trackers)
        finish(policy, run, result or evaluator(policy), trackers)
    return policy


def finish(policy: Policy, run: RunDir, result: Evaluation, trackers: Sequence[Tracker] = ()) -> None:
    """Write, print and give to `trackers` what a finished run shows: table, learning_curve.png and agent.gif."""
    console = Console(stderr=True)
    save_json(result, run.folder / "evaluation.json")
    print(format_table(result))
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


def _lengthening(before: int, config: Any) -> str:
    """Return what is to be said when a run of `before` steps goes on to `config.total_steps`."""
    line = f"lengthened from {before:,} to {config.total_steps:,} steps"
    if not config.schedules:
        return f"{line}, as if it had been started with that number"
    return (
        f"{line}; from here on with {' and '.join(config.schedules)} of a run of {config.total_steps:,} steps, "
        f"until here with what belongs to {before:,}"
    )


def _open_or_create(wanted: RunDir, *, resume: bool, lengthen: bool) -> RunDir:
    """Return the run in the folder of `wanted`, checked to be the same, or `wanted` as a new one."""
    if resume and wanted.folder.is_dir() and any(wanted.folder.iterdir()):
        run = open_run(wanted.folder)
        if run.exported:
            raise RunError(f"{run.folder} was exported: it has what acting needs, and nothing to go on training with")
        run.check_same(wanted, lengthen=lengthen)
        return run
    wanted.create()
    return wanted
