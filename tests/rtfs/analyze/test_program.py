"""Units: names, places, sessions, depth."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs import errors, ir
from rtfs.analyze import Environment, analyze
from rtfs.errors import Span
from rtfs.ir_codec import decode, encode
from rtfs.reader import read
from rtfs.run import deep_recursion


@pytest.mark.parametrize(
    ("text", "defines", "stable"),
    [
        ("1", (), ()),
        ("(def x 1) (defn f [] 1)", ("x", "f"), ("f",)),
        ("(defn f [] 1) (defn f [] 2)", ("f",), ()),
        ("(defn f [] 1) (def f 2)", ("f",), ()),
        ("(do (defn f [] 1) (def g (fn [] 2)))", ("f", "g"), ("f", "g")),
        ("(if true (defn f [] 1))", ("f",), ()),
        ("(let [] (defn f [] 1))", (), ()),
        ("(defstruct P :x :int)", ("P",), ()),
        ("(module m (defn f [] 1))", (), ()),
        ("(def f : [:fn [] :int] (fn [] 1))", ("f",), ()),
        ("(defmacro d [n] `(defn ~n [] 1)) (d f)", ("f",), ("f",)),
    ],
)
def test_defines_and_stable(text, defines, stable):
    unit = analyze(read(text))
    assert unit.defines == defines
    assert unit.stable == frozenset(stable)


def test_nothing_is_stable_in_a_session_and_names_stay():
    environment = Environment()
    first = analyze(read("(defn inc [x] x) (defmacro m [x] x)"), environment, session=True)
    assert (first.defines, first.stable) == (("inc",), frozenset())
    (form,) = analyze(read("(inc (m 1))"), environment, session=True).forms
    assert isinstance(form, ir.Apply)
    assert isinstance(form.fn, ir.GlobalRef)
    assert isinstance(form.args[0], ir.Constant)


def test_a_refused_text_defines_nothing():
    environment = Environment()
    with pytest.raises(errors.InvalidProgram):
        analyze(read("(defn f [] 1) (defmacro m [] 2) (if)"), environment, session=True)
    assert not environment.globals
    assert not environment.macros


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x", ir.DynamicRef),
        ("inc", ir.BuiltinRef),
        ("(def inc 1) inc", ir.GlobalRef),
        ("inc (def inc 1)", ir.Def),
        ("/", ir.BuiltinRef),
        ("m/x", ir.QualifiedRef),
        ("context/get", ir.BuiltinRef),
        ("()", ir.Constant),
        ("(let [inc 1] inc)", ir.Let),
    ],
)
def test_what_a_name_is(text, kind):
    assert type(analyze(read(text)).forms[-1]) is kind


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("(do\n  (if))", Span(2, 3, 2, 7)),
        ("(let [x 1\n      y] 1)", Span(2, 7, 2, 8)),
        ("(fn [x 1] 2)", Span(1, 8, 1, 9)),
        ("(defmacro m [x] `(if))\n(m 1)", Span(2, 1, 2, 6)),
        ("(defmacro m [x] x)\n(m (if))", Span(2, 4, 2, 8)),
        ("(let [x : [:vectr int] 1] x)", Span(1, 11, 1, 23)),
        ("(-> 1\n  (if))", Span(2, 3, 2, 7)),
    ],
)
def test_errors_say_where(text, span):
    with pytest.raises(errors.RtfsError) as caught:
        analyze(read(text, "plan.rtfs"))
    assert caught.value.span == span
    assert caught.value.source == "plan.rtfs"


def test_a_wrong_option_has_a_hint():
    with pytest.raises(errors.InvalidProgram) as caught:
        analyze(read("(for [x [1] :wen true] x)"))
    assert caught.value.hint == "did you mean `:when`?"


DEEP = 4_000


@pytest.mark.parametrize(
    ("opening", "inner", "closing"),
    [
        ("(do ", "1", ")"),
        ("(let [x 1] ", "x", ")"),
        ("(if true ", "1", ")"),
        ("[", "", "]"),
        ("{:a ", "1", "}"),
        ("'(", "", ")"),
        ("`(", "", ")"),
        ("(fn [] ", "1", ")"),
        ("(-> ", "1", ")"),
        ("(try ", "1", " (catch e 1))"),
        ("(loop [i 0] ", "i", ")"),
        ("(when-let [x 1] ", "x", ")"),
        ("(for [x [1]] ", "x", ")"),
        ("(async ", "1", ")"),
    ],
)
def test_deep_nesting(opening, inner, closing):
    text = opening * DEEP + inner + closing * DEEP
    with deep_recursion(20 * DEEP):
        analyze(read(text))
    with pytest.raises(errors.StackOverflow), deep_recursion(0):
        analyze(read(text))


@pytest.mark.parametrize("text", ["(let [{p} 1] 2)", "(match 1 {p} 2 _ 3)"])
def test_deep_patterns(text):
    with deep_recursion(20 * DEEP):
        analyze(read(text.replace("{p}", "[" * DEEP + "a" + "]" * DEEP)))


_EXPECTED = (
    errors.ReadError,
    errors.InvalidProgram,
    errors.ArityMismatch,
    errors.ModuleError,
    errors.ModuleNotFound,
    errors.Generic,
    errors.StackOverflow,
)
_ATOMS = st.sampled_from(
    """1 :k "s" x inc nil & _ [] () {} : let fn def defn if loop recur for match try catch finally case cond
    when -> quote quasiquote unquote unquote-splicing defmacro module import :as :keys :or step get meta
    letfn letrec if-let doseq dotimes defstruct deftype :int ? % macroexpand as-> some-> plan""".split()
)
_FORMS = st.recursive(
    _ATOMS,
    lambda inner: st.builds(
        lambda items, ends: f"{ends[0]}{' '.join(items)}{ends[1]}",
        st.lists(inner, max_size=5),
        st.sampled_from(["()", "()", "()", "[]"]),
    ),
    max_leaves=25,
)


@given(st.lists(_FORMS, max_size=4))
def test_any_forms_give_a_unit_or_an_rtfs_error(forms):
    unit = None
    with contextlib.suppress(*_EXPECTED):
        unit = analyze(read(" ".join(forms)))
    assert unit is None or decode(encode(unit)).defines == unit.defines
