"""Functions over the items of collections.

A callback is checked once, when there is an item to call it with. It is always called from Python code, never
from inside C, so that it may suspend to the host and nest as deep as any call. Where no call needs the answer
of an earlier one, those that wait for something elsewhere may wait at the same time (`overlapped`).
"""

from __future__ import annotations

from collections.abc import Callable

from rtfs import errors
from rtfs.overlap.current import current_part
from rtfs.overlap.fork import overlapped
from rtfs.stdlib.iteration import (
    MISSING,
    REFERENCE_BYTES,
    function_for,
    items,
    reserve_items,
    same_kind,
    slices,
)
from rtfs.stdlib.registry import builtin, callback
from rtfs.values import MAP_KEY_TYPES, Map, Value, Vector


def _mapped(f: Value, coll: Value, more: tuple[Value, ...], operation: str) -> list[Value]:
    """What f answers to each item, or to each row of items if there are several collections."""
    if not more:
        xs = items(coll, operation)
        call = function_for(f, xs, 1, operation)
        answers = None if current_part() is None else overlapped(call, [(x,) for x in xs])
        return [call(x) for part in slices(xs) for x in part] if answers is None else answers
    rows = list(zip(*[items(each, operation) for each in (coll, *more)], strict=False))
    call = function_for(f, rows, 1 + len(more), operation)
    answers = None if current_part() is None else overlapped(call, rows)
    return [call(*row) for part in slices(rows) for row in part] if answers is None else answers


def _kept(call: Callable[..., Value], xs: list[Value], wanted: bool) -> list[Value]:
    """The items for which the truth of what `call` answers is as wanted."""
    answers = None if current_part() is None else overlapped(call, [(x,) for x in xs])
    kept = []
    if answers is not None:
        for x, holds in zip(xs, answers, strict=True):
            if (holds is not None and holds is not False) is wanted:
                kept.append(x)
        return kept
    for part in slices(xs):
        for x in part:
            holds = call(x)
            if (holds is not None and holds is not False) is wanted:
                kept.append(x)
    return kept


@builtin("map")
def map_(f: Value, coll: Value, *more: Value) -> Value:
    """A vector of what f answers to each item; with several collections to the first items of each, and so on
    until the shortest ends.

    (map inc [1 2 3]) => [2 3 4]
    (map + [1 2] [10 20 30]) => [11 22]
    (map (fn [[k v]] [v k]) {:a 1}) => [[1 :a]]
    """
    return Vector(_mapped(f, coll, more, "map"))


@builtin("map-indexed")
def map_indexed(f: Value, coll: Value) -> Value:
    """A vector of what f answers to each index and item.

    (map-indexed (fn [i x] [i x]) [:a :b]) => [[0 :a] [1 :b]]
    """
    rows = list(enumerate(items(coll, "map-indexed")))
    call = function_for(f, rows, 2, "map-indexed")
    answers = None if current_part() is None else overlapped(call, rows)
    return Vector([call(i, x) for part in slices(rows) for i, x in part] if answers is None else answers)


@builtin("mapcat")
def mapcat(f: Value, coll: Value, *more: Value) -> Value:
    """One vector of the items of the collections that f answers; nil counts as empty.

    (mapcat (fn [x] [x x]) [1 2]) => [1 1 2 2]
    (mapcat (fn [x] (if (odd? x) [x])) [1 2 3]) => [1 3]
    """
    answers = _mapped(f, coll, more, "mapcat")
    flat: list[Value] = []
    for part in slices(answers):
        for answer in part:
            if answer is not None:
                flat += items(answer, "mapcat")
    return Vector(flat)


@builtin("keep")
def keep(f: Value, coll: Value) -> Value:
    """A vector of what f answers to each item, without nil.

    (keep :a [{:a 1} {} {:a false}]) => [1 false]
    """
    return Vector([answer for answer in _mapped(f, coll, (), "keep") if answer is not None])


@builtin("filter")
def filter_(p: Value, coll: Value) -> Value:
    """A vector of the items for which p holds.

    (filter even? [1 2 3 4]) => [2 4]
    """
    xs = items(coll, "filter")
    return Vector(_kept(function_for(p, xs, 1, "filter"), xs, wanted=True))


@builtin("remove")
def remove(p: Value, coll: Value) -> Value:
    """The items for which p does not hold, in the kind of the collection.

    (remove even? [1 2 3 4]) => [1 3]
    (remove #(= % "b") "abc") => "ac"
    """
    xs = items(coll, "remove")
    return same_kind(coll, _kept(function_for(p, xs, 1, "remove"), xs, wanted=False))


