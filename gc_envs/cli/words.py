"""The words that several commands take, as tyro reads them."""

from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

EnvId = Annotated[Positional[str], tyro.conf.arg(metavar="ID")]
EnvKwargs = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME=VALUE ...]", help_behavior_hint="")]
GoalNames = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[GOAL ...]", help_behavior_hint="")]
ResultFiles = Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="JSON ...", help_behavior_hint="")]
BenchmarkFiles = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="[JSON ...]", help_behavior_hint="")]
RunFolder = Annotated[Positional[Path], tyro.conf.arg(metavar="RUN")]
OptionalRun = Annotated[Positional[Path | None], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
RunFolders = Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...", help_behavior_hint="")]


def help_alone(argv: list[str]) -> list[str]:
    """Return only --help if it is there, because tyro shows no help for the positional arguments before it."""
    return ["--help"] if {"-h", "--help"} & set(argv) else argv


def summary(docstring: str | None) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join((docstring or "").split("\n\n")[0].split())
