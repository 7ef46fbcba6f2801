"""encode_value and decode_value: round trips, and what bytes from anywhere can do."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtfs
from rtfs import errors, forms, ir
from rtfs.ir_codec import decode_value, encode, encode_value
from rtfs.ir_codec.schema import VALUE_MAGIC, Op
from rtfs.values import EMPTY_VECTOR, Keyword, List, Map, ResourceHandle, Set, Symbol, Timestamp, Uuid, Vector

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.builds(Keyword.of, st.text(min_size=1)),
    st.builds(Symbol.of, st.text(min_size=1)),
    st.builds(Timestamp, st.text()),
    st.builds(Uuid, st.text()),
    st.builds(ResourceHandle, st.text()),
)
KEYS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(), st.builds(Keyword.of, st.text(min_size=1)))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner).map(Vector),
        st.lists(inner).map(List),
        st.lists(inner).map(Set),
        st.dictionaries(KEYS, inner).map(Map),
    ),
    max_leaves=20,
)


@given(VALUES)
def test_values_come_back_as_they_were(value):
    after = decode_value(encode_value(value))
    assert type(after) is type(value)
    assert after == value
    assert rtfs.pr_str(after) == rtfs.pr_str(value)


@pytest.mark.parametrize("source", ["[1 1.0 -0.0]", "(list [] (list))", '{:a 1 "a" 2 1 3}', "[##NaN ##Inf]"])
def test_what_is_equal_in_python_is_told_apart(source):
    value = rtfs.evaluate(source)
    assert rtfs.pr_str(decode_value(encode_value(value))) == rtfs.pr_str(value)


def test_depth_does_not_matter():
    value = EMPTY_VECTOR
    for _ in range(50_000):
        value = Vector([value])
    again = encode_value(decode_value(encode_value(value)))
    assert again == encode_value(value)


@pytest.mark.parametrize("source", ["inc", "[inc]", "(async 1)", "(try (/ 1 0) (catch _ e e))"])
def test_what_means_nothing_outside_its_run_is_refused(source):
    with pytest.raises(errors.StorageError, match="cannot store a constant of type"):
        encode_value(rtfs.evaluate(source))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_an_error(data):
    try:
        encode_value(decode_value(VALUE_MAGIC + data))
    except errors.StorageError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RTV0\0\0",
        encode(ir.Unit("u", (), (), frozenset(), ())),
        VALUE_MAGIC + bytes((0, Op.COLON)),
        VALUE_MAGIC + bytes((0, Op.COLON, Op.VECTOR, 1)),
        VALUE_MAGIC + bytes((0, Op.TUPLE, 0)),
        VALUE_MAGIC + bytes((0, Op.NONE, Op.NONE)),
        VALUE_MAGIC + bytes((0,)),
    ],
)
def test_what_is_no_value_is_refused(data):
    with pytest.raises(errors.StorageError):
        decode_value(data)


def test_a_form_is_no_value():
    with pytest.raises(errors.StorageError):
        decode_value(VALUE_MAGIC + encode_value(forms.COLON)[len(VALUE_MAGIC) :])


@given(VALUES)
def test_a_pickle_holds_the_same_value(value):
    after = pickle.loads(pickle.dumps(value))
    assert type(after) is type(value)
    assert rtfs.pr_str(after) == rtfs.pr_str(value)
