"""Which types a model can answer: those whose values JSON has a form for (language.md §5).

unsupported(parse_type_text("[:vector [:fn [int] int]]"))
# ("[:fn [int] int]", "a model cannot answer a function")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from rtfs import errors
from rtfs.types import model as types
from rtfs.types.grammar import has_texts
from rtfs.types.model import Type
from rtfs.types.parser import parse_type_text
from rtfs.types.text import type_text
from rtfs.types.walk import components, is_circular, reached_aliases

_FUNCTION: Final = "a model cannot answer a function"
_KINDS: Final[Mapping[str, str]] = {"fn": _FUNCTION, "error": "a model cannot answer an error"}


def unsupported(t: Type, aliases: Mapping[str, Type] | None = None) -> tuple[str, str] | None:
    """The part of `t` that no model can answer, as text, and why not; None if there is none."""
    known = aliases or {}
    reached = reached_aliases(t, known)
    for name, definition in reached.items():
        if definition is None:
            return name, "nothing says what that is"
        if is_circular(name, reached):
            return name, "it is defined only by itself"
    for part in _parts(t, known):
        why = _why_not(part)
        if why is not None:
            return type_text(part), why
    return None if has_texts(t, known) else (type_text(t), "no finite value belongs to it")


@lru_cache(maxsize=1024)
def unsupported_text(text: str, aliases: tuple[tuple[str, str], ...] = ()) -> tuple[str, str] | None:
    """`unsupported` of types as text, remembered. What denotes no type is taken for `any`."""
    try:
        return unsupported(parse_type_text(text), {name: parse_type_text(each) for name, each in aliases})
    except errors.RtfsError:
        return None


def _parts(t: Type, aliases: Mapping[str, Type]) -> Iterator[Type]:
    """`t` and every type that its values are made of, each definition once, from the outside in."""
    seen: set[str] = set()
    todo: list[Type | types.Predicate] = [t]
    while todo:
        part = todo.pop()
        if isinstance(part, types.Predicate):
            continue
        if isinstance(part, types.Alias):
            if part.name not in seen:
                seen.add(part.name)
                todo.append(aliases[part.name])
            continue
        yield part
        todo.extend(reversed(components(part)))


def _why_not(t: Type) -> str | None:
    match t:
        case types.FunctionType():
            return _FUNCTION
        case types.ResourceType():
            return "a model cannot answer a resource"
        case types.Primitive(name):
            return _KINDS.get(name)
        case _:
            return None
