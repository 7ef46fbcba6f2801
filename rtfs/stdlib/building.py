"""Making collections: from values, from ranges, by adding to others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from rtfs import errors
from rtfs.run import STOP_REQUESTS, poll
from rtfs.stdlib.iteration import (
    ITEM_BYTES,
    MISSING,
    REFERENCE_BYTES,
    integer,
    items,
    not_a,
    reserve_items,
    slices,
)
from rtfs.stdlib.registry import builtin
from rtfs.values import EMPTY_VECTOR, List, Map, Set, Value, Vector, map_key

#: integers made between two safepoints
_RUN: Final = 1 << 16


@builtin("vector")
def vector(*items: Value) -> Value:
    """A vector of the arguments.

    (vector 1 2 3) => [1 2 3]
    """
    return Vector(list(items))


def _entry(item: Value, operation: str) -> tuple[Value, Value]:
    """The key and value of a vector `[k v]`.

    Raises:
        TypeMismatch: it is none, or k no key.
    """
    if type(item) is not Vector:
        raise not_a(item, "vector of key and value", operation)
    if len(item) != 2:
        raise errors.TypeMismatch("vector of key and value", f"vector of {len(item)}", operation)
    return map_key(item[0]), item[1]


def _entries(added: list[Value], operation: str) -> dict[Value, Value]:
    table = {}
    for part in slices(added):
        for item in part:
            key, value = _entry(item, operation)
            table[key] = value
    return table


def _conj_map(m: Map, added: list[Value], operation: str) -> Map:
    for item in added:
        if STOP_REQUESTS:
            poll()
        m = m.assoc_all(item.to_dict()) if type(item) is Map else m.assoc(*_entry(item, operation))
    return m


_CONJ: Final[dict[type, Callable[[Value, list[Value], str], Value]]] = {
    Vector: lambda coll, added, _: coll.conj_all(added),
    List: lambda coll, added, _: coll.conj_all(added),
    Set: lambda coll, added, _: coll.conj_all(added),
    Map: _conj_map,
}


@builtin("conj")
def conj(coll: Value, x: Value, *more: Value) -> Value:
    """The collection with items added: at the end of a vector, at the front of a list, as `[k v]` to a map.

    (conj [1] 2 3) => [1 2 3]
    (conj '(1) 2 3) => (3 2 1)
    (conj {:a 1} [:b 2]) => {:a 1 :b 2}
    """
    if type(coll) is Vector and not more:
        return coll.conj(x)
    add = _CONJ.get(type(coll))
    if add is None:
        raise not_a(coll, "vector, list, map or set", "conj")
    return add(coll, [x, *more], "conj")


@builtin("into")
def into(to: Value, from_: Value) -> Value:
    """The first collection with all items of the second added, as `conj` adds them.

    (into [1] '(2 3)) => [1 2 3]
    (into {} [[:a 1] [:b 2]]) => {:a 1 :b 2}
    (into '() [1 2 3]) => (3 2 1)
    """
    add = _CONJ.get(type(to))
    if add is None:
        raise not_a(to, "vector, list, map or set", "into")
    if type(to) is not Map:
        return add(to, items(from_, "into"), "into")
    if type(from_) is Map:
        return to.assoc_all(from_.to_dict())
    added = items(from_, "into")
    if any(type(item) is Map for item in added):
        return _conj_map(to, added, "into")
    return to.assoc_all(_entries(added, "into"))


@builtin("cons")
def cons(x: Value, coll: Value) -> Value:
    """A vector with x in front of the items of the collection.

    (cons 1 [2 3]) => [1 2 3]
    (cons 1 []) => [1]
    """
    rest = items(coll, "cons")
    reserve_items(len(rest) + 1, REFERENCE_BYTES)
    return Vector([x, *rest])


def _spliced(value: Value) -> list[Value]:
    kind = type(value)
    if kind is Vector or kind is List or kind is Set or kind is str:
        return items(value, "concat")
    return [value]


@builtin("concat")
def concat(*colls: Value) -> Value:
    """One vector of the items of vectors, lists, sets and strings; any other value stands for itself.

    (concat [1 2] '(3) "ab") => [1 2 3 "a" "b"]
    (concat [1] nil {:a 1}) => [1 nil {:a 1}]
    (concat) => []
    """
    result = EMPTY_VECTOR
    for coll in colls:
        if STOP_REQUESTS:
            poll()
        # The first vector is added to, not copied, so that building by `concat` stays linear.
        first = not result and type(coll) is Vector
        result = coll if first else result.conj_all(_spliced(coll))
    return result


def _run_of_integers(numbers: range) -> Vector:
    made: list[Value] = []
    for start in range(0, len(numbers), _RUN):
        poll()
        made += numbers[start : start + _RUN]
    return Vector(made)


@builtin("range")
def range_(start: Value, end: Value = MISSING, step: Value = 1) -> Value:
    """Integers from start up to, not including, end, every step; with one argument from 0 up to it.

    (range 3) => [0 1 2]
    (range 2 5) => [2 3 4]
    (range 10 0 -5) => [10 5]
    """
    first, stop = (0, start) if end is MISSING else (start, end)
    if integer(step, "range") == 0:
        raise errors.InvalidArgument("the step of `range` must not be 0")
    # `len` of a Python range fails beyond 63 bits
    numbers = range(integer(first, "range"), integer(stop, "range"), step)
    reserve_items((numbers.stop - numbers.start) // step, ITEM_BYTES)
    return _run_of_integers(numbers)


def _bound(value: Value) -> int:
    if type(value) is float and math.isfinite(value):
        return int(value)
    if type(value) is float:
        raise errors.InvalidArgument("the bounds of `numbers` must be finite")
    if type(value) is not int:
        raise not_a(value, "number", "numbers")
    return value


@builtin("numbers")
def numbers(start: Value, end: Value) -> Value:
    """Integers from start to end, both included; floats are truncated.

    (numbers 1 3) => [1 2 3]
    (numbers 1.9 3.9) => [1 2 3]
    (numbers 3 1) => []
    """
    first, last = _bound(start), _bound(end)
    reserve_items(last - first + 1, ITEM_BYTES)
    return _run_of_integers(range(first, last + 1))


@builtin("repeat")
def repeat(n: Value, x: Value) -> Value:
    """A vector of n times x; empty if n is negative.

    (repeat 3 :a) => [:a :a :a]
    """
    reserve_items(integer(n, "repeat"), REFERENCE_BYTES)
    return Vector([x] * n)


@builtin("interleave")
def interleave(coll: Value, *more: Value) -> Value:
    """The first item of each collection, then the second of each, until the shortest ends.

    (interleave [1 2 3] [:a :b]) => [1 :a 2 :b]
    """
    columns = [items(each, "interleave") for each in (coll, *more)]
    reserve_items(len(columns) * min(map(len, columns)), REFERENCE_BYTES)
    rows = list(zip(*columns, strict=False))
    return Vector([item for part in slices(rows) for row in part for item in row])


@builtin("interpose")
def interpose(separator: Value, coll: Value) -> Value:
    """The items with the separator between each two.

    (interpose 0 [1 2 3]) => [1 0 2 0 3]
    """
    xs = items(coll, "interpose")
    reserve_items(2 * len(xs), REFERENCE_BYTES)
    return Vector([item for part in slices(xs) for x in part for item in (separator, x)][1:])
