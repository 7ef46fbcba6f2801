"""What stands for a function of which the arguments of each call decide where it runs.

A guard looks at the types of the arguments, and at their size where a rule does, finds the route for these in a
small table and goes there; only calls of a kind that it has not met yet ask for a decision. Functions of up to
four arguments whose rules look at types alone have a guard of their own shape: one look-up more than the call.

The size of arguments is the sum of their sizes. A string has one for each character, and at least one; any
other scalar has one; a collection has one and those of its items, keys included; an error has those of its
message and data. So sizes bound the work of counting, which stops at the largest size that any rule asks about.

Sizes that no rule tells apart belong to one class: all above one bound of the rules and up to the next. A
decision is asked for with the largest size of the class, or with one more than the last bound.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any, Final

from rtfs.stdlib.registry import arity, arity_error
from rtfs.values import ErrorValue, Keyword, List, Map, Set, Value, Vector, type_name

#: a function, or its stub
type Route = Callable[..., Value]
#: the route for arguments of these types and this size, None where no rule asks for it
type FindRoute = Callable[[tuple[str, ...], int | None], Route]

_CAUSE: Final = Keyword.of("cause")

#: routes that a guard remembers; one more and all are forgotten
MOST_ROUTES: Final = 512


def guard(body: Callable[..., Value], find: FindRoute, bounds: Sequence[int] = ()) -> FunctionType:
    """A function to stand for `body` that sends each call where `find` says.

    Args:
        find: asked once for each combination of types and class of size; again when too many have been met.
        bounds: the sizes that rules ask about, ascending; empty: none does.
    """
    assert isinstance(body, FunctionType)
    least, most = arity(body)
    if not bounds and least == most and most in _SHAPES:
        made = _SHAPES[most](find)
    else:
        made = _general(body, find, tuple(bounds))
    made.__name__ = body.__name__
    return made


def _remember(table: dict[Any, Route], key: Any, route: Route) -> Route:
    if len(table) >= MOST_ROUTES:
        table.clear()
    table[key] = route
    return route


def _shape_0(find: FindRoute) -> FunctionType:
    table: dict[Any, Route] = {}

    def miss() -> Value:
        return _remember(table, (), find((), None))()

    get = table.get

    def guarded() -> Value:
        return get((), miss)()

    return guarded  # type: ignore[return-value]  # every function that `def` makes is a FunctionType


def _shape_1(find: FindRoute) -> FunctionType:
    table: dict[Any, Route] = {}

    def miss(a: Value) -> Value:
        return _remember(table, type(a), find((type_name(a),), None))(a)

    get = table.get

    def guarded(a: Value) -> Value:
        return get(type(a), miss)(a)

    return guarded  # type: ignore[return-value]


def _shape_2(find: FindRoute) -> FunctionType:
    table: dict[Any, Route] = {}

    def miss(a: Value, b: Value) -> Value:
        route = find((type_name(a), type_name(b)), None)
        return _remember(table, (type(a), type(b)), route)(a, b)

    get = table.get

    def guarded(a: Value, b: Value) -> Value:
        return get((type(a), type(b)), miss)(a, b)

    return guarded  # type: ignore[return-value]


def _shape_3(find: FindRoute) -> FunctionType:
    table: dict[Any, Route] = {}

    def miss(a: Value, b: Value, c: Value) -> Value:
        route = find((type_name(a), type_name(b), type_name(c)), None)
        return _remember(table, (type(a), type(b), type(c)), route)(a, b, c)

    get = table.get

    def guarded(a: Value, b: Value, c: Value) -> Value:
        return get((type(a), type(b), type(c)), miss)(a, b, c)

    return guarded  # type: ignore[return-value]


def _shape_4(find: FindRoute) -> FunctionType:
    table: dict[Any, Route] = {}

    def miss(a: Value, b: Value, c: Value, d: Value) -> Value:
        route = find((type_name(a), type_name(b), type_name(c), type_name(d)), None)
        return _remember(table, (type(a), type(b), type(c), type(d)), route)(a, b, c, d)

    get = table.get

    def guarded(a: Value, b: Value, c: Value, d: Value) -> Value:
        return get((type(a), type(b), type(c), type(d)), miss)(a, b, c, d)

    return guarded  # type: ignore[return-value]


#: by the number of arguments
_SHAPES: Final[dict[int | None, Callable[[FindRoute], FunctionType]]] = {
    0: _shape_0,
    1: _shape_1,
    2: _shape_2,
    3: _shape_3,
    4: _shape_4,
}


def _general(body: FunctionType, find: FindRoute, bounds: tuple[int, ...]) -> FunctionType:
    least, most = arity(body)
    table: dict[Any, Route] = {}

    def guarded(*args: Value) -> Value:
        if len(args) < least or (most is not None and len(args) > most):
            raise arity_error(body, len(args))
        size_class = class_of(size_of(args, bounds[-1] + 1), bounds) if bounds else 0
        key = (size_class, *map(type, args))
        route = table.get(key)
        if route is None:
            size = largest_of(size_class, bounds) if bounds else None
            route = _remember(table, key, find(tuple(map(type_name, args)), size))
        return route(*args)

    return guarded  # type: ignore[return-value]


# ---------------------------------------------------------------- sizes


def size_of(args: Iterable[Value], stop_at: int) -> int:
    """The size of `args`; `stop_at` if it is that or more."""
    size = 0
    # iterators of what is still to be counted, innermost last: memory as deep as the data, not as wide
    todo = [iter(args)]
    while todo:
        for value in todo[-1]:
            kind = type(value)
            if kind is str:
                size += len(value) or 1
            else:
                size += 1
                parts = _PARTS.get(kind)
                if parts is not None and size < stop_at:
                    # a collection has at least one for each item, so that long ones need no walk
                    if kind is not ErrorValue and size + len(value) >= stop_at:
                        return stop_at
                    todo.append(parts(value))
                    break
            if size >= stop_at:
                return stop_at
        else:
            todo.pop()
    return size


def _of_map(value: Map) -> Iterable[Value]:
    for key, item in value.items():
        yield key
        yield item


def _of_error(value: ErrorValue) -> Iterable[Value]:
    yield value.message
    yield value.data
    if value.get(_CAUSE) is not None:
        yield value.get(_CAUSE)


_PARTS: Final[dict[type, Callable[[Any], Any]]] = {
    Vector: iter,
    List: iter,
    Set: iter,
    Map: _of_map,
    ErrorValue: _of_error,
}


def class_of(size: int, bounds: Sequence[int]) -> int:
    """Number of the class of sizes that `size` belongs to."""
    return bisect_left(bounds, size)


def largest_of(size_class: int, bounds: Sequence[int]) -> int:
    """The largest size of a class; of the last one, which has none, one more than the last bound."""
    return bounds[size_class] if size_class < len(bounds) else bounds[-1] + 1
