"""Inferred types for readers, and cut to size. See `rtfs.check.walk`."""

from __future__ import annotations

from typing import Final

from rtfs.types import model as types
from rtfs.types.explain import brief, brief_type
from rtfs.types.kinds import NEVER, NIL
from rtfs.types.model import Type
from rtfs.types.shapes import PRIMITIVE_KINDS
from rtfs.values import Value

_VECTOR: Final = types.Primitive("vector")
_FALSE: Final = types.EnumType((False,), "val")
#: literals nested deeper are known by their kind only
DEEPEST: Final = 2


def describe(t: Type) -> str:
    """A type for a reader; a literal as itself."""
    if isinstance(t, types.EnumType) and len(t.values) == 1:
        return brief(t.values[0])
    return alternatives(widen(t))


def alternatives(t: Type) -> str:
    """The text of a type; a union of plain names as a list of them."""
    if not isinstance(t, types.UnionType) or not all(isinstance(i, types.Primitive) for i in t.items):
        return brief_type(t)
    names = [brief_type(item) for item in t.items]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def widen(t: Type, depth: int = 3) -> Type:
    """`t` with literals replaced by their primitive types, as deep as a reader looks."""
    match t:
        case types.EnumType(values):
            kinds_ = dict.fromkeys(kind_of(value) for value in values)
            members = tuple(types.Primitive(kind) for kind in kinds_)
            return members[0] if len(members) == 1 else types.UnionType(members)
        case types.TupleType(items) if depth:
            return types.TupleType(tuple(widen(item, depth - 1) for item in items))
        case types.UnionType(items) if depth:
            return types.UnionType(tuple(widen(item, depth - 1) for item in items))
        case types.OptionalType(item) if depth:
            return types.OptionalType(widen(item, depth - 1))
        case types.MapType(entries, rest) if depth:
            kept = tuple(types.MapEntry(e.key, widen(e.type, depth - 1), e.optional) for e in entries)
            return types.MapType(kept, None if rest == NEVER else rest)
        case types.TupleType():
            return _VECTOR
        case types.MapType():
            return types.Primitive("map")
        case _:
            return t


def kind_of(value: Value) -> str:
    """The primitive type that holds `value`."""
    for name, members in PRIMITIVE_KINDS.items():
        if members is not None and type(value) in members:
            return name
    return "any"


def when_true(t: Type) -> Type:
    """What is left of `t` for a value that passed as true."""
    match t:
        case types.OptionalType(item):
            return when_true(item)
        case types.UnionType(items):
            return _union(tuple(map(when_true, items)))
        case types.EnumType(values, kind):
            kept = tuple(value for value in values if value is not None and value is not False)
            return types.EnumType(kept, kind) if kept else NEVER
        case _:
            return NEVER if t == NIL else t


def when_false(t: Type) -> Type:
    """What is left of `t` for a value that passed as false: nil, false or nothing, as far as that is known."""
    match t:
        case types.OptionalType(item):
            return _union((NIL, when_false(item)))
        case types.UnionType(items):
            return _union(tuple(map(when_false, items)))
        case types.EnumType(values, kind):
            kept = tuple(value for value in values if value is None or value is False)
            return types.EnumType(kept, kind) if kept else NEVER
        case types.Primitive("bool"):
            return _FALSE
        case types.Primitive(name):
            return t if name in ("any", "nil", "never") else NEVER
        case _:
            return t


def _union(items: tuple[Type, ...]) -> Type:
    kept = tuple(dict.fromkeys(item for item in items if item != NEVER))
    if len(kept) < 2:
        return kept[0] if kept else NEVER
    return types.UnionType(kept)


def prune(t: Type, depth: int = DEEPEST) -> Type:
    """`t`, a type of a literal, cut at `depth`, so that types of deeply nested literals stay small."""
    match t:
        case types.TupleType(items):
            return types.TupleType(tuple(prune(i, depth - 1) for i in items)) if depth else _VECTOR
        case types.MapType(entries, rest):
            if not depth:
                return types.Primitive("map")
            kept = tuple(types.MapEntry(e.key, prune(e.type, depth - 1), e.optional) for e in entries)
            return types.MapType(kept, rest)
        case _:
            return t
