"""Arguments of environments as words of the command line."""

import ast
import inspect
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, get_type_hints

from gc_envs.registration import get_row, task_class

GENERAL = {"goals": list, "horizon": int, "on_success": str}  # every environment takes these, whatever its task
KINDS = {int: "an integer", float: "a number", bool: "true or false"}  # type -> the words for what it needs


def parse_env_kwargs(env_id: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Parse NAME=VALUE strings as arguments of an environment, with the types that its task declares.

    Args:
        env_id: What `make_task` takes.
        pairs: Strings such as "size=12", "horizon=50" and "goals=3,position/4-1".

    Raises:
        ValueError: If a name is unknown or a value has the wrong type.
    """
    kinds = argument_types(env_id) | GENERAL
    parsed: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or name not in kinds:
            raise ValueError(f"{env_id} takes no {pair!r}; write NAME=VALUE with NAME one of {', '.join(kinds)}")
        try:
            parsed[name] = parse_word(text, kinds[name])
        except (ValueError, KeyError):
            raise ValueError(f"{name}: {text!r} is not {KINDS[kinds[name]]}") from None
    return parsed


def argument_types(env_id: str) -> dict[str, Any]:
    """Return the type of each task argument that callers may give: as annotated, or else that of its default."""
    row = get_row(env_id)
    cls = task_class(row)
    hints: dict[str, Any] = {}
    with suppress(NameError):  # annotations of users may name what exists for type checkers alone
        hints = get_type_hints(cls.__init__)
    parameters = inspect.signature(cls).parameters.values()
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in row.kwargs]
    return {p.name: hints.get(p.name, type(p.default)) for p in named}


def parse_word(text: str, kind: Any) -> Any:
    """Return `text` as a value of type `kind`; ValueError or KeyError if it is none."""
    if kind is bool:
        return {"true": True, "false": False}[text.lower()]
    if kind in (int, float, str):
        return kind(text)
    if kind is list:  # goals: names or indices
        return [int(goal) if goal.isdecimal() else goal for goal in text.split(",")]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
