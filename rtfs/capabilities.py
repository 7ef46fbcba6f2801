"""What is known about capabilities: their description, the effects of their ids, their arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rtfs import errors
from rtfs.types.model import AndType, MapEntry, MapOfType, MapType, OptionalType, Type, UnionType
from rtfs.values import Keyword, Map, Value, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """A capability that a host offers: a Python function over RTFS values, and what it declares.

    With a map `input_schema` the function gets one map, whichever way the program passed its arguments.
    """

    function: Callable[..., Value]
    input_schema: Type | None = None
    output_schema: Type | None = None
    #: for the exposure of context values by tag
    tags: frozenset[str] = frozenset()
    doc: str | None = None


# ---------------------------------------------------------------- effects (language.md §8)

_COMPUTE: Final = frozenset({":compute"})

_EFFECTS_BY_ID: Final[dict[str, frozenset[str]]] = {
    "ccos.io.log": _COMPUTE,
    "ccos.io.print": _COMPUTE,
    "ccos.io.println": _COMPUTE,
    "ccos.user.ask": frozenset({":io", ":user-interaction"}),
    "ccos.network.http-fetch": frozenset({":network"}),
    "ccos.ai.llm-execute": frozenset({":ai"}),
}

#: tried in order after the exact ids
_EFFECTS_BY_PREFIX: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("ccos.io.", frozenset({":filesystem"})),
    ("ccos.network.", frozenset({":network"})),
    ("ccos.system.", frozenset({":system"})),
    ("ccos.agent.", frozenset({":agent"})),
    ("ccos.stream.", frozenset({":streaming"})),
    ("model-call:", frozenset({":ai"})),
)


def effect_label(text: str) -> str:
    """An effect's name as it is compared: `Network` and `:network` are `:network`."""
    return ":" + text.strip().removeprefix(":").lower()


def default_effects(capability_id: str) -> frozenset[str]:
    """The effects of a capability for which nothing else was declared."""
    known = _EFFECTS_BY_ID.get(capability_id)
    if known is not None:
        return known
    for prefix, effects in _EFFECTS_BY_PREFIX:
        if capability_id.startswith(prefix):
            return effects
    return _COMPUTE


# ---------------------------------------------------------------- arguments


def normalise(capability_id: str, args: list[Value], schema: Type | None) -> tuple[list[Value], Value]:
    """The arguments as the host gets them, and the one value that `schema` is checked against.

    Raises:
        Generic: the arguments cannot be brought into the shape of a map schema.
    """
    if schema is None:
        return args, None
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


# ---------------------------------------------------------------- schemas


def check_input(capability_id: str, value: Value, schema: Type | None) -> None:
    """Check normalised arguments.

    Raises:
        TypeValidationError: `Input validation failed: …`.
    """
    _check(capability_id, value, schema, "Input")


def check_output(capability_id: str, value: Value, schema: Type | None) -> None:
    """Check what the host answered.

    Raises:
        TypeValidationError: `Output validation failed: …`.
    """
    _check(capability_id, value, schema, "Output")


def _check(capability_id: str, value: Value, schema: Type | None, side: str) -> None:
    if schema is None:
        return
    from rtfs.types.check import TypeEnv, checker

    try:
        checker(schema, TypeEnv())(value, side.lower())
    except errors.TypeValidationError as error:
        problem = errors.TypeValidationError(f"{side} validation failed: {error.message}")
        problem.hint = f"this is the {side.lower()} schema of capability `{capability_id}`"
        raise problem from error
