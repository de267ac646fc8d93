"""The `gc-envs` command: each command is a function, and a row of `COMMANDS`."""

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import tyro

import gc_envs
from gc_envs.agents import LEARNERS, get_learner
from gc_envs.cli.benchmark import benchmark
from gc_envs.cli.compare import compare
from gc_envs.cli.environments import goals, list_ids, play
from gc_envs.cli.errors import one_line_errors
from gc_envs.cli.evaluate import evaluate, plot, render
from gc_envs.cli.export import export
from gc_envs.cli.leaderboard import leaderboard
from gc_envs.cli.report import report
from gc_envs.cli.suite import evaluate_suite, suites
from gc_envs.cli.sweep import sweep
from gc_envs.cli.train import TrainArguments, train
from gc_envs.cli.words import help_alone, summary
from gc_envs.training.options import TrainOptions
from gc_envs.training.signals import Interrupted

COMMANDS: dict[str, Callable[..., Any]] = {
    "list": list_ids,
    "goals": goals,
    "train": TrainArguments,
    "sweep": sweep,
    "evaluate": evaluate,
    "suites": suites,
    "render": render,
    "plot": plot,
    "compare": compare,
    "leaderboard": leaderboard,
    "export": export,
    "report": report,
    "play": play,
    "benchmark": benchmark,
}


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
            commands(argv) | {"benchmark": functools.partial(benchmark, arguments=tuple(argv[end + 1 :]))},
            args=[name, *help_alone(argv[1:end])], prog="gc-envs",
            description=f"{summary(gc_envs.__doc__)} `gc-envs --version` shows the version.",
        )  # fmt: skip
    else:
        raise ValueError(f"{f'unknown command {name!r}' if argv else 'no command'}; known: {', '.join(COMMANDS)}")


def commands(argv: list[str]) -> dict[str, Callable[..., Any]]:
    """Return the commands; with --suite, `evaluate` has other flags."""
    has_suite = any(word.partition("=")[0] == "--suite" for word in argv)
    return COMMANDS | ({"evaluate": evaluate_suite} if has_suite else {})


def known_flags(argv: list[str]) -> list[str]:
    """Return the flags that the words after `gc-envs` may have."""
    if argv[0] not in COMMANDS:
        return ["--help", "--version"]
    documented: list[Any] = [commands(argv)[argv[0]]]
    if argv[0] == "train":
        agent = next((word for word in argv if word in LEARNERS), None)
        documented += [TrainOptions, *([get_learner(agent).config_class] if agent else [])]
    names = [name for callable_ in documented for name in inspect.signature(callable_).parameters]
    return ["--" + name.replace("_", "-") for name in names]
