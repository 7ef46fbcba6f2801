"""`def`, `defn`, functions, structs, types, and what is known of them."""

from __future__ import annotations

import pytest

from rtfs import ir
from rtfs.analyze import analyze
from rtfs.delegation import DelegationHint
from rtfs.reader import read
from rtfs.values import Keyword, Vector


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(def x :foo)", ":foo"),
        ("(def x :int 5)", "5"),
        ('(def x : int "doc" 5) [x (meta x)]', '[5 {:doc "doc"}]'),
        ('(def x "text")', '"text"'),
        ("(def x : string 5)", "!TypeValidationError: Type mismatch at def x: expected string, got integer"),
        ("(def f (fn [n] (if (= n 0) 0 (f (dec n))))) (f 3)", "0"),
        ("(defn f [] (g)) (defn g [] 3) (f)", "3"),
        ("(defn f [n] (if (= n 0) :z (f (dec n)))) (f 3)", ":z"),
        ("(defn count [x] :mine) (count [])", ":mine"),
        ("((fn [x] :foo) 1)", ":foo"),
        ("((fn [x] :int x) 1)", "1"),
        ("((fn fact [n] (if (= n 0) 1 (* n (fact (dec n))))) 5)", "120"),
        ("((λ [x] x) 1)", "1"),
        ("((lambda [x] x) 1)", "1"),
        ("((fn [& r] r))", "()"),
        ("((fn [a & r] r) 1 2 3)", "(2 3)"),
        ("(defn f ([a] 1) ([a b] 2) ([a b & c] c)) [(f 1) (f 1 2) (f 1 2 3 4)]", "[1 2 (3 4)]"),
        ("(defn f ([a & r] r) ([a] :one)) (f 1)", ":one"),
        (
            "((fn [{:keys [a]} [b] & {:keys [c]}] 1) {} [1])",
            "!TypeError: Type error in map destructuring: expected map, got list",
        ),
        ("(defn f [x] x) (f)", "!ArityMismatch: Arity mismatch in f: expected 1, got 0"),
        (
            '((fn [x :int & ys :int] x) 1 2 "3")',
            "!TypeValidationError: Type mismatch at ys[1]: expected int, got string",
        ),
        ('(defn f "says" [x] x) (:doc (meta f))', '"says"'),
        ("(def ^{:a [b 1]} y 4) (meta y)", "{:a [b 1]}"),
        ("(def y 4) (meta y)", "nil"),
        ("^:private (defn f [x] x) (meta f)", "{:private true}"),
        ("(defstruct P :x :int :y : string?) (P {:x 1 :z 2})", "{:x 1 :z 2}"),
        ("(defstruct P :x :int) (P {})", "!TypeValidationError: Required field x is missing"),
        ('(defstruct P :x :int) (P {:x "a"})', "!TypeValidationError: Field x failed type validation"),
        ("(defstruct P :x :int) (let [p : P {:x 1}] p)", "{:x 1}"),
        ("(deftype T [:vector :int]) (let [x : T [1]] x)", "[1]"),
        ("(deftype T :int)", "nil"),
        ("(fn [])", "!InvalidProgram: `fn` has no body after its parameters"),
        ("(fn)", "!InvalidProgram: `fn` has no parameter vector"),
        ("(fn [x] : int)", "!InvalidProgram: a function has no body after its return type"),
        ("(fn [1] 1)", "!InvalidProgram: a parameter is a name or a pattern, got `1`"),
        ("(fn [&] 1)", "!InvalidProgram: a parameter belongs after `&`"),
        ("(fn [& a b] 1)", "!InvalidProgram: the rest parameter is the last one"),
        ("(fn ([a] 1) ([b] 2))", "!InvalidProgram: two arities take 1 argument"),
        ("(fn ([& a] 1) ([b & c] 2))", "!InvalidProgram: two arities have a rest parameter"),
        ("(defn [x] 1)", "!InvalidProgram: `defn` takes a name first"),
        ("(def x)", "!InvalidProgram: `(def x …)` has no value"),
        ("(def x 1 2)", "!InvalidProgram: `(def x …)` has more than one value"),
        ("(def 1 2)", "!InvalidProgram: `def` takes a name first, got `1`"),
        ("(defstruct P x :int)", "!InvalidProgram: a field of `P` is a keyword, got `x`"),
        ("(defstruct P :x)", "!InvalidProgram: field `:x` has no type"),
    ],
)
def test_outcomes(outcome, text, expected):
    assert outcome(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # what `def` binds is known in its whole frame, and seen by its own code from then on
        ("(def x 1) (defn f [] (let [y x] (def x 2) [y x])) [(f) x]", "[[1 2] 1]"),
        ("(let [x 1 f (fn [] x)] (def x 2) [x (f)])", "[2 2]"),
        ("(defn g [] (defn a [] (b)) (defn b [] 7) (a)) (g)", "7"),
        ("(let [f (fn [] (g))] (defn g [] 1) (f))", "1"),
        ("((fn [x] (def x (inc x)) x) 1)", "2"),
        ("(defn f [c] (if c (def y 1)) y) (f true)", "1"),
        ("(defn f [c] (if c (def y 1)) y) (f false)", "!UndefinedSymbol: Undefined symbol: y"),
        ("(do (def a 1)) (when true (def b 2)) [a b]", "[1 2]"),
        ('(step "s" (def q 1)) q', "1"),
        ("(try (def t 5) (catch e 1)) t", "5"),
        ("(let [z 1] (def inner 2)) inner", "!UndefinedSymbol: Undefined symbol: inner"),
        ("(f) (def x 1) (defn f [] x)", "!UndefinedSymbol: Undefined symbol: f"),
        ("(defmacro mdef [n v] `(def ~n ~v)) (defn f [] (mdef k 3) k) (f)", "3"),
    ],
)
def test_frames_of_definitions(outcome, text, expected):
    assert outcome(text) == expected


