"""RTFS values.

`int` `float` `str` `bool` `None` are themselves; a function is a Python function. The rest is here:
interned keywords and symbols, immutable vectors, lists, maps and sets.

How the collections work. A vector is a window `[start, stop)` on a buffer that other vectors may share.
`conj` on the vector that ends where the buffer ends appends in place, because no older vector looks past
its own `stop`; so building by `conj` and walking by `rest` both cost O(1). Short ones are copied: else a small
constant of a program would keep alive whatever was first built from it. The first `assoc` into a long vector,
or a long map, moves it to a hash array mapped trie (`immutables.Map`), where further ones cost O(log n); so
does `conj` on an older version of a very long vector. A list is the same window over a reversed buffer. Maps
keep insertion order.

Depth. Data may nest as deep as memory allows, so `equal`, `hash_value` and `repr` never recurse through C:
the first two walk with a list of their own, the last one stops early.

The buffers are owned: who calls `Vector(buffer)` or `Map(table)` never touches its argument again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from operator import is_
from typing import Any, ClassVar, Final, Self
from weakref import WeakValueDictionary

from rtfs import errors
from rtfs.run import STOP_REQUESTS, poll, reserve

#: any RTFS value; Python has no name for the union that a type checker could use
type Value = Any

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1

#: a collection longer than this moves to a trie on its first update
SMALL: Final = 32
#: a vector or list longer than this moves to a trie when an older version of it is added to
LARGE: Final = 4096
#: items of a buffer that may be alive for nothing
LOOSE: Final = 128

#: bytes of one reference, for `reserve`
_REFERENCE_BYTES: Final = 8
#: bytes of one entry of a Python dict, about
_ENTRY_BYTES: Final = 50
#: items put into a trie between two safepoints
_TRIE_PART: Final = 4096

#: held while a new keyword or symbol is entered, so that two threads cannot make it twice
_interning = threading.Lock()


class _Interned:
    """A name that is the same object wherever it is equal. Call `of`, never the class."""

    __slots__ = ("__weakref__", "name")
    name: str
    _known: ClassVar[WeakValueDictionary[str, Any]]

    @classmethod
    def of(cls, name: str) -> Self:
        """The one of that name."""
        found: Self | None = cls._known.get(name)
        if found is None:
            with _interning:
                found = cls._known.get(name)
                if found is None:
                    found = object.__new__(cls)
                    found.name = name
                    cls._known[name] = found
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return _interned, (type(self), self.name)


def _interned(kind: type[_Interned], name: str) -> _Interned:
    """`kind.of(name)`, for pickles: they find a function of a module by its name, but no class method."""
    return kind.of(name)


class _Stored:
    """Collections are pickled as the bytes of `rtfs.ir_codec`, whatever they share and however deep."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        from rtfs.ir_codec import decode_value, encode_value

        return decode_value, (encode_value(self),)


class Keyword(_Interned):
    """`:name`. Interned: equal keywords are the same object. Call `Keyword.of`."""

    __slots__ = ()
    _known: ClassVar[WeakValueDictionary[str, Any]] = WeakValueDictionary()

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


class Symbol(_Interned):
    """A name as data. Interned like keywords. Call `Symbol.of`."""

    __slots__ = ()
    _known: ClassVar[WeakValueDictionary[str, Any]] = WeakValueDictionary()

    def __repr__(self) -> str:
        return self.name


