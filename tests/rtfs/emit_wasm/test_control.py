from __future__ import annotations

from typing import Any

import pytest

CASES: list[tuple[str, list[tuple[int, ...]]]] = [
    ("(defn f [n : int] (if (< n 2) n (+ (f (- n 1)) (f (- n 2)))))", [(0,), (15,)]),
    ("(defn f [n : int] (loop [i 0 s 0] (if (< i n) (recur (inc i) (+ s i)) s)))", [(0,), (1000,)]),
    ("(defn f [n : int s : int] (if (= n 0) s (f (- n 1) (+ s n))))", [(100_000, 0)]),
    ("(defn f [n : int s : int] (if (= n 0) s (recur (- n 1) (+ s n))))", [(100_000, 0)]),
    ("(defn f [n] (if (= n 0) true (g (- n 1)))) (defn g [n] (if (= n 0) false (f (- n 1))))", [(100_001,)]),
    ("(defn f [n] (or (= n 0) (f (- n 1))))", [(100_000,)]),
    ("(defn f [n] (and (not= n 7) (or (= n 0) (f (- n 1)))))", [(6,), (10_000,)]),
    ("(defn f [n] (match n 0 1 k when (> k 3) (* k 2) _ 7))", [(0,), (2,), (9,)]),
    ("(defn f [n] (cond (< n 0) -1 (= n 0) 0 :else 1))", [(-5,), (0,), (5,)]),
    ("(defn f [n] (case n 1 10 (2 3) 20 30))", [(1,), (3,), (4,)]),
    ("(defn f [n] (let [k (fn [x] (* x n))] (k (k 2))))", [(5,)]),
    ("(defn f [n] (let [g (fn [i a] (if (= i 0) a (g (- i 1) (+ a n))))] (g n 0)))", [(9,)]),
    ("(defn f [n] (let [e (fn [i] (if (= i 0) true (o (dec i))))"
     "                  o (fn [i] (if (= i 0) false (e (dec i))))] (e n)))",
     [(1000,), (1001,)]),
    ("(defn f [n] (loop [i 0 s 0] (if (< i n) (recur (inc i) (let [h (fn [x] (+ x i))] (+ s (h 1)))) s)))",
     [(10,)]),
    ("(defn f [n] (loop [i 0 s 0] (if (< i n)"
     " (recur (inc i) (loop [j 0 t s] (if (< j i) (recur (inc j) (+ t j)) t))) s)))",
     [(12,)]),
    ("(defn f [n] (do (* n n) (inc n)))", [(3,)]),
    ("(defn f [n] (if n 1 2))", [(0,)]),
    ("(defn f [n] (if (and n (< n 5)) 1 2))", [(3,), (7,)]),
    ("(defn f [n] ((fn self [k] (if (< k 1) 0 (+ 2 (self (dec k))))) n))", [(5,)]),
    ("(defn sq [x] (* x x)) (defn f [n] (if (= 4.0 (sq 2.0)) (sq n) 0))", [(3,)]),
    ("(defn f [n] (when (> n 100) nil))", [(3,)]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "calls"), CASES)
def test_control(compiled: Any, source: str, calls: list[tuple[int, ...]]) -> None:
    both = compiled(source)
    for args in calls:
        both.agrees("f", *args)


def test_recursion_deeper_than_wasms_stack_leaves(compiled: Any) -> None:
    both = compiled("(defn f [n : int] : int (if (= n 0) 0 (+ 1 (f (- n 1)))))")
    both.agrees("f", 1000)
    assert "too deeply" in both.leaves("f", 1_000_000)
    both.agrees("f", 1000)


def test_no_clause_leaves(compiled: Any) -> None:
    both = compiled("(defn f [n : int] (match n 1 2))")
    both.agrees("f", 1)
    assert "no clause" in both.leaves("f", 2)
