"""Maps, and what vectors share with them: values by key or index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtfs import errors
from rtfs.stdlib.iteration import integer, items, not_a, slices
from rtfs.stdlib.registry import REGISTERED, builtin, callback
from rtfs.values import (
    EMPTY_MAP,
    MAP_KEY_TYPES,
    ErrorValue,
    List,
    Map,
    Set,
    Value,
    Vector,
    map_key,
)


def _map(value: Value, operation: str) -> Map:
    if type(value) is not Map:
        raise not_a(value, "map", operation)
    return value


def _even_rest(operation: str, given: int, rest: int) -> None:
    if rest % 2:
        expected = "an even number" if given == rest else "an odd number, at least 3"
        raise errors.ArityMismatch(operation, expected, given)


@builtin("hash-map")
def hash_map(*entries: Value) -> Value:
    """A map of keys and values in turn; of equal keys the last counts.

    (hash-map :a 1 :b 2) => {:a 1 :b 2}
    (hash-map :a) => !ArityMismatch
    """
    _even_rest("hash-map", len(entries), len(entries))
    keys = map(map_key, entries[::2])
    return Map(dict(zip(keys, entries[1::2], strict=True)))


@builtin("get")
def get(coll: Value, key: Value, default: Value = None) -> Value:
    """The value at a key of a map, an index of a vector, or a member of a set; else the default, or nil.

    (get {:a 1} :a) => 1
    (get [1 2] 5 :none) => :none
    (get nil :a) => !TypeError
    """
    kind = type(coll)
    if kind is Map:
        return coll.get(map_key(key), default)
    if kind is Vector:
        return coll[key] if 0 <= integer(key, "get") < len(coll) else default
    if kind is ErrorValue:
        return coll.get(key, default)
    if kind is Set:
        return coll(key, default)
    raise not_a(coll, "map, vector or set", "get")


def _path(path: Value, operation: str) -> list[Value]:
    if type(path) is not Vector and type(path) is not List:
        raise not_a(path, "vector of keys", operation)
    keys: list[Value] = path.to_list()
    for key in keys:
        if type(key) not in MAP_KEY_TYPES:
            raise not_a(key, "string, keyword or integer in the path", operation)
    return keys


def _has(coll: Value, key: Value) -> bool:
    if type(coll) is Vector:
        return type(key) is int and 0 <= key < len(coll)
    return type(coll) is Map and key in coll


@builtin("get-in")
def get_in(coll: Value, path: Value, default: Value = None) -> Value:
    """The value at the end of a path of keys and indexes; the default, or nil, where the path breaks off.

    (get-in {:a [1 {:b 2}]} [:a 1 :b]) => 2
    (get-in {:a 1} [:x :y] 0) => 0
    """
    for part in slices(_path(path, "get-in")):
        for key in part:
            if not _has(coll, key):
                return default
            coll = coll[key]
    return coll


def _index(v: Vector, index: Value, operation: str) -> int:
    place = integer(index, operation)
    if not 0 <= place < len(v):
        raise errors.IndexOutOfBounds(place, len(v))
    return place


def _put(coll: Value, key: Value, value: Value, operation: str) -> Value:
    if type(coll) is Map:
        return coll.assoc(map_key(key), value)
    if type(coll) is Vector:
        return coll.assoc(_index(coll, key, operation), value)
    raise not_a(coll, "map or vector", operation)


def _old(coll: Value, key: Value, operation: str) -> Value:
    """What `update` gives to its function: nil for a key that a map has not."""
    if type(coll) is Map:
        return coll.get(map_key(key))
    if type(coll) is Vector:
        return coll[_index(coll, key, operation)]
    raise not_a(coll, "map or vector", operation)


@builtin("assoc")
def assoc(coll: Value, key: Value, value: Value, *more: Value) -> Value:
    """The map with keys set, or the vector with items at existing indexes replaced.

    (assoc {:a 1} :b 2 :c 3) => {:a 1 :b 2 :c 3}
    (assoc [1 2] 0 :x) => [:x 2]
    (assoc [1 2] 2 :x) => !IndexOutOfBounds
    """
    if not more:
        return _put(coll, key, value, "assoc")
    _even_rest("assoc", len(more) + 3, len(more))
    if type(coll) is Map:
        keys = map(map_key, (key, *more[::2]))
        return coll.assoc_all(dict(zip(keys, (value, *more[1::2]), strict=True)))
    coll = _put(coll, key, value, "assoc")
    for next_key, next_value in zip(more[::2], more[1::2], strict=True):
        coll = _put(coll, next_key, next_value, "assoc")
    return coll


@builtin("dissoc")
def dissoc(m: Value, key: Value, *more: Value) -> Value:
    """The map without these keys; keys that it has not are ignored.

    (dissoc {:a 1 :b 2} :a) => {:b 2}
    (dissoc {:a 1} :x nil) => {:a 1}
    """
    made = _map(m, "dissoc")
    for each in (key, *more):
        if type(each) in MAP_KEY_TYPES:
            made = made.dissoc(each)
    return made


def _function(f: Value) -> Value:
    """`f`, or the function that the string `f` names: a builtin, or what the run was given."""
    if type(f) is not str:
        return f
    known = REGISTERED.get(f)
    if known is not None:
        return known.function
    from rtfs.primitives import lookup

    return lookup(f)


def _updated(operation: str, f: Value, old: Value, args: tuple[Value, ...]) -> Value:
    return callback(_function(f), 1 + len(args), operation)(old, *args)


@builtin("update")
def update(coll: Value, key: Value, f: Value, *args: Value) -> Value:
    """The collection with the value at a key or index replaced by (f value args…).

    A key that a map has not gives nil to f. f may be the name of a function, as a string.

    (update {:n 1} :n inc) => {:n 2}
    (update [1 2] 1 + 10) => [1 12]
    (update {} :n (fn [x] (nil? x))) => {:n true}
    """
    return _put(coll, key, _updated("update", f, _old(coll, key, "update"), args), "update")


def _changed_in(coll: Value, path: Value, change: Callable[[Value], Value], operation: str) -> Value:
    """`coll` with `change` applied at the end of `path`; maps are made where there is nil on the way."""
    keys = _path(path, operation)
    if not keys:
        raise errors.InvalidArgument(f"the path of `{operation}` must not be empty")
    levels: list[tuple[Value, Value]] = []
    for part in slices(keys):
        for key in part:
            here = EMPTY_MAP if coll is None and levels else coll
            levels.append((here, key))
            coll = _old(here, key, operation)
    value = change(coll)
    for part in slices(levels[::-1]):
        for here, key in part:
            value = _put(here, key, value, operation)
    return value


@builtin("assoc-in")
def assoc_in(coll: Value, path: Value, value: Value) -> Value:
    """The collection with the value at the end of a path set; missing maps on the way are made.

    (assoc-in {} [:a :b] 1) => {:a {:b 1}}
    (assoc-in {:a [1 2]} [:a 0] 9) => {:a [9 2]}
    """
    return _changed_in(coll, path, lambda _: value, "assoc-in")


@builtin("update-in")
def update_in(coll: Value, path: Value, f: Value, *args: Value) -> Value:
    """The collection with the value at the end of a path replaced by (f value args…).

    (update-in {:a {:n 1}} [:a :n] + 5) => {:a {:n 6}}
    """
    return _changed_in(coll, path, lambda old: _updated("update-in", f, old, args), "update-in")


@builtin("find")
def find(m: Value, key: Value) -> Value:
    """The entry `[k v]` of a key, nil if the map has none.

    (find {:a nil} :a) => [:a nil]
    (find {:a 1} :b) => nil
    """
    known = _map(m, "find")
    return Vector([key, known[key]]) if type(key) in MAP_KEY_TYPES and key in known else None


@builtin("keys")
def keys(m: Value) -> Value:
    """The keys of a map, in its order.

    (keys {:a 1 :b 2}) => [:a :b]
    """
    return Vector(_map(m, "keys").keys())


@builtin("vals")
def vals(m: Value) -> Value:
    """The values of a map, in its order.

    (vals {:a 1 :b 2}) => [1 2]
    """
    return Vector(_map(m, "vals").values())


@builtin("select-keys")
def select_keys(m: Value, keys: Value) -> Value:
    """The map of only these keys, where it has them.

    (select-keys {:a 1 :b 2} [:b :x]) => {:b 2}
    """
    known = _map(m, "select-keys")
    wanted = [key for part in slices(items(keys, "select-keys")) for key in part if type(key) in MAP_KEY_TYPES]
    return Map({key: known[key] for key in wanted if key in known})


@builtin("rename-keys")
def rename_keys(m: Value, names: Value) -> Value:
    """The map with keys renamed as a map from old to new ones says; renamed entries come last.

    (rename-keys {:a 1 :b 2} {:a :x}) => {:b 2 :x 1}
    """
    known, renames = _map(m, "rename-keys"), _map(names, "rename-keys")
    table = known.to_dict()
    moved = [(map_key(new), known[old]) for old, new in renames.items() if old in known]
    for old in renames:
        table.pop(old, None)
    table.update(moved)
    return Map(table)


@builtin("zipmap")
def zipmap(keys: Value, values: Value) -> Value:
    """A map of keys to the values at the same places; the shorter collection decides.

    (zipmap [:a :b] [1 2]) => {:a 1 :b 2}
    """
    pairs = list(zip(items(keys, "zipmap"), items(values, "zipmap"), strict=False))
    return Map({map_key(key): value for part in slices(pairs) for key, value in part})


@builtin("merge")
def merge(*maps: Value) -> Value:
    """One map of all entries; of equal keys the last counts.

    (merge {:a 1 :b 2} {:b 3}) => {:a 1 :b 3}
    (merge) => {}
    (merge {} nil) => !TypeError
    """
    return _folded(maps, "merge", lambda made, more: made.assoc_all(more.to_dict()))


@builtin("merge-with")
def merge_with(f: Value, *maps: Value) -> Value:
    """One map of all entries; the values of equal keys are joined by (f earlier later).

    (merge-with + {:a 1} {:a 2 :b 3}) => {:a 3 :b 3}
    """

    def join(made: Map, more: Map) -> Map:
        both = [key for key in more if key in made]
        table = more.to_dict()
        if both:
            call = callback(f, 2, "merge-with")
            for part in slices(both):
                for key in part:
                    table[key] = call(made[key], table[key])
        return made.assoc_all(table)

    return _folded(maps, "merge-with", join)


def _folded(maps: tuple[Any, ...], operation: str, join: Callable[[Map, Map], Map]) -> Map:
    made = EMPTY_MAP
    for part in slices(list(maps)):
        for m in part:
            more = _map(m, operation)
            made = join(made, more) if made else more
    return made
