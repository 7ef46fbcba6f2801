"""The text that models judge: what a call's arguments look like to a reader."""

from __future__ import annotations

from rtfs.printer import pr_str
from rtfs.values import Keyword, Value


def text_of(args: tuple[Value, ...]) -> str:
    """A line for each argument: strings as they are, keywords by name, other values as they are printed."""
    return "\n".join(map(_line, args))


def _line(value: Value) -> str:
    if isinstance(value, str):
        return value
    return value.name if isinstance(value, Keyword) else pr_str(value)
