"""The `gc-envs` command."""

import ast
import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import gymnasium
import tyro
from tyro.conf import OmitArgPrefixes, Positional, Suppress

import gc_envs
from gc_envs.agents import LEARNERS, get_learner
from gc_envs.agents.presets import preset
from gc_envs.cli_errors import one_line_errors
from gc_envs.env_kwargs import parse_env_kwargs
from gc_envs.registration import REGISTRY, get_row, make_task
from gc_envs.training.options import TrainOptions
from gc_envs.training.signals import Interrupted

if TYPE_CHECKING:
    from gc_envs.training.run_dir import RunDir

SAMPLED_GOALS = 3  # goals that `render` samples if it is given none
BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"

EnvId = Annotated[Positional[str], tyro.conf.arg(metavar="ID")]
EnvKwargs = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME=VALUE ...]", help_behavior_hint="")]
GoalNames = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[GOAL ...]", help_behavior_hint="")]
BenchmarkName = Annotated[Positional[str | None], tyro.conf.arg(metavar="[NAME]", help_behavior_hint="")]
RunFolder = Annotated[Positional[Path], tyro.conf.arg(metavar="RUN")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 on success, 2 after an error (one line on stderr), 128 + n if it was stopped by signal n.
    """
    gc_envs.use_compile_cache()
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # for ids such as my_module:MyTask; last, so that its files hide no packages
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with one_line_errors(functools.partial(known_flags, words)):
            run_command(words)
        return 0
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signum
    except KeyboardInterrupt:  # Ctrl+C outside of training, such as in the terminal of `gc-envs play`
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader has seen enough, as in `gc-envs goals ID | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, ImportError, OSError, NotImplementedError, gymnasium.error.Error) as error:
        if os.environ.get("GC_ENVS_TRACEBACK"):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def run_command(argv: list[str]) -> None:
    """Parse the words after `gc-envs` and run the command that they name."""
    name = argv[0] if argv else ""
    end = argv.index("--") if name == "benchmark" and "--" in argv else len(argv)
    if name == "--version":
        print(f"gc-envs {gc_envs.__version__}")
    elif name == "train":
        train(argv[1:])
    elif name in COMMANDS or name.startswith("-"):
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS | {"benchmark": functools.partial(benchmark, arguments=tuple(argv[end + 1 :]))},
            args=[name, *_help_alone(argv[1:end])], prog="gc-envs",
            description=f"{summary(gc_envs.__doc__)} `gc-envs --version` shows the version.",
        )  # fmt: skip
    else:
        raise ValueError(f"{f'unknown command {name!r}' if argv else 'no command'}; known: {', '.join(COMMANDS)}")


def known_flags(argv: list[str]) -> list[str]:
    """Return the flags that the words after `gc-envs` may have."""
    if argv[0] not in COMMANDS:
        return ["--help", "--version"]
    documented: list[Any] = [COMMANDS[argv[0]]]
    if argv[0] == "train":
        agent = next((word for word in argv if word in LEARNERS), None)
        documented += [TrainOptions, *([get_learner(agent).config_class] if agent else [])]
    names = [name for callable_ in documented for name in inspect.signature(callable_).parameters]
    return ["--" + name.replace("_", "-") for name in names]


def _help_alone(argv: list[str]) -> list[str]:
    """Return only --help if it is there, because tyro shows no help for the positional arguments before it."""
    return ["--help"] if {"-h", "--help"} & set(argv) else argv


def list_ids() -> None:
    """List the ids of all environments."""
    from importlib.util import find_spec

    width = max(map(len, REGISTRY))
    for row in REGISTRY.values():
        missing = row.requires and find_spec(row.requires) is None
        hint = f'  (needs: pip install "gc_envs[{row.extra}]")' if missing else ""
        print(f"{row.id:<{width}}  {row.summary}{hint}")


def goals(env_id: EnvId, *, env_kwargs: EnvKwargs = ()) -> None:
    """List the goals of an environment in their order.

    Args:
        env_id: List the goals of this id; `gc-envs list` shows all ids. A task of your own is MODULE:CLASS.
        env_kwargs: Make the environment with these arguments, such as size=12.
    """
    task = make_task(env_id, **parse_env_kwargs(env_id, env_kwargs))
    for index, name in enumerate(task.goals.names):
        print(f"{index:>4}  {name}")


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
    resume: bool = False
    """Continue from the newest checkpoint of --run-dir; the other flags are those of its start, and only --total-steps
    may be larger."""
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
        parse(TrainArguments, args=_help_alone(argv), description=description)
    first, _ = parse(TrainArguments, args=without_help, add_help=False, return_unknown_args=True)
    env_kwargs = parse_env_kwargs(first.env_id, first.env_kwargs)
    config_class = get_learner(first.agent).config_class
    defaults = config_class(**preset(first.agent, first.preset, first.env_id, env_kwargs))

    def run(
        given: Annotated[TrainArguments, tyro.conf.arg(name="")],
        config: Annotated[config_class, tyro.conf.arg(name=first.agent)] = defaults,  # type: ignore[valid-type]
    ) -> None:
        from gc_envs.training.train import train_run

        train_run(
            given.agent, given.env_id, config, env_kwargs=env_kwargs, options=given.options, run_dir=given.run_dir,
            resume=given.resume, lengthen=any(word.startswith(("--total-steps", "--total_steps")) for word in argv),
        )  # fmt: skip

    parse(run, args=_help_alone(argv), description=TrainArguments.__doc__)


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

    Args:
        run: Evaluate the agent of this run folder.
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
    run: RunFolder,
    *,
    goal: GoalNames = (),
    seed: int = 0,
    max_steps: int | None = None,
    env_kwargs: EnvKwargs = (),
    out: Path | None = None,
    fps: int | None = None,
) -> None:
    """Record a video of a trained agent on the way to one or more goals.

    Args:
        run: Record the agent of this run folder.
        goal: Give the episodes the goals with these names; by default, three sampled goals.
        seed: Seed the start states, the dynamics and the sampled goals with this number.
        max_steps: End an episode after this many steps; by default, after those of the id but at most 120.
        env_kwargs: Change these arguments of the environment, such as horizon=50; by default, those of the run.
        out: Write this GIF file; by default, one in the run folder.
        fps: Show this many frames per second; by default, as many as the environment asks for.
    """
    from gc_envs.agents import load_agent
    from gc_envs.evaluation.video import record_episodes, save_gif

    policy = load_agent(run)
    episodes = record_episodes(
        policy, policy.run.env_id, list(goal) or SAMPLED_GOALS, seed=seed, max_steps=max_steps,
        env_kwargs=run_env_kwargs(policy.run, None, env_kwargs),
    )  # fmt: skip
    path = out or run / f"{'+'.join(goal or ('sampled',)).replace('/', '_')}-seed{seed}.gif"
    flags = " ".join(["--goal", *goal, ""]) if goal else ""
    comment = f"gc-envs render {run.name} {flags}--seed {seed} ({policy.run.env_id})"
    print(f"wrote {save_gif(episodes, path, policy.task.render_fps if fps is None else fps, comment=comment)}")


def plot(
    runs: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...", help_behavior_hint="")],
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


def play(
    env_id: EnvId, *, goal: str | None = None, seed: int | None = None, scale: float = 1.0, env_kwargs: EnvKwargs = ()
) -> None:  # fmt: skip
    """Play an environment with the keyboard, beside a list of its goals that shows which of them hold.

    Args:
        env_id: Play this id; `gc-envs list` shows all ids. A task of your own is MODULE:CLASS.
        goal: Give the first episode the goal with this name; by default, a sampled one.
        seed: Seed the environment with this number; by default, with a random one.
        scale: Open the window at this size; it can also be resized.
        env_kwargs: Make the environment with these arguments, such as size=12.
    """
    from gc_envs.play import play as run_play

    run_play(env_id, goal=goal, seed=seed, scale=scale, env_kwargs=parse_env_kwargs(env_id, env_kwargs))


def benchmark(
    name: BenchmarkName = None, *, arguments: Suppress[tuple[str, ...]] = (), json: Path | None = None
) -> None:  # fmt: skip
    """Run a benchmark of the repository's benchmarks/ folder; arguments after "--" go to its script.

    Args:
        name: Run this benchmark; without a name, list all of them.
        arguments: Pass these arguments to the script.
        json: Write the result to this JSON file.
    """
    import runpy

    scripts = benchmark_scripts()
    if not scripts:
        raise ValueError("there is no benchmarks/ folder here: it comes with a clone (pip install -e .)")
    if name is None:
        width = max(map(len, scripts))
        for script, path in scripts.items():
            print(f"{script:<{width}}  {summary(ast.get_docstring(ast.parse(path.read_text())))}")
        return
    if name not in scripts:
        raise ValueError(f"unknown benchmark {name!r}; known: {', '.join(scripts)}")
    sys.argv = [f"{name}.py", *arguments, *(["--json", str(json)] if json else [])]
    sys.path.insert(0, str(BENCHMARKS))
    runpy.run_path(str(scripts[name]), run_name="__main__")


def benchmark_scripts() -> dict[str, Path]:
    """Return the scripts of the benchmarks by name."""
    return {path.stem: path for path in sorted(BENCHMARKS.glob("*.py")) if not path.stem.startswith("_")}


COMMANDS: dict[str, Callable[..., Any]] = {
    "list": list_ids,
    "goals": goals,
    "train": TrainArguments,
    "evaluate": evaluate,
    "render": render,
    "plot": plot,
    "play": play,
    "benchmark": benchmark,
}


def summary(docstring: str | None) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join((docstring or "").split("\n\n")[0].split())


if __name__ == "__main__":
    sys.exit(main())
