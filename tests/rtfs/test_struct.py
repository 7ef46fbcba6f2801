"""Constructors of `defstruct`."""

from __future__ import annotations

import pytest

from rtfs import errors, ir
from rtfs.namespace import Namespace
from rtfs.stdlib.registry import arity
from rtfs.struct import constructor
from rtfs.types import model as types
from rtfs.types.model import MapEntry
from rtfs.values import Keyword, Map, is_function

POINT = ir.StructOf(
    "Point",
    (MapEntry("x", types.Primitive("int"), False), MapEntry("label", types.Primitive("string"), True)),
)


def keyed(**fields):
    return Map({Keyword.of(name): value for name, value in fields.items()})


@pytest.mark.parametrize("value", [keyed(x=1), keyed(x=1, label="a"), keyed(x=1, extra=None)])
def test_a_fitting_map_is_returned_unchanged(value):
    assert constructor(POINT.name, POINT.fields, Namespace())(value) is value


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (keyed(), errors.TypeValidationError, "Required field x is missing"),
        (Map({"x": 1}), errors.TypeValidationError, "Required field x is missing"),
        (keyed(x="a"), errors.TypeValidationError, "Field x failed type validation"),
        (keyed(x=1, label=2), errors.TypeValidationError, "Field label failed type validation"),
        (5, errors.TypeMismatch, "Type error in Point: expected map, got integer"),
    ],
)
def test_others_are_refused(value, error, text):
    with pytest.raises(error) as caught:
        constructor(POINT.name, POINT.fields, Namespace())(value)
    assert text in caught.value.text()


def test_it_is_a_function_of_one_argument():
    made = constructor(POINT.name, POINT.fields, Namespace())
    assert is_function(made)
    assert (made.__name__, arity(made)) == ("Point", (1, 1))
