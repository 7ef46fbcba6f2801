"""Functions as WebAssembly: beside wasm written by hand under the same engine, and beside our Python backend.

`python benchmarks/wasm.py [--json]`

What is written by hand checks nothing: no overflow, no bounds of indexes. Needs the package wasmtime.

Programs whose functions become wasm by themselves run in processes of their own, with and without that; there
processor time counts, of all threads, so that what it takes to find out that nothing pays counts, too. Of the
rounds the least counts: what else the machine does only adds to it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import wasmtime

import rtfs
from benchmarks.measure import Row, bound, ratio, report
from rtfs import ir
from rtfs.emit_wasm import compile_unit
from rtfs.emit_wasm.engine import engine
from rtfs.emit_wasm.execute import Executor
from rtfs.emit_wasm.names import below
from rtfs.values import Value, Vector

STEPS = 10_000_000
SIEVE = 1_000_000
#: what Python sieves: there each crossing out copies a path of a tree, and a million numbers take a minute
SIEVE_IN_PYTHON = 50_000
ITEMS = 1_000_000
MAPPED = 100_000
CHARACTERS = 100_000
#: of processes, in turns
ROUNDS = 5

SOURCE = """
(defn ^{:tier :wasm} fib [n : int] : int
  (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))

(defn ^{:tier :wasm} steps [n : int] : int
  (loop [i 0 total 0]
    (if (< i n) (recur (inc i) (+ total (mod i 7))) total)))

(defn ^{:tier :wasm} point [cx : float cy : float limit : int] : int
  (loop [x 0.0 y 0.0 i 0]
    (if (or (>= i limit) (> (+ (* x x) (* y y)) 4.0))
      i
      (recur (+ (- (* x x) (* y y)) cx) (+ (* 2.0 x y) cy) (inc i)))))

(defn ^{:tier :wasm} tile [left : float top : float step : float size : int limit : int] : int
  (loop [row 0 column 0 total 0]
    (cond
      (>= row size) total
      (>= column size) (recur (inc row) 0 total)
      :else (recur row (inc column)
                   (+ total (point (+ left (* step column)) (+ top (* step row)) limit))))))

(defn ^{:tier :wasm} sieve [n : int] : int
  (loop [flags (repeat (+ n 1) 1) i 2 found 0]
    (if (> i n)
      found
      (if (= 1 (nth flags i))
        (recur (loop [crossed flags j (* i i)]
                 (if (> j n) crossed (recur (assoc crossed j 0) (+ j i))))
               (inc i) (inc found))
        (recur flags (inc i) found)))))

(defn ^{:tier :wasm} dot [a : [:vector :float] b : [:vector :float]] : float
  (reduce + 0.0 (map * a b)))

(defn ^{:tier :wasm} letters [text : string letter : string] : int
  (loop [i 0 found 0]
    (if (< i (count text))
      (recur (inc i) (if (= (nth text i) letter) (inc found) found))
      found)))

