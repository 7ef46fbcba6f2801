"""A function by itself: what it takes along, and what tells it apart."""

from __future__ import annotations

from typing import Any

import pytest

import rtfs
from rtfs.function_info import functions_of
from rtfs.program import FileModules, new_run
from rtfs.run import running
from rtfs.slices import NotSliced, Reach, impurity_of, slice_of

PLAN = """
(deftype Count [:and :int [:>= 0]])
(defstruct Point :x float)
(defmacro twice [x] `(* 2 ~x))
(def table [1 2 3])
(defn helper [n : int] : int (twice (nth table n)))
(defn f "doc" [n : int] : int (+ (helper n) 1))
(defn alone [n : Count] : int n)
(module m (:exports [h]) (defn k [x] x) (defn h [x] (k x)))
(defn uses-m [x] (m/h x))
(println "not part of any")
(f 1)
"""


def names(symbol: str, text: str = PLAN) -> list[str]:
    part = slice_of(rtfs.compile(text), symbol)
    return [getattr(form, "name", type(form).__name__) for form in part.unit.forms]


def test_it_takes_along_what_it_needs_and_all_types() -> None:
    assert names("f") == ["Count", "Do", "table", "helper", "f"]
    assert names("alone") == ["Count", "Do", "alone"]
    assert names("uses-m") == ["Count", "Do", "m", "uses-m"]
    assert names("m/h") == ["Count", "Do", "m"]


def test_the_function_comes_out_as_it_is() -> None:
    part = slice_of(rtfs.compile(PLAN), "f")
    for backend in ("python", "interpreter"):
        with running(new_run(None, None, None, None)):
            assert part.function(backend=backend)(2) == 7  # type: ignore[arg-type, operator]
    hidden = slice_of(rtfs.compile(PLAN), "m/k")
    assert hidden.function()(3) == 3  # type: ignore[operator]
    assert hidden.module == "m"


def test_functions_of_module_files(tmp_path: Any) -> None:
    (tmp_path / "geo.rtfs").write_text("(module geo (:exports [area]) (defn area [a b] (* a b)))")
    text = "(import [geo :as g]) (defn f [x] (g/area x x)) (f 2)"
    program = rtfs.compile(text, modules=FileModules(tmp_path))
    assert slice_of(program, "geo/area").function()(2, 3) == 6  # type: ignore[operator]
    with pytest.raises(NotSliced, match="it needs the module `geo`"):
        slice_of(program, "f")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(defn g [n] n)", "no function at the top level"),
        ("(defn f [n] n) (defn f [n] 2)", "`f` is defined more than once"),
        ("(defn c [] true) (if (c) (def g 1)) (defn f [n] (+ n g))", "defined inside another form"),
    ],
)
def test_what_cannot_stand_by_itself(text: str, why: str) -> None:
    with pytest.raises(NotSliced, match=why):
        slice_of(rtfs.compile(text), "f")


# ---------------------------------------------------------------- hashes


def digest(text: str, symbol: str = "f") -> str:
    program = rtfs.compile(text)
    found = {info.symbol: info.body_hash for _, info in functions_of(program.unit)}[symbol]
    assert found in ("", Reach(program.unit).digest(symbol))
    return found


BASE = "(def k 2) (defn g [n] (* n k)) (defn f [n : int] : int (g n))"


@pytest.mark.parametrize(
    "text",
    [
        "; a comment\n(def k 2)\n(defn g [n]\n (* n k))\n(defn f [n : int] : int (g n))",
        BASE + " (defn other [x] x) (println (f 1))",
    ],
)
def test_the_same_function_in_another_text(text: str) -> None:
    assert digest(text) == digest(BASE) != ""


@pytest.mark.parametrize(
    "text",
    [
        BASE.replace("k 2", "k 3"),
        BASE.replace("(* n k)", "(+ n k)"),
        BASE.replace("(g n))", "(g (g n)))"),
        BASE.replace("n : int", "n"),
        BASE.replace(": int (g", ": number (g"),
        "(deftype T int) " + BASE,
    ],
)
def test_whatever_it_depends_on_changes_it(text: str) -> None:
    assert digest(text) != digest(BASE)


def test_two_functions_of_one_slice_differ() -> None:
    text = "(defn f [n] (if (> n 0) (g n) 0)) (defn g [n] (f (- n 1)))"
    assert digest(text, "f") != digest(text, "g")


def test_what_cannot_stand_by_itself_has_none() -> None:
    assert digest("(defn f [n] n) (def f 3)") == ""
    program = rtfs.compile("(defn f [] (fn [x] x))")
    assert [info.body_hash for _, info in functions_of(program.unit) if info.symbol != "f"] == [""]


# ---------------------------------------------------------------- purity


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(defn f [n] (call :web.get n))", "`f` calls `web.get`"),
        ("(defn g [n] (call n 1)) (defn f [n] (g :web.get))", "`g` calls capabilities"),
        ("(defn f [n] (println n))", "`f` calls `ccos.io.println`"),
        ("(defn f [n] (+ n limit))", "`limit` comes from outside"),
        ('(defn f [n] (step "s" n))', "steps and what overlaps belong to a run"),
        ('(defn ^:delegation :remote "a" g [n] n) (defn f [n] (g n))', "`g` is delegated"),
    ],
)
def test_what_asks_more_than_its_arguments(text: str, why: str) -> None:
    found = impurity_of(slice_of(rtfs.compile(text), "f"))
    assert found is not None
    assert found.reason == why
    assert found.span is not None


def test_what_does_not() -> None:
    assert impurity_of(slice_of(rtfs.compile(PLAN), "f")) is None
