"""Strings in wasm: the interpreter's values, and where they are left to Python."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rtfs
from rtfs import errors
from rtfs.emit_wasm.kinds import Kind

S = "s : string"
T = "s : string t : string"
FACE = "\U0001f600"
#: a pair of surrogates, which is two characters, and not the face
PAIR = "\ud83d\ude00"
TEXTS = ["", "a", "b", "ab", "aba", "é", FACE, f"a{FACE}b", PAIR, "\ud83d", "\x00", "a\x00", "￿", "banana" * 9]
INDICES = [-1, 0, 1, 2, 3, 54, 2**31, 2**32, 2**32 + 1, 2**63 - 1, -(2**63)]


def outcome(call: Any, *args: object) -> tuple[object, ...]:
    from rtfs.emit_wasm.execute import Bailed

    try:
        found = call(*args)
    except Bailed:
        return ("left",)
    except errors.RtfsError as error:
        return "error", type(error).__name__
    return type(found).__name__, found


def compared(compiled: Any, source: str, *choices: list[Any]) -> None:
    """For all arguments wasm gives the interpreter's value; it leaves where that raises or gives nil, only."""
    from rtfs.emit_wasm.execute import guarded_of

    both = compiled(source)
    assert [each.text() for each in both.artifact.refusals] == []
    seen = set()
    for args in product(*choices):
        guarded = guarded_of(both.functions["f"])
        assert guarded is not None
        guarded.on = True  # however often it has left
        got, wanted = outcome(both.wasm, "f", *args), outcome(both.oracle, "f", *args)
        if got == ("left",):
            assert wanted[0] == "error" or wanted == ("NoneType", None), args
        else:
            assert got == wanted, args
        seen.add(got[0])
    assert seen != {"left"}


ONE = [
    "s",
    "(count s)",
    "(length s)",
    "(string-length s)",
    "(empty? s)",
    "(first s)",
    "(last s)",
    "(rest s)",
    "(str s)",
    "(str)",
    '(str 1 true s false nil -1 (count s) (empty? s) (= s "ab"))',
    "(str (count s))",
    '(reduce (fn [n c] (if (= c "a") (inc n) n)) 0 s)',
    '(reduce (fn [t c] (str c t)) "" s)',
    "(reduce (fn [t c] (if (< t c) c t)) s)",
    "(reduce str s)",
    '(map (fn [c] (if (= c "a") 1 0)) s)',
    "(map (fn [c d i] (if (< c d) i (- i))) s (rest s) [1 2 3 4])",
    "(map (fn [i c] (+ i (count c))) (range 3) s)",
    "(reduce + 0 (map (fn [c] (reduce (fn [n d] (if (= c d) (inc n) n)) 0 s)) s))",
    "(map count s)",
    "(str (nil? nil) nil)",
    '(str s "-" s)',
    '(str s "")',
    '(str "" s "")',
    '(str (first "a") s)',
    "(not s)",
    "(string? s)",
    "(or (nil? s) (coll? s) (int? s))",
    "(= s 1)",
    "(not= s nil)",
    '(= s "")',
    '(= "a" s)',
    '(= s "banana")',
    f'(= s "{FACE}")',
    '(case s "" 0 "a" 1 ("b" "ab" "banana") 2 3)',
    '(case s "a" "one" "")',
    '(match s "é" 1 "aba" 2 x when (> (count x) 3) 3 _ 4)',
    '(match s (:type string) "text" _ "other")',
    '(if (empty? s) "none" s)',
    '(and s "b")',
    '(or s "b")',
    '(let [t (str s "x")] (substring t 1))',
    '(loop [i 0 t ""] (if (< i (count s)) (recur (inc i) (str (nth s i) t)) t))',
    '(loop [t s n 0] (if (empty? t) n (recur (rest t) (+ n (if (= (first t) "a") 1 0)))))',
    '(let [t (str s "ab") u (str t "x") v (str t "y") w (str u "z") x (str v t w)] (str t u v w x t))',
    '(let [t (str (str s "ab") "c") u (rest t) v (str u "x") w (str t "y") x (str v "z")] (str t u v w x))',
    '(let [t (str (str s "éa") "é") u (str t t) v (str u t u) w (take 2 u)] (str w "-" (str v w) v u t))',
    """(loop [i 0 t s u "" v ""] (if (< i 20)
         (recur (inc i) (str t i) (str u (last t)) (if (even? i) (str t "-") (str v u)))
         (str t u v (ends-with? t "9") (count v))))""",
    '(= "a" (take 1 s))',
    '(= (drop (dec (count s)) s) (last s))',
    '(= "" (drop 99 s))',
    '(= (str "" (take 1 s)) (str (take 1 s) ""))',
    '(= (str (rest s) "") (rest s))',
    '(empty? (str "" (take 0 s)))',
    '(let [twice (fn [x] (str x x))] (twice (twice s)))',
    '(cond (< s "a") "before" (starts-with? s "a") "a" :else (nth s 9 "?"))',
    '(reduce + 0 (map (fn [i] (if (= (nth s i "") "a") 1 0)) (range 60)))',
]  # fmt: skip


