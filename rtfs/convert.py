"""Between RTFS values and plain Python data, in both directions.

| RTFS | `to_python` | `from_python` |
|---|---|---|
| nil, boolean, integer, float, string | the same | the same |
| keyword | key of a map: `"k"`; elsewhere `":k"` | a `Keyword` stays one |
| symbol, timestamp, uuid, resource handle | its text | stays |
| vector, list | `list` | `list`, `tuple` → vector |
| set | `list`, in order | `set`, `frozenset` → set |
| map | `dict` | `dict` → map |

The result of `to_python` is made of fresh containers: changing one changes no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from rtfs import errors
from rtfs.run import poll, reserve
from rtfs.values import (
    COLLECTIONS,
    INT_MAX,
    INT_MIN,
    MAP_KEY_TYPES,
    Keyword,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Timestamp,
    Uuid,
    Value,
    Vector,
    type_name,
)

#: most values that one conversion makes; shared parts are made anew each time they occur
MAX_NODES: Final = 10_000_000
#: a rough size of one converted value, bytes
_NODE_BYTES: Final = 64
_CHECK_EVERY: Final = 1024

_ATOMS: Final = frozenset((type(None), bool, int, float, str))
_TEXTS: Final = frozenset((Timestamp, Uuid, ResourceHandle))


class _Counter:
    """Counts values made, so that shared structure cannot grow without bound."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, count: int) -> None:
        before = self._count
        self._count += count
        if before // _CHECK_EVERY != self._count // _CHECK_EVERY:
            poll()
            reserve(self._count * _NODE_BYTES)
            if self._count > MAX_NODES:
                raise errors.BudgetExhausted("allocation", f"{MAX_NODES} values")


# ---------------------------------------------------------------- to Python


def to_python(value: Value) -> Any:
    """`value` as plain Python data, ready for `json`.

    Raises:
        TypeMismatch: it holds a function, an error or a ticket.
        InvalidArgument: a map has two keys with one text, such as `:a` and `"a"`.
        BudgetExhausted: it is too large.
    """
    top: list[Any] = [None]
    counter = _Counter()
    # (value, container, key): the converted value goes to container[key]
    todo: list[tuple[Value, Any, Any]] = [(value, top, 0)]
    while todo:
        value, container, key = todo.pop()
        kind = type(value)
        if kind is Map:
            container[key] = made = _python_keys(value)
            counter.add(len(made))
            todo.extend((item, made, name) for name, item in made.items())
        elif kind in COLLECTIONS:
            items = value.to_list()
            container[key] = items
            counter.add(len(items))
            todo.extend((item, items, i) for i, item in enumerate(items))
        else:
            container[key] = _python_atom(value)
    return top[0]


def _python_keys(value: Map) -> dict[Any, Any]:
    """A dict of the entries; the values are still RTFS values."""
    made: dict[Any, Any] = {}
    for key, item in value.items():
        name = key.name if type(key) is Keyword else key
        if name in made:
            raise errors.InvalidArgument(f"map has the keys :{name} and {name!r}, one Python dict cannot")
        made[name] = item
    return made


def _python_atom(value: Value) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is Keyword:
        return f":{value.name}"
    if kind is Symbol:
        return value.name
    if kind in _TEXTS:
        return value.text
    raise errors.TypeMismatch("data", type_name(value), "to_python")


# ---------------------------------------------------------------- from Python


class _Leave:
    """On the list of things to do: this container is finished, `make` it of its converted items."""

    __slots__ = ("container", "count", "make")

    def __init__(self, container: Any, count: int, make: Callable[[list[Value]], Value]) -> None:
        self.container = container
        self.count = count
        self.make = make


def from_python(obj: Any, *, keys: Literal["string", "keyword"] = "string") -> Value:
    """Plain Python data as an RTFS value. RTFS values inside are taken as they are.

    Args:
        keys: what the string keys of dicts become.

    Raises:
        TypeMismatch: it holds anything that is no data, an integer beyond 64 bits, or itself.
        BudgetExhausted: it is too large.
    """
    if keys not in ("string", "keyword"):
        raise ValueError(f"keys must be 'string' or 'keyword', got {keys!r}")
    done: list[Value] = []
    counter = _Counter()
    #: containers under way, by identity: one inside itself would never end
    inside: set[int] = set()
    todo: list[Any] = [obj]
    while todo:
        item = todo.pop()
        if type(item) is _Leave:
            inside.discard(id(item.container))
            split = len(done) - item.count
            converted = done[split:]
            del done[split:]
            done.append(item.make(converted))
            continue
        opened = _open(item, keys)
        if opened is None:
            done.append(_atom(item))
            continue
        if id(item) in inside:
            raise errors.TypeMismatch("data", f"{type(item).__name__} that contains itself", "from_python")
        inside.add(id(item))
        items, make = opened
        counter.add(len(items))
        todo.append(_Leave(item, len(items), make))
        todo.extend(reversed(items))
    return done[0]


def _open(obj: Any, keys: str) -> tuple[list[Any], Callable[[list[Value]], Value]] | None:
    """Items of a container and what to make of them; None for anything else."""
    if isinstance(obj, list | tuple):
        return list(obj), Vector
    if isinstance(obj, set | frozenset):
        return list(obj), Set
    if isinstance(obj, Mapping):
        names = [_key(key, keys) for key in obj]
        return list(obj.values()), lambda items: Map(dict(zip(names, items, strict=True)))
    return None


def _key(key: Any, keys: str) -> Value:
    if isinstance(key, str):
        return Keyword.of(_plain(key)) if keys == "keyword" else _plain(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return _integer(key)
    if type(key) in MAP_KEY_TYPES:
        return key
    raise errors.TypeMismatch("string, keyword or integer", _python_name(key), "map key")


def _plain(text: str) -> str:
    """Without a subclass, whose methods would be code of the host."""
    return str.__str__(text)


def _integer(number: int) -> int:
    if INT_MIN <= number <= INT_MAX:
        return int(number)
    raise errors.TypeMismatch("64-bit integer", f"integer of {number.bit_length()} bits", "from_python")


_AS_THEY_ARE: Final = COLLECTIONS | _TEXTS | {type(None), bool, Keyword, Symbol}


def _atom(obj: Any) -> Value:
    if type(obj) in _AS_THEY_ARE:
        return obj
    if isinstance(obj, str):
        return _plain(obj)
    if isinstance(obj, int):
        return _integer(obj)
    if isinstance(obj, float):
        return float(obj)
    raise errors.TypeMismatch("data", _python_name(obj), "from_python")


def _python_name(obj: Any) -> str:
    return type_name(obj) if type(obj).__module__ in ("rtfs.values", "builtins") else type(obj).__name__
