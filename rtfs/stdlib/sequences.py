"""Looking at collections and cutting them: size, items by place, parts, order."""

from __future__ import annotations

from rtfs import errors
from rtfs.run import STOP_REQUESTS, poll
from rtfs.stdlib.iteration import MISSING, cut, integer, items, not_a, same_kind, sequence_items, slices
from rtfs.stdlib.registry import builtin
from rtfs.values import (
    COLLECTIONS,
    MAP_KEY_TYPES,
    List,
    Map,
    Set,
    Value,
    Vector,
    equal,
    member_key,
)

_SEQUENCES = frozenset((Vector, List))
_INDEXED = frozenset((Vector, List, str))


def _sized(coll: Value) -> bool:
    return type(coll) in COLLECTIONS or type(coll) is str


@builtin("count", "length")
def count(coll: Value) -> Value:
    """Number of items, entries or characters.

    (count [1 2 3]) => 3
    (count "añb") => 3
    (count nil) => !TypeError
    """
    if not _sized(coll):
        raise not_a(coll, "collection", "count")
    return len(coll)


@builtin("empty?")
def is_empty(coll: Value) -> Value:
    """Whether a collection or string has no items. True of nil, false of any other value.

    (empty? []) => true
    (empty? nil) => true
    (empty? 0) => false
    """
    return coll is None or (_sized(coll) and len(coll) == 0)


@builtin("seq")
def seq(coll: Value) -> Value:
    """The collection, or nil if it is empty or nil. Maps and sets become vectors.

    (seq [1 2]) => [1 2]
    (seq "") => nil
    (seq {:a 1}) => [[:a 1]]
    """
    if coll is None or (_sized(coll) and len(coll) == 0):
        return None
    return coll if type(coll) in _INDEXED else Vector(items(coll, "seq"))


def _item(coll: Value, index: int, operation: str) -> Value:
    """The item at `index`, else nil."""
    found = coll if type(coll) in _INDEXED else sequence_items(coll, operation)
    return found[index] if index < len(found) else None


@builtin("first")
def first(coll: Value) -> Value:
    """The first item, nil if there is none.

    (first [1 2]) => 1
    (first "") => nil
    """
    return _item(coll, 0, "first")


@builtin("second")
def second(coll: Value) -> Value:
    """The second item, nil if there is none.

    (second [1 2]) => 2
    (second [1]) => nil
    """
    return _item(coll, 1, "second")


@builtin("last")
def last(coll: Value) -> Value:
    """The last item, nil if there is none. Of an empty string the empty string.

    (last [1 2]) => 2
    (last []) => nil
    (last "") => ""
    """
    if type(coll) is str:
        return coll[-1:]
    found = coll if type(coll) in _SEQUENCES else sequence_items(coll, "last")
    return found[len(found) - 1] if found else None


def _rest(coll: Value, operation: str) -> Value:
    if type(coll) is Map:
        raise not_a(coll, "vector, list, set or string", operation)
    return cut(coll, 1, len(coll) if _sized(coll) else 0, operation)


@builtin("rest")
def rest(coll: Value) -> Value:
    """All items but the first, in the kind of the collection.

    (rest [1 2 3]) => [2 3]
    (rest "abc") => "bc"
    (rest []) => []
    """
    return _rest(coll, "rest")


@builtin("next")
def next_(coll: Value) -> Value:
    """All items but the first, nil if none are left.

    (next [1 2 3]) => [2 3]
    (next [1]) => nil
    """
    return _rest(coll, "next") or None


@builtin("butlast")
def butlast(coll: Value) -> Value:
    """All items but the last, nil if none are left.

    (butlast [1 2 3]) => [1 2]
    (butlast [1]) => nil
    """
    if type(coll) is Map:
        raise not_a(coll, "vector, list, set or string", "butlast")
    return cut(coll, 0, len(coll) - 1 if _sized(coll) else 0, "butlast") or None


