"""What membership in a type demands, one level deep (language.md §5).

`demands(t, value)` is the definition that the checker for deep data, the explanation of failures and the tests
share: either a `Fault` of the value itself, or what must hold of its parts. Types that need an environment or a
choice (aliases, unions, `T?`, `[:and …]`) are not handled here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any, Final, NamedTuple

from rtfs import values
from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.values import Keyword, List, Map, Set, Value, Vector

#: primitive → the Python types of its members, compared by `type(value) in …`; None: every value
PRIMITIVE_KINDS: Final[Mapping[str, frozenset[type] | None]] = {
    "nil": frozenset((type(None),)),
    "int": frozenset((int,)),
    "float": frozenset((float, int)),
    "number": frozenset((int, float)),
    "string": frozenset((str,)),
    "bool": frozenset((bool,)),
    "keyword": frozenset((Keyword,)),
    "symbol": frozenset((values.Symbol,)),
    "any": None,
    "never": frozenset(),
    "vector": frozenset((Vector,)),
    "map": frozenset((Map,)),
    "list": frozenset((List,)),
    "set": frozenset((Set,)),
    "fn": frozenset((FunctionType,)),
    "timestamp": frozenset((values.Timestamp,)),
    "uuid": frozenset((values.Uuid,)),
    "error": frozenset((values.ErrorValue,)),
}


class Part(NamedTuple):
    """`value` must belong to `type`. `step` leads to it: `.name`, `[2]`, or empty."""

    type: Type
    value: Value
    step: str


class Fault(NamedTuple):
    """`value` itself is no member, whatever its parts.

    `kind`: `mismatch`; `missing`, with the key as `detail`; `shape`, with what was expected and came.
    """

    kind: str
    detail: str = ""


type Demand = Fault | Iterator[Part]

MISMATCH: Final = Fault("mismatch")


def demands(t: Type, value: Value) -> Demand:
    """The fault of `value`, or what must hold of its parts for it to belong to `t`."""
    return _DEMANDS[type(t)](t, value)


def in_enum(t: types.EnumType, value: Value) -> bool:
    """Whether `value` is one of the literals, type-strictly."""
    return any(values.equal(value, member) for member in t.values)


def key_step(key: Value) -> str:
    """The step of a path to the value under `key`."""
    if type(key) is int:
        return f"[{key}]"
    name = key.name if type(key) is Keyword else key
    return f".{name if len(name) <= 60 else name[:59] + '…'}"


def entry_key(m: Map, name: str) -> Value:
    """The key under which `m` has the entry `name`: the keyword, else the string; the keyword if neither."""
    key = Keyword.of(name)
    return name if key not in m and name in m else key


#: by id of a type of higher rank: the type, kept to keep its id its own, and the type of its items
_array_items: dict[int, tuple[Type, Type]] = {}


def array_item(t: types.ArrayType) -> Type:
    """The type of the items of an array: for higher ranks an array too, the same object each time."""
    if len(t.dims) < 2:
        return t.item
    known = _array_items.get(id(t))
    if known is None:
        if len(_array_items) > 1000:
            _array_items.clear()
        known = _array_items[id(t)] = (t, types.ArrayType(t.item, t.dims[1:]))
    return known[1]


_NONE: Final[tuple[Part, ...]] = ()


def _primitive(t: types.Primitive, value: Value) -> Demand:
    kinds = PRIMITIVE_KINDS[t.name]
    return iter(_NONE) if kinds is None or type(value) in kinds else MISMATCH


def _enum(t: types.EnumType, value: Value) -> Demand:
    return iter(_NONE) if in_enum(t, value) else MISMATCH


def _items(kind: Any) -> Callable[[types.VectorType | types.ListType, Value], Demand]:
    def demand(t: types.VectorType | types.ListType, value: Value) -> Demand:
        if type(value) is not kind:
            return MISMATCH
        return (Part(t.item, item, f"[{i}]") for i, item in enumerate(value))

    return demand


def _set(t: types.SetType, value: Value) -> Demand:
    if type(value) is not Set:
        return MISMATCH
    return (Part(t.item, item, "[*]") for item in value)


def _tuple(t: types.TupleType, value: Value) -> Demand:
    if type(value) is not Vector:
        return MISMATCH
    if len(value) != len(t.items):
        return Fault("shape", f"expected {_count(len(t.items))}, got {len(value)}")
    return (Part(wanted, item, f"[{i}]") for i, (wanted, item) in enumerate(zip(t.items, value, strict=True)))


def _count(n: int) -> str:
    return f"{n} item" if n == 1 else f"{n} items"


def _map(t: types.MapType, value: Value) -> Demand:
    if type(value) is not Map:
        return MISMATCH
    present = []
    for entry in t.entries:
        key = entry_key(value, entry.key)
        if key in value:
            present.append((entry, key))
        elif not entry.optional:
            return Fault("missing", entry.key)
    return _map_parts(t, value, present)


def _map_parts(t: types.MapType, value: Map, present: list[tuple[types.MapEntry, Value]]) -> Iterator[Part]:
    for entry, key in present:
        yield Part(entry.type, value[key], f".{entry.key}")
    if t.rest is not None:
        taken = {key for _, key in present}
        for key, item in value.items():
            if key not in taken:
                yield Part(t.rest, item, key_step(key))


def _map_of(t: types.MapOfType, value: Value) -> Demand:
    return _map_of_parts(t, value) if type(value) is Map else MISMATCH


def _map_of_parts(t: types.MapOfType, value: Map) -> Iterator[Part]:
    for key, item in value.items():
        yield Part(t.key, key, f"{key_step(key)} (key)")
        yield Part(t.value, item, key_step(key))


def _array(t: types.ArrayType, value: Value) -> Demand:
    if type(value) is not Vector:
        return MISMATCH
    wanted = t.dims[0] if t.dims else None
    if wanted is not None and len(value) != wanted:
        return Fault("shape", f"expected {_count(wanted)}, got {len(value)}")
    inner = array_item(t)
    return (Part(inner, item, f"[{i}]") for i, item in enumerate(value))


def _function(t: types.FunctionType, value: Value) -> Demand:
    return iter(_NONE) if values.is_function(value) else MISMATCH


def _resource(t: types.ResourceType, value: Value) -> Demand:
    return iter(_NONE) if type(value) is values.ResourceHandle else MISMATCH


_DEMANDS: Final[Mapping[type, Callable[..., Demand]]] = {
    types.Primitive: _primitive,
    types.EnumType: _enum,
    types.VectorType: _items(Vector),
    types.ListType: _items(List),
    types.SetType: _set,
    types.TupleType: _tuple,
    types.MapType: _map,
    types.MapOfType: _map_of,
    types.ArrayType: _array,
    types.FunctionType: _function,
    types.ResourceType: _resource,
}