(defn ^{:tier :wasm} same [n : int] : int n)
"""

BY_HAND = """
(module
  (memory (export "memory") 300)
  (func $fib (export "fib") (param $n i64) (result i64)
    (if (result i64) (i64.lt_s (local.get $n) (i64.const 2))
      (then (local.get $n))
      (else (i64.add (call $fib (i64.sub (local.get $n) (i64.const 1)))
                     (call $fib (i64.sub (local.get $n) (i64.const 2)))))))
  (func (export "steps") (param $n i64) (result i64) (local $i i64) (local $total i64)
    (block $out (loop $next
      (br_if $out (i64.ge_s (local.get $i) (local.get $n)))
      (local.set $total (i64.add (local.get $total) (i64.rem_s (local.get $i) (i64.const 7))))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br $next)))
    (local.get $total))
  (func $point (param $cx f64) (param $cy f64) (param $limit i64) (result i64)
    (local $x f64) (local $y f64) (local $xx f64) (local $yy f64) (local $i i64)
    (block $out (loop $next
      (br_if $out (i64.ge_s (local.get $i) (local.get $limit)))
      (local.set $xx (f64.mul (local.get $x) (local.get $x)))
      (local.set $yy (f64.mul (local.get $y) (local.get $y)))
      (br_if $out (f64.gt (f64.add (local.get $xx) (local.get $yy)) (f64.const 4)))
      (local.set $y (f64.add (f64.mul (f64.mul (f64.const 2) (local.get $x)) (local.get $y)) (local.get $cy)))
      (local.set $x (f64.add (f64.sub (local.get $xx) (local.get $yy)) (local.get $cx)))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br $next)))
    (local.get $i))
  (func (export "tile")
    (param $left f64) (param $top f64) (param $step f64) (param $size i64) (param $limit i64) (result i64)
    (local $row i64) (local $column i64) (local $total i64)
    (block $out (loop $rows
      (br_if $out (i64.ge_s (local.get $row) (local.get $size)))
      (local.set $column (i64.const 0))
      (block $end (loop $columns
        (br_if $end (i64.ge_s (local.get $column) (local.get $size)))
        (local.set $total (i64.add (local.get $total) (call $point
          (f64.add (local.get $left) (f64.mul (local.get $step) (f64.convert_i64_s (local.get $column))))
          (f64.add (local.get $top) (f64.mul (local.get $step) (f64.convert_i64_s (local.get $row))))
          (local.get $limit))))
        (local.set $column (i64.add (local.get $column) (i64.const 1)))
        (br $columns)))
      (local.set $row (i64.add (local.get $row) (i64.const 1)))
      (br $rows)))
    (local.get $total))
  (func (export "sieve") (param $n i64) (result i64)
    (local $i i64) (local $j i64) (local $found i64)
    (local.set $i (i64.const 0))
    (block $filled (loop $fill
      (br_if $filled (i64.gt_s (local.get $i) (local.get $n)))
      (i64.store (i32.shl (i32.wrap_i64 (local.get $i)) (i32.const 3)) (i64.const 1))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br $fill)))
    (local.set $i (i64.const 2))
    (block $out (loop $next
      (br_if $out (i64.gt_s (local.get $i) (local.get $n)))
      (if (i64.eq (i64.load (i32.shl (i32.wrap_i64 (local.get $i)) (i32.const 3))) (i64.const 1))
        (then
          (local.set $j (i64.mul (local.get $i) (local.get $i)))
          (block $crossed (loop $cross
            (br_if $crossed (i64.gt_s (local.get $j) (local.get $n)))
            (i64.store (i32.shl (i32.wrap_i64 (local.get $j)) (i32.const 3)) (i64.const 0))
            (local.set $j (i64.add (local.get $j) (local.get $i)))
            (br $cross)))
          (local.set $found (i64.add (local.get $found) (i64.const 1)))))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br $next)))
    (local.get $found))
  (func (export "dot") (param $a i32) (param $b i32) (param $n i32) (result f64)
    (local $end i32) (local $total f64)
    (local.set $end (i32.add (local.get $a) (i32.shl (local.get $n) (i32.const 3))))
    (block $out (loop $next
      (br_if $out (i32.eq (local.get $a) (local.get $end)))
      (local.set $total
        (f64.add (local.get $total) (f64.mul (f64.load (local.get $a)) (f64.load (local.get $b)))))
      (local.set $a (i32.add (local.get $a) (i32.const 8)))
      (local.set $b (i32.add (local.get $b) (i32.const 8)))
      (br $next)))
    (local.get $total))
  (func (export "same") (param i64) (result i64) (local.get 0))
)
"""


class ByHand:
    """The module above under our engine, with its limits on."""

    def __init__(self) -> None:
        shared = engine()
        self.store = wasmtime.Store(shared.engine)
        self.store.set_epoch_deadline(1 << 40)
        module = wasmtime.Module(shared.engine, wasmtime.wat2wasm(BY_HAND))
        self._exports = wasmtime.Instance(self.store, module, []).exports(self.store)

    def __call__(self, name: str, *args: Any) -> Any:
        return self._exports[name](self.store, *args)  # type: ignore[operator]

    def fill(self, address: int, items: list[float]) -> None:
        from array import array

        memory: Any = self._exports["memory"]
        memory.write(self.store, array("d", items).tobytes(), address)


def python_functions() -> Callable[..., Value]:
    """Our Python backend alone."""
    linked = rtfs.compile(SOURCE.replace(":tier :wasm", ":tier :python")).link()
    limits = rtfs.Limits()
    return lambda name, *args: linked.call(name, *args, limits=limits)


TILE = (-2.0, -1.25, 0.04, 64, 200)
#: what is measured, the function, its arguments, and those with which Python is compared
CASES: list[tuple[str, str, tuple[Any, ...], tuple[Any, ...]]] = [
    ("fib(30)", "fib", (30,), (30,)),
    (f"a loop of {STEPS:.0e} steps", "steps", (STEPS,), (STEPS,)),
    ("64 x 64 points of Mandelbrot", "tile", TILE, TILE),
    (f"the primes up to {SIEVE:.0e}", "sieve", (SIEVE,), (SIEVE_IN_PYTHON,)),
]


def kernels() -> list[Row]:
    ours = Executor().load(compile_unit(rtfs.compile(SOURCE).unit))
    hand, python = ByHand(), python_functions()
    rows = []
    for what, name, args, fewer in CASES:
        assert ours[name](*args) == hand(name, *args)
        assert ours[name](*fewer) == python(name, *fewer)
        rows.append(
            ratio(
                what,
                partial(ours[name], *args),
                partial(hand, name, *args),
                peer_name="wasm by hand",
                at_most=1.5,
            )
        )
        rows.append(
            ratio(
                what if args == fewer else f"  the same up to {fewer[0]:.0e}",
                partial(ours[name], *fewer),
                partial(python, name, *fewer),
                peer_name="our Python backend",
                at_most=0.05,
                rounds=15 if name == "tile" else 3,
            )
        )
    return rows + products(ours["dot"], python) + letters(ours["letters"], python)


def products(dot: Any, python: Callable[..., Value]) -> list[Row]:
    """Of the same vectors again and again, which lie in wasm's memory then, and of new ones."""
    chance = random.Random(1)
    first, second = ([chance.random() for _ in range(ITEMS)] for _ in range(2))
    a, b = Vector(first), Vector(second)
    hand = ByHand()
    hand.fill(0, first)
    hand.fill(8 * ITEMS, second)
    assert dot(a, b) == hand("dot", 0, 8 * ITEMS, ITEMS) == python("dot", a, b)
    what = f"the dot product of {ITEMS:.0e} floats"
    peer = "our Python backend"
    return [
        ratio(
            what,
            partial(dot, a, b),
            partial(hand, "dot", 0, 8 * ITEMS, ITEMS),
            peer_name="wasm by hand",
            at_most=1.5,
        ),
        ratio(what, partial(dot, a, b), partial(python, "dot", a, b), peer_name=peer, at_most=0.05, rounds=3),
        ratio(
            "  the same of new vectors",
            lambda: dot(Vector(first), Vector(second)),
            lambda: python("dot", Vector(first), Vector(second)),
            peer_name=peer,
            at_most=1.0,
            rounds=3,
        ),
    ]


