"""Where a failure is said to be: a Python exception out of generated code becomes the error it stands for."""

from __future__ import annotations

import pytest

import rtfs
from rtfs.errors import RtfsError
from rtfs.program import FileModules


def failure(text: str, **options: object) -> RtfsError:
    with pytest.raises(RtfsError) as caught:
        rtfs.evaluate(text, limits=rtfs.Limits(deadline_s=20), source_name="plan", **options)  # type: ignore[arg-type]
    return caught.value


def at(text: str) -> tuple[str, RtfsError]:
    """The text that the error of a program points at; `«»` in the program are left out."""
    error = failure(text)
    assert error.span is not None
    lines = text.split("\n")
    line, column, end_line, end_column = error.span
    assert line == end_line
    return lines[line - 1][column - 1 : end_column - 1], error


#: program, the text that the error points at, its category, a part of its text
PLACES = [
    # calls of what cannot be called
    ("(5 3)", "(5 3)", "TypeError", "expected function, got integer"),
    ("(let [x 5] (+ 1 (x)))", "(x)", "TypeError", "expected function, got integer"),
    ("(defn f [x] (+ 1 (x 1)))\n(f nil)", "(x 1)", "TypeError", "expected function, got nil"),
    ('("s" 1)', '("s" 1)', "TypeError", "expected function, got string"),
    # the wrong number of arguments, for each kind of callable
    ("(defn f [a] a)\n(+ 1 (f))", "(f)", "ArityMismatch", "in f: expected 1, got 0"),
    (
        "(+ 1 ((fn [a] a) 1 2))",
        "((fn [a] a) 1 2)",
        "ArityMismatch",
        "in user-defined function: expected 1, got 2",
    ),
    ("(defn f [a & b] a)\n(+ 1 (f))", "(f)", "ArityMismatch", "expected at least 1, got 0"),
    ("(defn f ([a] a) ([a b] b))\n(+ 1 (f))", "(f)", "ArityMismatch", "in f: expected 1 or 2, got 0"),
    ("(defn f ([a] a) ([a b & c] b))\n(+ 1 (f))", "(f)", "ArityMismatch", "in f: expected at least 1, got 0"),
    ("(count)", "(count)", "ArityMismatch", "in count: expected 1, got 0"),
    ("(+ 1 (:k))", "(:k)", "ArityMismatch", "in keyword: expected 1 or 2, got 0"),
    ("({:a 1} 1 2 3)", "({:a 1} 1 2 3)", "ArityMismatch", "in map: expected 1 or 2, got 3"),
    ("([1] 1 2 3)", "([1] 1 2 3)", "ArityMismatch", "in vector: expected 1 or 2, got 3"),
    ("(#{1})", "(#{1})", "ArityMismatch", "in set: expected 1 or 2, got 0"),
    ("(defstruct P :x :int)\n(P)", "(P)", "ArityMismatch", "in P: expected 1, got 0"),
    # two calls at once: the one that fails
    ("(defn f [] 1)\n(+ (f) (f 1))", "(f 1)", "ArityMismatch", "in f: expected 0, got 1"),
    # callbacks
    ("(+ 1 (map (fn [x y] x) [1]))", "(map (fn [x y] x) [1])", "ArityMismatch", "expected 2, got 1"),
    ("(map (fn [x] (/ x 0)) [1])", "(/ x 0)", "DivisionByZero", "Division by zero"),
    ("(map (fn [x] (nope x)) [1])", "nope", "UndefinedSymbol", "nope"),
    ("(reduce 5 [1 2])", "5", "TypeError", "expected function"),
    # tail calls
    ("(defn f [g]\n (g 1 2))\n(f (fn [x] x))", "(g 1 2)", "ArityMismatch", "expected 1, got 2"),
    ("(defn f [g]\n (g 1 2))\n(f nil)", "(g 1 2)", "TypeError", "expected function, got nil"),
    ("(defn f [g]\n (g :a))\n(f (fn [x :int] x))", "(g :a)", "TypeValidationError", "at x: expected int"),
    ("(defn f [g]\n (g 1))\n(f (fn [x]\n (/ x 0)))", "(/ x 0)", "DivisionByZero", ""),
    ("(defn f ([a] (f a a a)) ([a b] a))\n(f 1)", "(f a a a)", "ArityMismatch", "in f: expected 1 or 2, got 3"),
    # types
    ("(defn f [x :int] x)\n(+ 1 (f :a))", "(f :a)", "TypeValidationError", "at x: expected int, got keyword"),
    ("(defn f [x :int]\n (/ x 0))\n(+ 1 (f 1))", "(/ x 0)", "DivisionByZero", ""),
    ("(defn f [x :int] x)\n(map f [:a])", "(map f [:a])", "TypeValidationError", "at x"),
    ("(defn f [] :int\n :a)\n(f)", ":a", "TypeValidationError", "at return: expected int"),
    ("(let [x :int :a] x)", ":a", "TypeValidationError", "at let x"),
    ("(defn f [& xs :int] xs)\n(+ 1 (f 1 :a))", "(f 1 :a)", "TypeValidationError", "at xs[1]"),
    # names
    ("(+ 1\n nope)", "nope", "UndefinedSymbol", "nope"),
    ("(defn f []\n (later))\n(f)\n(defn later [] 1)", "later", "UndefinedSymbol", "later"),
    ("(let [f (fn [] g)\n h (f)\n g (fn [] 1)] h)", "g", "UndefinedSymbol", "Undefined symbol: g"),
    # arithmetic
    (f"(defn f [x]\n (+ x 1))\n(f {2**63 - 1})", "(+ x 1)", "IntegerOverflow", "Integer overflow in +"),
    ("(defn f [x]\n (- x :a))\n(f 1)", ":a", "TypeError", "in -"),
    ("(if (< 1 :a) 1 2)", "(< 1 :a)", "TypeError", "comparable types"),
    # depth
    ("(defn f [n]\n (+ 1 (f n)))\n(f 1)", "(f n)", "StackOverflow", "depth limit 100000"),
]


