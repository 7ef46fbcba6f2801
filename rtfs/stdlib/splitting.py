"""Cutting collections into parts, by size or by what a function answers."""

from __future__ import annotations

from rtfs import errors
from rtfs.stdlib.iteration import (
    NESTED_BYTES,
    cut,
    function_for,
    integer,
    items,
    not_a,
    reserve_items,
    slices,
)
from rtfs.stdlib.registry import builtin
from rtfs.values import COLLECTIONS, Value, Vector, equal, truthy


def _positive(n: Value, operation: str) -> int:
    size = integer(n, operation)
    if size <= 0:
        raise errors.TypeMismatch("positive integer", str(size), operation)
    return size


def _chunks(n: int, coll: Value, operation: str) -> Value:
    xs = items(coll, operation)
    reserve_items(len(xs) // n, NESTED_BYTES)
    return Vector([Vector(xs[i : i + n]) for part in slices(list(range(0, len(xs), n))) for i in part])


@builtin("partition")
def partition(n: Value, coll: Value) -> Value:
    """Vectors of n items each; the last one has what is left.

    (partition 2 [1 2 3]) => [[1 2] [3]]
    (partition 0 [1]) => !TypeError
    """
    return _chunks(_positive(n, "partition"), coll, "partition")


@builtin("partition-all")
def partition_all(n: Value, coll: Value) -> Value:
    """Vectors of n items each; the last one has what is left. The same as `partition`.

    (partition-all 2 [1 2 3]) => [[1 2] [3]]
    """
    return _chunks(_positive(n, "partition-all"), coll, "partition-all")


@builtin("partition-by")
def partition_by(f: Value, coll: Value) -> Value:
    """Vectors of neighbours for which f answers the same.

    (partition-by odd? [1 3 2 4 5]) => [[1 3] [2 4] [5]]
    """
    xs = items(coll, "partition-by")
    call = function_for(f, xs, 1, "partition-by")
    parts: list[list[Value]] = []
    before: Value = None
    for part in slices(xs):
        for x in part:
            answer = call(x)
            if not parts or not equal(answer, before):
                parts.append([])
            parts[-1].append(x)
            before = answer
    return Vector([Vector(each) for part in slices(parts) for each in part])


def _size(coll: Value, operation: str) -> int:
    if type(coll) in COLLECTIONS or type(coll) is str:
        return len(coll)
    raise not_a(coll, "collection", operation)


def _cut_at(place: int, coll: Value, operation: str) -> Value:
    return Vector([cut(coll, 0, place, operation), cut(coll, place, len(coll), operation)])


@builtin("split-at")
def split_at(n: Value, coll: Value) -> Value:
    """A vector of the first n items and the others.

    (split-at 1 [1 2 3]) => [[1] [2 3]]
    (split-at 2 "abc") => ["ab" "c"]
    """
    _size(coll, "split-at")
    return _cut_at(integer(n, "split-at"), coll, "split-at")


def _first_failure(p: Value, coll: Value, operation: str) -> int:
    """The index of the first item for which p does not hold; the size if there is none."""
    xs = items(coll, operation)
    call = function_for(p, xs, 1, operation)
    place = 0
    for part in slices(xs):
        for x in part:
            if not truthy(call(x)):
                return place
            place += 1
    return place


@builtin("split-with")
def split_with(p: Value, coll: Value) -> Value:
    """A vector of the items before the first for which p does not hold, and the others.

    (split-with even? [2 4 5 6]) => [[2 4] [5 6]]
    """
    return _cut_at(_first_failure(p, coll, "split-with"), coll, "split-with")


@builtin("take-while")
def take_while(p: Value, coll: Value) -> Value:
    """The items before the first for which p does not hold, in the kind of the collection.

    (take-while even? [2 4 5 6]) => [2 4]
    """
    return cut(coll, 0, _first_failure(p, coll, "take-while"), "take-while")


@builtin("drop-while")
def drop_while(p: Value, coll: Value) -> Value:
    """The items from the first on for which p does not hold, in the kind of the collection.

    (drop-while even? [2 4 5 6]) => [5 6]
    """
    return cut(coll, _first_failure(p, coll, "drop-while"), _size(coll, "drop-while"), "drop-while")
