"""What the collection builtins share: going over any collection, and answering in its kind.

Every loop over data goes through `slices`, so that a run can be stopped inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rtfs import errors
from rtfs.run import STOP_REQUESTS, poll, reserve
from rtfs.stdlib.registry import callback
from rtfs.values import List, Map, Set, Value, Vector, type_name

#: stands for an optional argument that was not given, where nil is a value
MISSING: Final[Value] = object()

#: how many items are handled between two safepoints
SLICE: Final = 512
#: bytes of a reference, and of a reference with the small object it refers to
REFERENCE_BYTES: Final = 8
ITEM_BYTES: Final = 40
#: bytes of an item that is a collection of its own
NESTED_BYTES: Final = 200


def _entries(m: Map) -> list[Value]:
    reserve(len(m) * NESTED_BYTES)
    return [Vector([key, value]) for part in slices(m.items()) for key, value in part]


def _characters(text: str) -> list[Value]:
    reserve(len(text) * REFERENCE_BYTES)
    return list(text)


#: how each kind of collection is gone over
_ITEMS: Final[dict[type, Callable[[Value], list[Value]]]] = {
    Vector: Vector.to_list,
    List: List.to_list,
    Set: Set.to_list,
    Map: _entries,
    str: _characters,
}


def items(coll: Value, operation: str) -> list[Value]:
    """The items of a collection as a fresh list: entries of a map as `[k v]`, characters of a string.

    Raises:
        TypeMismatch: `coll` is none; nil is none.
    """
    to_list = _ITEMS.get(type(coll))
    if to_list is None:
        raise not_a(coll, "collection", operation)
    return to_list(coll)


def sequence_items(coll: Value, operation: str) -> list[Value]:
    """Like `items`, but refuses maps.

    Raises:
        TypeMismatch: `coll` is no vector, list, set or string.
    """
    if type(coll) is Map:
        raise not_a(coll, "vector, list, set or string", operation)
    return items(coll, operation)


def same_kind(coll: Value, items: list[Value]) -> Value:
    """`items`, which came from `coll`: a list or string if it is one, else a vector. Owns `items`."""
    if type(coll) is List:
        return List(items)
    return "".join(items) if type(coll) is str else Vector(items)


def slices[T](items: list[T]) -> Iterator[list[T]]:
    """`items` in parts, with a safepoint before each; for comprehensions `for part in … for x in part`."""
    if len(items) <= SLICE:
        if STOP_REQUESTS:
            poll()
        yield items
        return
    for start in range(0, len(items), SLICE):
        if STOP_REQUESTS:
            poll()
        yield items[start : start + SLICE]


def function_for(f: Value, xs: list[Value], given: int, operation: str) -> Callable[..., Value]:
    """`f` as a callback for each of `xs`; what is never called is not checked."""
    return callback(f, given, operation) if xs else f


def cut(coll: Value, start: int, stop: int, operation: str) -> Value:
    """Items start ≤ i < stop of `coll`, in its kind; both are cut to its bounds. O(1) for vectors and lists."""
    if type(coll) is Vector or type(coll) is List:
        size = len(coll)
        start = min(max(start, 0), size)
        return coll.slice(start, max(start, min(stop, size)))
    if type(coll) is str:
        return coll[max(start, 0) : max(stop, 0)]
    return Vector(items(coll, operation)[max(start, 0) : max(stop, 0)])


def reserve_items(count: int, item_bytes: int) -> None:
    """Refuse a result of `count` items before it is made.

    Raises:
        BudgetExhausted: it is larger than the run may hold, or than any process can.
    """
    reserve(count * item_bytes)
    if count >= 1 << 40:
        raise errors.BudgetExhausted("allocation", f"{count} items")


def integer(value: Value, operation: str) -> int:
    """`value`, known to be an integer.

    Raises:
        TypeMismatch: it is none.
    """
    if type(value) is not int:
        raise not_a(value, "integer", operation)
    return value


def not_a(value: Value, expected: str, operation: str) -> errors.TypeMismatch:
    """The error for an argument of the wrong kind."""
    return errors.TypeMismatch(expected, type_name(value), operation)