HINTS = {
    "^:delegation :local": DelegationHint("local"),
    '^:delegation :local-model "m"': DelegationHint("local-model", "m"),
    '^:delegation :remote "m"': DelegationHint("remote", "m"),
    '^{:delegation {:target "remote-openai"}}': DelegationHint("target", "remote-openai"),
}


@pytest.mark.parametrize("meta", HINTS)
@pytest.mark.parametrize(
    "place",
    [
        "{m} (defn f [x] x)",
        "(defn {m} f [x] x)",
        "(defn f {m} [x] x)",
        '(defn f "doc" {m} [x] x)',
        "(defn {m} f ([x] x))",
        "(defn f ({m} [x] x))",
        "(def f {m} (fn [x] x))",
        "(def f (fn {m} [x] x))",
        "(def {m} f (fn [x] x))",
        "{m} (def f (fn [x] x))",
        "(def f {m} #(inc %))",
        "(defmacro d [n] `(defn ~n {m} [x] x)) (d f)",
        "(defmacro d [n] `(defn ~n [x] x)) {m} (d f)",
    ],
)
def test_hints_reach_the_function(meta, place):
    unit = analyze(read(place.replace("{m}", meta)))
    definition = unit.forms[-1]
    assert isinstance(definition, ir.Def)
    assert isinstance(definition.value, ir.Lambda)
    assert definition.value.hint == HINTS[meta]


@pytest.mark.parametrize(
    "place", ["({m} f [x] x)", "(f {m} [x] x)", "{m} (f [x] x)", "(f ([x] x) ({m} [x y] x))"]
)
@pytest.mark.parametrize("meta", HINTS)
def test_hints_reach_functions_of_letfn(meta, place):
    (form,) = analyze(read(f"(letfn [{place.replace('{m}', meta)}] f)")).forms
    assert isinstance(form, ir.Let)
    assert isinstance(form.bindings[0].value, ir.Lambda)
    assert form.bindings[0].value.hint == HINTS[meta]


PRIVATE = Keyword.of("a")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("[x]", [()]),
        ("[^{:privacy :a} x]", [(("privacy", PRIVATE),)]),
        ("[^{:privacy :a :unit 1} x : int y]", [(("privacy", PRIVATE), ("unit", 1)), ()]),
        ("[x & ^:all r]", [(), (("all", True),)]),
        ("[^{:privacy :a} [x y]]", [(("privacy", PRIVATE),)]),
        ("[[x ^{:privacy :a :unit 1} y]]", [(("privacy", PRIVATE),)]),
        ("[{:k [^{:privacy :a} x]}]", [(("privacy", PRIVATE),)]),
        ("[^{:privacy 1} [^{:privacy 2} x]]", [(("privacy", Vector.of(1, 2)),)]),
    ],
)
def test_metadata_of_parameters(params, expected):
    (function,) = analyze(read(f"(fn {params} 1)")).forms
    assert isinstance(function, ir.Lambda)
    arity = function.arities[0]
    found = [*arity.params, *([] if arity.rest is None else [arity.rest])]
    assert [param.metadata for param in found] == expected


def test_privacy_labels_add_up():
    (definition,) = analyze(read("(def ^{:privacy 1 :since 1} f ^{:privacy 2 :since 2} (fn [x] x))")).forms
    assert isinstance(definition, ir.Def)
    assert isinstance(definition.value, ir.Lambda)
    assert definition.value.metadata == (("privacy", Vector.of(2, 1)), ("since", 1))


def test_metadata_of_other_kinds_is_kept_in_order():
    unit = analyze(read("(defn ^{:b 1} f ^:a [x] x)"))
    definition = unit.forms[0]
    assert isinstance(definition, ir.Def)
    assert isinstance(definition.value, ir.Lambda)
    assert definition.value.metadata == (("b", 1), ("a", True))


def test_runtime_metadata_becomes_hints():
    (form,) = analyze(read("^{:runtime.retry (+ 1 2) :note 1} (f 1)")).forms
    assert isinstance(form, ir.Hinted)
    assert [name for name, _ in form.hints] == ["runtime.retry"]
    assert isinstance(form.body, ir.Apply)