def letters(ours: Any, python: Callable[..., Value]) -> list[Row]:
    """In the same text again and again, which lies in wasm's memory then, and in new ones."""
    chance = random.Random(2)
    text = "".join(chance.choices("abcdéf ", k=CHARACTERS))
    assert ours(text, "a") == python("letters", text, "a") == text.count("a")
    peer = "our Python backend"
    return [
        ratio(
            f"one letter in a text of {CHARACTERS:.0e} characters",
            partial(ours, text, "a"),
            partial(python, "letters", text, "a"),
            peer_name=peer,
            at_most=0.05,
            rounds=5,
        ),
        ratio(
            "  the same in new texts",
            lambda: ours(text[1:], "a"),
            lambda: python("letters", text[1:], "a"),
            peer_name=peer,
            at_most=0.05,
            rounds=5,
        ),
    ]


def costs() -> list[Row]:
    unit = rtfs.compile(SOURCE).unit
    nodes = sum(1 for form in unit.forms if isinstance(form, ir.Def) for _ in below(form))
    made = compile_unit(unit)
    assert made.module is not None
    shared = engine()
    same, hand = Executor().load(made)["same"], ByHand()
    module = made.module
    calls = range(2_000)
    return [
        bound(
            f"to compile 100 nodes (of {nodes})",
            lambda: compile_unit(unit),
            lambda: wasmtime.Module(shared.engine, module),
            peer_name="wasmtime, to machine code",
            at_most_s=5e-3,
            repeats=nodes / 100,  # type: ignore[arg-type]
        ),
        bound(
            "to call a function of one integer",
            lambda: [same(number) for number in calls],
            lambda: [hand("same", number) for number in calls],
            peer_name="wasmtime's own call",
            at_most_s=25e-6,
            repeats=len(calls),
        ),
    ]


