"""Arguments made from functions and dataclasses."""

import dataclasses
from pathlib import Path
from typing import Literal

import pytest

from gc_envs.flags import Parser, UsageError, docstring_entries, field_arguments, field_docs, function_arguments, values


@dataclasses.dataclass(frozen=True)
class Base:
    """What two dataclasses share."""

    steps: int = 3
    """Run this many steps, which is
    a long story."""

    width: int = 2
    """Give every layer this width."""

    scale: float = 0.5
    """Multiply the reward by this factor."""
    greedy: bool = False
    """Act greedily; "50%" is a percentage."""
    secret: int = 0  # A comment is no documentation.


@dataclasses.dataclass(frozen=True)
class Derived(Base):
    """A dataclass with fields of other types, another default and another text."""

    width: int = 7
    scale: float = 0.5
    """Multiply the return by this factor."""
    layers: tuple[int, ...] = (4, 4)
    """Give the layers these widths."""
    kind: Literal["a", "b"] = "a"
    """Choose one kind."""
    seed: int | None = None
    """Seed with this number."""

    def method(self):
        """Not a field."""


def copy(source: Path, target: Path | None = None, *, times: int = 1) -> None:
    """Copy a file.

    More words.

    Args:
        source: Copy this file.
        target (optional): Write here.
        times: Copy it as often.

    Raises:
        OSError: Never.
    """


def parser_of(arguments):
    parser = Parser(prog="copy")
    for argument in arguments:
        argument.add_to(parser)
    return parser


def test_fields_are_documented_by_the_string_below():
    assert field_docs(Derived) == {
        "steps": "Run this many steps, which is a long story.",
        "width": "Give every layer this width.",
        "scale": "Multiply the return by this factor.",
        "greedy": 'Act greedily; "50%" is a percentage.',
        "layers": "Give the layers these widths.",
        "kind": "Choose one kind.",
        "seed": "Seed with this number.",
    }


def test_entries_end_where_their_section_does():
    entries = {"source": "Copy this file.", "target": "Write here.", "times": "Copy it as often."}
    assert docstring_entries(copy.__doc__) == entries
    assert docstring_entries("No section.") == docstring_entries(None) == {}


def test_flags_give_back_the_defaults_and_what_was_written():
    arguments = field_arguments(Derived(scale=0.25))
    parser = parser_of(arguments)
    assert Derived(**values(arguments, parser.parse_args([]))) == Derived(scale=0.25)
    argv = ["--layers", "8", "9", "--kind", "b", "--seed", "-1", "--greedy", "--scale", "1e-3", "--steps", "5"]
    expected = Derived(steps=5, scale=1e-3, greedy=True, layers=(8, 9), kind="b", seed=-1)
    assert Derived(**values(arguments, parser.parse_args(argv))) == expected
    text = " ".join(parser.format_help().split())
    assert "--scale FLOAT Multiply the return by this factor. (default: 0.25)" in text
    assert '"50%" is a percentage. (default: False)' in text
    assert "Seed with this number. --" not in text


def test_parameters_before_the_star_are_positional():
    arguments = function_arguments(copy)
    parser = parser_of(arguments)
    assert values(arguments, parser.parse_args(["x"])) == {"source": Path("x"), "target": None, "times": 1}
    assert values(arguments, parser.parse_args(["x", "y", "--times", "2"]))["target"] == Path("y")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: SOURCE; see copy --help"),
        (["x", "--times", "two"], "argument --times: invalid int value: 'two'; see copy --help"),
        (["x", "--time", "2"], "unrecognized arguments: --time 2; see copy --help"),
    ],
)
def test_wrong_arguments_are_an_error_of_one_line(argv, message):
    with pytest.raises(UsageError) as error:
        parser_of(function_arguments(copy)).parse_args(argv)
    assert str(error.value) == message