@pytest.mark.parametrize("body", ONE)
def test_of_one(compiled: Any, body: str) -> None:
    compared(compiled, f"(defn f [{S}] {body})", TEXTS)


TWO = [
    *(f"({name} s t)" for name in ("=", "not=", "!=", "<", ">", "<=", ">=", "str")),
    "(< s t s)",
    '(<= "" s t)',
    "(starts-with? s t)",
    "(ends-with? s t)",
    "(string-contains s t)",
    "(string-contains? t s)",
    "(contains? s t)",
    '(str s t "mid" t s)',
    "(nth s 1 t)",
    "(if (= s t) (last s) (str t s))",
]


@pytest.mark.parametrize("body", TWO)
def test_of_two(compiled: Any, body: str) -> None:
    compared(compiled, f"(defn f [{T}] {body})", TEXTS, TEXTS)


@pytest.mark.parametrize(
    "body",
    [
        "(nth s i)",
        '(nth s i "none")',
        "(take i s)",
        "(drop i s)",
        "(substring s i)",
        "(str (take i s) s)",
        "(str i)",
        "(str i s i)",
    ],
)
def test_places(compiled: Any, body: str) -> None:
    compared(compiled, f"(defn f [{S} i : int] {body})", TEXTS, INDICES)


def test_parts(compiled: Any) -> None:
    compared(compiled, f"(defn f [{S} i : int j : int] (substring s i j))", TEXTS, INDICES, INDICES)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12), st.text(max_size=3), st.integers(-2, 14), st.integers(-2, 14))
def test_they_agree(s: str, t: str, i: int, j: int) -> None:
    from rtfs.emit_wasm.execute import guarded_of

    functions, oracle = _loaded()
    guarded = guarded_of(functions["cut"])
    assert guarded is not None
    guarded.on = True
    for name, args in (("put", (s, t)), ("cut", (s, i, j)), ("has", (s, t)), ("order", (s, t))):
        got = outcome(functions[name], *args)
        wanted = outcome(lambda *args, name=name: oracle.call(name, *args, limits=rtfs.Limits()), *args)
        assert got in (wanted, ("left",))
        assert got != ("left",) or wanted[0] == "error"


_KEPT: list[Any] = []


def _loaded() -> Any:
    if not _KEPT:
        pytest.importorskip("wasmtime")
        from rtfs.emit_wasm import compile_unit
        from rtfs.emit_wasm.execute import Executor

        program = rtfs.compile(
            f'(defn put [{T}] (str t s "/" (take 2 s) t)) (defn cut [{S} i : int j : int] (substring s i j))'
            f"(defn has [{T}] (if (contains? s t) (if (starts-with? s t) 1 2) (if (= s t) 3 4)))"
            f"(defn order [{T}] (if (< s t) -1 (if (> s t) 1 0)))"
        )
        _KEPT.extend((Executor().load(compile_unit(program.unit)), program.link(backend="interpreter")))
    return _KEPT


# ---------------------------------------------------------------- memory


