"""RTFS values.

`int` `float` `str` `bool` `None` are themselves; a function is a Python function. The rest is here:
interned keywords and symbols, immutable vectors, lists, maps and sets.

How the collections work. A vector is a window `[start, stop)` on a buffer that other vectors may share.
`conj` on the vector that ends where the buffer ends appends in place, because no older vector looks past
its own `stop`; so building by `conj` and walking by `rest` both cost O(1). The first `assoc` into a long
vector, or a long map, moves it to a hash array mapped trie (`immutables.Map`), where further ones cost
O(log n). A list is the same window over a reversed buffer. Maps keep insertion order.

The buffers are owned: who calls `Vector(buffer)` or `Map(table)` never touches its argument again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

from rtfs import errors

#: any RTFS value; Python has no name for the union that a type checker could use
type Value = Any

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1

#: a collection longer than this moves to a trie on its first update
SMALL: Final = 32


class Keyword:
    """`:name`. Interned: equal keywords are the same object. Call `Keyword.of`."""

    __slots__ = ("__weakref__", "name")
    name: str
    _known: WeakValueDictionary[str, Keyword] = WeakValueDictionary()

    @classmethod
    def of(cls, name: str) -> Keyword:
        found = cls._known.get(name)
        if found is None:
            found = object.__new__(cls)
            found.name = name
            found = cls._known.setdefault(name, found)
        return found

    def __call__(self, m: Value, default: Value = None) -> Value:
        """`(:k m)` and `(:k m default)`."""
        if type(m) is Map:
            return m.get(self, default)
        if m is None:
            return default
        if type(m) is ErrorValue:
            return m.get(self, default)
        raise errors.TypeMismatch("map", type_name(m), "keyword lookup")

    def __repr__(self) -> str:
        return f":{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Keyword.of, (self.name,))


class Symbol:
    """A name as data. Interned like keywords. Call `Symbol.of`."""

    __slots__ = ("__weakref__", "name")
    name: str
    _known: WeakValueDictionary[str, Symbol] = WeakValueDictionary()

    @classmethod
    def of(cls, name: str) -> Symbol:
        found = cls._known.get(name)
        if found is None:
            found = object.__new__(cls)
            found.name = name
            found = cls._known.setdefault(name, found)
        return found

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return (Symbol.of, (self.name,))


class _Tagged:
    """A text with a type of its own, equal only to the same type and text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.text == self.text  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"


class Timestamp(_Tagged):
    """`2025-01-31T10:20:30Z`, kept as written."""

    __slots__ = ()


class Uuid(_Tagged):
    """A UUID, kept as written."""

    __slots__ = ()


class ResourceHandle(_Tagged):
    """`resource://…`, kept as written."""

    __slots__ = ()


class Ticket:
    """A handle on work under way. The library alone makes only finished ones; actors subclass it.

    Equality is by id.
    """

    __slots__ = ("id",)

    def __init__(self, id: str) -> None:
        self.id = id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ticket) and other.id == self.id

    def __hash__(self) -> int:
        return hash(("ticket", self.id))


class ErrorValue:
    """What `catch` binds: an error as data. Answers `:message :type :data :cause`; equal by message."""

    __slots__ = ("error",)

    def __init__(self, error: errors.RtfsError) -> None:
        self.error = error

    @property
    def message(self) -> str:
        return self.error.caught_message()

    @property
    def type(self) -> str:
        error = self.error
        return error.type if isinstance(error, errors.ApplicationError) else errors.kebab(error.category)

    @property
    def data(self) -> Value:
        error = self.error
        return error.data if isinstance(error, errors.ApplicationError) else None

    def get(self, key: Value, default: Value = None) -> Value:
        error = self.error
        if isinstance(error, errors.ApplicationError) and type(error.value) is Map and key in error.value:
            return error.value.get(key)
        match key.name if type(key) is Keyword else None:
            case "message":
                return self.message
            case "type":
                return Keyword.of(self.type)
            case "data":
                return self.data
            case "cause":
                return None if error.cause is None else ErrorValue(error.cause)
            case _:
                return default

    def __eq__(self, other: object) -> bool:
        return type(other) is ErrorValue and other.message == self.message

    def __hash__(self) -> int:
        return hash(("error", self.message))


def _trie() -> Any:
    """An empty `immutables.Map`, imported on first use: most programs never need one."""
    from immutables import Map as Trie

    return Trie()


