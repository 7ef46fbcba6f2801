"""`sort` and `sort-by`, by the order of `compare` or by a comparator of the program."""

from __future__ import annotations

from collections.abc import Callable

from rtfs.ordering import merge_sort, sort_values
from rtfs.stdlib.iteration import MISSING, items, not_a, same_kind, slices
from rtfs.stdlib.registry import builtin, callback
from rtfs.values import Value


def _before(comparator: Value, operation: str) -> Callable[[Value, Value], bool]:
    """Whether a comparator puts a before b: it answers true, or a negative number."""
    compare = callback(comparator, 2, operation)

    def before(a: Value, b: Value) -> bool:
        answer = compare(a, b)
        if type(answer) is bool:
            return answer
        if type(answer) is int or type(answer) is float:
            return answer < 0
        raise not_a(answer, "number or boolean from the comparator", operation)

    return before


@builtin("sort")
def sort(comparator: Value, coll: Value = MISSING) -> Value:
    """The items in ascending order, or in that of a comparator given first; items that tie keep their order.

    A comparator takes two items and answers true, or a negative number, if the first must come before the
    second. The result is in the kind of the collection.

    (sort [3 1 2]) => [1 2 3]
    (sort > [3 1 2]) => [3 2 1]
    (sort [:b "a" 1 nil]) => [nil 1 "a" :b]
    """
    if coll is MISSING:
        return same_kind(comparator, sort_values(items(comparator, "sort")))
    xs = items(coll, "sort")
    return same_kind(coll, merge_sort(xs, _before(comparator, "sort")) if len(xs) > 1 else xs)


@builtin("sort-by")
def sort_by(f: Value, comparator: Value, coll: Value = MISSING) -> Value:
    """The items in ascending order of (f item), or in that of a comparator given second; ties keep their order.

    (sort-by count ["aa" "b" "cc"]) => ["b" "aa" "cc"]
    (sort-by :n > [{:n 1} {:n 2}]) => [{:n 2} {:n 1}]
    """
    ordered = comparator if coll is MISSING else coll
    xs = items(ordered, "sort-by")
    if not xs:
        return same_kind(ordered, xs)
    key = callback(f, 1, "sort-by")
    keys = [key(x) for part in slices(xs) for x in part]
    if coll is MISSING:
        return same_kind(ordered, sort_values(xs, keys))
    if len(xs) == 1:
        return same_kind(ordered, xs)
    before = _before(comparator, "sort-by")
    order = merge_sort(list(range(len(xs))), lambda i, j: before(keys[i], keys[j]))
    return same_kind(ordered, [xs[i] for i in order])