@builtin("nth")
def nth(coll: Value, index: Value, default: Value = MISSING) -> Value:
    """The item at an index from 0; the default, if one is given, when the index is out of range.

    (nth [1 2 3] 1) => 2
    (nth [1] 5 :none) => :none
    (nth [1] 5) => !IndexOutOfBounds
    """
    found = coll if type(coll) in _INDEXED else sequence_items(coll, "nth")
    if 0 <= integer(index, "nth") < len(found):
        return found[index]
    if default is MISSING:
        raise errors.IndexOutOfBounds(index, len(found))
    return default


@builtin("contains?")
def contains(coll: Value, x: Value) -> Value:
    """Whether a vector, list or set holds a value, a map a key, or a string a substring.

    (contains? [1 2] 2) => true
    (contains? {:a 1} :a) => true
    (contains? "abc" "bc") => true
    """
    kind = type(coll)
    if kind is Map:
        return type(x) in MAP_KEY_TYPES and x in coll
    if kind is Set:
        return x in coll
    if kind is str:
        return type(x) is str and x in coll
    if kind not in _SEQUENCES:
        raise not_a(coll, "collection", "contains?")
    for part in slices(coll.to_list()):
        for item in part:
            if type(item) is type(x) and equal(item, x):
                return True
    return False


@builtin("subvec")
def subvec(coll: Value, start: Value, end: Value = MISSING) -> Value:
    """The items from index start up to, not including, end (default: all that follow), as a vector.

    (subvec [1 2 3 4] 1 3) => [2 3]
    (subvec [1 2 3] 1) => [2 3]
    (subvec [1 2] 1 5) => !IndexOutOfBounds
    """
    if type(coll) not in (Vector, List, Set):
        raise not_a(coll, "vector", "subvec")
    vector = coll if type(coll) is Vector else Vector(coll.to_list())
    size = len(vector)
    stop = size if end is MISSING else integer(end, "subvec")
    if not 0 <= integer(start, "subvec") <= size:
        raise errors.IndexOutOfBounds(start, size)
    if not start <= stop <= size:
        raise errors.IndexOutOfBounds(stop, size)
    return vector.slice(start, stop)


@builtin("reverse")
def reverse(coll: Value) -> Value:
    """The items in reverse order, in the kind of the collection.

    (reverse [1 2 3]) => [3 2 1]
    (reverse "abc") => "cba"
    """
    return coll[::-1] if type(coll) is str else same_kind(coll, items(coll, "reverse")[::-1])


@builtin("take")
def take(n: Value, coll: Value) -> Value:
    """The first n items, in the kind of the collection; none if n is negative.

    (take 2 [1 2 3]) => [1 2]
    (take 9 "abc") => "abc"
    (take -1 [1 2]) => []
    """
    return cut(coll, 0, integer(n, "take"), "take")


@builtin("drop")
def drop(n: Value, coll: Value) -> Value:
    """All but the first n items, in the kind of the collection; all if n is negative.

    (drop 2 [1 2 3]) => [3]
    (drop -1 [1 2]) => [1 2]
    """
    return cut(coll, integer(n, "drop"), len(coll) if _sized(coll) else 0, "drop")


@builtin("distinct")
def distinct(coll: Value) -> Value:
    """Each different item once, in order of first appearance, in the kind of the collection.

    (distinct [1 2 1 3 2]) => [1 2 3]
    (distinct [1 1.0]) => [1 1.0]
    """
    found: dict[Value, Value] = {}
    for part in slices(items(coll, "distinct")):
        for item in part:
            found.setdefault(member_key(item), item)
    return same_kind(coll, list(found.values()))


@builtin("flatten")
def flatten(coll: Value) -> Value:
    """All items of nested vectors and lists, in one vector.

    (flatten [1 [2 [3 4]] '(5)]) => [1 2 3 4 5]
    (flatten [{:a [1]}]) => [{:a [1]}]
    """
    flat: list[Value] = []
    levels = [iter(items(coll, "flatten"))]
    while levels:
        if STOP_REQUESTS:
            poll()
        for item in levels[-1]:
            if type(item) in _SEQUENCES:
                levels.append(iter(item))
                break
            flat.append(item)
        else:
            levels.pop()
    return Vector(flat)
