"""Errors as JSON data: the keys that scripts rely on."""

from __future__ import annotations

import json

import pytest

import rtfs
from rtfs.error_json import describe, place
from rtfs.errors import DivisionByZero, Generic, Span

KEYS = {
    *("category", "code", "message", "hint", "source", "line", "column", "end_line", "end_column"),
    *("trace", "causes"),
}


def test_an_error_of_a_program():
    with pytest.raises(DivisionByZero) as raised:
        rtfs.evaluate("(defn f [x]\n  (/ x 0))\n(+ 1 (f 2))", source_name="plan.rtfs")
    found = describe(raised.value)
    assert found.keys() == KEYS
    assert (found["category"], found["code"], found["source"]) == (
        "DivisionByZero",
        "division-by-zero",
        "plan.rtfs",
    )
    assert (found["line"], found["column"], found["end_line"], found["end_column"]) == (2, 3, 2, 10)
    assert [frame["function"] for frame in found["trace"]] == ["f"]
    assert found["trace"][0]["line"] == 3
    assert json.loads(json.dumps(found)) == found


def test_causes_come_in_order_and_end():
    first, second = Generic("first"), Generic("second")
    second.cause = first
    assert [each["message"] for each in describe(second)["causes"]] == ["Runtime error: first"]
    first.cause = second
    assert len(describe(second)["causes"]) == 1


def test_places():
    assert place(Span(1, 2, 3, 4)) == {"line": 1, "column": 2, "end_line": 3, "end_column": 4}
    assert set(place(None).values()) == {None}
