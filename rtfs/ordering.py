"""The total order of values (language.md §2), for `sort` and `compare`.

nil < booleans < numbers < strings < keywords < symbols < vectors < lists < maps < errors < functions <
resource handles < tickets < timestamps < uuids < sets.

Numbers compare by value, whatever their types; NaN comes after all others and ties with itself. Strings
compare by code points, vectors and lists item by item and then by length, maps as their entries sorted by key,
sets as their sorted members, the rest by text; so functions tie with each other. Equal values tie; ties need
not be equal (`1` and `1.0`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final

from rtfs.run import STOP_REQUESTS, poll, reserve
from rtfs.values import (
    COLLECTIONS,
    ErrorValue,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Ticket,
    Timestamp,
    Uuid,
    Value,
    Vector,
)

_NUMBERS: Final = frozenset((int, float))
_SEQUENCES: Final = frozenset((Vector, List))

#: how many values are sorted between two safepoints
_BLOCK: Final = 1 << 16
#: bytes of a key that `_scalar_key` makes, about
_KEY_BYTES: Final = 64

_RANKS: Final[dict[type, int]] = {
    type(None): 0,
    bool: 1,
    int: 2,
    float: 2,
    str: 3,
    Keyword: 4,
    Symbol: 5,
    Vector: 6,
    List: 7,
    Map: 8,
    ErrorValue: 9,
    # 10: functions, and what only macros see
    ResourceHandle: 11,
    # 12: tickets, a class and its subclasses
    Timestamp: 13,
    Uuid: 14,
    Set: 15,
}


def compare(a: Value, b: Value) -> int:
    """-1, 0 or 1 as `a` comes before, ties with or comes after `b`. Depth is no limit."""
    levels: list[tuple[Iterator[tuple[Value, Value]], int]] = [(iter(((a, b),)), 0)]
    #: pairs of collections under way or found to tie: shared structure is compared once
    seen: set[tuple[int, int]] = set()
    while levels:
        pairs, if_tied = levels[-1]
        for x, y in pairs:
            kind = type(x)
            if kind not in COLLECTIONS or kind is not type(y):
                if order := _compare_scalars(x, y):
                    return order
            elif (id(x), id(y)) not in seen:
                seen.add((id(x), id(y)))
                levels.append(_level(x, y))
                break
        else:
            if if_tied:
                return if_tied
            levels.pop()
        if STOP_REQUESTS:
            poll()
    return 0


def _level(a: Value, b: Value) -> tuple[Iterator[tuple[Value, Value]], int]:
    """The pairs that decide between two collections of one type, and the answer if all of them tie."""
    xs, ys = _ordered_parts(a), _ordered_parts(b)
    return zip(xs, ys, strict=False), _sign(len(xs), len(ys))


def _ordered_parts(value: Value) -> list[Value]:
    if type(value) is Map:
        return [part for key in sort_values(value.keys()) for part in (key, value[key])]
    if type(value) is Set:
        return sort_values(value.to_list())
    return value.to_list()  # type: ignore[no-any-return]


def _sign(a: Any, b: Any) -> int:
    return int(a > b) - int(a < b)


def _compare_scalars(a: Value, b: Value) -> int:
    """Compares by rank and, unless they are collections, by content."""
    return _sign(_scalar_key(a), _scalar_key(b))


def _scalar_key(value: Value) -> tuple[Any, ...]:
    """A Python key that orders as the values do. Of a collection only its rank."""
    kind = type(value)
    rank = _RANKS.get(kind)
    if rank == 2:
        return (2, 0, value) if value == value else (2, 1)
    if rank is None:
        return (12, value.id) if isinstance(value, Ticket) else (10,)
    if kind is str or kind is bool:
        return (rank, value)
    if kind is Keyword or kind is Symbol:
        return (rank, value.name)
    if kind in COLLECTIONS or value is None:
        return (rank,)
    return (rank, value.message if kind is ErrorValue else value.text)


def sort_values(items: list[Value], keys: list[Value] | None = None) -> list[Value]:
    """A new list of `items` in the order of `keys` (default: of themselves). Stable."""
    by = items if keys is None else keys
    ranked = _python_keys(by)
    if ranked is None:
        order = merge_sort(list(range(len(by))), lambda i, j: compare(by[i], by[j]) < 0)
    elif ranked is items:
        return _sorted(items)
    else:
        order = _sorted(list(range(len(by))), ranked.__getitem__)
    return [items[i] for i in order]


def _python_keys(values: list[Value]) -> list[Any] | None:
    """Keys that C may compare without reaching our code or recursing deep; None if there are none."""
    kinds = set(map(type, values))
    if len(kinds) <= 1 and kinds <= {int, str}:
        return values
    if kinds <= _NUMBERS and all(map(_is_not_nan, values)):
        return values
    reserve(len(values) * _KEY_BYTES)
    if not kinds & COLLECTIONS:
        return [_scalar_key(value) for value in values]
    if kinds & {Map, Set}:
        return None
    return _flat_keys(values)


def _sorted(values: list[Any], key: Callable[[Any], Any] | None = None) -> list[Any]:
    """`sorted` with safepoints: sorts blocks, then merges them pair by pair, which C does well too."""
    runs = [sorted(values[:_BLOCK], key=key)]
    for start in range(_BLOCK, len(values), _BLOCK):
        poll()
        runs.append(sorted(values[start : start + _BLOCK], key=key))
    while len(runs) > 1:
        merged = []
        for i in range(0, len(runs), 2):
            poll()
            merged.append(sorted(chain.from_iterable(runs[i : i + 2]), key=key))
        runs = merged
    return runs[0]


def _is_not_nan(value: Value) -> bool:
    return bool(value == value)


def _flat_keys(values: list[Value]) -> list[Any] | None:
    """Keys of scalars and of vectors and lists of scalars; None if one holds a collection."""
    found: list[Any] = []
    for value in values:
        if STOP_REQUESTS:
            poll()
        key = _scalar_key(value)
        if type(value) in _SEQUENCES:
            items = value.to_list()
            if not COLLECTIONS.isdisjoint(map(type, items)):
                return None
            key += (tuple([_scalar_key(item) for item in items]),)
        found.append(key)
    return found


def merge_sort(items: list[Value], before: Callable[[Value, Value], bool]) -> list[Value]:
    """A sorted list of `items`, which it may reuse; `before(a, b)`: a must come before b. Stable.

    Unlike `sorted` it calls `before` from Python code, so that a comparator may suspend or nest deep.
    """
    source, width = items, 1
    while width < len(items):
        merged: list[Value] = []
        for start in range(0, len(items), 2 * width):
            middle = start + width
            merged += _merge(source[start:middle], source[middle : middle + width], before)
        source, width = merged, 2 * width
    return source


def _merge(left: list[Value], right: list[Value], before: Callable[[Value, Value], bool]) -> list[Value]:
    if not right or not before(right[0], left[-1]):  # in order already
        return left + right
    merged: list[Value] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if STOP_REQUESTS:
            poll()
        if before(right[j], left[i]):
            merged.append(right[j])
            j += 1
        else:
            merged.append(left[i])
            i += 1
    return merged + left[i:] + right[j:]