def mapped() -> list[Row]:
    """`map` over a vector, beside what the calls would take one by one, and beside Python."""
    text = "(defn ^{:tier :wasm} f [n : int] : int (+ (* n n) 1)) (defn go [v] (count (map f v)))"
    program, vector, limits = rtfs.compile(text), Vector(list(range(MAPPED))), rtfs.Limits()
    linked, plain = (
        program.link(),
        rtfs.compile(text.replace(":wasm", ":python").replace("go [", "^{:tier :python} go [")).link(),
    )
    one: Any = Executor().load(compile_unit(program.unit))["f"]
    return [
        ratio(
            f"map of a function over {MAPPED:.0e} integers",
            lambda: linked.call("go", vector, limits=limits),
            lambda: [one(number) for number in range(MAPPED)],
            peer_name="a call for each",
            at_most=0.2,
        ),
        ratio(
            "  the same",
            lambda: linked.call("go", vector, limits=limits),
            lambda: plain.call("go", vector, limits=limits),
            peer_name="our Python backend",
            at_most=1.0,
        ),
    ]


LOOP = "(loop [i 0 s 0] (if (< i n) (recur (+ i 1) (+ s i)) s))"
#: programs whose functions do not ask for it, how often each runs, and what they may take of what Python takes
BY_THEMSELVES: list[tuple[str, str, int, float]] = [
    ("fib(27)", "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (fib 27)", 120, 0.5),
    ("loops", f"(defn f [n] {LOOP}) (reduce + 0 (map f (range 2000)))", 30, 0.6),
    ("short calls", "(defn f [n] (* n n)) (reduce + 0 (map f (range 200000)))", 12, 1.05),
    ("strings", '(defn f [s] (str s "x")) (count (map f (range 50000)))', 12, 1.05),
    ("long calls, then short ones", f"(defn f [n] {LOOP}) (reduce + 0 (map f (concat (repeat 1000 1000) "
     "(repeat 100000 1))))", 12, 1.05),
    ("calls that overflow", "(defn mul [a b] (* a b)) (defn f [n] (let [s (loop [i 0 s 1] (if (< i 300) "
     "(recur (+ i 1) (+ s i)) s))] (mul (mul s 9223372036854775) n))) (defn safe [n] (try (f n) (catch e 0))) "
     "(reduce + 0 (map safe (range 4000)))", 12, 1.05),
    ("large vectors", "(defn f [v i] (loop [k 0 s 0] (if (< k 300) (recur (inc k) (+ s (nth v i))) s))) "
     "(defn go [v i] (f (assoc v 0 i) 5)) (let [v (vec (range 100000))] (reduce + 0 (map (fn [i] (go v i)) "
     "(range 1000))))", 20, 1.05),
    ("nothing to do", "(defn f [n] (* n 2)) (f 3)", 20_000, 1.05),
]  # fmt: skip
CHILD = """
import sys, time, rtfs
linked, limits = rtfs.compile(sys.argv[1]).link(), rtfs.Limits()
linked.run(limits=limits)
start = time.process_time()
for _ in range(int(sys.argv[2])):
    linked.run(limits=limits)
print(time.process_time() - start)
"""


def in_a_process(text: str, runs: int, tier: str) -> float:
    """Seconds of processor time for that many runs, in a process that has done nothing else."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", CHILD, text, str(runs)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        command, env={**environment, "RTFS_TIER": tier}, cwd=root, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def by_themselves() -> list[Row]:
    rows = []
    for what, text, runs, at_most in BY_THEMSELVES:
        pairs = [[in_a_process(text, runs, tier) / runs for tier in ("", "python")] for _ in range(ROUNDS)]
        ours, python = map(min, zip(*pairs, strict=True))
        figure = ours / python
        rows.append(
            Row(
                f"by itself: {what}", ours, python, "our Python backend", figure, "x", f"<= {at_most:g} x",
                figure <= at_most,
            )
        )  # fmt: skip
    return rows


def main() -> int:
    return report("Functions as WebAssembly", kernels() + mapped() + costs() + by_themselves())


if __name__ == "__main__":
    raise SystemExit(main())
