"""The type of a value, written as a program would declare it: `[:vector int]`, `[:map [:a string]]`."""

from __future__ import annotations

from typing import Final

from rtfs.values import Keyword, List, Map, Set, Value, Vector, type_name

#: type name of language.md §2 → how a type of its own is written
_NAMES: Final = {
    "integer": "int",
    "boolean": "bool",
    "function": ":fn",
    "timestamp": ":timestamp",
    "uuid": ":uuid",
    "error": ":error",
    "vector": ":vector",
    "list": ":list",
    "set": ":set",
    "map": ":map",
    "resource-handle": "any",
    "ticket": "any",
}
#: a map with more entries is described by its keys' and values' types
_RECORD_AT_MOST: Final = 12
#: collections nested deeper than this are `any`
_DEEPEST: Final = 6
_UNION_AT_MOST: Final = 5
_SEQUENCES: Final[dict[type, str]] = {Vector: "vector", List: "list", Set: "set"}


def type_of(value: Value) -> str:
    """A type that `value` belongs to, as close as it stays readable."""
    return _type(value, 0)


def _type(value: Value, depth: int) -> str:
    kind = type(value)
    if kind in _SEQUENCES and depth < _DEEPEST:
        return f"[:{_SEQUENCES[kind]} {_union(value.to_list(), depth)}]" if value else f":{_SEQUENCES[kind]}"
    if kind is Map and depth < _DEEPEST:
        return _map(value, depth)
    name = type_name(value)
    return _NAMES.get(name, name)


def _map(value: Map, depth: int) -> str:
    if not value:
        return ":map"
    keys = value.keys()
    if len(keys) <= _RECORD_AT_MOST and all(type(key) is Keyword for key in keys):
        entries = [f"[:{key.name} {_type(item, depth + 1)}]" for key, item in value.items()]
        return f"[:map {' '.join(entries)}]"
    return f"[:map-of {_union(keys, depth)} {_union(value.values(), depth)}]"


def _union(items: list[Value], depth: int) -> str:
    found: dict[str, None] = {}
    for item in items:
        found[_type(item, depth + 1)] = None
        if len(found) > _UNION_AT_MOST:
            return "any"
    names = list(found)
    return names[0] if len(names) == 1 else f"[:union {' '.join(names)}]"