class _Window:
    """The part that vectors and lists share: a window on a buffer, in buffer order."""

    __slots__ = ("_items", "_start", "_stop", "source_info")
    #: a Python list shared by append, or a trie from index to item once updated in the middle
    _items: Any
    _start: int
    _stop: int
    #: set by the reader on forms only: `SourceInfo`; unset on all other values
    source_info: Any

    def __len__(self) -> int:
        return self._stop - self._start

    def __bool__(self) -> bool:
        return self._stop != self._start

    def _forward(self) -> list[Value]:
        items = self._items
        if type(items) is list:
            return items[self._start : self._stop]
        return [items[i] for i in range(self._start, self._stop)]

    def _appended(self, item: Value) -> Any:
        """The buffer of this window with `item` at `_stop`."""
        items, stop = self._items, self._stop
        if type(items) is not list:
            return items.set(stop, item)
        if len(items) == stop:
            items.append(item)
            if items[stop] is item:  # else another thread appended in between
                return items
        items = items[:stop]
        items.append(item)
        return items


class Vector(_Window):
    """`[a b c]`. Indexing takes 0 ≤ i < len only; callers check bounds."""

    __slots__ = ()

    def __init__(self, items: list[Value]) -> None:
        self._items = items
        self._start = 0
        self._stop = len(items)

    @staticmethod
    def of(*items: Value) -> Vector:
        return Vector(list(items))

    def __iter__(self) -> Iterator[Value]:
        return iter(self._forward())

    def __getitem__(self, index: int) -> Value:
        if 0 <= index < self._stop - self._start:
            return self._items[self._start + index]
        raise IndexError(index)

    def to_list(self) -> list[Value]:
        """A fresh Python list of the items."""
        return self._forward()

    def _with(self, items: Any, start: int, stop: int) -> Vector:
        made = Vector.__new__(Vector)
        made._items = items
        made._start = start
        made._stop = stop
        return made

    def conj(self, item: Value) -> Vector:
        """This vector and `item` at its end. Amortised O(1)."""
        made = Vector.__new__(Vector)
        made._items = self._appended(item)
        made._start = self._start
        made._stop = self._stop + 1
        return made

    def slice(self, start: int, stop: int) -> Vector:
        """Items start ≤ i < stop, with 0 ≤ start ≤ stop ≤ len. O(1)."""
        return self._with(self._items, self._start + start, self._start + stop)

    def assoc(self, index: int, item: Value) -> Vector:
        """This vector with `item` at 0 ≤ index < len. O(log n), the first time O(n)."""
        items = self._items
        if type(items) is list:
            if self._stop - self._start <= SMALL:
                copy = self._forward()
                copy[index] = item
                return Vector(copy)
            window = range(self._start, self._stop)
            self._items = items = _trie().update((i, items[i]) for i in window)
        return self._with(items.set(self._start + index, item), self._start, self._stop)

    def __eq__(self, other: object) -> bool:
        return type(other) is Vector and equal(self, other)

    def __hash__(self) -> int:
        return hash_value(self)

    def __call__(self, index: Value, default: Value = None) -> Value:
        """`(v i)` and `(v i default)`."""
        if type(index) is not int:
            raise errors.TypeMismatch("integer", type_name(index), "vector lookup")
        return self[index] if 0 <= index < len(self) else default

    def __repr__(self) -> str:
        return f"Vector({self._forward()!r})"


class List(_Window):
    """`(a b c)`, as data. The buffer is reversed, so that the first item is at its end."""

    __slots__ = ()

    def __init__(self, items: Iterable[Value] = ()) -> None:
        buffer = list(items)
        buffer.reverse()
        self._items = buffer
        self._start = 0
        self._stop = len(buffer)

    @staticmethod
    def of(*items: Value) -> List:
        return List(items)

    def __iter__(self) -> Iterator[Value]:
        return reversed(self._forward())

    def __getitem__(self, index: int) -> Value:
        if 0 <= index < self._stop - self._start:
            return self._items[self._stop - 1 - index]
        raise IndexError(index)

    def to_list(self) -> list[Value]:
        """A fresh Python list of the items, first item first."""
        items = self._forward()
        items.reverse()
        return items

    def conj(self, item: Value) -> List:
        """`item` in front of this list. Amortised O(1)."""
        made = List.__new__(List)
        made._items = self._appended(item)
        made._start = self._start
        made._stop = self._stop + 1
        return made

    def slice(self, start: int, stop: int) -> List:
        """Items start ≤ i < stop, with 0 ≤ start ≤ stop ≤ len. O(1)."""
        made = List.__new__(List)
        made._items = self._items
        made._start = self._stop - stop
        made._stop = self._stop - start
        return made

    def __eq__(self, other: object) -> bool:
        return type(other) is List and equal(self, other)

    def __hash__(self) -> int:
        return hash_value(self)

    def __repr__(self) -> str:
        return f"List({self.to_list()!r})"


