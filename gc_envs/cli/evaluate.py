"""`gc-envs evaluate`, `render` and `plot`: what trained agents do."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gc_envs.cli.env_kwargs import parse_env_kwargs
from gc_envs.cli.words import EnvKwargs, GoalNames, OptionalRun, RunFolder, RunFolders
from gc_envs.registration import get_row

if TYPE_CHECKING:
    from gc_envs.training.run_dir import RunDir

SAMPLED_GOALS = 3  # goals that `render` samples if it is given none


def evaluate(
    run: RunFolder,
    *,
    env_id: str | None = None,
    episodes_per_goal: int = 1,
    episodes: int = 100,
    goal: GoalNames = (),
    seed: int = 0,
    max_steps: int | None = None,
    env_kwargs: EnvKwargs = (),
    json: Path | None = None,
) -> None:
    """Measure how often a trained agent reaches each goal.

    With --suite NAME the command scores an agent on all tasks of a suite; `gc-envs evaluate --suite quick --help` shows
    its flags.

    Args:
        run: Evaluate the agent of this run folder, or the pretrained agent with this name.
        env_id: Evaluate on this id; by default, on the one that the agent was trained on.
        episodes_per_goal: Run this many episodes for each goal of a finite goal set.
        episodes: Run this many episodes if goals are sampled.
        goal: Evaluate only the goals with these names; by default, all goals.
        seed: Seed the start states, the dynamics and the sampled goals with this number.
        max_steps: End an episode after this many steps; by default, after those of the id (512 for Craftax).
        env_kwargs: Change these arguments of the environment, such as on_success=continue; by default, those of the
            run.
        json: Write the result to this JSON file.
    """
    from rich.progress import Progress

    from gc_envs.agents import load_agent
    from gc_envs.evaluation import evaluate as run_evaluation
    from gc_envs.evaluation import format_table, save_json

    policy = load_agent(run)
    kwargs = run_env_kwargs(policy.run, env_id, env_kwargs)
    env_id = env_id or policy.run.env_id
    with Progress(transient=True) as bar:
        task = bar.add_task("evaluating", total=None)
        result = run_evaluation(
            policy, env_id, episodes_per_goal=episodes_per_goal, episodes=episodes, goals=goal or None, seed=seed,
            max_steps=max_steps, env_kwargs=kwargs,
            on_step=lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    print(format_table(result))
    if json is not None:
        save_json(result, json)


def run_env_kwargs(run: "RunDir", env_id: str | None, pairs: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a run's environment, changed by `pairs`; only those if it is to act on another id."""
    is_its_own = env_id is None or get_row(env_id).id == get_row(run.env_id).id
    return (run.env_kwargs if is_its_own else {}) | parse_env_kwargs(env_id or run.env_id, pairs)


def render(
    run: OptionalRun = None,
    *,
    goal: GoalNames = (),
    seed: int = 0,
    max_steps: int | None = None,
    env_kwargs: EnvKwargs = (),
    suite: str | None = None,
    task: str | None = None,
    policy: str | None = None,
    out: Path | None = None,
    fps: int | None = None,
) -> None:
    """Record a video of a trained agent on the way to one or more goals, or an episode of a suite once more.

    Args:
        run: Record the agent of this run folder, or the pretrained agent with this name.
        goal: Give the episodes the goals with these names; by default, three sampled goals.
        seed: Seed the start states, the dynamics and the sampled goals with this number.
        max_steps: End an episode after this many steps; by default, after those of the id but at most 120.
        env_kwargs: Change these arguments of the environment, such as horizon=50; by default, those of the run.
        suite: Record an episode as the task of this suite runs it; RUN may then be a model file, too.
        task: Take this task of the suite.
        policy: Record the policy that this function makes, written MODULE:FUNCTION, instead of a run.
        out: Write this GIF file; by default, one in the run folder, or in this folder for a pretrained agent.
        fps: Show this many frames per second; by default, as many as the environment asks for.
    """
    from gc_envs.agents import load_agent
    from gc_envs.evaluation.video import record_episodes, save_gif

    if suite or task or policy:
        if max_steps is not None or env_kwargs or fps is not None:
            raise ValueError("--max-steps, --env-kwargs and --fps are those of the suite's task where --suite is given")
        return render_task(run, suite, task, policy, goal, seed, out)
    if run is None:
        raise ValueError("the following arguments are required: RUN; add --help to see what there is")
    agent = load_agent(run)
    episodes = record_episodes(
        agent, agent.run.env_id, list(goal) or SAMPLED_GOALS, seed=seed, max_steps=max_steps,
        env_kwargs=run_env_kwargs(agent.run, None, env_kwargs),
    )  # fmt: skip
    path = out or (run if run.is_dir() else Path()) / video_name(goal, seed)
    flags = " ".join(["--goal", *goal, ""]) if goal else ""
    comment = f"gc-envs render {run.name} {flags}--seed {seed} ({agent.run.env_id})"
    print(f"wrote {save_gif(episodes, path, agent.task.render_fps if fps is None else fps, comment=comment)}")


def video_name(goal: Sequence[str], seed: int) -> str:
    """Return what the file of a video is called."""
    return f"{'+'.join(goal or ('sampled',)).replace('/', '_')}-seed{seed}.gif"


def render_task(
    run: Path | None,
    suite: str | None,
    task: str | None,
    policy: str | None,
    goal: Sequence[str],
    seed: int,
    out: Path | None,
) -> None:
    """Record episodes as an evaluation on a suite runs them."""
    from gc_envs.evaluation.video import save_gif
    from gc_envs.suite.members import PolicySource
    from gc_envs.suite.videos import FPS, replay

    if not (suite and task) or (run is None) == (policy is None):
        raise ValueError("an episode of a suite needs --suite, --task, and either RUN or --policy")
    source = PolicySource(policy, {} if run is None else {task: [str(run)]})
    recordings = replay(source, suite, task, goal, seed)
    path = out or (run if run is not None and run.is_dir() else Path()) / f"{task}-{video_name(goal, seed)}"
    print(f"wrote {save_gif([one.frames for one in recordings], path, FPS)}")
    print(f"reached: {', '.join('yes' if one.success else 'no' for one in recordings)}")


def plot(
    runs: RunFolders,
    *,
    metric: Literal["success", "running_success", "return"] = "success",
    out: Path = Path("learning_curves.png"),
) -> None:
    """Draw the learning curves of several runs and seeds over each other, with 95% intervals.

    Args:
        runs: Draw these run folders; those that differ only in their seed are one curve.
        metric: Draw the success of greedy evaluations, the success of training episodes, or the return of evaluations.
        out: Write this PNG file.
    """
    from gc_envs.evaluation.plots import plot_runs

    print(f"wrote {plot_runs(runs, out, metric)}")
