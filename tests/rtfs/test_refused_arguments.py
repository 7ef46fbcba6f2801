"""The caret of a TypeMismatch stands under the argument that was refused, on both backends the same."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

import rtfs
from rtfs.code_cache import CachedProgram, load_or_compile
from rtfs.errors import RtfsError, Span, TypeMismatch
from rtfs.program import BackendName, FileModules, LinkedProgram
from rtfs.stdlib.table import BUILTINS

#: program, and the text that the error points at
CASES = [
    # each place, in line and not
    ('(+ 1 "a")', '"a"'),
    ('(+ "a" 1)', '"a"'),
    ('(+ 1 2 "x")', '"x"'),
    ('(+ 1 "x" 2)', '"x"'),
    ('(+ nil 1 2)', "nil"),
    ('(- 1 2 3 :k 4)', ":k"),
    ('(* 1.5 [])', "[]"),
    ('(/ 1 "a")', '"a"'),
    ('(/ 1 2 "a")', '"a"'),
    ('(- "a")', '"a"'),
    ('(inc "a")', '"a"'),
    ('(dec nil)', "nil"),
    ('(mod 5 "a")', '"a"'),
    ('(rem "a" 5)', '"a"'),
    ('(pos? "a")', '"a"'),
    ('(if (zero? nil) 1 2)', "nil"),
    ('(count 5)', "5"),
    ('(map 5 [1])', "5"),
    ('(reduce 5 [1 2])', "5"),
    ('(range "a")', '"a"'),
    ('(get {:a 1} :a) (keys [1])', "[1]"),
    ('(:k 5)', "5"),
    ('([1 2] :a)', ":a"),
    # whatever stands there is the argument
    ('(let [x "a"] (* 2 x))', "x"),
    ('(let [x "a"] (* 2 3 x 4))', "x"),
    ('(def x "a") (+ 1 x)', "x"),
    ('(def x "a") (+ 1 2 x)', "x"),
    ('(+ 1 (str 2 3))', "(str 2 3)"),
    ('(+ 1 2 (str 2 3))', "(str 2 3)"),
    ('(+ 1 (do (str 2) (str 3)))', "(do (str 2) (str 3))"),
    ('(+ 1 (let [x "a"] x))', '(let [x "a"] x)'),
    ('(defn f [x] (+ (if x "a" 2) 1)) (f true)', '(if x "a" 2)'),
    ('(defn f [x] (+ 3 (if x "a" 2) 1)) (f true)', '(if x "a" 2)'),
    ('(+ 1 2 (loop [i 0] (if (< i 3) (recur (+ i 1)) nil)))', "(loop [i 0] (if (< i 3) (recur (+ i 1)) nil))"),
    ('(count (try 5 (catch _ e 6)))', "(try 5 (catch _ e 6))"),
    ('(count (fn [x] (+ x 1)))', "(fn [x] (+ x 1))"),
    ('(count (get {:a 5} :a))', "(get {:a 5} :a)"),
    # the innermost call that fails
    ('(+ 1 (+ 2 (+ 3 "a")))', '"a"'),
    ('(+ (count 5) "a")', "5"),
    ('(map (fn [x] (+ 1 x)) [1 "a"])', "x"),
    ('(reduce (fn [a x] (+ a x)) 0 [1 "a"])', "x"),
    # functions, loops, tail calls
    ('(defn f [x] (* x 2)) (f "a")', "x"),
    ('(defn f [x] (* x 2 3)) (+ 1 (f "a"))', "x"),
    ('(defn f [x :int y] (- x y)) (f 1 nil)', "y"),
    ('(defn f [x :int y] :int (- x 2 y)) (+ 1 (f 1 nil))', "y"),
    ('(defn f [x & more] (+ x (count more) more)) (f 1 2)', "more"),
    ('(loop [i 0] (if (< i 3) (recur (+ i 1)) (+ i "x")))', '"x"'),
    ('(loop [i 0 s 0] (if (< i 3) (recur (+ i 1) (+ s "x")) s))', '"x"'),
    ('(loop [i 0 s "x"] (if (< i 3) (recur (+ i 1) (+ i 1 s)) s))', "s"),
    ('(for [x [1 "a"]] (+ x 1))', "x"),
    ('(defn f [g] (g 5)) (f count)', "5"),
    ('(defn f [g] (g 5)) (+ 1 (f count))', "5"),
    ('(defn f [n g] (if (= n 0) (g 1 "a") (f (- n 1) g))) (f 3 +)', '"a"'),
    ('(defn f [m] (m :a)) (f [1])', ":a"),
    ('(let [f +] (f 1 "a"))', '"a"'),
    ('(let [f +] (f 1 2 "a"))', '"a"'),
    ('(try (+ 1 "a") (finally 3))', '"a"'),
    ('(try (/ 1 0) (catch _ e (+ 1 "a")))', '"a"'),
    # macros: an argument that the caller wrote, or the whole call of the macro
    ('(-> 1 (+ "a") (+ 2))', '"a"'),
    ('(->> "a" (+ 1) (+ 2))', '"a"'),
    ("(defmacro add [a b] `(+ ~b (+ ~a \"z\"))) (add 1 2)", "(add 1 2)"),
    # which one it was is not known, or it was none: the whole call
    ('(+ "a" "b")', '(+ "a" "b")'),
    ('(+ 1 "a" "b")', '(+ 1 "a" "b")'),
    ('(< 1 "a")', '(< 1 "a")'),
    ('(reduce 5 0 [1 2])', "(reduce 5 0 [1 2])"),
    ('(get 5 5)', "(get 5 5)"),
    ('(reduce + [1 "a"])', '(reduce + [1 "a"])'),
    ('(apply + 1 ["a"])', '(apply + 1 ["a"])'),
    ('(map inc "abc")', '(map inc "abc")'),
    ('(5 3)', "(5 3)"),
]  # fmt: skip


def failure(text: str, backend: BackendName, **options: object) -> RtfsError | None:
    try:
        rtfs.evaluate(text, backend=backend, limits=rtfs.Limits(deadline_s=20), source_name="plan", **options)  # type: ignore[arg-type]
    except RtfsError as error:
        return error
    return None


def pointed_at(text: str, error: RtfsError | None) -> str:
    assert error is not None
    assert error.span is not None
    line, column, end_line, end_column = error.span
    assert line == end_line == 1
    return text[column - 1 : end_column - 1]


@pytest.mark.parametrize(("text", "expected"), CASES)
@pytest.mark.parametrize("backend", ["python", "interpreter"])
def test_the_refused_argument(text: str, expected: str, backend: BackendName) -> None:
    error = failure(text, backend)
    assert isinstance(error, TypeMismatch)
    assert (pointed_at(text, error), error.source) == (expected, "plan")


def test_the_call_trace_is_that_of_the_call() -> None:
    text = '(defn f [x]\n (+ 1 x))\n(+ 1\n (f "a"))'
    for backend in ("python", "interpreter"):
        error = failure(text, backend)
        assert error is not None
        assert error.span == Span(2, 7, 2, 8)
        assert [(frame.function, frame.span and frame.span.line) for frame in error.trace] == [("f", 4)]


@pytest.mark.parametrize(("text", "expected"), [('(+ 1 2 "x")', '"x"'), ("(count 5)", "5")])
def test_in_a_program_from_disk(tmp_path: Path, text: str, expected: str) -> None:
    for program in (LinkedProgram, CachedProgram):
        loaded = load_or_compile(text, "plan", FileModules(tmp_path), tmp_path)
        assert type(loaded) is program
        with pytest.raises(TypeMismatch) as caught:
            loaded.run()
        assert pointed_at(text, caught.value) == expected


def test_an_item_that_a_callback_refused_is_no_argument() -> None:
    linked = rtfs.compile("(defn f [x] (map count x))").link()
    with pytest.raises(TypeMismatch) as caught:
        linked.call("f", rtfs.from_python([5]))
    assert pointed_at("(defn f [x] (map count x))", caught.value) == "(map count x)"


#: body of a function of a module, call of it from outside, what the error points at in the body
IN_A_MODULE = [
    ("(+ 1 x)", '(m/f "a")', "x"),
    ("(x 5)", "(m/f count)", "5"),
    ("(x 5)", "(+ 1 (m/f count))", "5"),
    ("(x 7)", "(map m/f [count])", "7"),
]


@pytest.mark.parametrize(("body", "call", "expected"), IN_A_MODULE)
@pytest.mark.parametrize("backend", ["python", "interpreter"])
def test_in_a_module(tmp_path: Path, backend: BackendName, body: str, call: str, expected: str) -> None:
    text = f"(module m (:exports [f]) (defn f [x] {body}))"
    (tmp_path / "m.rtfs").write_text(text)
    error = failure(f"(import m)\n{call}", backend, modules=FileModules(tmp_path))
    assert pointed_at(text, error) == expected
    assert error is not None
    assert error.source == str(tmp_path / "m.rtfs")


#: one of each kind that builtins tell apart
_VALUES = ("5", '"a"', "[1]", "{:a 1}", "inc")


@pytest.mark.parametrize("name", sorted(name for name, entry in BUILTINS.items() if not entry.effect))
def test_backends_agree_on_every_builtin(name: str) -> None:
    entry = BUILTINS[name]
    most = 3 if entry.most is None else entry.most
    for count in range(max(1, entry.least), min(most, 2) + 1):
        for args in product(_VALUES, repeat=count):
            text = f"({name} {' '.join(args)})"
            python, oracle = failure(text, "python"), failure(text, "interpreter")
            assert (type(python), python and python.span) == (type(oracle), oracle and oracle.span), text