class _Tagged:
    """A text with a type of its own, equal only to the same type and text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.text == self.text

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
        """What `(getMessage e)` answers."""
        return self.error.caught_message()

    @property
    def type(self) -> str:
        """The category in kebab case, or the type that was thrown."""
        error = self.error
        return error.type if isinstance(error, errors.ApplicationError) else errors.kebab(error.category)

    @property
    def data(self) -> Value:
        """The data that was thrown, else nil."""
        error = self.error
        return error.data if isinstance(error, errors.ApplicationError) else None

    def get(self, key: Value, default: Value = None) -> Value:
        """What the error answers to `(key e default)`; a thrown map answers its own keys first."""
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


def _trie(pairs: Iterable[tuple[Any, Any]]) -> Any:
    """An `immutables.Map` of `pairs`. It is imported on first use: most programs never need one.

    It is filled in parts with a safepoint before each, and from lists: if what its `update` goes over raises an
    error, that method gives back a reference it has not got, and the process crashes some time later.
    """
    from immutables import Map as Trie

    trie: Any = Trie()
    rest = iter(pairs)
    while part := list(islice(rest, _TRIE_PART)):
        if STOP_REQUESTS:
            poll()
        trie = trie.update(part)
    return trie


class _Window(_Stored):
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

    def _made(self, items: Any, start: int, stop: int) -> Self:
        made = object.__new__(type(self))
        made._items = items
        made._start = start
        made._stop = stop
        return made

    def conj(self, item: Value) -> Self:
        """This vector and `item` at its end; of a list, `item` in front of it. Amortised O(1)."""
        items, start, stop = self._items, self._start, self._stop
        if type(items) is not list:
            return self.conj_all([item])
        made = object.__new__(type(self))
        if stop - start <= SMALL:
            made._items = items = items[start:stop]
            items.append(item)
            made._start = 0
            made._stop = stop - start + 1
            return made
        if len(items) != stop:
            return self.conj_all([item])
        items.append(item)
        if items[stop] is not item:  # another thread appended in between
            return self.conj_all([item])
        made._items = items
        made._start = start
        made._stop = stop + 1
        return made

    def conj_all(self, added: list[Value]) -> Self:
        """`conj` each of `added` in turn. O(len(added)) where this is the newest version, else O(n) at most."""
        items, start, stop = self._items, self._start, self._stop
        size, end = stop - start, stop + len(added)
        if type(items) is list and len(items) == stop and size > SMALL:
            items.extend(added)
            if all(map(is_, items[stop:end], added)):  # else another thread appended in between
                return self._made(items, start, end)
        if size > LARGE and len(added) * 16 < size:
            items = self._to_trie()
            for index, item in enumerate(added, stop):
                items = items.set(index, item)
            return self._made(items, start, end)
        reserve((size + len(added)) * _REFERENCE_BYTES)
        copy = self._forward()
        copy += added
        return self._made(copy, 0, len(copy))

    def _to_trie(self) -> Any:
        """The buffer as a trie, which this window keeps."""
        items = self._items
        if type(items) is list:
            # an index of the window keeps its item, so other threads may go on reading
            self._items = items = _trie(enumerate(self._forward(), self._start))
        return items

    def _cut(self, start: int, stop: int) -> Self:
        """The window [start, stop) of the buffer; a copy if it would keep a far larger buffer alive."""
        items = self._items
        if (stop - start) * 4 + LOOSE >= len(items):
            return self._made(items, start, stop)
        if type(items) is list:
            return self._made(items[start:stop], 0, stop - start)
        return self._made([items[i] for i in range(start, stop)], 0, stop - start)


class Vector(_Window):
    """`[a b c]`. Indexing takes 0 ≤ i < len only; callers check bounds."""

    __slots__ = ()

    def __init__(self, items: list[Value]) -> None:
        self._items = items
        self._start = 0
        self._stop = len(items)

    @staticmethod
    def of(*items: Value) -> Vector:
        """The vector of these items."""
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

    def slice(self, start: int, stop: int) -> Vector:
        """Items start ≤ i < stop, with 0 ≤ start ≤ stop ≤ len. O(1)."""
        return self._cut(self._start + start, self._start + stop)

    def assoc(self, index: int, item: Value) -> Vector:
        """This vector with `item` at 0 ≤ index < len. O(log n), the first time O(n)."""
        if type(self._items) is list and self._stop - self._start <= SMALL:
            copy = self._forward()
            copy[index] = item
            return Vector(copy)
        return self._made(self._to_trie().set(self._start + index, item), self._start, self._stop)

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
        return _shown(self)


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
        """The list of these items."""
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

    def slice(self, start: int, stop: int) -> List:
        """Items start ≤ i < stop, with 0 ≤ start ≤ stop ≤ len. O(1)."""
        return self._cut(self._stop - stop, self._stop - start)

    def __eq__(self, other: object) -> bool:
        return type(other) is List and equal(self, other)

    def __hash__(self) -> int:
        return hash_value(self)

    def __repr__(self) -> str:
        return _shown(self)


class Map(_Stored):
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
        """The value at `key`, else `default`."""
        table = self._table
        if table is not None:
            return table.get(key, default)
        entry = self._trie.get(key)
        return default if entry is None else entry[1]

    def keys(self) -> list[Value]:
        """The keys in order, as a fresh list."""
        return list(self._as_dict())

    def values(self) -> list[Value]:
        """The values in order of their keys, as a fresh list."""
        return list(self._as_dict().values())

    def items(self) -> list[tuple[Value, Value]]:
        """The entries in order, as a fresh list."""
        return list(self._as_dict().items())

    def to_dict(self) -> dict[Value, Value]:
        """A fresh Python dict of the entries."""
        return dict(self._as_dict())

    def _to_trie(self) -> Any:
        if self._trie is None:
            table = self._table
            assert table is not None
            self._next = len(table)
            entries = enumerate(list(table.items()))
            self._trie = _trie((k, (i, v)) for i, (k, v) in entries)
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

    def assoc_all(self, entries: dict[Value, Value]) -> Map:
        """`assoc` each of `entries` in order. O(len(entries) log n), or O(n) where that is less."""
        if len(entries) * 8 < len(self):
            made = self
            for key, value in entries.items():
                made = made.assoc(key, value)
            return made
        reserve((len(self) + len(entries)) * _ENTRY_BYTES)
        return Map(self._as_dict() | entries)

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
        return self.get(map_key(key), default)

    def __repr__(self) -> str:
        return _shown(self)


def _sequence_number(entry: tuple[Value, tuple[int, Value]]) -> int:
    if STOP_REQUESTS:
        poll()
    return entry[1][0]


MAP_KEY_TYPES: Final = frozenset((str, Keyword, int))


def map_key(key: Value) -> Value:
    """`key`, known to be one that a map may have.

    Raises:
        TypeMismatch: it is no string, keyword or integer.
    """
    if type(key) in MAP_KEY_TYPES:
        return key
    raise errors.TypeMismatch("string, keyword or integer", type_name(key), "map key")


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


class Set(_Stored):
    """`#{a b}` in insertion order; members are any values."""

    __slots__ = ("_map", "source_info")
    #: member key → member
    _map: Map
    source_info: Any

    def __init__(self, members: Iterable[Value] = ()) -> None:
        self._map = Map({member_key(member): member for member in members})

    @staticmethod
    def of(*members: Value) -> Set:
        """The set of these members."""
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
        """A fresh Python list of the members."""
        return self._map.values()

    def conj(self, member: Value) -> Set:
        """This set and `member`."""
        key = member_key(member)
        return self if key in self._map else self._with(self._map.assoc(key, member))

    def conj_all(self, members: Iterable[Value]) -> Set:
        """`conj` each of `members` in turn."""
        known = self._map
        added = {}
        for member in members:
            if STOP_REQUESTS:
                poll()
            key = member_key(member)
            if key not in known and key not in added:
                added[key] = member
        return self._with(known.assoc_all(added)) if added else self

    def disj(self, member: Value) -> Set:
        """This set without `member`."""
        return self._with(self._map.dissoc(member_key(member)))

    def __eq__(self, other: object) -> bool:
        return type(other) is Set and equal(self, other)

    def __hash__(self) -> int:
        return hash_value(self)

    def __call__(self, member: Value, default: Value = None) -> Value:
        """`(s x)`: x if it is a member, else the default."""
        return member if member in self else default

    def __repr__(self) -> str:
        return _shown(self)


COLLECTIONS: Final = frozenset((Vector, List, Map, Set))
EMPTY_VECTOR: Final = Vector([])
EMPTY_LIST: Final = List()
EMPTY_MAP: Final = Map({})
EMPTY_SET: Final = Set()

_FUNCTION = type(lambda: None)

#: names of types, as `type_name` gives them, by the Python type of the values
TYPE_NAMES: Final[Mapping[type, str]] = {
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
    Ticket: "ticket",
}


def type_name(value: Value) -> str:
    """The name of a value's type, as `(type-name x)` answers it (language.md §2)."""
    name = TYPE_NAMES.get(type(value))
    if name is None:
        # a host may make tickets of its own kind
        name = "ticket" if isinstance(value, Ticket) else type(value).__name__.lower()
    return name


