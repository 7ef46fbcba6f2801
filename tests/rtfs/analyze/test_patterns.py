"""Destructuring, wherever something is bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs import evaluate
from rtfs.values import Vector


@pytest.mark.parametrize(
    ("pattern", "value", "names", "expected"),
    [
        ("[a b]", "[1 2]", "a b", "[1 2]"),
        ("[a b]", "'(1 2)", "a b", "[1 2]"),
        ("[a _ b]", "[1 2 3]", "a b", "[1 3]"),
        ("[a & r]", "[1 2 3]", "a r", "[1 [2 3]]"),
        ("[a & r]", "'(1 2 3)", "a r", "[1 [2 3]]"),
        ("[& [a b]]", "[1 2]", "a b", "[1 2]"),
        ("[[a] [b [c]] :as w]", "[[1] [2 [3]]]", "a b c w", "[1 2 3 [[1] [2 [3]]]]"),
        ("[a a]", "[1 2]", "a", "[2]"),
        ("{:keys [a b]}", "{:a 1}", "a b", "[1 nil]"),
        ("{:keys [a.b/c]}", "{:a.b/c 4}", "c", "[4]"),
        ("{:strs [a]}", '{"a" 1 :a 2}', "a", "[1]"),
        ('{:a x "b" y 3 z}', '{:a 1 "b" 2 3 4}', "x y z", "[1 2 4]"),
        ("{x :a}", "{:a 1}", "x", "[1]"),
        ("{:a {:keys [c]}}", "{:a {:c 9}}", "c", "[9]"),
        ("{:a [p q]}", "{:a [1 2]}", "p q", "[1 2]"),
        ("{:keys [a b] :or {b (inc a)} :as m}", "{:a 1}", "a b m", "[1 2 {:a 1}]"),
        ("{:keys [a] :or {a 5}}", "{:a nil}", "a", "[nil]"),
        ("{:a x & r}", "{:a 1 :b 2 :c 3}", "x r", "[1 {:b 2 :c 3}]"),
    ],
)
def test_bound(outcome, pattern, value, names, expected):
    assert outcome(f"(let [{pattern} {value}] [{names}])") == expected
    assert outcome(f"((fn [{pattern}] [{names}]) {value})") == expected
    assert outcome(f"(for [{pattern} [{value}]] [{names}])") == f"[{expected}]"
    assert outcome(f"(loop [{pattern} {value}] [{names}])") == expected


@pytest.mark.parametrize(
    ("pattern", "value", "message"),
    [
        ("[a b]", "[1 2 3]", "expected vector with exactly 2 elements, got vector with 3 elements"),
        ("[a b & r]", "[1]", "expected vector with at least 2 elements, got vector with 1 element"),
        ("[a]", "nil", "expected vector with exactly 1 elements, got nil"),
        ("[a]", '"x"', "expected vector with exactly 1 elements, got string"),
        ("{:keys [a]}", "nil", "expected map, got nil"),
        ("{:keys [a]}", "[1]", "expected map, got vector"),
    ],
)
def test_wrong_shape(outcome, pattern, value, message):
    operation = "map" if pattern.startswith("{") else "vector"
    assert (
        outcome(f"(let [{pattern} {value}] 1)")
        == f"!TypeError: Type error in {operation} destructuring: {message}"
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[1]", "a name or a pattern belongs here, got `1`"),
        ("[a & b c]", "after `& rest` only `:as name` may follow"),
        ("[a &]", "a name belongs after `&`"),
        ("[a :as 1]", "a name belongs after `:as`, got `1`"),
        ("{:keys [1]}", "`:keys` lists names, got `1`"),
        ("{:keys [a] :or {b 1}}", "`:or` has a default for `b`, which the pattern does not bind"),
        ("{x [1]}", "a map pattern takes a keyword, string or integer as key, got a vector"),
    ],
)
def test_no_pattern(outcome, pattern, message):
    assert outcome(f"(let [{pattern} 1] 1)") == f"!InvalidProgram: {message}"


@given(st.lists(st.integers(-9, 9), max_size=8), st.integers(0, 8))
def test_a_rest_is_what_the_names_leave(items, count):
    names = " ".join(f"n{i}" for i in range(count))
    text = " ".join(map(str, items))
    program = f"(try (let [[{names} & r] [{text}]] [[{names}] r]) (catch TypeError e nil))"
    expected = Vector.of(Vector(items[:count]), Vector(items[count:])) if count <= len(items) else None
    assert evaluate(program) == expected
