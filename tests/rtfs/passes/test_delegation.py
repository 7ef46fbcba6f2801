"""Which calls and functions are marked."""

from __future__ import annotations

import pytest

from rtfs import ir
from rtfs.analyze import analyze
from rtfs.ir_walk import children
from rtfs.passes.delegation import mark
from rtfs.reader import read

PRELUDE = """
(defn far ^:delegation :remote "m" [x] x)
(defn near [x] (+ x 1))
(defn through [x] (far x))
(defn deep [x] (through (near x)))
(defn calls [f] (f 1))
(defn even [n] (if (= n 0) true (odd (dec n))))
(defn odd [n] (if (= n 0) false (even (dec n))))
(def plain 5)
(defstruct P :x :int)
"""


def last_call(text: str) -> ir.Apply:
    form = mark(analyze(read(PRELUDE + text))).forms[-1]
    while not isinstance(form, ir.Apply):
        form = list(children(form))[-1]
    return form


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("(far 1)", True),
        ("(near 1)", False),
        ("(through 1)", True),
        ("(deep 1)", True),
        ("(calls near)", True),
        ("(even 3)", False),
        ("(plain 1)", True),
        ("(unknown 1)", True),
        ("(m/unknown 1)", True),
        ("(P {:x 1})", True),
        ("(+ 1 2)", False),
        ("(:k {:k 1})", False),
        ("({:k 1} :k)", False),
        ("(map near [1])", False),
        ("(map far [1])", True),
        ("(map inc [1])", False),
        ("(map :k [1])", False),
        ("(map #(near %) [1])", False),
        ("(map #(deep %) [1])", True),
        ("(map unknown [1])", True),
        ("(reduce + 0 unknown)", False),
        ("(update {:a 1} :a far)", True),
        ("(update {:a 1} :a near)", False),
        ("(vector far)", False),
        ("((comp far near) 1)", True),
        ("((fn [x] (near x)) 1)", False),
        ("((fn [x] (far x)) 1)", True),
        ("((fn loop_ [x] (if (= x 0) 0 (loop_ (dec x)))) 3)", False),
        ("(let [f (fn [x] x)] (f 1))", False),
        ("(let [f (fn [x] (far x))] (f 1))", True),
        ("(let [f near] (f 1))", True),
        ("(let [f (fn [x] x)] (def f far) (f 1))", True),
        ('((fn ^:delegation :local-model "m" [x] x) 1)', True),
        ("((fn ^:delegation :local [x] x) 1)", False),
    ],
)
def test_calls(text, counts):
    assert last_call(text).may_delegate is counts


def test_functions():
    unit = mark(analyze(read(PRELUDE)))
    marks = {
        form.name: form.value.may_delegate
        for form in unit.forms
        if isinstance(form, ir.Def) and isinstance(form.value, ir.Lambda)
    }
    assert marks == {
        "far": True,
        "near": False,
        "through": True,
        "deep": True,
        "calls": True,
        "even": False,
        "odd": False,
    }


def test_names_of_a_module_form_are_its_own():
    unit = mark(analyze(read("(module m (defn near [x] (near x))) (defn near [x] x) (near 1)")))
    module, _, call = unit.forms
    assert isinstance(module, ir.ModuleForm)
    assert isinstance(call, ir.Apply)
    assert not call.may_delegate
    (definition,) = module.body
    assert isinstance(definition, ir.Def)
    assert isinstance(definition.value, ir.Lambda)
    assert definition.value.may_delegate


def test_nothing_is_known_of_globals_in_a_session():
    (_, call) = mark(analyze(read("(defn near [x] x) (near 1)"), session=True)).forms
    assert isinstance(call, ir.Apply)
    assert call.may_delegate