def is_function(value: Value) -> bool:
    """Whether `value` is an RTFS function: every one is a plain Python function."""
    return type(value) is _FUNCTION


def truthy(value: Value) -> bool:
    """Only `nil` and `false` are falsy."""
    return value is not None and value is not False


def equal(a: Value, b: Value) -> bool:
    """`=` of language.md §2: type-strict, structural, NaN unequal to itself. Depth is no limit."""
    if type(a) not in COLLECTIONS:
        return _equal_scalars(a, b)
    if type(a) is not type(b):
        return False
    todo: list[tuple[Value, Value]] = []
    if not _COMPARE[type(a)](a, b, todo):
        return False
    if not todo:
        return True
    #: shared structure is compared once, else it could take exponential time
    seen: set[tuple[int, int]] = set()
    while todo:
        pair = todo.pop()
        key = (id(pair[0]), id(pair[1]))
        if key in seen:
            continue
        seen.add(key)
        if STOP_REQUESTS:
            poll()
        if not _COMPARE[type(pair[0])](*pair, todo):
            return False
    return True


def _equal_scalars(a: Value, b: Value) -> bool:
    if type(a) is type(b):
        return bool(a == b)
    return isinstance(a, Ticket) and isinstance(b, Ticket) and a.id == b.id


def _equal_items(xs: Iterable[Value], ys: Iterable[Value], todo: list[tuple[Value, Value]]) -> bool:
    """Whether scalars are equal pair by pair; pairs of collections of one type are put off to `todo`."""
    for x, y in zip(xs, ys, strict=True):
        if type(x) is not type(y):
            if not _equal_scalars(x, y):
                return False
        elif type(x) in COLLECTIONS:
            todo.append((x, y))
        elif x != y:
            return False
    return True


