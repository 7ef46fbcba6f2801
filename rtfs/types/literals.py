"""Literals of `[:enum …]` and `[:val x]` as JSON texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from rtfs.json_text import serialize
from rtfs.types.model import Predicate
from rtfs.types.predicates import predicate_test
from rtfs.values import Keyword, ResourceHandle, Symbol, Timestamp, Uuid, Value


def json_literal(value: Value) -> str | None:
    """The JSON text of a literal, keywords with their colon; None if JSON has none for it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return serialize(json_scalar(value))


def json_scalar(value: Value) -> Value:
    """A scalar as JSON data."""
    if isinstance(value, Keyword):
        return f":{value.name}"
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, Timestamp | Uuid | ResourceHandle):
        return value.text
    return value


def library_predicate(name: str) -> Callable[..., Value]:
    """The function that a custom predicate names, as far as it is known here: one of the library's.

    What a program defines itself is not, and is taken to hold.
    """
    from rtfs.namespace import builtins

    entry = builtins().get(name)
    return _holds if entry is None else entry.function


def _holds(*args: Value) -> Value:
    return True


def kept_literals(values: Iterable[Value], predicates: tuple[Predicate, ...]) -> list[Value]:
    """Those of which all predicates hold."""
    if not predicates:
        return list(values)
    return [value for value in values if all(holds(predicate, value) for predicate in predicates)]


def holds(predicate: Predicate, value: Value) -> bool:
    """Whether `predicate` holds of `value`; one that cannot be asked about it does not."""
    from rtfs import errors

    try:
        return predicate_test(predicate, library_predicate)(value)
    except errors.RtfsError:
        return False
