"""Types from forms and from text (language.md §5). `rtfs.types.reader` has the grammar."""

from __future__ import annotations

from collections.abc import Container, Mapping

from rtfs import errors
from rtfs.errors import Span
from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.types.reader import (
    CONSTRUCTORS,
    KINDS,
    MAX_DEPTH,
    PREDICATES,
    SCALARS,
    Parser,
    did_you_mean,
    optional,
)
from rtfs.types.text import type_text
from rtfs.values import Keyword, Value, Vector

__all__ = [
    "KINDS",
    "MAX_DEPTH",
    "PREDICATES",
    "SCALARS",
    "looks_like_type",
    "nearest_type",
    "optional",
    "parse_type",
    "parse_type_text",
    "resolve_aliases",
    "type_text",
]


def parse_type(form: Value, *, where: Span | None = None) -> Type:
    """The type that `form` denotes.

    Args:
        where: the place of the form, for the error.

    Raises:
        InvalidProgram: it denotes none; `hint` has the nearest name.
    """
    return Parser(where).type(form, 0)


def parse_type_text(text: str) -> Type:
    """The type that `text` denotes, `[:vector int]?` included.

    Raises:
        ReadError: the text is no RTFS.
        InvalidProgram: it denotes no single type.
    """
    from rtfs.reader import read

    parser = Parser(None)
    found = parser.types(read(text, "<type>").forms, 0)
    if len(found) != 1:
        raise parser.error(f"expected one type, got {len(found)}")
    return found[0]


def looks_like_type(form: Value, known: Container[str] = ()) -> bool:
    """Whether the pattern `form` is a bracketed type rather than a vector pattern (language.md §3.4).

    A lower-case name that is neither a primitive nor in `known`, the aliases in scope, is taken for a pattern
    variable or a literal: `[:and a b]` stays a pattern.
    """
    if type(form) is not Vector or not form or type(form[0]) is not Keyword:
        return False
    if form[0].name not in CONSTRUCTORS:
        return False
    try:
        Parser(None, known).type(form, 0)
    except errors.InvalidProgram:
        return False
    return True


def resolve_aliases(t: Type, aliases: Mapping[str, Type]) -> Type:
    """`t`, or what its chain of aliases stands for. Aliases inside stay.

    Raises:
        InvalidProgram: an alias is unknown, or the chain leads back to itself.
    """
    seen: list[str] = []
    while isinstance(t, types.Alias):
        if t.name in seen:
            raise errors.InvalidProgram(f"type `{t.name}` is defined only by itself")
        seen.append(t.name)
        found = aliases.get(t.name)
        if found is None:
            error = errors.InvalidProgram(f"unknown type `{t.name}`")
            error.hint = nearest_type(t.name, aliases)
            raise error
        t = found
    return t


def nearest_type(name: str, aliases: Mapping[str, Type]) -> str | None:
    """`did you mean …` for a type name that is not known."""
    return did_you_mean(name, [*SCALARS, *KINDS, *aliases])
