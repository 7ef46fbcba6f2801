"""Type annotations among the parts of a form: `x : int`, `x :int`, `x : [:vector :int]?`."""

from __future__ import annotations

from collections.abc import Sequence

from rtfs.analyze.syntax import Item, invalid, is_colon, is_symbol
from rtfs.types.model import Type
from rtfs.values import Keyword, Vector


def take_type(items: Sequence[Item], index: int) -> tuple[Type, int]:
    """The type at `index`, and the index after it; `[…] ?` is read as one type."""
    from rtfs.types.parser import optional, parse_type

    if index >= len(items):
        raise invalid("a type belongs after `:`", items[-1].span)
    item = items[index]
    found = parse_type(item.form, where=item.span)
    index += 1
    if type(item.form) is Vector and index < len(items) and is_symbol(items[index].form, "?"):
        return optional(found), index + 1
    return found, index


def take_annotation(items: Sequence[Item], index: int) -> tuple[Type | None, int]:
    """The annotation at `index`, after `:` or as a keyword, if there is one; and the index after it."""
    if index < len(items):
        form = items[index].form
        if is_colon(form):
            return take_type(items, index + 1)
        if type(form) is Keyword:
            return take_type(items, index)
    return None, index


def take_leading_annotation(items: Sequence[Item], index: int) -> tuple[Type | None, int]:
    """As `take_annotation`, but a keyword is a type only if another form follows it."""
    if index + 1 >= len(items) and index < len(items) and not is_colon(items[index].form):
        return None, index
    return take_annotation(items, index)