class Map:
    """`{k v}` in insertion order. Keys are strings, keywords and integers; callers check that."""

    __slots__ = ("_next", "_table", "_trie", "source_info")
    #: key → value in order; the truth unless `_trie` is set and this is None
    _table: dict[Value, Value] | None
    #: trie key → (sequence number, value)
    _trie: Any
    #: the next sequence number of `_trie`
    _next: int
    source_info: Any

    def __init__(self, table: dict[Value, Value]) -> None:
        self._table = table
        self._trie = None

    def _as_dict(self) -> dict[Value, Value]:
        """The entries in order. Not to be changed."""
        table = self._table
        if table is None:
            entries = sorted(self._trie.items(), key=_sequence_number)
            table = self._table = {key: entry[1] for key, entry in entries}
        return table

    def __len__(self) -> int:
        return len(self._trie if self._table is None else self._table)

    def __bool__(self) -> bool:
        return len(self) != 0

    def __contains__(self, key: Value) -> bool:
        return key in (self._trie if self._table is None else self._table)

    def __iter__(self) -> Iterator[Value]:
        return iter(list(self._as_dict()))

    def __getitem__(self, key: Value) -> Value:
        return self._trie[key][1] if self._table is None else self._table[key]

    def get(self, key: Value, default: Value = None) -> Value:
        table = self._table
        if table is not None:
            return table.get(key, default)
        entry = self._trie.get(key)
        return default if entry is None else entry[1]

    def keys(self) -> list[Value]:
        return list(self._as_dict())

    def values(self) -> list[Value]:
        return list(self._as_dict().values())

    def items(self) -> list[tuple[Value, Value]]:
        return list(self._as_dict().items())

    def to_dict(self) -> dict[Value, Value]:
        """A fresh Python dict of the entries."""
        return dict(self._as_dict())

    def _to_trie(self) -> Any:
        if self._trie is None:
            table = self._table
            assert table is not None
            self._next = len(table)
            self._trie = _trie().update({k: (i, v) for i, (k, v) in enumerate(table.items())})
        return self._trie

    def _with_trie(self, trie: Any, next_number: int) -> Map:
        made = Map.__new__(Map)
        made._table = None
        made._trie = trie
        made._next = next_number
        return made

    def assoc(self, key: Value, value: Value) -> Map:
        """This map with `key` → `value`; an old key keeps its place. O(log n)."""
        table = self._table
        if table is not None and len(table) < SMALL:
            copy = table.copy()
            copy[key] = value
            return Map(copy)
        trie = self._to_trie()
        entry = trie.get(key)
        if entry is None:
            return self._with_trie(trie.set(key, (self._next, value)), self._next + 1)
        return self._with_trie(trie.set(key, (entry[0], value)), self._next)

    def dissoc(self, key: Value) -> Map:
        """This map without `key`; itself if it has none. O(log n)."""
        if key not in self:
            return self
        table = self._table
        if table is not None and len(table) <= SMALL:
            copy = table.copy()
            del copy[key]
            return Map(copy)
        return self._with_trie(self._to_trie().delete(key), self._next)

    def __eq__(self, other: object) -> bool:
        return type(other) is Map and equal(self, other)

    def __hash__(self) -> int:
        return hash_value(self)

    def __call__(self, key: Value, default: Value = None) -> Value:
        """`(m k)` and `(m k default)`."""
        if type(key) in MAP_KEY_TYPES:
            return self.get(key, default)
        raise errors.TypeMismatch("map key", type_name(key), "map lookup")

    def __repr__(self) -> str:
        return f"Map({self._as_dict()!r})"


def _sequence_number(entry: tuple[Value, tuple[int, Value]]) -> int:
    return entry[1][0]


MAP_KEY_TYPES: Final = frozenset((str, Keyword, int))


