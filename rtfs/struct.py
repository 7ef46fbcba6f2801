"""Constructors of `defstruct`: functions that check the fields of one map and return it unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rtfs import errors
from rtfs.namespace import Check, Namespace
from rtfs.values import Keyword, Map, Value, type_name

if TYPE_CHECKING:
    from rtfs.types.model import MapEntry


def constructor(name: str, entries: tuple[MapEntry, ...], namespace: Namespace) -> Callable[[Value], Value]:
    """The constructor function of a struct. Types are looked up in `namespace` when it is called.

    It raises TypeError for anything but a map, TypeValidationError for a missing or wrong field.
    """
    fields = [(Keyword.of(entry.key), entry) for entry in entries]

    def construct(value: Value) -> Value:
        if type(value) is not Map:
            raise errors.TypeMismatch("map", type_name(value), name)
        for key, entry in fields:
            if key in value:
                _check_field(namespace.check(entry.type), entry.key, value[key])
            elif not entry.optional:
                raise errors.TypeValidationError(f"Required field {entry.key} is missing")
        return value

    construct.__name__ = construct.__qualname__ = name
    return construct


def _check_field(check: Check, name: str, value: Value) -> None:
    try:
        check(value, name)
    except errors.TypeValidationError as error:
        failed = errors.TypeValidationError(f"Field {name} failed type validation")
        failed.hint = error.message
        raise failed from None
