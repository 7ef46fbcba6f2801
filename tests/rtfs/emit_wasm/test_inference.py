"""Which functions become wasm, with which kinds, and why the others do not. Needs no wasmtime."""

from __future__ import annotations

import pytest

import rtfs
from rtfs.emit_wasm import compile_unit
from rtfs.emit_wasm.artifact import SourceMap, WasmArtifact
from rtfs.emit_wasm.binary import Site
from rtfs.emit_wasm.kinds import Kind
from rtfs.errors import Span


def artifact_of(source: str) -> WasmArtifact:
    return compile_unit(rtfs.compile(source).unit)


#: a function, the kinds of its parameters and of its result
KINDS: list[tuple[str, str, str]] = [
    ("(defn f [a : int b : float c : bool] (if c (* a b) b))", "INT FLOAT BOOL", "FLOAT"),
    ("(defn f [n] (+ n 1))", "INT", "INT"),
    ("(defn f [x] (if (< x 1.0) x (* x 2.0)))", "FLOAT", "FLOAT"),
    ("(defn f [a b] (/ a b))", "INT INT", "QUOTIENT"),
    ("(defn f [a b] (float (/ a b)))", "INT INT", "FLOAT"),
    ("(defn f [a : number] (+ a 1))", "INT", "INT"),
    ("(defn f [] true)", "", "BOOL"),
    ("(defn f [n : int] nil)", "INT", "NIL"),
    ("(defn f [s : string n : int] (str s (nth s n)))", "STRING INT", "STRING"),
    ("(defn f [s : string] : string? s)", "STRING", "STRING"),
    ("(defn f [s : string] (= s 1))", "STRING", "BOOL"),
    ("(defn f [v : [:vector :float]] (map (fn [x] (floor x)) v))", "FLOATS", "INTS"),
    ("(defn f [n : int] : float (if (= n 0) 1 (* n (f (- n 1)))))", "INT", "INT"),
]


@pytest.mark.parametrize(("source", "params", "result"), KINDS)
def test_kinds(source: str, params: str, result: str) -> None:
    (found,) = artifact_of(source).functions
    assert " ".join(kind.name for kind in found.params) == params
    assert found.result.name == result


#: a program, the construct that is why `f` stays with Python, a part of the reason, line and column
REFUSED: list[tuple[str, str, str, tuple[int, int]]] = [
    ("(defn f [s]\n  (upper s))", "`upper`", "no wasm form", (2, 3)),
    ("(defn f [s : keyword] s)", "the type `keyword` of parameter `s`", "may be int", (1, 1)),
    ("(defn f [n : int]\n (if (> n 1) 1 2.0))", "`if`", "int or float; `(float …)`", (2, 2)),
    ("(defn f [n : int] (when (> n 1) n))", "`if`", "int or nil", (1, 19)),
    ("(defn f [n : int] {:a n})", "a map", "no wasm form", (1, 19)),
    ("(defn f [n : int] (if (> n 1) \"a\" n))", "`if`", "string or int", (1, 19)),
    ("(defn f [s : string] (get s 0))", "`get`", "takes a vector", (1, 22)),
    ("(defn f [s : string] (upper s))", "`upper`", "no wasm form", (1, 22)),
    ("(defn f [s : string]\n (split s \",\"))", "`split`", "no wasm form", (2, 2)),
    ("(defn f [s : string] [s])", "a vector", "all ints or all floats, they are string", (1, 22)),
    ("(defn f [s : string] (map str s))", "a vector", "all ints or all floats, they are string", (1, 22)),
    ("(defn f [s : string] (filter empty? s))", "a vector", "they are string", (1, 22)),
    ("(defn f [s : string] (< s 1))", "`<`", "takes string, got int", (1, 22)),
    ("(defn f [s : string] (+ 1 s))", "`+`", "got string", (1, 22)),
    ("(defn f [s : string] (str s 1.5))", "`str`", "got float", (1, 22)),
    ("(defn f [s : string] (substring s 0 nil))", "`substring`", "takes int, got nil", (1, 22)),
    ("(defn f [s : string] (nth s 0 nil))", "`nth`", "takes string, got nil", (1, 22)),
    ("(defn f [s : string] : int s)", "the type `int` of the result", "the value is string", (1, 1)),
    ("(defn f [v : [:vector :int]] (case v [1] 1 0))", "equality", "not compared", (1, 0)),
    ("(defn f [n : int] :a)", "a keyword", "ints, floats", (1, 19)),
    ("(defn f [n : int] [n 1.0])", "a vector", "all ints or all floats", (1, 19)),
    ("(defn f [n : int] [])", "an empty vector", "not known", (1, 19)),
    ("(defn f [n : int & more] n)", "`& more`", "rest parameter", (1, 1)),
    ("(defn f ([a] a) ([a b] b))", "the function", "several parameter lists", (1, 1)),
    ("(defn f [g : int] (map g [1]))", "a call of `g`", "not known", (1, 24)),
    ("(defn f [n : int] (g n))", "a call", "no function with a name", (1, 20)),
    ("(def k 3) (defn f [n : int] (+ n k))", "a global", "", (1, 34)),
    ("(defn f [n : int] (call :a.b n))", "`call`", "", (1, 19)),
    ("(defn f [n : int] (try n (catch e 1)))", "`try`", "", (1, 19)),
    ("(defn f [n : int] (for [x [1 2]] x))", "`for`", "", (1, 19)),
    ("(defn f [n : int] (fn [x] n))", "a function as a value", "", (1, 19)),
    ("(defn f [n : int] (let [[a b] [n n]] a))", "destructuring", "", (1, 25)),
    ("(defn f [n : int] (+ 1 (/ n 2)))", "`+`", "(float (/ a b))", (1, 19)),
    ("(defn f [n : int] (mod n 2.0))", "`mod`", "takes int", (1, 19)),
    ("(defn f [n : int] : int (float n))", "the type `int` of the result", "the value is float", (1, 1)),
    ("(defn f [n : [:and int [:> 0]]] n)", "of parameter `n`", "", (1, 1)),
    ("(defn f [n : int] (f n))", "its result", "never gives", (1, 19)),
    ("(defn g [x] (upper x)) (defn f [n : int] (g n))", "`upper`", "", (1, 13)),
    ("(defn g ^:delegation :remote \"m\" [x] x) (defn f [n : int] (g n))", "a call of `g`", "delegated",
     (1, 0)),
    ("(defn f [n : int] (loop [i 0] (if (< i n) (recur (+ i 0.5)) i)))", "a loop variable", "int or float",
     (1, 0)),
    ("(defn f [n] n) (defn f [n] n)", "the definition", "not defined once", (1, 0)),
    ("(defn f [n : int] (repeat n true))", "a vector", "bool", (1, 19)),
    ("(defn f [n : int] (range 0 9 n))", "`range`", "constant", (1, 19)),
]  # fmt: skip