def test_one_that_is_given_again_is_not_copied_and_not_changed(compiled: Any) -> None:
    both = compiled(
        f"(defn f [{T}] (str s t (substring s 1)))(defn g [{S} v : [:vector :int] {T[11:]}] (nth t 1))"
    )
    first, second = "x" * 100, "yz" * 50
    for _ in range(3):
        assert both.wasm("f", first, second) == first + second + first[1:]
        assert both.wasm("f", second, first) == second + first + second[1:]
        assert both.wasm("g", first, [1], second) == "z"
        assert both.wasm("g", "", [1, 2], "ab") == "b"
        assert both.wasm("g", "q", [], second) == "z"


def test_constants_stay_where_they_are(compiled: Any) -> None:
    long = "constant " * 10_000
    both = compiled(
        f'(defn f [{S}] (str "{long}" s "{FACE}é" "{long}")) (defn g [] "two") (defn h [n : int] "a")'
    )
    for text in ("", "q", "abc" * 5_000, "abc"):
        assert both.agrees("f", text) == f"{long}{text}{FACE}é{long}"
        assert both.agrees("g") == "two"
        assert both.agrees("h", 1) == "a"


def test_large_ones(compiled: Any) -> None:
    both = compiled(
        f"(defn f [{S} n : int] (loop [i 0 t s] (if (< i n) (recur (inc i) (str t t)) (count t))))"
        f"(defn g [{S}] (str s s)) (defn h [{T}] (ends-with? s t))"
    )
    assert both.wasm("f", "a", 20) == 1 << 20
    both.leaves("f", "ab", 40)
    both.leaves("f", "ab", 70)
    assert both.wasm("f", "", 5_000) == 0
    text = f"{FACE}b" * 500_000
    assert both.wasm("g", text) == text + text
    assert both.wasm("h", text, text[1:]) is True
    both.leaves("g", "x" * 70_000_000)
    assert both.wasm("g", "x") == "xx"


def test_a_loop_over_characters_makes_nothing(compiled: Any) -> None:
    """Else it would not fit into memory."""
    both = compiled(
        f"(defn f [{S} n : int] (loop [i 0 k 0] (if (< i n) (recur (inc i) "
        '(if (= (nth s (mod i (count s))) "a") (inc k) k)) k)))'
    )
    assert both.wasm("f", "banana", 20_000_000) == 10_000_000


def test_loops_that_make_a_text_longer_or_shorter_copy_little(compiled: Any) -> None:
    """Else these would not fit into memory."""
    both = compiled(
        f'(defn f [{S} n : int] (loop [i 0 t ""] (if (< i n) (recur (inc i) (str t s (mod i 10))) t)))'
        "(defn g [n : int] (loop [i 0 t (f FACE n) k 0] (if (empty? t) k (recur i (rest t) (inc k)))))".replace(
            "FACE", f'"{FACE}"'
        )
    )
    assert both.wasm("f", "é", 100_000) == "".join(f"é{i % 10}" for i in range(100_000))
    assert both.wasm("g", 100_000) == 200_000


@pytest.mark.parametrize("value", [1, 1.5, True, None, ["a"]])
def test_other_values_are_left_to_python(compiled: Any, value: object) -> None:
    assert "other kinds" in compiled(f"(defn f [{S}] s)").leaves("f", value)


def test_errors_are_those_of_python() -> None:
    pytest.importorskip("wasmtime")
    source = f"""(defn ^{{:tier :wasm}} f [{S} i : int] : string
      (substring s i))
    (f "abc" 9)"""
    spans = []
    for backend in ("python", "interpreter"):
        with pytest.raises(errors.IndexOutOfBounds) as caught:
            rtfs.compile(source).link(backend=backend).run()
        spans.append((str(caught.value), caught.value.span, caught.value.trace))
    assert spans[0] == spans[1]


def test_kinds_and_what_is_seen() -> None:
    from rtfs.emit_wasm import compile_unit
    from rtfs.tiering.arguments import kinds, type_of

    unit = rtfs.compile("(defn f [s n] (nth s n))").unit
    assert compile_unit(unit).functions == ()
    seen = kinds((type_of("a"), type_of(1)))
    (found,) = compile_unit(unit, seen={"f": seen}).functions
    assert (found.params, found.result) == ((Kind.STRING, Kind.INT), Kind.STRING)
