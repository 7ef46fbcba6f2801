"""Programs as text, from reader to value; the same units after a round trip through the codec."""

from __future__ import annotations

import pytest

from rtfs import errors
from rtfs.analyze import analyze
from rtfs.host import PureHost
from rtfs.interpret import run_unit
from rtfs.ir_codec import content_hash, decode, encode
from rtfs.ir_text import ir_text
from rtfs.namespace import Modules
from rtfs.printer import pr_str
from rtfs.reader import read
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext

#: program, what it prints or `!` and the category of its error
CASES = [
    ("((fn [a & r] r) 1 2 3)", "(2 3)"),
    ("(let [[h & t] [1 2 3]] t)", "[2 3]"),
    ("(let [[a b] [1 2 3]] a)", "!TypeError"),
    (
        "(let [ev (fn [n] (if (= n 0) true (od (dec n))))"
        " od (fn [n] (if (= n 0) false (ev (dec n))))] (ev 1000))",
        "true",
    ),
    ("(match {:a 1 :b 2} {:a x} x _ :open)", ":open"),
    ("(match [:ok 5] [:ok n] when (> n 3) n _ nil)", "5"),
    (
        "(try (/ 1 0) (catch ArityMismatch e 1) (catch DivisionByZero e (getMessage e)))",
        '"Division by zero"',
    ),
    ("(for [x [1 2] y [3 4]] (* x y))", "[3 4 6 8]"),
    ("[(:k {:k 1}) (:z {} 9) (get [1 2] -1) (/ 6.0 2)]", "[1 9 nil 3]"),
    ("(map #(+ % 1) [1 2])", "[2 3]"),
    ("((fn [x :int & ys :int] x) 1 2 \"3\")", "!TypeValidationError"),
    ("(defn f ([a] a) ([a & r] r)) [(f 1) (f 1 2)]", "[1 (2)]"),
    ("(defn f [n] (if (= n 0) :done (recur (dec n)))) (f 20000)", ":done"),
    ("(loop [i 0 acc []] (if (< i 3) (recur (inc i) (conj acc (fn [] i))) (map (fn [f] (f)) acc)))", "[0 1 2]"),
    ("(defn f [] (def x 1) (def x (inc x)) x) [(f) (f)]", "[2 2]"),
    ("(for [x [1 2]] (do (def y (* x 10)) y))", "[10 20]"),
    ("(defstruct P :x int) (P {:x \"a\"})", "!TypeValidationError"),
    ("(try (throw {:type :odd :message \"m\"}) (catch :odd e (:message e)))", '"m"'),
    ("(try (throw :a) (catch :b e 1) (finally (/ 1 0)))", "!DivisionByZero"),
    ("(def log []) (try (do (def log (conj log 1)) (/ 1 0)) (catch _ e log) (finally nil))", "[1]"),
    ("(module m (:exports [x]) (def x 1) (def y 2)) [m/x (try m/y (catch ModuleError e :no))]", "[1 :no]"),
    ("(await (async (+ 1 2)))", "3"),
    ("(race (+ 1 2) (/ 1 0))", "3"),
    ("(step \"s\" :params {\"a\" 1} (get %params \"a\"))", "1"),
    ("(dotimes [i 3] i)", "2"),
    ("(let [f 5] (f 1))", "!TypeError"),
    ("(apply inc [1 2])", "!ArityMismatch"),
    ("(reduce (fn [a] a) [1 2])", "!ArityMismatch"),
    ("(defn f [n] (+ 1 (f n))) (f 1)", "!StackOverflow"),
    ("(defn f [n] (+ 1 (f n))) (try (f 1) (catch _ e 1) (finally 2))", "!StackOverflow"),
    ("(defmacro twice [x] `(do ~x ~x)) (twice 5)", "5"),
    ("nowhere", "!UndefinedSymbol"),
    ("`(1 ~(+ 1 1) ~@[3 4])", "(1 2 3 4)"),
]  # fmt: skip


def result(unit):
    modules = Modules({}.get, run_unit)
    with running(Run(PureHost(), RuntimeContext.full(), Limits(depth=2000))):
        try:
            return pr_str(run_unit(unit, modules.frame(), modules))
        except errors.RtfsError as error:
            return f"!{error.category}"


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_program(text, expected):
    unit = analyze(read(text))
    assert result(unit) == expected
    stored = decode(encode(unit))
    assert stored == unit
    assert result(stored) == expected


@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_the_hash_does_not_see_layout(text):
    spread = text.replace("(", "(\n  ").replace("[", "[ ")
    if '"' in text or "`" in text:
        spread = f"; comment\n\n  {text}"
    assert content_hash(analyze(read(text))) == content_hash(analyze(read(spread, "elsewhere")))


@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_every_program_has_a_text(text):
    written = ir_text(analyze(read(text)))
    assert written.startswith("; <string>\n")
    assert written.count("(") == written.count(")") or '"' in written