def _equal_sequences(a: Value, b: Value, todo: list[tuple[Value, Value]]) -> bool:
    return len(a) == len(b) and _equal_items(a._forward(), b._forward(), todo)


def _equal_maps(a: Map, b: Map, todo: list[tuple[Value, Value]]) -> bool:
    if len(a) != len(b) or not all(key in b for key in a):
        return False
    return _equal_items(a.values(), [b[key] for key in a], todo)


def _equal_sets(a: Set, b: Set, todo: list[tuple[Value, Value]]) -> bool:
    """Pairs members by hash: looking one up would compare it inside the dict, recursing through C."""
    if len(a) != len(b):
        return False
    by_hash: dict[int, list[_Member]] = {}
    for key in b._map:
        if type(key) is _Member:
            by_hash.setdefault(key.hash, []).append(key)
    for key in a._map:
        if type(key) is not _Member:
            if key not in b._map:
                return False
            continue
        candidates = by_hash.get(key.hash, [])
        if len(candidates) == 1:
            if not _equal_items([key.value], [candidates[0].value], todo):
                return False
        elif not _equals_one(key.value, candidates):
            return False
    return True


def _equals_one(value: Value, candidates: list[_Member]) -> bool:
    # not `any`, which would recurse through C
    for candidate in candidates:  # noqa: SIM110
        if equal(value, candidate.value):
            return True
    return False


_COMPARE: Final[Mapping[type, Callable[[Any, Any, list[tuple[Value, Value]]], bool]]] = {
    Vector: _equal_sequences,
    List: _equal_sequences,
    Map: _equal_maps,
    Set: _equal_sets,
}


def hash_value(value: Value) -> int:
    """A hash that agrees with `equal`. Depth is no limit; shared structure is hashed once."""
    if type(value) not in COLLECTIONS:
        return _hash_scalar(value)
    done: dict[int, int] = {}
    todo = [value]
    while todo:
        here = todo[-1]
        if id(here) in done:
            todo.pop()
            continue
        inner = [part for part in _parts(here) if type(part) in COLLECTIONS and id(part) not in done]
        if inner:
            todo += inner
        else:
            todo.pop()
            done[id(here)] = _hash_collection(here, done)
        if STOP_REQUESTS:
            poll()
    return done[id(value)]


def _hash_scalar(value: Value) -> int:
    kind = type(value)
    # 1, 1.0 and true are equal to Python and would share a hash
    return hash((kind.__name__, value)) if kind is bool or kind is float else hash(value)


def _parts(value: Value) -> Iterable[Value]:
    """What must be hashed before `value`. The members of a set have kept their hashes."""
    if type(value) is Map:
        return value.values()
    return () if type(value) is Set else value._forward()


def _hash_collection(value: Value, done: Mapping[int, int]) -> int:
    kind = type(value)
    if kind is Set:
        return hash(("Set", frozenset([hash(key) for key in value._map])))
    hashes = [done[id(part)] if type(part) in COLLECTIONS else _hash_scalar(part) for part in _parts(value)]
    if kind is Map:  # order does not matter to equality
        return hash(("Map", frozenset(zip(map(hash, value), hashes, strict=True))))
    return hash((kind.__name__, tuple(hashes)))


#: how much of a value `repr` shows
_SHOWN_DEPTH: Final = 5
_SHOWN_ITEMS: Final = 20


def _shown(value: Value, depth: int = 0) -> str:
    """Text for people who debug Python code. Programs never see it."""
    if type(value) not in COLLECTIONS:
        return repr(value)
    name = type(value).__name__
    if depth == _SHOWN_DEPTH:
        return f"{name}(…)"
    if type(value) is Map:
        parts = [f"{key!r}: {_shown(item, depth + 1)}" for key, item in value.items()[:_SHOWN_ITEMS]]
    else:
        parts = [_shown(item, depth + 1) for item in value.to_list()[:_SHOWN_ITEMS]]
    if len(value) > _SHOWN_ITEMS:
        parts.append(f"… {len(value)} in all")
    inner = ", ".join(parts)
    return f"{name}({{{inner}}})" if type(value) is Map else f"{name}([{inner}])"