class _Member:
    """A set member whose Python hash or equality is not RTFS's: floats, booleans, collections."""

    __slots__ = ("hash", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self.hash = hash_value(value)

    def __eq__(self, other: object) -> bool:
        return type(other) is _Member and equal(self.value, other.value)

    def __hash__(self) -> int:
        return self.hash


_PLAIN_MEMBERS: Final = frozenset((str, int, Keyword, Symbol, type(None)))


def member_key(value: Value) -> Any:
    """A Python key that is equal exactly when the RTFS values are. Also serves grouping and `distinct`."""
    return value if type(value) in _PLAIN_MEMBERS else _Member(value)


class Set:
    """`#{a b}` in insertion order; members are any values."""

    __slots__ = ("_map", "source_info")
    #: member key → member
    _map: Map
    source_info: Any

    def __init__(self, members: Iterable[Value] = ()) -> None:
        self._map = Map({member_key(member): member for member in members})

    @staticmethod
    def of(*members: Value) -> Set:
        return Set(members)

    def _with(self, table: Map) -> Set:
        made = Set.__new__(Set)
        made._map = table
        return made

    def __len__(self) -> int:
        return len(self._map)

    def __bool__(self) -> bool:
        return len(self._map) != 0

    def __contains__(self, member: Value) -> bool:
        return member_key(member) in self._map

    def __iter__(self) -> Iterator[Value]:
        return iter(self._map.values())

    def to_list(self) -> list[Value]:
        return self._map.values()

    def conj(self, member: Value) -> Set:
        key = member_key(member)
        return self if key in self._map else self._with(self._map.assoc(key, member))

    def disj(self, member: Value) -> Set:
        return self._with(self._map.dissoc(member_key(member)))

    def __eq__(self, other: object) -> bool:
        return type(other) is Set and equal(self, other)

    def __hash__(self) -> int:
        return hash_value(self)

    def __call__(self, member: Value, default: Value = None) -> Value:
        """`(s x)`: x if it is a member, else the default."""
        return member if member in self else default

    def __repr__(self) -> str:
        return f"Set({self.to_list()!r})"


COLLECTIONS: Final = frozenset((Vector, List, Map, Set))
EMPTY_VECTOR: Final = Vector([])
EMPTY_LIST: Final = List()
EMPTY_MAP: Final = Map({})
EMPTY_SET: Final = Set()

_FUNCTION = type(lambda: None)

_TYPE_NAMES: Final[Mapping[type, str]] = {
    type(None): "nil",
    bool: "boolean",
    int: "integer",
    float: "float",
    str: "string",
    Keyword: "keyword",
    Symbol: "symbol",
    Vector: "vector",
    List: "list",
    Map: "map",
    Set: "set",
    _FUNCTION: "function",
    Timestamp: "timestamp",
    Uuid: "uuid",
    ResourceHandle: "resource-handle",
    ErrorValue: "error",
}


def type_name(value: Value) -> str:
    """The name of a value's type, as `(type-name x)` answers it (language.md §2)."""
    name = _TYPE_NAMES.get(type(value))
    if name is None:
        name = "ticket" if isinstance(value, Ticket) else type(value).__name__.lower()
    return name


def is_function(value: Value) -> bool:
    """Whether `value` is an RTFS function: every one is a plain Python function."""
    return type(value) is _FUNCTION


def truthy(value: Value) -> bool:
    """Only `nil` and `false` are falsy."""
    return value is not None and value is not False


def equal(a: Value, b: Value) -> bool:
    """`=` of language.md §2: type-strict, structural, NaN unequal to itself.

    Walks with a list of its own instead of Python recursion, so that depth is no limit.
    """
    kind = type(a)
    if kind is not type(b):
        return isinstance(a, Ticket) and isinstance(b, Ticket) and a.id == b.id
    if kind not in COLLECTIONS:
        return bool(a == b)
    from rtfs.run import poll

    todo: list[tuple[Value, Value]] = [(a, b)]
    seen: set[tuple[int, int]] = set()
    while todo:
        a, b = todo.pop()
        kind = type(a)
        if kind is not type(b):
            return False
        if kind not in COLLECTIONS:
            if a != b:
                return False
            continue
        if len(a) != len(b):
            return False
        pair = (id(a), id(b))
        if pair in seen:  # shared structure is compared once, else it could take exponential time
            continue
        seen.add(pair)
        poll()
        if kind is Map:
            for key, value in a.items():
                if key not in b:
                    return False
                todo.append((value, b[key]))
        elif kind is Set:
            if not all(member in b for member in a):
                return False
        else:
            todo.extend(zip(a.to_list(), b.to_list(), strict=True))
    return True


def hash_value(value: Value) -> int:
    """A hash that agrees with `equal`. Shared structure is hashed once per call."""
    return _hash(value, {})


def _hash(value: Value, done: dict[int, int]) -> int:
    from rtfs.run import poll

    kind = type(value)
    if kind not in COLLECTIONS:
        return hash((kind.__name__, value)) if kind in (bool, float) else hash(value)
    known = done.get(id(value))
    if known is not None:
        return known
    if kind is Map:
        # order does not matter to equality
        parts: Any = frozenset((hash(key), _hash(item, done)) for key, item in value.items())
    elif kind is Set:
        parts = frozenset(hash(key) for key in value._map)
    else:
        parts = tuple(_hash(item, done) for item in value.to_list())
    poll()
    done[id(value)] = found = hash((kind.__name__, parts))
    return found
