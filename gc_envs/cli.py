"""The `gc-envs` command."""

import ast
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import gc_envs
from gc_envs.flags import Argument, Parser, field_arguments, function_arguments, summary, values
from gc_envs.registration import ROWS, get_row, make_task, task_class

SAMPLED_GOALS = 3  # goals that `render` samples if it is given none
BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 on success, 2 after an error (one line on stderr), 128 + n if training was stopped by signal n.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_cache_dir() / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
    try:
        if argv[:1] == ["train"]:
            return _train(argv[1:])
        end = argv.index("--") if "--" in argv else len(argv)
        parsed = make_parser().parse_args(argv[:end])
        passed_on = argv[end + 1 :] if parsed.command is benchmark else []
        parsed.command(*values(parsed.positionals, parsed).values(), *passed_on, **values(parsed.flags, parsed))
        return 0
    except BrokenPipeError:  # the reader has seen enough, as in `gc-envs goals ID | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, ModuleNotFoundError, OSError) as error:
        if os.environ.get("GC_ENVS_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2


def make_parser() -> Parser:
    """Make the parser of all commands; the flags of `train AGENT ID` need `make_train_parser`."""
    parser = Parser(prog="gc-envs", description=summary(gc_envs))
    parser.add_argument(
        "--version", action="version", version=f"gc-envs {gc_envs.__version__}", help="Show the version and exit."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=summary(command), description=summary(command))
        arguments = function_arguments(command)
        for argument in arguments:
            argument.add_to(one)
        one.set_defaults(
            command=command,
            positionals=[argument for argument in arguments if argument.positional],
            flags=[argument for argument in arguments if not argument.positional],
        )
    return parser


def list_ids() -> None:
    """List the ids of all environments."""
    from importlib.util import find_spec

    width = max(len(row.id) for row in ROWS)
    for row in ROWS:
        missing = row.requires and find_spec(row.requires) is None
        hint = f'  (needs: pip install "gc_envs[{row.extra}]")' if missing else ""
        print(f"{row.id:<{width}}  {row.summary}{hint}")


def goals(env_id: str, *, env_kwargs: tuple[str, ...] = ()) -> None:
    """List the goals of an environment in their order.

    Args:
        env_id: List the goals of this id; `gc-envs list` shows all ids.
        env_kwargs: Make the environment with these arguments, such as size=12.
    """
    task = make_task(env_id, **parse_env_kwargs(env_id, env_kwargs))
    for index, name in enumerate(task.goals.names):
        print(f"{index:>4}  {name}")


def train(
    agent: str,
    env_id: str,
    *,
    preset: str = "default",
    env_kwargs: tuple[str, ...] = (),
    run_dir: Path | None = None,
    resume: bool = False,
) -> None:
    """Train an agent, evaluate it on every goal, plot its learning curve and record a video of it.

    `_train` parses the arguments, because the flags depend on the agent and their defaults on the environment.

    Args:
        agent: Train this agent.
        env_id: Train on this id; `gc-envs list` shows all ids.
        preset: Start from these named settings; "paper" names the published ones.
        env_kwargs: Make the environment with these arguments, such as size=12.
        run_dir: Write to this run folder; by default, to a new one under runs/.
        resume: Continue from the newest checkpoint of --run-dir; all other flags must be those of its start.
    """


def evaluate(
    run: Path,
    *,
    env_id: str | None = None,
    episodes_per_goal: int = 1,
    episodes: int = 100,
    goal: tuple[str, ...] = (),
    seed: int = 0,
    max_steps: int | None = None,
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
        json: Write the result to this JSON file.
    """
    from rich.progress import Progress

    from gc_envs.agents import load_agent
    from gc_envs.evaluation import evaluate as run_evaluation
    from gc_envs.evaluation import format_table, save_json

    policy = load_agent(run)
    with Progress(transient=True) as bar:
        task = bar.add_task("evaluating", total=None)
        result = run_evaluation(
            policy, env_id or policy.run.env_id, episodes_per_goal=episodes_per_goal, episodes=episodes,
            goals=goal or None, seed=seed, max_steps=max_steps,
            on_step=lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    print(format_table(result))
    if json is not None:
        save_json(result, json)


def render(
    run: Path,
    *,
    goal: tuple[str, ...] = (),
    seed: int = 0,
    max_steps: int | None = None,
    out: Path | None = None,
    fps: int | None = None,
) -> None:
    """Record a video of a trained agent on the way to one or more goals.

    Args:
        run: Record the agent of this run folder.
        goal: Give the episodes the goals with these names; by default, three sampled goals.
        seed: Seed the start states, the dynamics and the sampled goals with this number.
        max_steps: End an episode after this many steps; by default, after those of the id but at most 120.
        out: Write this GIF file; by default, one in the run folder.
        fps: Show this many frames per second; by default, as many as the environment asks for.
    """
    from gc_envs.agents import load_agent
    from gc_envs.evaluation.video import record_episodes, save_gif

    policy = load_agent(run)
    episodes = record_episodes(
        policy, policy.run.env_id, list(goal) or SAMPLED_GOALS, seed=seed, max_steps=max_steps,
        env_kwargs=policy.run.env_kwargs,
    )  # fmt: skip
    path = out or run / f"{'+'.join(goal or ('sampled',)).replace('/', '_')}-seed{seed}.gif"
    flags = " ".join(["--goal", *goal, ""]) if goal else ""
    comment = f"gc-envs render {run.name} {flags}--seed {seed} ({policy.run.env_id})"
    print(f"wrote {save_gif(episodes, path, fps or policy.task.render_fps, comment=comment)}")


def play(
    env_id: str, *, goal: str | None = None, seed: int | None = None, env_kwargs: tuple[str, ...] = ()
) -> None:  # fmt: skip
    """Play an environment with the keyboard, beside a list of its goals that shows which of them hold.

    Args:
        env_id: Play this id; `gc-envs list` shows all ids.
        goal: Give the first episode the goal with this name; by default, a sampled one.
        seed: Seed the environment with this number; by default, with a random one.
        env_kwargs: Make the environment with these arguments, such as size=12.
    """
    from gc_envs.play import play as run_play

    run_play(env_id, goal=goal, seed=seed, env_kwargs=parse_env_kwargs(env_id, env_kwargs))


def benchmark(name: str | None = None, *arguments: str, json: Path | None = None) -> None:
    """Run a benchmark of the repository's benchmarks/ folder; arguments after "--" go to its script.

    Args:
        name: Run this benchmark; without a name, list all of them.
        json: Write the result to this JSON file.
    """
    import runpy

    scripts = benchmark_scripts()
    if not scripts:
        raise ValueError("there is no benchmarks/ folder here: it comes with a clone (pip install -e .)")
    if name is None:
        width = max(map(len, scripts))
        for script, path in scripts.items():
            print(f"{script:<{width}}  {summary(ast.get_docstring(ast.parse(path.read_text())) or '')}")
        return
    if name not in scripts:
        raise ValueError(f"unknown benchmark {name!r}; known: {', '.join(scripts)}")
    sys.argv = [f"{name}.py", *arguments, *(["--json", str(json)] if json else [])]
    sys.path.insert(0, str(BENCHMARKS))
    runpy.run_path(str(scripts[name]), run_name="__main__")


def benchmark_scripts() -> dict[str, Path]:
    """Return the scripts of the benchmarks by name."""
    return {path.stem: path for path in sorted(BENCHMARKS.glob("*.py")) if not path.stem.startswith("_")}


COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_ids,
    "goals": goals,
    "train": train,
    "evaluate": evaluate,
    "render": render,
    "play": play,
    "benchmark": benchmark,
}


def make_train_parser(config: Any = None, agent: str = "AGENT", env_id: str = "ID") -> Parser:
    """Make the parser of `train`, with flags for the fields of `config` if there is one and these as their defaults."""
    from gc_envs.agents import LEARNERS
    from gc_envs.training.options import TrainOptions

    parser = Parser(
        prog=f"gc-envs train {agent} {env_id}", usage="gc-envs train AGENT ID [FLAGS]", description=summary(train),
        epilog=f"Agents: {', '.join(LEARNERS)}."
        + ("" if config else " `gc-envs train AGENT ID --help` also shows the settings of the agent."),
    )  # fmt: skip
    for argument in function_arguments(train):
        argument.add_to(parser)
    _add_group(parser, "evaluations and logs", field_arguments(TrainOptions()))
    if config is not None:
        _add_group(parser, f"settings of {agent}", field_arguments(config))
    return parser


def _add_group(parser: Parser, title: str, arguments: Sequence[Argument]) -> None:
    group = parser.add_argument_group(title)
    for argument in arguments:
        argument.add_to(group)


def _train(argv: list[str]) -> int:
    """Run `train` in two passes: the first finds agent, environment and preset, on which the flags depend."""
    from gc_envs.agents import get_learner
    from gc_envs.agents.presets import preset
    from gc_envs.training.options import TrainOptions
    from gc_envs.training.signals import Interrupted

    without_help = [word for word in argv if word not in ("-h", "--help")]
    if len(without_help) < 2:
        make_train_parser().parse_args(argv)  # shows the help, or raises the error that names what is missing
    first, _ = make_train_parser().parse_known_args(without_help)
    learner = get_learner(first.agent)
    env_kwargs = parse_env_kwargs(first.env_id, first.env_kwargs)
    defaults = learner.config_class(**preset(first.agent, first.preset, first.env_id, env_kwargs))

    parsed = make_train_parser(defaults, first.agent, first.env_id).parse_args(argv)
    config = dataclasses.replace(defaults, **values(field_arguments(defaults), parsed))
    options = TrainOptions(**values(field_arguments(TrainOptions()), parsed))
    try:
        from gc_envs.training.train import train_run

        train_run(
            parsed.agent, parsed.env_id, config, env_kwargs=env_kwargs, options=options, run_dir=parsed.run_dir,
            resume=parsed.resume,
        )  # fmt: skip
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signum
    return 0


def parse_env_kwargs(env_id: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Parse NAME=VALUE strings as arguments of an environment, with the types that its task declares.

    Raises:
        ValueError: If a name is unknown or a value has the wrong type.
    """
    row = get_row(env_id)
    hints = get_type_hints(task_class(row).__init__)
    allowed = {n: t for n, t in hints.items() if n not in (*row.kwargs, "return")} | {"goals": str}
    parsed: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or name not in allowed:
            raise ValueError(f"{env_id} takes no {pair!r}; write NAME=VALUE with NAME one of {', '.join(allowed)}")
        if name == "goals":  # names or indices
            parsed[name] = [int(goal) if goal.isdecimal() else goal for goal in text.split(",")]
        else:
            parsed[name] = _typed(name, text, allowed[name])
    return parsed


def _typed(name: str, text: str, kind: Any) -> Any:
    """Convert `text`, the value of the argument `name`, to `kind`."""
    convert: Callable[[str], Any] = kind
    if kind is bool:
        convert = {"true": True, "false": False}.__getitem__
        text = text.lower()
    try:
        return convert(text)
    except (ValueError, KeyError):
        raise ValueError(f"{name}={text!r} is not of type {getattr(kind, '__name__', kind)}") from None


def _cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gc_envs"


if __name__ == "__main__":
    sys.exit(main())