@pytest.mark.parametrize(("text", "points_at", "category", "part"), PLACES)
def test_places(text: str, points_at: str, category: str, part: str) -> None:
    found, error = at(text)
    assert (found, error.category) == (points_at, category)
    assert part in error.text()
    assert error.source == "plan"


def trace(error: RtfsError) -> list[tuple[str, int | None]]:
    """Function and line of the call of each frame, innermost first."""
    return [(frame.function, frame.span and frame.span.line) for frame in error.trace]


#: program, and the calls that led to its error
TRACES = [
    ("(/ 1 0)", []),
    ("(defn f []\n (/ 1 0))\n(+ 1 (f))", [("f", 3)]),
    ("(defn f []\n (/ 1 0))\n(defn g []\n (+ 1 (f)))\n(+ 1\n (g))", [("f", 4), ("g", 6)]),
    # names that generated code could take for its own
    ("(defn t []\n (/ 1 0))\n(defn main []\n (+ 1 (t)))\n(+ 1\n (main))", [("t", 4), ("main", 6)]),
    ("(defn f [x :int]\n (/ x 0))\n(+ 1 (f 1))", [("f", 3)]),
    ("(defn g [x] (/ x 0))\n(defn f [x]\n (g x))\n(+ 1\n (f 1))", [("g", 3), ("f", 5)]),
    # a tail call takes the place of the call it stands in
    ("(defn f [h]\n (h 1))\n(f (fn g [x]\n (/ x 0)))", [("g", 2)]),
    ("(defn f [x]\n (map (fn g [y]\n (/ y 0)) x))\n(+ 1\n (f [1]))", [("g", 2), ("f", 5)]),
    ('(defn f []\n (step "s"\n (/ 1 0)))\n(+ 1\n (f))', [("f", 5)]),
    ("(for [x [1]]\n (let [f (fn h [y] (/ x 0))]\n (+ 1 (f 1))))", [("h", 3)]),
]


@pytest.mark.parametrize(("text", "expected"), TRACES)
def test_traces(text: str, expected: list[tuple[str, int | None]]) -> None:
    assert trace(failure(text, context=rtfs.RuntimeContext.full())) == expected


def test_the_trace_of_deep_recursion_is_bounded() -> None:
    error = failure("(defn f [n] (+ 1 (f n))) (f 1)")
    assert 10 < len(error.trace) <= 50
    assert {frame.function for frame in error.trace} == {"f"}


def test_a_module_names_its_own_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "m.rtfs").write_text("(module m (:exports [f])\n (defn f [g] (+ 1 (g))))")
    modules = FileModules(tmp_path)
    error = failure("(import m) (m/f 5)", modules=modules)
    assert (error.source, error.span and error.span.line) == (str(tmp_path / "m.rtfs"), 2)
    assert [(frame.function, frame.source) for frame in error.trace] == [("f", "plan")]
    error = failure("(import m)\n(m/f (fn [x] x))", modules=modules)
    assert error.source == str(tmp_path / "m.rtfs")
    error = failure("(import m)\n(m/f\n (fn [] (/ 1 0)))", modules=modules)
    assert (error.source, error.span and error.span.line) == ("plan", 3)


def test_an_error_keeps_its_place_when_it_is_thrown_again() -> None:
    found, error = at("(try (/ 1 0)\n (catch _ e\n (throw e)))")
    assert (found, error.category) == ("(/ 1 0)", "DivisionByZero")


def test_an_error_in_a_handler_has_the_first_as_its_cause() -> None:
    error = failure("(try (/ 1 0) (catch _ e (nope)))")
    assert error.category == "UndefinedSymbol"
    assert error.cause is not None
    assert error.cause.category == "DivisionByZero"


def test_a_nearest_name_is_offered() -> None:
    assert failure("(defn total [] (totl)) (total)").hint == "did you mean `total`?"
    assert failure("(let [f (fn [] later) x (f) later (fn [] 1)] x)").category == "UndefinedSymbol"
