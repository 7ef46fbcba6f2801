import math
from functools import cmp_to_key

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfs.errors import BudgetExhausted, Generic
from rtfs.host import DictHost
from rtfs.ordering import compare, merge_sort, sort_values
from rtfs.run import Limits, Run, cancel, running
from rtfs.security import RuntimeContext
from rtfs.values import (
    ErrorValue,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Ticket,
    Timestamp,
    Uuid,
    Vector,
    equal,
)

NAN = math.nan

#: one value after the other, none tying with the next
ASCENDING = [
    None,
    False,
    True,
    -math.inf,
    -(2**63),
    -1.5,
    -1,
    0,
    0.5,
    2**53,
    2**53 + 1,
    2**63 - 1,
    math.inf,
    NAN,
    "",
    "A",
    "a",
    "aa",
    "b",
    "é",
    "\U0001f600",
    Keyword.of("a"),
    Keyword.of("b"),
    Symbol.of("a"),
    Symbol.of("b"),
    Vector([]),
    Vector([None]),
    Vector([1]),
    Vector([1, 2]),
    Vector([1, "a"]),
    Vector([2]),
    Vector([Vector([])]),
    List([]),
    List([1]),
    List([1, 0]),
    Map({}),
    Map({1: "z"}),
    Map({1: "z", 2: 0}),
    Map({"a": 1}),
    Map({"a": 2}),
    Map({Keyword.of("a"): 0}),
    ErrorValue(Generic("a")),
    ErrorValue(Generic("b")),
    len,
    ResourceHandle("resource://a"),
    Ticket("1"),
    Timestamp("2025-01-01T00:00:00Z"),
    Timestamp("2025-01-02T00:00:00Z"),
    Uuid("1"),
    Set([]),
    Set([2, 1]),
    Set([3, 1]),
]


def test_the_kinds_and_their_members_stand_in_order():
    for i, a in enumerate(ASCENDING):
        for j, b in enumerate(ASCENDING):
            assert compare(a, b) == (i > j) - (i < j), (a, b)


def test_sort_restores_the_order():
    assert [id(x) for x in sort_values(ASCENDING[::-1])] == [id(x) for x in ASCENDING]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (0.0, -0.0),
        (NAN, NAN),
        (Vector([1, 2.0]), Vector([1.0, 2])),
        (Set([1, 2]), Set([2, 1])),
        (Map({1: 1, 2: 2}), Map({2: 2, 1: 1})),
        (len, print),
    ],
)
def test_ties(a, b):
    assert compare(a, b) == compare(b, a) == 0


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, 0.5, 1.0, NAN]),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from("ab").map(Keyword.of),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(Vector),
        st.lists(inner, max_size=3).map(List),
        st.lists(inner, max_size=3).map(Set),
        st.dictionaries(st.sampled_from([1, "a", Keyword.of("a")]), inner, max_size=3).map(Map),
    ),
    max_leaves=8,
)


@given(values, values, values)
@settings(max_examples=200, deadline=None)
def test_it_is_a_total_order(a, b, c):
    assert compare(a, b) == -compare(b, a)
    assert compare(a, a) == 0
    if compare(a, b) <= 0 and compare(b, c) <= 0:
        assert compare(a, c) <= 0
    if equal(a, b):
        assert compare(a, b) == 0


@given(st.lists(st.one_of(values, scalars), max_size=8))
@settings(max_examples=200, deadline=None)
def test_every_way_to_sort_agrees(items):
    expected = [id(x) for x in sorted(items, key=cmp_to_key(compare))]
    assert [id(x) for x in sort_values(items)] == expected
    assert [id(x) for x in merge_sort(list(items), lambda a, b: compare(a, b) < 0)] == expected


@given(st.lists(scalars, max_size=8))
@settings(max_examples=100, deadline=None)
def test_flat_vectors_sort_as_their_items_compare(items):
    pairs = [Vector([x, place]) for place, x in enumerate(items)]
    assert [pair[1] for pair in sort_values(pairs)] == sort_values(list(range(len(items))), items)


@pytest.mark.parametrize("size", [2**16, 2**16 + 1, 5 * 2**16 + 3])
def test_long_sorts_are_stable(size):
    by = [i * 7919 % 10 for i in range(size)]
    places = list(range(size))
    assert sort_values(places, by) == sorted(places, key=by.__getitem__)
    assert sort_values(by) == sorted(by)


@pytest.mark.parametrize("kind", [lambda x: Vector([x]), lambda x: List([x]), lambda x: Map({1: x})])
def test_depth_is_no_limit(kind):
    a, b = 1, 2
    for _ in range(100_000):
        a, b = kind(a), kind(b)
    assert compare(a, b) == -1
    assert sort_values([b, a, b]) == [a, b, b]


def test_shared_structure_is_compared_once():
    a = b = Vector([1])
    for _ in range(200):
        a, b = Vector([a, a]), Vector([b, b])
    assert compare(a, b) == 0


def test_a_cancelled_run_stops_inside_a_sort():
    items = [Map({1: i}) for i in range(100)]
    with running(Run(DictHost({}), RuntimeContext.full(), Limits())) as run:
        cancel(run)
        with pytest.raises(BudgetExhausted):
            sort_values(items)
        with pytest.raises(BudgetExhausted):
            merge_sort([3, 1, 2, 0], lambda a, b: a < b)
