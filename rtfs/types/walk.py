"""Walks over types and through aliases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rtfs import run
from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.types.shapes import array_item

#: types whose members are collections with typed parts
COLLECTION_TYPES: Final = (
    types.VectorType,
    types.ListType,
    types.SetType,
    types.TupleType,
    types.MapType,
    types.MapOfType,
    types.ArrayType,
)


def components(t: Type | types.Predicate) -> tuple[Type | types.Predicate, ...]:
    """The types directly inside `t` that values are checked against. A function's are not."""
    match t:
        case types.VectorType(item) | types.ListType(item) | types.SetType(item) | types.OptionalType(item):
            return (item,)
        case types.TupleType(items) | types.UnionType(items) | types.AndType(items):
            return items
        case types.MapType(entries, rest):
            found = tuple(entry.type for entry in entries)
            return found if rest is None else (*found, rest)
        case types.MapOfType(key, value):
            return (key, value)
        case types.ArrayType():
            return (array_item(t),)
        case _:
            return ()


def alias_names(t: Type) -> list[str]:
    """The aliases that `t` names itself, each once, those in the types of functions too."""
    names: dict[str, None] = {}
    todo: list[Type | types.Predicate] = [t]
    while todo:
        part = todo.pop()
        if isinstance(part, types.Alias):
            names[part.name] = None
        elif isinstance(part, types.FunctionType):
            todo += (*part.params, part.returns)
            todo += () if part.rest is None else (part.rest,)
        else:
            todo.extend(components(part))
    return list(names)


def reached_aliases(t: Type, aliases: Mapping[str, Type]) -> dict[str, Type | None]:
    """Every alias that checking against `t` may come to, and its definition; None if it has none."""
    names: dict[str, Type | None] = {}
    todo: list[Type | types.Predicate] = [t]
    while todo:
        part = todo.pop()
        if not isinstance(part, types.Alias):
            todo.extend(components(part))
        elif part.name not in names:
            names[part.name] = definition = aliases.get(part.name)
            if definition is not None:
                todo.append(definition)
    return names


def is_circular(name: str, aliases: Mapping[str, Type | None]) -> bool:
    """Whether the alias `name` leads back to itself without a collection in between."""
    todo: list[Type | types.Predicate | None] = [aliases.get(name)]
    seen: set[str] = set()
    while todo:
        run.poll()
        match todo.pop():
            case types.Alias(found):
                if found == name:
                    return True
                if found not in seen:
                    seen.add(found)
                    todo.append(aliases.get(found))
            case types.OptionalType(item):
                todo.append(item)
            case types.UnionType(items) | types.AndType(items):
                todo.extend(items)
            case _:
                pass
    return False
