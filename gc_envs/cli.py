"""The `gc-envs` command."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import tyro
from tyro.conf import Positional

from gc_envs.registration import ROWS, get_row, make_task, task_class

DRAWN = 3  # goals that `render` draws when it is given none
EnvKwargs = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE ...")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 after one line that says what was wrong, 128 + n after signal n."""
    argv = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_cache_dir() / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
    try:
        if argv[:1] == ["train"]:
            return _train(argv[1:])
        commands: dict[str, Any] = {
            "list": list_ids, "goals": goals, "train": train_help, "evaluate": evaluate, "render": render,
            "play": play, "benchmark": benchmark,
        }  # fmt: skip
        tyro.extras.subcommand_cli_from_dict(
            commands, args=argv, prog="gc-envs", description=__doc__, sort_subcommands=False
        )
        return 0
    except BrokenPipeError:  # the reader has seen enough, as in `gc-envs goals ID | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, ModuleNotFoundError, OSError) as error:
        if os.environ.get("GC_ENVS_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2


def list_ids() -> None:
    """List the environment ids."""
    from importlib.util import find_spec

    width = max(len(row.id) for row in ROWS)
    for row in ROWS:
        missing = row.requires and find_spec(row.requires) is None
        hint = f'  (needs: pip install "gc_envs[{row.extra}]")' if missing else ""
        print(f"{row.id:<{width}}  {row.summary}{hint}")


def goals(env_id: Positional[str], env_kwargs: EnvKwargs = ()) -> None:
    """List the goals of an environment, in order.

    Args:
        env_id: a registered id, see `gc-envs list`.
        env_kwargs: arguments of the environment, such as size=12.
    """
    task = make_task(env_id, **parse_env_kwargs(env_id, env_kwargs))
    for index, name in enumerate(task.goals.names):
        print(f"{index:>4}  {name}")


def train_help(agent: Positional[str], env_id: Positional[str]) -> None:
    """Train an agent in a run folder. `gc-envs train AGENT ID --help` lists every setting with its default.

    Args:
        agent: leo (finite goals); her-ddpg, her-td3, her-sac, her-tqc, her-dqn (Stable-Baselines3 with hindsight);
            reengage- for her- in all of these but her-tqc; multi-reengage (sets of points).
        env_id: a registered id, see `gc-envs list`.
    """


def evaluate(
    run: Positional[Path],
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
        run: the run folder.
        env_id: another id than it was trained on.
        episodes_per_goal: episodes of each goal of a finite set.
        episodes: episodes where goals are drawn.
        goal: only these goals, by name.
        seed: of start states and worlds.
        max_steps: of an episode; default the id's own.
        json: write the result there.
    """
    from rich.progress import Progress

    from gc_envs.agents import load_agent
    from gc_envs.evaluation import evaluate as run_evaluation
    from gc_envs.evaluation import format_table
    from gc_envs.evaluation.report import save_json

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
    run: Positional[Path],
    goal: tuple[str, ...] = (),
    seed: int = 0,
    max_steps: int | None = None,
    out: Path | None = None,
    fps: int | None = None,
) -> None:
    """Film a trained agent on the way to one goal or more.

    Args:
        run: the run folder.
        goal: names of the goals; default three drawn ones.
        seed: of the world.
        max_steps: of an episode; default the id's own, but at most 120.
        out: the GIF to write; default in the run folder.
        fps: frames per second; default the environment's own.
    """
    from gc_envs.agents import load_agent
    from gc_envs.evaluation.report import record_episodes, save_gif

    policy = load_agent(run)
    episodes = record_episodes(
        policy, policy.run.env_id, list(goal) or DRAWN, seed=seed, max_steps=max_steps, env_kwargs=policy.run.env_kwargs
    )
    path = out or run / f"{'+'.join(goal or ('drawn',)).replace('/', '_')}-seed{seed}.gif"
    wanted = " ".join(["--goal", *goal, ""]) if goal else ""
    comment = f"gc-envs render {run.name} {wanted}--seed {seed} ({policy.run.env_id})"
    print(f"wrote {save_gif(episodes, path, fps or policy.task.render_fps, comment=comment)}")


def play(env_id: Positional[str], goal: str | None = None, seed: int | None = None, env_kwargs: EnvKwargs = ()) -> None:
    """Play an environment with the keyboard, with the commanded goal and the goals that hold now beside it.

    Args:
        env_id: a registered id, see `gc-envs list`.
        goal: the commanded goal, by name; default drawn.
        seed: of the world.
        env_kwargs: arguments of the environment, such as size=12.
    """
    from gc_envs.play import play as run_play

    run_play(env_id, goal=goal, seed=seed, env_kwargs=parse_env_kwargs(env_id, env_kwargs))


def benchmark(name: Positional[str], json: Path | None = None) -> None:
    """Run a measurement from the repository's benchmarks/ folder.

    Args:
        name: of the script, without .py.
        json: write the result there.
    """
    import runpy

    folder = Path(__file__).resolve().parent.parent / "benchmarks"
    scripts = sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))
    if name not in scripts:
        known = ", ".join(scripts) or "none here: benchmarks come with a clone of the repository (pip install -e .)"
        raise ValueError(f"unknown benchmark {name!r}; known: {known}")
    sys.argv = [f"{name}.py", *(["--json", str(json)] if json else [])]
    sys.path.insert(0, str(folder))
    runpy.run_path(str(folder / f"{name}.py"), run_name="__main__")


def _train(argv: list[str]) -> int:
    """`train AGENT ID ...`: the flags are the fields of that agent's config, their defaults those of its preset."""
    from gc_envs.agents import LEARNERS, get_learner
    from gc_envs.agents.presets import preset
    from gc_envs.training.options import TrainOptions
    from gc_envs.training.signals import Interrupted

    agent, env_id = ([a for a in argv[:2] if not a.startswith("-")] + ["", ""])[:2]
    if not agent or not env_id:
        agents = ", ".join(LEARNERS)
        print(f"usage: gc-envs train AGENT ID [--help] [settings]\n\nagents: {agents}\nids:    see gc-envs list")
        return 0 if {"-h", "--help"} & set(argv) else 2
    learner = get_learner(agent)
    get_row(env_id)
    defaults = learner.config_class(**preset(agent, *_scope(argv[2:], env_id)))

    def run(
        agent: Positional[str],
        env_id: Positional[str],
        config: Annotated[learner.config_class, tyro.conf.arg(name="")] = defaults,  # type: ignore[name-defined]
        options: Annotated[TrainOptions, tyro.conf.arg(name="")] = TrainOptions(),  # noqa: B008  (frozen)
        preset: str = "default",
        env_kwargs: EnvKwargs = (),
        run_dir: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Train an agent, evaluate every goal, draw the learning curve and film the result.

        Args:
            agent: the learner.
            env_id: the environment.
            preset: named settings to start from; "paper" is the published ones.
            env_kwargs: arguments of the environment, such as size=12.
            run_dir: the run folder; default a new one under runs/.
            resume: go on from the newest checkpoint of --run-dir, with the same flags.
        """
        from gc_envs.training.train import train_run

        train_run(
            agent, env_id, config, env_kwargs=parse_env_kwargs(env_id, env_kwargs), options=options,
            run_dir=run_dir, resume=resume,
        )  # fmt: skip

    try:
        tyro.cli(run, args=argv, prog="gc-envs train", config=(tyro.conf.OmitArgPrefixes,))
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signum
    return 0


def _scope(argv: list[str], env_id: str) -> tuple[str, str, dict[str, Any]]:
    """What the flags' defaults depend on, read before the flags are parsed: preset, id and environment arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--env-kwargs", "--env_kwargs", nargs="*", default=[])
    known = parser.parse_known_args(argv)[0]
    return known.preset, env_id, parse_env_kwargs(env_id, known.env_kwargs)


def parse_env_kwargs(env_id: str, pairs: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE strings as the arguments of an environment, typed as its task declares them.

    Raises:
        ValueError: for an unknown name or a value of the wrong type.
    """
    row = get_row(env_id)
    hints = get_type_hints(task_class(row).__init__)
    allowed = {n: t for n, t in hints.items() if n not in (*row.kwargs, "return")} | {"goals": str}
    values: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or name not in allowed:
            raise ValueError(f"{env_id} takes no {pair!r}; write NAME=VALUE with NAME one of {', '.join(allowed)}")
        if name == "goals":  # names, or indices
            values[name] = [int(goal) if goal.isdecimal() else goal for goal in text.split(",")]
        else:
            values[name] = _typed(name, text, allowed[name])
    return values


def _typed(name: str, text: str, kind: Any) -> Any:
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
