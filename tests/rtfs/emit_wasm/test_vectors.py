from __future__ import annotations

from typing import Any

import pytest

V = "v : [:vector :int]"
CASES: list[tuple[str, list[list[object]]]] = [
    (f"(defn f [{V}] (count v))", [[[]], [[1, 2]]]),
    (f"(defn f [{V}] (map (fn [x] (* x x)) v))", [[[]], [[1, -2, 3]]]),
    (f"(defn f [{V}] (map inc (filter even? v)))", [[[1, 2, 3, 4]]]),
    (f"(defn f [{V}] (remove (fn [x] (> x 2)) v))", [[[1, 2, 3, 4]], [[9]]]),
    (f"(defn f [{V}] (reduce + 0 v))", [[[]], [[1, 2, 3]]]),
    (f"(defn f [{V}] (reduce max v))", [[[4]], [[1, 9, 3]]]),
    (f"(defn f [{V}] (reduce (fn [a x] (+ (* 10 a) x)) 0 v))", [[[1, 2, 3]]]),
    (f"(defn f [{V} k : int] (map (fn [x] (+ x k)) v))", [[[1, 2], 5]]),
    (f"(defn f [{V}] (nth v 1))", [[[1, 2]]]),
    (f"(defn f [{V}] (nth v -1 7))", [[[1, 2]]]),
    (f"(defn f [{V}] (get v 5 7))", [[[1, 2]], [[1, 2, 3, 4, 5, 6]]]),
    (f"(defn f [{V}] (+ (first v) (last v)))", [[[1, 2, 5]], [[3]]]),
    (f"(defn f [{V}] (if (empty? v) 1 0))", [[[]], [[3]]]),
    (f"(defn f [{V}] (assoc v 1 9))", [[[1, 2, 3]]]),
    ("(defn f [n : int] (range n))", [[0], [5], [-3]]),
    ("(defn f [n : int] (range 2 n 3))", [[2], [9], [-3]]),
    ("(defn f [n : int] (range n 0 -2))", [[5], [0], [-3]]),
    ("(defn f [n : int] (repeat n 1.5))", [[0], [3], [-3]]),
    ("(defn f [n : int] [n (inc n) 3])", [[1]]),
    ("(defn f [n : int] (nth [5 6 7] n))", [[2]]),
    ("(defn g [n] (if (< n 2) 1 (* n (g (dec n))))) (defn f [n : int] (map g (range n)))", [[6]]),
    ("(defn f [a : [:vector :float] b : [:vector :float]] (reduce + 0.0 (map * a b)))",
     [[[1.0, 2.0], [3.0, 4.0, 5.0]], [[], [1.0]]]),
    ("(defn f [n : int] (map (fn [i] (reduce + (map (fn [j] (* i j)) [1 2 3]))) (range n)))", [[4]]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "calls"), CASES)
def test_vectors(compiled: Any, source: str, calls: list[list[object]]) -> None:
    both = compiled(source)
    for args in calls:
        both.agrees("f", *args)


LEAVES: list[tuple[str, list[object]]] = [
    (f"(defn f [{V}] (nth v 5))", [[1, 2]]),
    (f"(defn f [{V}] (nth v -1))", [[1, 2]]),
    (f"(defn f [{V}] (get v 2))", [[1, 2]]),
    (f"(defn f [{V}] (first v))", [[]]),
    (f"(defn f [{V}] (reduce + v))", [[]]),
    (f"(defn f [{V}] (assoc v 2 9))", [[1, 2]]),
    (f"(defn f [{V}] (reduce * v))", [[2**62, 4]]),
    (f"(defn f [{V}] (count v))", [[1, 2.0]]),
    (f"(defn f [{V}] (count v))", [[1, True]]),
    (f"(defn f [{V}] (count v))", ["text"]),
    ("(defn f [n : int] (range n))", [10**12]),
    ("(defn f [n : int] (count (repeat n 1)))", [40_000_000]),
]


@pytest.mark.parametrize(("source", "args"), LEAVES)
def test_what_leaves(compiled: Any, source: str, args: list[object]) -> None:
    compiled(source).leaves("f", *args)


def test_a_vector_that_is_given_again_is_not_copied_and_not_changed(compiled: Any) -> None:
    from rtfs.values import Vector

    both = compiled(
        f"(defn f [{V}] (loop [w v i 0] (if (< i (count w)) (recur (assoc w i 0) (inc i)) w)))"
        f"(defn g [{V} w : [:vector :int]] (+ (reduce + v) (reduce * w)))"
    )
    first, second = Vector([1, 2, 3]), Vector([4, 5])
    for _ in range(3):
        assert both.wasm("f", first) == Vector([0, 0, 0])
        assert both.wasm("g", first, second) == 26
        assert both.wasm("g", second, first) == 15
        assert both.wasm("g", first, first) == 12


def test_large_vectors_grow_memory(compiled: Any) -> None:
    both = compiled(f"(defn f [{V}] (map inc v))")
    assert len(both.agrees("f", list(range(50_000)))) == 50_000
    assert len(both.agrees("f", list(range(10)))) == 10