@pytest.mark.parametrize(("source", "construct", "reason", "place"), REFUSED)
def test_refusals(source: str, construct: str, reason: str, place: tuple[int, int]) -> None:
    found = artifact_of(source)
    refusal = [each for each in found.refusals if each.function == "f"][-1]
    assert construct in refusal.construct
    assert reason in refusal.reason
    assert refusal.span is not None
    line, column = place
    assert refusal.span.line == line
    if column:
        assert refusal.span.column == column


def test_the_rest_of_a_program_is_compiled_all_the_same() -> None:
    found = artifact_of("(defn f [n] (+ n 1)) (defn g [s] (upper s)) (defn h [n] (g n)) (defn k [n] (f (f n)))")
    assert [each.name for each in found.functions] == ["f", "k"]
    assert [each.function for each in found.refusals] == ["g", "h"]
    assert found.functions[1].needs == ("f",)


def test_only_what_is_wanted_is_compiled() -> None:
    unit = rtfs.compile("(defn f [n] (+ n 1)) (defn g [n] (f n)) (defn h [s] (upper s))").unit
    found = compile_unit(unit, wanted=["g"])
    assert [each.name for each in found.functions] == ["g"]
    assert found.refusals == ()


def test_functions_of_a_module_form_are_told_about() -> None:
    (refusal,) = artifact_of("(module m (:exports [f]) (defn f [n] n))").refusals
    assert (refusal.function, refusal.construct) == ("m/f", "`module`")


def test_nothing_at_all() -> None:
    found = artifact_of("(+ 1 2)")
    assert (found.module, found.functions, found.refusals) == (None, (), ())


def test_a_program_that_nests_deeply_is_compiled_or_refused() -> None:
    deep = "(defn f [n : int] " + "(+ 1 " * 3000 + "n" + ")" * 3001
    found = artifact_of(deep)
    assert len(found.functions) + len(found.refusals) == 1


def test_a_source_map_reads_back() -> None:
    sites = [Site(5, Span(1, 2, 3, 4), "a"), Site(9, None, "b"), Site(300, Span(9, 9, 9, 10), "a")]
    found = SourceMap.decode(SourceMap("text", sites).encode())
    assert found.encode() == SourceMap("text", sites).encode()
    place = found.find(299)
    assert place is not None
    assert (place.source, place.span, place.reason) == ("text", Span(9, 9, 9, 10), "a")
    assert found.find(301) is None
    with pytest.raises(ValueError, match="cut off"):
        SourceMap.decode(SourceMap("text", sites).encode()[:-3])


def test_every_kind_is_held() -> None:
    assert all(kind.held for kind in Kind)
