"""Plain Python data to RTFS values and back."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs import convert, errors
from rtfs.convert import from_python, to_python
from rtfs.values import ErrorValue, Keyword, List, Map, Set, Symbol, Ticket, Timestamp, Value, Vector

K = Keyword.of


class Colour(enum.IntEnum):
    RED = 3


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "obj"),
    [
        (None, None),
        (True, True),
        (1, 1),
        (1.5, 1.5),
        ("a", "a"),
        (K("k"), ":k"),
        (Symbol.of("s"), "s"),
        (Timestamp("2025-01-31T10:20:30Z"), "2025-01-31T10:20:30Z"),
        (Vector.of(1, List.of(2, K("a"))), [1, [2, ":a"]]),
        (Set.of(3, 1, 2), [3, 1, 2]),
        (Map({K("a/b"): 1, "c": Map({5: Vector([])})}), {"a/b": 1, "c": {5: []}}),
    ],
)
def test_to_python(value: Value, obj: Any) -> None:
    found = to_python(value)
    assert (type(found), found) == (type(obj), obj)


@pytest.mark.parametrize(
    ("obj", "value"),
    [
        ([1, (2, "a")], Vector.of(1, Vector.of(2, "a"))),
        ({"a": 1, 2: {"b": None}}, Map({"a": 1, 2: Map({"b": None})})),
        ({1, 2}, Set.of(1, 2)),
        (frozenset(["a"]), Set.of("a")),
        (Colour.RED, 3),
        (Text("x"), "x"),
        ({K("a"): K("b")}, Map({K("a"): K("b")})),
        ([Vector.of(1)], Vector.of(Vector.of(1))),
        (-(2**63), -(2**63)),
    ],
)
def test_from_python(obj: Any, value: Value) -> None:
    found = from_python(obj)
    assert (type(found), found) == (type(value), value)


def test_keyword_keys() -> None:
    assert from_python({"a": {"b": "c"}, 1: 2}, keys="keyword") == Map({K("a"): Map({K("b"): "c"}), 1: 2})
    with pytest.raises(ValueError, match="keys must be"):
        from_python({}, keys="symbol")  # type: ignore[arg-type]


def test_subclasses_of_atoms_are_made_plain() -> None:
    assert [type(item) for item in from_python([Colour.RED, Text("x")])] == [int, str]
    assert type(from_python({Text("x"): 1}).keys()[0]) is str


_DATA = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text()
    ),
    lambda data: st.one_of(
        st.lists(data), st.dictionaries(st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1)), data)
    ),
    max_leaves=30,
)


@given(_DATA)
def test_round_trip(data: Any) -> None:
    assert to_python(from_python(data)) == data
    assert to_python(from_python(data, keys="keyword")) == data


@pytest.mark.parametrize(
    "value", [len, ErrorValue(errors.DivisionByZero()), Ticket("t"), Vector.of(Map({"a": len}))]
)
def test_to_python_refuses(value: Value) -> None:
    with pytest.raises(errors.TypeMismatch, match="to_python: expected data"):
        to_python(value)


def test_colliding_keys_are_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match="has the keys"):
        to_python(Map({K("a"): 1, "a": 2}))


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (object(), "got object"),
        (b"bytes", "got bytes"),
        ([1, {2: len}], "expected data"),
        (2**63, "expected 64-bit integer, got integer of 64 bits"),
        ({2**70: 1}, "expected 64-bit integer"),
        ({1.5: 1}, "expected string, keyword or integer, got float"),
        ({True: 1}, "got boolean"),
        ({None: 1}, "got nil"),
        pytest.param(10**10000, "64-bit", id="huge"),
    ],
)
def test_from_python_refuses(obj: Any, said: str) -> None:
    with pytest.raises(errors.TypeMismatch) as caught:
        from_python(obj)
    assert said in caught.value.text()


def test_data_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = {"a": []}
    loop["a"].append(loop)
    with pytest.raises(errors.TypeMismatch, match="contains itself"):
        from_python(loop)


def test_shared_data_is_no_loop() -> None:
    shared = [1]
    assert from_python([shared, shared]) == Vector.of(Vector.of(1), Vector.of(1))


def test_shared_values_become_separate_containers() -> None:
    shared = Vector.of(1)
    found = to_python(Vector.of(shared, shared))
    found[0].append(2)
    assert found == [[1, 2], [1]]


def test_depth_is_no_limit() -> None:
    data: list[Any] = []
    for _ in range(50_000):
        data = [data]
    value = from_python(data)
    back = to_python(value)
    depth = 0
    while back:
        back, depth = back[0], depth + 1
    assert depth == 50_000


def test_exponential_sharing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "MAX_NODES", 10_000)
    value = Vector.of(1)
    for _ in range(60):
        value = Vector.of(value, value)
    with pytest.raises(errors.BudgetExhausted):
        to_python(value)
