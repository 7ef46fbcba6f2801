"""Values to text and back, and what is refused on either way."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtfs
from actors.remote.data_text import read_value, write_value
from rtfs import errors
from rtfs.program import new_run
from rtfs.run import Limits, running
from rtfs.values import (
    INT_MAX,
    INT_MIN,
    ErrorValue,
    Keyword,
    List,
    Map,
    Set,
    Symbol,
    Ticket,
    Timestamp,
    Value,
    Vector,
)

names = st.sampled_from(["a", "b-c", "k/x", "ok?", "->x", "ns.a/b!"])
atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(INT_MIN, INT_MAX),
    st.floats(allow_nan=False),
    st.text(),
    names.map(Keyword.of),
    names.map(Symbol.of),
    st.just(Timestamp("2025-01-31T10:20:30Z")),
)
keys = st.one_of(st.integers(INT_MIN, INT_MAX), st.text(), names.map(Keyword.of))


def nested(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    items = st.lists(inner, max_size=4)
    return st.one_of(
        items.map(Vector),
        items.map(lambda found: List(found)),
        items.map(Set),
        st.dictionaries(keys, inner, max_size=4).map(Map),
    )


@given(st.recursive(atoms, nested, max_leaves=20))
def test_what_is_written_reads_back_as_the_same(value: Value):
    found = read_value(write_value(value))
    assert rtfs.values.equal(found, value)
    assert type(found) is type(value)
    assert getattr(found, "source_info", None) is None


def test_numbers_that_are_none_and_deep_data_come_back():
    assert math.isnan(read_value(write_value(float("nan"))))
    deep: Value = Vector([])
    for _ in range(20_000):
        deep = Vector([deep])
    assert rtfs.values.equal(read_value(write_value(deep)), deep)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (rtfs.evaluate("(fn [x] x)"), "a function"),
        (rtfs.evaluate("[1 {:a inc}]"), "a function"),
        (Ticket("t"), "ticket"),
        (ErrorValue(errors.DivisionByZero()), "error"),
        (Keyword.of("a b"), "a keyword that no text denotes"),
        (Keyword.of(""), "a keyword that no text denotes"),
        (Symbol.of("a b"), "a symbol that no text denotes"),
        (Symbol.of("nil"), "a symbol that no text denotes"),
        (Symbol.of("12"), "a symbol that no text denotes"),
        (Map({Keyword.of(")"): 1}), "a keyword that no text denotes"),
        (List([Symbol.of(".m"), 1]), "a list that begins with `.m`"),
        (Timestamp('1 2 "x"'), "a timestamp that no text denotes"),
    ],
)
def test_what_cannot_be_written(value: Value, what: str):
    with pytest.raises(errors.InvalidArgument) as refused:
        write_value(value)
    assert what in refused.value.message


def test_a_value_whose_parts_are_shared_many_times_over_ends_at_the_limit():
    value: Value = Vector([1])
    for _ in range(60):
        value = Vector([value, value])
    with running(new_run(None, None, Limits(allocation_bytes=1 << 20), None)), pytest.raises(errors.LimitError):
        write_value(value)


@pytest.mark.parametrize("text", ["(launch!)", "'x", "#(+ % 1)", "@x", "(quote (a b))", "(def x 1)"])
def test_programs_are_data(text: str):
    assert type(read_value(text)) is List


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", errors.InvalidArgument),
        ("1 2", errors.InvalidArgument),
        ("^:a x", errors.InvalidArgument),
        ("[^{:b 1} x]", errors.InvalidArgument),
        ("[x : int]", errors.InvalidArgument),
        ("{a 1}", errors.InvalidArgument),
        ("[{:a {~x 1}}]", errors.InvalidArgument),
        ("[", errors.ReadError),
        ("#<function>", errors.ReadError),
        ("99999999999999999999", errors.ReadError),
    ],
)
def test_what_is_no_data(text: str, kind: type[errors.RtfsError]):
    with pytest.raises(kind):
        read_value(text)


@given(st.text())
def test_any_text_is_a_value_or_an_error(text: str):
    try:
        read_value(text)
    except (errors.ReadError, errors.InvalidArgument):
        pass
