"""`gc-envs train`, from flags to a finished run folder: build, train, evaluate, draw."""

import dataclasses
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from gc_envs.agents import get_learner, load_agent
from gc_envs.agents.checkpoint import RunError
from gc_envs.agents.runs import Run, open_run
from gc_envs.agents.schedule import Schedule
from gc_envs.evaluation.evaluate import Evaluation, Evaluator
from gc_envs.evaluation.plots import plot_learning_curve
from gc_envs.evaluation.table import format_table, save_json
from gc_envs.evaluation.video import record_episodes, save_gif
from gc_envs.registration import get_row, make_task

FILMED = 6  # goals in the film of a trained agent
DRAWN = 100  # episodes of an evaluation, where goals are drawn


def train_run(
    agent: str,
    env_id: str,
    config: Any,
    *,
    env_kwargs: dict[str, Any] | None = None,
    schedule: Schedule | None = None,
    run_dir: Path | str | None = None,
    resume: bool = False,
) -> Any:
    """Train `agent` on `env_id` in a run folder, then evaluate every goal, draw the curve and film the agent.

    Args:
        agent: a learner's name.
        env_id: a registered id.
        config: an instance of the learner's `config_class`.
        env_kwargs: the task's arguments.
        schedule: evaluations and logs.
        run_dir: the run folder; default a new one under `runs/`.
        resume: go on from the newest checkpoint of `run_dir`, or from the start if it has none.

    Raises:
        RunError: when the folder holds a run and `resume` is False, or was started with other settings.
        ValueError: for settings that cannot be trained with.
        Interrupted: after SIGINT or SIGTERM, with everything saved.
    """
    console, schedule = Console(stderr=True), schedule or Schedule()
    learner_class = get_learner(agent)
    env_kwargs = (get_row(env_id).agent_kwargs if learner_class.takes_compact else {}) | (env_kwargs or {})
    if resume and run_dir is None:
        raise RunError("--resume needs --run-dir, the run to go on with")
    folder = Path(run_dir or Path("runs") / f"{agent}-{env_id}-{datetime.now():%Y%m%d-%H%M%S}")
    task = make_task(env_id, **env_kwargs)
    if task.backend != "jax":  # so that the run says which physics it is about, and goes on with the same
        env_kwargs["backend"] = task.backend
    wanted = Run(folder, agent, env_id, env_kwargs, dataclasses.asdict(config))
    learner = learner_class(task, config)
    if resume and folder.is_dir() and any(folder.iterdir()):
        run = open_run(folder)
        run.check_same(wanted)
    else:
        run = wanted
        run.create()

    evaluator = Evaluator(
        env_id, episodes_per_goal=schedule.eval_episodes, episodes=DRAWN * schedule.eval_episodes, seed=config.seed,
        env_kwargs=env_kwargs,
    )  # fmt: skip
    result: Evaluation | None = None

    def check(policy: Any, on_step: Callable[..., None]) -> Evaluation:
        nonlocal result
        result = evaluator(policy, on_step)
        return result

    if run.is_finished(learner.total_steps):
        console.print(f"{folder} is finished", highlight=False)
        policy = load_agent(folder)
        if (folder / "evaluation.json").exists() and (folder / "agent.gif").exists():
            return policy
    else:
        console.print(f"training {agent} on {env_id} in [bold]{folder}[/bold]", highlight=False)
        policy = learner.train(run, schedule, check)
    finish(policy, run, result or evaluator(policy))
    return policy


def finish(policy: Any, run: Run, result: Evaluation) -> None:
    """Write and print what a finished run shows: the success table, learning_curve.png and agent.gif."""
    console = Console(stderr=True)
    save_json(result, run.folder / "evaluation.json")
    print(format_table(result))
    written = [plot_learning_curve(run.folder, f"{run.agent} on {run.env_id}"), run.folder / "evaluation.json"]
    console.print("filming the agent ...", highlight=False)
    try:
        episodes = record_episodes(
            policy, run.env_id, filmed_goals(result), seed=result["seed"], env_kwargs=run.env_kwargs
        )
        comment = f"gc-envs: {run.agent} on {run.env_id}, seed {result['seed']}"
        written.append(save_gif(episodes, run.folder / "agent.gif", policy.task.render_fps, comment=comment))
    except OSError as error:  # a machine that cannot draw has trained all the same
        console.print(f"no film: {error}", highlight=False)
    for path in written:
        console.print(f"wrote {path}", highlight=False)


def filmed_goals(result: Evaluation) -> list[str] | int:
    """A few goals that the agent reached, spread over the goal set (any if it reached none), or how many to draw."""
    if not result["per_goal"]:
        return FILMED
    reached = [name for name, rate in result["per_goal"].items() if rate > 0] or list(result["per_goal"])
    count = min(FILMED, len(reached))
    return [reached[(2 * i + 1) * len(reached) // (2 * count)] for i in range(count)]
