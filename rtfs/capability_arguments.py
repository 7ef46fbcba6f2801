"""The arguments of a capability that declares what it takes (language.md §8, pipeline).

Only such calls need the vocabulary of types, so that a program without any starts without it.
"""

from __future__ import annotations

from rtfs import errors
from rtfs.types.model import AndType, MapEntry, MapOfType, MapType, OptionalType, Type, UnionType
from rtfs.values import Keyword, Map, Value, Vector


def normalise(capability_id: str, args: list[Value], schema: Type) -> tuple[list[Value], Value]:
    """The arguments as the host gets them, and the one value that `schema` is checked against.

    Raises:
        Generic: the arguments cannot be brought into the shape of a map schema.
    """
    shape = _map_shape(schema)
    if isinstance(shape, UnionType):
        if len(args) == 1 and type(args[0]) is Map:
            return args, args[0]
        raise _unfit(capability_id, "takes one map, because its input schema is a union", args)
    if shape is None:
        return args, Vector(list(args))
    whole = args[0] if _is_whole(args, shape) else _from_positions(capability_id, args, shape)
    return [whole], whole


def _map_shape(schema: Type) -> MapType | UnionType | None:
    """The map type that decides how arguments are passed; a union for itself; None if it is no map."""
    while isinstance(schema, OptionalType):
        schema = schema.item
    if isinstance(schema, AndType):
        maps = (item for item in schema.items if isinstance(item, MapType | MapOfType))
        schema = next(maps, schema)
    if isinstance(schema, MapOfType):
        return MapType((), rest=schema.value)
    return schema if isinstance(schema, MapType | UnionType) else None


def _is_whole(args: list[Value], shape: MapType) -> bool:
    """Whether the one argument is the map itself, not the value of its only field."""
    if len(args) != 1 or type(args[0]) is not Map:
        return False
    required = [entry for entry in shape.entries if not entry.optional]
    return not required or any(_has(args[0], entry) for entry in required)


def _has(argument: Map, entry: MapEntry) -> bool:
    return Keyword.of(entry.key) in argument or entry.key in argument


def _from_positions(capability_id: str, args: list[Value], shape: MapType) -> Map:
    required = [entry for entry in shape.entries if not entry.optional]
    if not args and not required:
        return Map({})
    if shape.rest is not None:
        raise _unfit(capability_id, "takes one map, because its input schema is open to other keys", args)
    if any(a.optional and not b.optional for a, b in zip(shape.entries, shape.entries[1:], strict=False)):
        raise _unfit(capability_id, "takes one map, because a required field follows an optional one", args)
    if len(args) != len(required):
        names = " ".join(f":{entry.key}" for entry in required) or "no"
        raise _unfit(capability_id, f"takes one map, or by position its required fields, {names},", args)
    return Map({Keyword.of(entry.key): value for entry, value in zip(required, args, strict=True)})


def _unfit(capability_id: str, expected: str, args: list[Value]) -> errors.Generic:
    return errors.Generic(f"Capability '{capability_id}' {expected} got {len(args)} arguments")
