"""`assoc` in loops: in place where nobody can see it, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from rtfs import ir
from rtfs.emit_wasm.names import below
from rtfs.emit_wasm.ownership import Ownership
from rtfs.program import compile as compile_program

V = "v : [:vector :int]"
STEP = "(if (< i 2) {} {})"

#: the loop, whether its first vector may be changed in place
LOOPS: list[tuple[str, bool]] = [
    ("(loop [w v i 0] (if (< i 2) (recur (assoc w i 9) (inc i)) w))", True),
    ("(loop [w v i 0] (if (< i 2) (recur (assoc w i (+ 1 (nth w 1))) (inc i)) (nth w 0)))", True),
    ("(loop [w v i 0] (if (< i 2) (let [x (nth w i) u (assoc w i (* x 10))] (recur u (inc i))) w))", True),
    ("(loop [w v i 0] (if (< i 2) (recur (if (= i 0) w (assoc w 0 (count w))) (inc i)) w))", True),
    ("(loop [w v i 0] (if (< i 2)"
     " (recur (loop [u w j 0] (if (< j 2) (recur (assoc u j i) (inc j)) u)) (inc i)) w))", True),
    # another variable holds the old vector
    ("(loop [w v o v i 0] (if (< i 2) (recur (assoc w i 9) w (inc i)) o))", False),
    ("(loop [w v o w i 0] (if (< i 2) (recur (assoc w i 9) o (inc i)) o))", False),
    # the old vector is looked at after the new one is made
    ("(loop [w v i 0] (if (< i 2) (recur (assoc w i 9) (+ 1 i (* 0 (nth w i)))) w))", False),
    ("(loop [w v i 0] (if (< i 1) (recur (assoc (assoc w 0 (nth w 1)) 1 (nth w 0)) (inc i)) w))", False),
    ("(loop [w v i 0] (if (< i 2) (let [u (assoc w i 9) x (nth w i)] (recur (assoc u i (+ x 1)) (inc i))) w))",
     False),
    ("(loop [w v i 0 s 0] (if (< i 2)"
     " (let [u (assoc w i 9)] (recur w (inc i) (+ s (nth u i)))) (+ s (nth w 0))))", False),
    ("(loop [w v i 0] (if (< i 2)"
     " (recur (loop [u w j 0] (if (< j 2) (recur (assoc u j (nth w 1)) (inc j)) u)) (inc i)) w))", False),
    # another variable of the loop begins as the same vector
    ("(loop [w (repeat 3 1) o w i 0] (if (< i 2) (recur (assoc w i 9) o (inc i)) o))", False),
    # the old vector goes on under another name
    ("(loop [w v o [5 6 7] i 0] (if (< i 2) (let [u (assoc w i 9)] (recur u w (inc i))) o))", False),
    ("(loop [w v i 0] (if (< i 2) (let [u (assoc w i 9)] (recur u (+ 1 i (* 0 (nth w i))))) w))", False),
    ("(loop [w v o [5 6 7] i 0] (if (< i 2)"
     " (let [a (assoc w i 9) b (assoc a 0 4)] (recur b a (inc i))) o))", False),
    ("(loop [w v i 0] (if (< i 2) (let [a (assoc w i 9) b (assoc a 0 i)] (recur b (inc i))) w))", True),
    # a function sees it
    ("(loop [w v i 0] (if (< i 2) (let [g (fn [k] (nth w k))] (recur (assoc w i (g 1)) (inc i))) w))", False),
    ("(loop [w v i 0] (if (< i 2) (recur (assoc (id w) i 9) (inc i)) w))", False),
]  # fmt: skip


@pytest.mark.parametrize(("loop", "in_place"), LOOPS)
def test_values_are_the_interpreters(compiled: Any, loop: str, in_place: bool) -> None:
    both = compiled(f"(defn id [{V}] v) (defn f [{V}] {loop}) (defn again [{V}] (let [a {loop}] (nth v 0)))")
    for args in ([1, 2, 3], [4, 5, 6], [4, 5, 6]):
        both.agrees("f", args)
        both.agrees("again", args)


@pytest.mark.parametrize(("loop", "in_place"), LOOPS)
def test_in_place_only_where_nobody_can_see_it(loop: str, in_place: bool) -> None:
    unit = compile_program(f"(defn id [{V}] v) (defn f [{V}] {loop})").unit
    found = next(node for form in unit.forms for node in below(form) if isinstance(node, ir.Loop))
    ownership = Ownership(found, 0)
    assert (ownership.holds and bool(ownership.in_place)) == in_place
