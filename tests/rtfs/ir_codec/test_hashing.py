"""What the content hash depends on, and what not."""

from __future__ import annotations

import math

import pytest

from rtfs import ir
from rtfs.errors import Span
from rtfs.ir_codec import content_hash
from rtfs.types import model as types
from rtfs.values import List, Map, Set, Vector


def identity(local=1, label=1, name="x", span=None, type_=None):
    """(fn [x] x)"""
    x = ir.Local(local, name)
    body = ir.LocalRef(x, span=span)
    return ir.Lambda(None, None, (ir.Arity(label, (ir.Param(x, type_),), None, None, body),), span=span)


def unit(*forms, source="a"):
    return ir.Unit(source, forms, (), frozenset())


def swapped(first, second):
    """(fn [x y] y) with these ids."""
    x, y = ir.Local(first, "x"), ir.Local(second, "y")
    arity = ir.Arity(0, (ir.Param(x), ir.Param(y)), None, None, ir.LocalRef(y))
    return ir.Lambda(None, None, (arity,))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (identity(), identity(span=Span(3, 4, 5, 6))),
        (identity(), identity(local=40, label=7)),
        (swapped(1, 2), swapped(2, 1)),
        (unit(identity()), unit(identity(), source="b")),
        (
            unit(ir.Loop(1, (), ir.Loop(2, (), ir.Recur(2, ())))),
            unit(ir.Loop(2, (), ir.Loop(1, (), ir.Recur(1, ())))),
        ),
        (ir.Constant(Vector.of(1, 2)), ir.Constant(Vector.of(0, 1, 2).slice(1, 3))),
    ],
)
def test_layout_and_numbering_do_not_count(a, b):
    assert content_hash(a) == content_hash(b)


DISTINCT = [
    identity(),
    identity(name="y"),
    identity(type_=types.Primitive("int")),
    identity(type_=types.Alias("int")),
    unit(identity()),
    ir.Loop(1, (), ir.Loop(2, (), ir.Recur(2, ()))),
    ir.Loop(1, (), ir.Loop(2, (), ir.Recur(1, ()))),
    ir.And((identity(),)),
    ir.Or((identity(),)),
    *[
        ir.Constant(value)
        for value in (
            *(None, False, 0, 1, -1, True, 1.0, 0.0, -0.0, math.nan, "", "1", "a", Vector([]), List(), Map({})),
            *(Set(), Vector.of(1), Vector.of(1, 1), Vector.of(Vector.of(1)), List.of(1), Set.of(1)),
            *(
                Map({1: 2}),
                Map({2: 1}),
                Map({1: 2, 2: 1}),
                Map({2: 1, 1: 2}),
                Vector.of("ab"),
                Vector.of("a", "b"),
            ),
        )
    ],
]


def test_everything_else_counts():
    hashes = [content_hash(item) for item in DISTINCT]
    assert len(set(hashes)) == len(DISTINCT)


def test_golden():
    """Changes only with IR_VERSION or the records; all caches are stale then."""
    assert content_hash(unit(ir.Def("identity", identity()), ir.Constant(Vector.of(1, 2.5, "a")))) == GOLDEN


GOLDEN = "7b90e2d41b2874770246427ebf653dadd621cf34787101637740f4380821454b"
