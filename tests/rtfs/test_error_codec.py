"""encode_error and decode_error: every class of error, and what bytes from anywhere can do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtfs
from rtfs import errors
from rtfs.error_codec import _classes, decode_error, encode_error
from rtfs.ir_codec import encode_value
from rtfs.ir_codec.schema import VALUE_MAGIC
from rtfs.values import Map, Vector

SAMPLES = {
    "kind": "InvalidLiteral",
    "expected": "int",
    "actual": "string",
    "index": 3,
    "length": 2,
    "data": None,
    "value": 7,
}


def sample(kind):
    fields = [SAMPLES.get(name, f"some {name}") for name in kind.fields]
    if kind is errors.ReadError:
        fields[2] = ("a form", "`)`")
    return kind(*fields)


@pytest.mark.parametrize("kind", list(_classes().values()), ids=lambda kind: kind.__name__)
def test_every_error_comes_back(kind):
    error = sample(kind)
    error.span, error.source, error.hint = errors.Span(1, 2, 3, 4), "a.rtfs", "did you mean `x`?"
    error.trace = (errors.Frame("f", "a.rtfs", None), errors.Frame("g", "b.rtfs", errors.Span(1, 1, 1, 2)))
    error.cause = errors.DivisionByZero()
    after = decode_error(encode_error(error))
    assert type(after) is kind
    for name in (*kind.fields, "span", "source", "hint", "trace"):
        assert getattr(after, name) == getattr(error, name)
    assert after.text() == error.text()
    assert type(after.cause) is errors.DivisionByZero


def test_a_thrown_function_becomes_its_text():
    with pytest.raises(errors.ApplicationError) as caught:
        rtfs.evaluate("(throw [inc])")
    assert decode_error(encode_error(caught.value)).data == "[#<function>]"


def test_long_chains_of_causes_are_cut():
    error = errors.Generic("0")
    for number in range(1, 100):
        error, error.cause = errors.Generic(str(number)), error
    after, length = decode_error(encode_error(error)), 0
    while after is not None:
        after, length = after.cause, length + 1
    assert length == 21


@given(st.binary(max_size=200))
def test_any_bytes_are_an_error_or_refused(data):
    try:
        decode_error(VALUE_MAGIC + data)
    except errors.StorageError:
        pass


GOOD = {"category": "Generic", "fields": Vector(["m"]), "trace": Vector([])}


@pytest.mark.parametrize(
    "wrong",
    [
        {"category": "RtfsError"},
        {"category": "LimitError", "fields": Vector([])},
        {"category": "object"},
        {"fields": Vector([])},
        {"fields": Vector([Vector([1])])},
        {"span": Vector([1, 2, 3])},
        {"span": Vector([1, 2, 3, "4"])},
        {"source": 1},
        {"trace": None},
        {"trace": Vector([Vector([1, 2, None])])},
        {"cause": 1},
        {"category": "ReadError", "fields": Vector(["Nonsense", "m", Vector([])])},
        {"category": "ReadError", "fields": Vector(["Grammar", "m", "e"])},
    ],
)
def test_what_is_no_error_is_refused(wrong):
    decode_error(encode_value(Map(GOOD)))
    with pytest.raises(errors.StorageError, match="damaged error"):
        decode_error(encode_value(Map(GOOD | wrong)))
