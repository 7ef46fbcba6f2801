"""Guards: calls go by the types and the size of their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtfs
from policies.running.guard import MOST_ROUTES, class_of, guard, largest_of, size_of
from rtfs import errors
from rtfs.convert import from_python
from rtfs.values import ErrorValue, Keyword, List, Map, Set, Value, Vector


class Router:
    """Finds a route for each kind of arguments that answers the kind; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], int | None]] = []

    def __call__(self, types: tuple[str, ...], size: int | None) -> Callable[..., Value]:
        self.asked.append((types, size))
        return lambda *args: (types, size, args)


def bodies() -> list[Any]:
    def f0() -> Value:
        return None

    def f1(a: Value) -> Value:
        return a

    def f2(a: Value, b: Value) -> Value:
        return a

    def f3(a: Value, b: Value, c: Value) -> Value:
        return a

    def f4(a: Value, b: Value, c: Value, d: Value) -> Value:
        return a

    def f5(a: Value, b: Value, c: Value, d: Value, e: Value) -> Value:
        return a

    return [f0, f1, f2, f3, f4, f5]


@pytest.mark.parametrize("count", range(6))
@pytest.mark.parametrize("bounds", [(), (3,)])
def test_calls_go_by_their_types_and_ask_once(count: int, bounds: tuple[int, ...]) -> None:
    body, router = bodies()[count], Router()
    made = guard(body, router, bounds)
    for args, types in [((1,) * count, ("integer",) * count), (("é",) * count, ("string",) * count)] * 3:
        size = None if not bounds else (3 if count <= 3 else 4)
        assert made(*args) == (types, size, args)
    assert len(router.asked) == (1 if count == 0 else 2)
    assert made.__name__ == body.__name__


def test_every_place_counts() -> None:
    router = Router()
    made = guard(bodies()[2], router)
    for args in [(1, 2), (1, "a"), ("a", 1), (True, 1), (1.0, None), (1, 3)]:
        made(*args)
    assert [types for types, _ in router.asked] == [
        ("integer", "integer"),
        ("integer", "string"),
        ("string", "integer"),
        ("boolean", "integer"),
        ("float", "nil"),
    ]


@pytest.mark.parametrize("count", range(6))
@pytest.mark.parametrize("backend", ["python", "interpreter"])
def test_a_wrong_number_of_arguments_is_the_functions_own_error(count: int, backend: Any) -> None:
    class Guarding:
        version, sources = "1", None

        def target(self, function: Any, facts: Any) -> Any:
            return rtfs.delegation.BY_ARGUMENTS

        def bind(self, function: Any, *rest: Any) -> Any:
            return guard(rest[-1], lambda types, size: rest[-1])

    text = f"(defn f [{' '.join('abcde'[:count])}] 1) (f {'0 ' * (count + 1)})"
    with pytest.raises(errors.ArityMismatch) as raised:
        rtfs.compile(text).link(Guarding(), backend=backend).run()
    assert (raised.value.function, raised.value.expected, raised.value.actual) == ("f", str(count), count + 1)


def test_several_arities() -> None:
    def body(a: Value, b: Value = None, *more: Value) -> Value:
        return a

    router = Router()
    made = guard(body, router)
    assert made(1) == (("integer",), None, (1,))
    assert made(1, 2, "a") == (("integer", "integer", "string"), None, (1, 2, "a"))
    with pytest.raises(errors.ArityMismatch):
        made()


def test_a_guard_remembers_a_bounded_number_of_routes() -> None:
    router = Router()
    made = guard(bodies()[5], router, tuple(range(2, 2 * MOST_ROUTES, 2)))
    for size in range(5, 2 * MOST_ROUTES, 2):
        made(*["a"] * 4, "a" * (size - 4))
    (table,) = (cell.cell_contents for cell in made.__closure__ or () if isinstance(cell.cell_contents, dict))
    assert len(router.asked) > MOST_ROUTES - 5
    assert 0 < len(table) <= MOST_ROUTES


class Odd(rtfs.values.Ticket):
    """A ticket of another layer."""


#: arguments as Python data, size
SIZES: list[tuple[list[Any], int]] = [
    ([], 0),
    ([1], 1),
    ([None, True, 2.5], 3),
    (["hello"], 5),
    ([""], 1),
    (["añb"], 3),
    ([[]], 1),
    ([[1, 2]], 3),
    ([["ab", ["c"]]], 5),
    ([{"a": "xyz"}], 5),
    ([{}], 1),
    ([[], {}, [[]]], 4),
]


@pytest.mark.parametrize(("args", "size"), SIZES)
def test_sizes(args: list[Any], size: int) -> None:
    values = [from_python(arg) for arg in args]
    assert size_of(values, 10**9) == size
    for stop_at in range(1, size + 3):
        assert size_of(values, stop_at) == min(size, stop_at)


def test_sizes_of_other_values() -> None:
    error = errors.ApplicationError("t", "four", Vector.of(1, 2), None)
    inner = errors.Generic("x")
    error.cause = inner
    values: list[tuple[Value, int]] = [
        (Keyword.of("long-name"), 1),
        (List.of(1, "ab"), 4),
        (Set.of(1, 2), 3),
        (Map({Vector.of(1, 2): Set.of(3)}), 6),
        (Odd("id"), 1),
        (len, 1),
        (ErrorValue(inner), 1 + len(inner.caught_message()) + 1),
        (ErrorValue(error), 1 + 4 + 3 + (1 + len(inner.caught_message()) + 1)),
    ]
    for value, size in values:
        assert size_of([value], 1000) == size, value


def test_counting_stops_early_and_bears_depth_and_sharing() -> None:
    shared: Value = Vector.of("ab")
    deep: Value = Vector.of(1)
    for _ in range(200):
        shared = Vector.of(shared, shared)
    for _ in range(50_000):
        deep = Vector.of(deep)
    assert size_of([shared], 1000) == 1000
    assert size_of([deep], 10**9) == 50_002
    assert size_of([Vector(list(range(1_000_000)))], 10) == 10


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=5, unique=True).map(sorted),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_sizes_of_a_class_are_on_one_side_of_every_bound(bounds: list[int], a: int, b: int) -> None:
    largest = largest_of(class_of(a, bounds), bounds)
    assert [largest <= bound for bound in bounds] == [a <= bound for bound in bounds]
    same = class_of(a, bounds) == class_of(b, bounds)
    assert same == all((a <= bound) == (b <= bound) for bound in bounds)
    assert largest >= a or a > bounds[-1]
