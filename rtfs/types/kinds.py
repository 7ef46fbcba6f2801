"""What is at the head of a type: definitions behind aliases, members of unions, kinds of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.types.shapes import PRIMITIVE_KINDS
from rtfs.values import List, Map, ResourceHandle, Set, Vector

ANY: Final = types.Primitive("any")
NEVER: Final = types.Primitive("never")
NIL: Final = types.Primitive("nil")
INT: Final = types.Primitive("int")
FLOAT: Final = types.Primitive("float")
NUMBER: Final = types.Primitive("number")


def union_members(t: Type) -> Iterator[Type]:
    """The members of a union or of `T?`, nested ones too; of never none, of any other type itself."""
    match t:
        case types.UnionType(items):
            for item in items:
                yield from union_members(item)
        case types.OptionalType(item):
            yield from union_members(item)
            yield NIL
        case types.Primitive("never"):
            pass
        case _:
            yield t


def is_any(t: Type) -> bool:
    """Whether `t` is `any`."""
    return isinstance(t, types.Primitive) and t.name == "any"


def head(t: Type, aliases: Mapping[str, Type]) -> Type | None:
    """What the chain of aliases `t` stands for; None if it is unknown or leads back to itself."""
    for _ in range(len(aliases) + 1):
        if not isinstance(t, types.Alias):
            return t
        found = aliases.get(t.name)
        if found is None:
            return None
        t = found
    return None


_KINDS: Final[Mapping[type, frozenset[type] | None]] = {
    types.VectorType: frozenset((Vector,)),
    types.TupleType: frozenset((Vector,)),
    types.ArrayType: frozenset((Vector,)),
    types.ListType: frozenset((List,)),
    types.SetType: frozenset((Set,)),
    types.MapType: frozenset((Map,)),
    types.MapOfType: frozenset((Map,)),
    types.FunctionType: PRIMITIVE_KINDS["fn"],
    types.ResourceType: frozenset((ResourceHandle,)),
}


def kinds(t: Type, aliases: Mapping[str, Type]) -> frozenset[type] | None:
    """The Python types that members of `t` may have; None: any."""
    found: set[type] = set()
    todo: list[Type] = [t]
    seen: set[str] = set()
    while todo:
        part = todo.pop()
        match part:
            case types.Alias(name):
                definition = aliases.get(name)
                if definition is None:
                    return None
                if name not in seen:
                    seen.add(name)
                    todo.append(definition)
            case types.UnionType(items):
                todo.extend(items)
            case types.OptionalType(item):
                todo += (NIL, item)
            case types.AndType(items):
                todo.append(next((i for i in items if not isinstance(i, types.Predicate)), ANY))
            case types.EnumType(values):
                found.update(map(type, values))
            case _:
                known = PRIMITIVE_KINDS[part.name] if isinstance(part, types.Primitive) else _KINDS[type(part)]
                if known is None:
                    return None
                found |= known
    return frozenset(found)
