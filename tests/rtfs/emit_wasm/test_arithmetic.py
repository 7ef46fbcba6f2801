"""The edges of numbers: where wasm must leave, and where it must not."""

from __future__ import annotations

from typing import Any

import pytest

MAX, MIN = 2**63 - 1, -(2**63)

#: expression over ints `a` and `b`, arguments, whether wasm leaves
INTEGERS: list[tuple[str, int, int, bool]] = [
    ("(+ a b)", MAX, 1, True),
    ("(+ a b)", MAX, 0, False),
    ("(+ a b)", MIN, -1, True),
    ("(+ a b)", MIN, MAX, False),
    ("(+ a 1)", MAX - 1, 0, False),
    ("(+ a 1)", MAX, 0, True),
    ("(+ -1 a)", MIN, 0, True),
    ("(+ -9223372036854775808 a)", 0, 0, False),
    ("(+ -9223372036854775808 a)", -1, 0, True),
    ("(+ a b 1)", MAX - 1, 0, False),
    ("(+ a b -1)", MAX, 1, True),
    ("(- a b)", MIN, 1, True),
    ("(- a b)", 0, MIN, True),
    ("(- a b)", -1, MIN, False),
    ("(- a 1)", MIN, 0, True),
    ("(- a 1)", MIN + 1, 0, False),
    ("(- a -1)", MAX, 0, True),
    ("(- a -9223372036854775808)", -1, 0, False),
    ("(- a -9223372036854775808)", 0, 0, True),
    ("(- a)", MIN, 0, True),
    ("(- a)", MAX, 0, False),
    ("(* a b)", 3037000500, 3037000500, True),
    ("(* a b)", 3037000499, 3037000499, False),
    ("(* a b)", MIN, -1, True),
    ("(* a b)", -1, MIN, True),
    ("(* a b)", MIN, 1, False),
    ("(* a b)", 2**62, 2, True),
    ("(* a b)", 2**62, -2, False),
    ("(* a b)", 0, MIN, False),
    ("(* a 3)", MAX // 3, 0, False),
    ("(* a 3)", MAX // 3 + 1, 0, True),
    ("(inc a)", MAX, 0, True),
    ("(dec a)", MIN, 0, True),
    ("(dec a)", MIN + 1, 0, False),
    ("(abs a)", MIN, 0, True),
    ("(abs a)", MIN + 1, 0, False),
    ("(quot a b)", MIN, -1, True),
    ("(quot a b)", 7, -2, False),
    ("(quot a b)", 7, 0, True),
    ("(mod a b)", MIN, -1, False),
    ("(mod a b)", -7, 3, False),
    ("(mod a b)", 7, -3, False),
    ("(rem a b)", 7, 0, True),
    ("(/ a b)", 7, 2, False),
    ("(/ a b)", -8, 2, False),
    ("(/ a b)", 0, -5, False),
    ("(/ a b)", 1, 0, True),
    ("(/ a b)", 2**53 + 1, 2, True),
    ("(/ a b)", 2**53, 3, False),
    ("(/ a b 2)", 9, 2, False),
    ("(/ a 3.0)", 9, 0, False),
    ("(/ a 3.0)", MAX, 0, False),
    ("(= (/ a b) 4)", 8, 2, False),
    ("(= (/ a b) 4.0)", 8, 2, False),
    ("(= (/ a b) 4.5)", 9, 2, False),
    ("(int? (/ a b))", 9, 3, False),
    ("(int? (/ a b))", 9, 2, False),
    ("(< a 0.5)", 2**53, 0, False),
    ("(< a 0.5)", 2**53 + 1, 0, True),
    ("(= a 1.0)", 1, 0, False),
    ("(max a b)", MIN, MAX, False),
    ("(even? a)", MIN, 0, False),
    ("(odd? a)", -3, 0, False),
    # what a test tells about a variable must be true of all values that pass it
    ("(if (< a 10) (- a 9223372036854775807) 0)", -1, 0, False),
    ("(if (< a 10) (- a 9223372036854775807) 0)", -2, 0, True),
    ("(if (> a 10) (+ a 9223372036854775797) 0)", 11, 0, True),
    ("(if (> a -10) (- a 9223372036854775807) 0)", -2, 0, True),
    ("(if (not (< a b)) (inc a) 0)", MAX, 0, True),
    ("(if (< a b) (inc a) 0)", MAX - 1, MAX, False),
    ("(if (and (>= a 0) (< a 4)) (* a 2305843009213693951) 0)", 3, 0, False),
    ("(if (or (< a 0) (> a 4)) 0 (* a 2305843009213693952))", 4, 0, True),
    ("(if (= a 5) (+ a 9223372036854775802) 0)", 5, 0, False),
    ("(if (not= a 5) 0 (+ a 9223372036854775803))", 5, 0, True),
    ("(if (<= a b) (inc a) 0)", MAX, MAX, True),
    ("(loop [i a] (if (< i b) (recur (inc i)) (inc i)))", MAX - 3, MAX - 1, False),
    ("(loop [i a] (if (< i b) (recur (inc i)) (inc i)))", MAX - 3, MAX, True),
    ("(let [c (mod a 10)] (* c 1000000000000000000))", -9, 0, False),
    ("(let [c (abs a)] (if (< c 5) (- c 5) 0))", MIN + 1, 0, False),
]


@pytest.mark.parametrize(("expression", "a", "b", "leaves"), INTEGERS)
def test_integers(compiled: Any, expression: str, a: int, b: int, leaves: bool) -> None:
    both = compiled(f"(defn f [a : int b : int] {expression})")
    if leaves:
        both.leaves("f", a, b)
    else:
        both.agrees("f", a, b)


INF, NAN = float("inf"), float("nan")
FLOATS: list[tuple[str, float, float, bool]] = [
    ("(+ a b)", 1e308, 1e308, False),
    ("(- a)", 0.0, 0.0, False),
    ("(* a b)", -0.0, 5.0, False),
    ("(/ a b)", 1.0, 0.0, True),
    ("(/ a b)", 1.0, -0.0, True),
    ("(/ a b)", -0.0, 5.0, False),
    ("(/ a b)", 6.0, 2.0, False),
    ("(/ a b)", 1e300, 1.0, False),
    ("(/ a b)", 9223372036854775808.0, 1.0, False),
    ("(/ a b)", -9223372036854775808.0, 1.0, False),
    ("(/ a b)", INF, 1.0, False),
    ("(/ a b)", NAN, 1.0, False),
    ("(float (/ a b))", -0.0, 5.0, False),
    ("(quot a b)", -0.5, 1.0, False),
    ("(quot a b)", INF, 1.0, False),
    ("(floor a)", -2.5, 0.0, False),
    ("(floor a)", NAN, 0.0, True),
    ("(ceil a)", 9223372036854775808.0, 0.0, True),
    ("(round a)", 2.5, 0.0, False),
    ("(round a)", -2.5, 0.0, False),
    ("(round a)", 0.49999999999999994, 0.0, False),
    ("(int a)", INF, 0.0, False),
    ("(int a)", 9223372036854775808.0, 0.0, False),
    ("(int a)", -9223372036854775808.0, 0.0, False),
    ("(int a)", -3.9, 0.0, False),
    ("(sqrt a)", -0.0, 0.0, False),
    ("(sqrt a)", -1.0, 0.0, True),
    ("(sqrt a)", NAN, 0.0, False),
    ("(max a b)", NAN, 1.0, False),
    ("(max a b)", 1.0, NAN, False),
    ("(min a b)", 0.0, -0.0, False),
    ("(= a b)", NAN, NAN, False),
    ("(= a b)", 0.0, -0.0, False),
    ("(< a b)", NAN, 1.0, False),
    ("(not (< a b))", NAN, 1.0, False),
    ("(abs a)", -0.0, 0.0, False),
    ("(zero? a)", -0.0, 0.0, False),
]


@pytest.mark.parametrize(("expression", "a", "b", "leaves"), FLOATS)
def test_floats(compiled: Any, expression: str, a: float, b: float, leaves: bool) -> None:
    both = compiled(f"(defn f [a : float b : float] {expression})")
    if leaves:
        both.leaves("f", a, b)
    else:
        both.agrees("f", a, b)


def test_a_quotient_is_an_integer_or_a_float_by_its_value(compiled: Any) -> None:
    both = compiled("(defn f [a : int b : int] (/ a b))")
    assert type(both.agrees("f", 6, 3)) is int
    assert type(both.agrees("f", 7, 2)) is float