@builtin("reduce")
def reduce(f: Value, init: Value, coll: Value = MISSING) -> Value:
    """Fold a collection: (f (f init item1) item2) and so on. Without init the first item takes its place.

    (reduce + 0 [1 2 3]) => 6
    (reduce + [1 2 3]) => 6
    (reduce + []) => !Generic
    """
    xs = items(init if coll is MISSING else coll, "reduce")
    result = init
    if coll is MISSING:
        if not xs:
            raise errors.Generic("reduce on empty collection with no initial value")
        result = xs.pop(0)
    call = function_for(f, xs, 2, "reduce")
    for part in slices(xs):
        for x in part:
            result = call(result, x)
    return result


def _spread(coll: Value) -> list[Value]:
    if coll is None:
        return []
    if type(coll) is Map:
        return [each for part in slices(coll.items()) for entry in part for each in entry]
    return items(coll, "apply")


@builtin("apply")
def apply(f: Value, arg: Value, *args: Value) -> Value:
    """Call f with the arguments, and each item of the last one; a map gives keys and values in turn.

    (apply + [1 2 3]) => 6
    (apply + 1 2 [3 4]) => 10
    (apply hash-map {:a 1}) => {:a 1}
    """
    *first, last = (arg, *args)
    given = first + _spread(last)
    reserve_items(len(given), 2 * REFERENCE_BYTES)
    return callback(f, len(given), "apply")(*given)


def _found(p: Value, coll: Value, operation: str, wanted: bool) -> Value:
    """The first answer of p whose truth is as wanted; MISSING if there is none."""
    xs = items(coll, operation)
    call = function_for(p, xs, 1, operation)
    for part in slices(xs):
        for x in part:
            answer = call(x)
            if (answer is not None and answer is not False) is wanted:
                return answer
    return MISSING


@builtin("every?")
def is_every(p: Value, coll: Value) -> Value:
    """Whether p holds for all items; true if there are none.

    (every? even? [2 4]) => true
    (every? even? []) => true
    """
    return _found(p, coll, "every?", wanted=False) is MISSING


@builtin("some?")
def is_some(p: Value, coll: Value) -> Value:
    """Whether p holds for any item.

    (some? even? [1 2]) => true
    (some? even? []) => false
    """
    return _found(p, coll, "some?", wanted=True) is not MISSING


@builtin("some")
def some(p: Value, coll: Value) -> Value:
    """The first answer of p that is neither nil nor false, else nil.

    (some :a [{} {:a 1}]) => 1
    (some #{2 3} [1 2 3]) => 2
    (some even? [1 3]) => nil
    """
    answer = _found(p, coll, "some", wanted=True)
    return None if answer is MISSING else answer


@builtin("not-any?")
def is_not_any(p: Value, coll: Value) -> Value:
    """Whether p holds for no item.

    (not-any? even? [1 3]) => true
    """
    return _found(p, coll, "not-any?", wanted=True) is MISSING


@builtin("not-every?")
def is_not_every(p: Value, coll: Value) -> Value:
    """Whether there is an item for which p does not hold.

    (not-every? even? [2 3]) => true
    """
    return _found(p, coll, "not-every?", wanted=False) is not MISSING


def _group_key(value: Value, text_of: Callable[[Value], str]) -> Value:
    """`value` if a map may have it as a key, else what `str` makes of it."""
    return value if type(value) in MAP_KEY_TYPES else text_of(value)


@builtin("group-by")
def group_by(f: Value, coll: Value) -> Value:
    """A map from each answer of f to the vector of items that gave it. Of nil the empty map.

    An answer that is no string, keyword or integer becomes a string, as `str` makes it.

    (group-by odd? [1 2 3]) => {"true" [1 3] "false" [2]}
    (group-by count ["a" "bb" "c"]) => {1 ["a" "c"] 2 ["bb"]}
    (group-by odd? nil) => {}
    """
    from rtfs.printer import to_str

    xs = [] if coll is None else items(coll, "group-by")
    call = function_for(f, xs, 1, "group-by")
    answers = None if current_part() is None else overlapped(call, [(x,) for x in xs])
    groups: dict[Value, list[Value]] = {}
    if answers is not None:
        for x, answer in zip(xs, answers, strict=True):
            groups.setdefault(_group_key(answer, to_str), []).append(x)
        return Map({key: Vector(group) for key, group in groups.items()})
    for part in slices(xs):
        for x in part:
            groups.setdefault(_group_key(call(x), to_str), []).append(x)
    return Map({key: Vector(group) for key, group in groups.items()})


@builtin("frequencies")
def frequencies(coll: Value) -> Value:
    """A map from each item to how often it occurs. Of nil the empty map.

    An item that is no string, keyword or integer becomes a string, as `str` makes it.

    (frequencies [:a :b :a]) => {:a 2 :b 1}
    """
    from rtfs.printer import to_str

    counts: dict[Value, int] = {}
    for part in slices([] if coll is None else items(coll, "frequencies")):
        for x in part:
            key = _group_key(x, to_str)
            counts[key] = counts.get(key, 0) + 1
    return Map(counts)
