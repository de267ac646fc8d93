"""What tyro refuses on the command line, as errors of one line."""

import difflib
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from types import NoneType, UnionType
from typing import Any, Union, get_args

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from gc_envs.cli.env_kwargs import KINDS

try:
    from tyro._errors import on_parse_error
except ImportError:  # it is private: where it has moved, a test fails and tyro shows errors in a box of several lines
    on_parse_error = nullcontext  # type: ignore[assignment]


@contextmanager
def one_line_errors(flags: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Raise `ValueError` with one line for words that tyro refuses in this context.

    Args:
        flags: What returns the flags that there are; an unknown one is answered with the nearest.
    """
    with on_parse_error(functools.partial(raise_error, flags)), NUMBERS:
        yield


NUMBERS = ConstructorRegistry()  # how tyro reads numbers, with our words for what is none


@NUMBERS.primitive_rule
def number_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Return how an argument that is a number, or a number or None, is read; None for other types."""
    kinds = set(get_args(info.type)) if info.type_origin in (Union, UnionType) else {info.type}
    kind = next((kind for kind in (int, float) if kinds <= {kind, NoneType} and kind in kinds), None)
    if kind is None:
        return None

    def parse(words: list[str]) -> Any:
        if words[0] == "None" and NoneType in kinds:
            return None
        try:
            return kind(words[0])
        except ValueError:
            raise ValueError(f"{words[0]!r} is not {KINDS[kind]}") from None

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=parse,
        is_instance=lambda value: isinstance(value, (*kinds, int)),  # an int may stand for a float
        str_from_instance=lambda value: [str(value)],
    )


def raise_error(flags: Callable[[], Sequence[str]], event: Any) -> None:
    """Raise `ValueError` with one line for an event of tyro, or return where tyro is to show its own box.

    Args:
        flags: What returns the flags that there are.
        event: The event.
    """
    with suppress(AttributeError):  # the attributes of events are private, too
        match type(event).__name__:
            case "MissingArgs":
                names = ", ".join(missing.arg.lowered.metavar for missing in event.missing_arguments)
                line = f"the following arguments are required: {names}"
            case "UnrecognizedArgs":
                line = f"unrecognized arguments: {' '.join(event.tokens)}"
                near = difflib.get_close_matches(event.tokens[0].partition("=")[0], flags(), n=1)
                line += f"; did you mean {near[0]}?" if near else ""
            case "InvalidChoice":
                line = f"{event.argument.display_name()}: {event.value!r} is none of {', '.join(event.choices)}"
            case "BadValue":
                line = f"{event.argument.display_name()}: a value is missing"
            case "InstantiationFailure":
                line = f"{event.argument.display_name()}: {event.message}"
            case _:
                return
        raise ValueError(f"{line}; add --help to see what there is")
