"""Command-line arguments made from functions and dataclasses, so that a setting is written and documented once.

A parameter or a field gives the name, the type and the default of an argument. The help is what `Args:` says about the
parameter, or the string below the field. Parameters before the `*` of a function become positional arguments; all
others, and all fields, become flags.
"""

import argparse
import ast
import dataclasses
import inspect
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, NoReturn

REQUIRED = inspect.Parameter.empty
METAVARS = {int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH"}
NAMED_METAVARS = {"env_id": "ID", "env_kwargs": "NAME=VALUE", "goal": "GOAL"}  # by the name of the argument


class UsageError(ValueError):
    """Arguments that a command does not take."""


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument of a command.

    Attributes:
        name: The name of the parameter or field.
        type: Its annotation: bool, int, float, str, Path, Literal, a tuple of one of these, or one of these or None.
        default: Its default; `REQUIRED` stands for none.
        help: What the help says about it; the default is added.
        positional: Whether it is given by its place instead of by a flag.
    """

    name: str
    type: Any
    default: Any
    help: str
    positional: bool = False

    def add_to(self, parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
        """Add this argument to a parser or to a group of one."""
        kind, options = _without_none(self.type), {"help": self._help_text(), "default": self.default}
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif typing.get_origin(kind) is Literal:
            options["choices"] = typing.get_args(kind)
        else:
            many = typing.get_origin(kind) is tuple
            options["type"] = typing.get_args(kind)[0] if many else kind
            options["metavar"] = NAMED_METAVARS.get(self.name, METAVARS.get(options["type"]))
            if many:
                options["nargs"] = "*"
        if not self.positional:
            parser.add_argument(f"--{self.name.replace('_', '-')}", **options)
            return
        if self.default is REQUIRED:
            del options["default"]
        else:
            options["nargs"] = "?"
        options["metavar"] = NAMED_METAVARS.get(self.name, self.name.upper())
        parser.add_argument(self.name, **options)

    def _help_text(self) -> str:
        unsaid = self.default is REQUIRED or self.default is None or self.default == ()
        text = self.help if unsaid else f"{self.help} (default: {self.default})"
        return text.strip().replace("%", "%%")  # argparse would take a percent sign for the start of a format


class Parser(argparse.ArgumentParser):
    """An argument parser that takes flags by their full names and raises `UsageError` instead of exiting."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, add_help=False, allow_abbrev=False)
        self.add_argument("-h", "--help", action="help", help="Show this help and exit.")

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with one line that ends in the command that shows the help."""
        raise UsageError(f"{message}; see {self.prog} --help")


def function_arguments(function: Callable[..., Any]) -> list[Argument]:
    """Return the arguments of a command, from the signature of its function and the `Args:` of its docstring."""
    hints, docs = typing.get_type_hints(function), docstring_entries(function.__doc__)
    return [
        Argument(p.name, hints[p.name], p.default, docs.get(p.name, ""), p.kind is not p.KEYWORD_ONLY)
        for p in inspect.signature(function).parameters.values()
        if p.kind is not p.VAR_POSITIONAL
    ]


def field_arguments(defaults: Any) -> list[Argument]:
    """Return a flag for every field of a dataclass instance, whose values are the defaults."""
    cls = type(defaults)
    hints, docs = typing.get_type_hints(cls), field_docs(cls)
    return [
        Argument(field.name, hints[field.name], getattr(defaults, field.name), docs.get(field.name, ""))
        for field in dataclasses.fields(cls)
    ]


def values(arguments: Iterable[Argument], parsed: argparse.Namespace) -> dict[str, Any]:
    """Return the parsed values of `arguments` by name, with a tuple where several values are taken."""
    found = {argument.name: getattr(parsed, argument.name) for argument in arguments}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def summary(documented: Any) -> str:
    """Return the first paragraph of a docstring (of an object, or the text itself) in one line."""
    text = documented if isinstance(documented, str) else inspect.getdoc(documented) or ""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def docstring_entries(docstring: str | None) -> dict[str, str]:
    """Return the entries under `Args:` or `Attributes:` of a Google-style docstring, by name, each in one line."""
    section = re.search(
        r"^(?:Args|Attributes):\n((?:[ \t]+.*\n?|\n)+)", inspect.cleandoc(docstring or ""), re.MULTILINE
    )
    if section is None:
        return {}
    entries = re.split(r"^(\w+)(?: \([^)]*\))?: ", textwrap.dedent(section[1]), flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in zip(entries[1::2], entries[2::2], strict=True)}


def field_docs(cls: type) -> dict[str, str]:
    """Return the text of the string below each field of a dataclass, in its source or in that of a base.

    A field that a subclass declares again without a string keeps the text of its base.
    """
    docs: dict[str, str] = {}
    for base in reversed([base for base in cls.__mro__ if dataclasses.is_dataclass(base)]):
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(definition, ast.ClassDef)
        for node, below in itertools.pairwise(definition.body):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                text = ast.get_docstring(ast.Module([below], [])) if isinstance(below, ast.Expr) else None
                docs |= {node.target.id: " ".join(text.split())} if text else {}
    return docs


def _without_none(annotation: Any) -> Any:
    """Return X for `X | None`, and any other annotation as it is."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        (annotation,) = (kind for kind in typing.get_args(annotation) if kind is not type(None))
    return annotation
