"""Quoting, templates, macros."""

from __future__ import annotations

import pytest

from rtfs.analyze import expand
from rtfs.session import Session


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('\'(a "b" [c :d] {:x y} #{z})', '(a "b" [c :d] {:x y} #{z})'),
        ("'(fn [x : int] ^:m x)", "(fn [x : int] x)"),
        ("''a", "(quote a)"),
        ("(type-name 'a)", '"symbol"'),
        ("`a", "a"),
        ("`(1 ~(+ 1 1))", "(1 2)"),
        ("`[a ~@[1 2] b ~@nil ~@(list 3)]", "[a 1 2 b 3]"),
        ("`{:k ~(+ 1 1)}", "{:k 2}"),
        ("`#{~(+ 1 1)}", "#{2}"),
        ("(let [x 1] `(a `(b ~~x)))", "(a (quasiquote (b (unquote 1))))"),
        ("`(a `(b ~(c ~(+ 1 2))))", "(a (quasiquote (b (unquote (c 3)))))"),
        ("`(~@5)", "!TypeError: Type error in unquote-splicing: expected vector or list, got integer"),
        ("`~@[1]", "!Generic: Macro expansion error: `~@` belongs inside a list or vector"),
        ("~x", "!InvalidProgram: `~` belongs inside a template `` `(…) ``"),
        ("(let [[a b] `(x# x#)] (= a b))", "true"),
        ("(= `x# `x#)", "false"),
        ("(macroexpand '(-> x (f 1)))", "(f x 1)"),
        ("(defmacro m [x] `(f ~x)) (macroexpand '(m 1))", "(f 1)"),
        ("(macroexpand '(f 1))", "(f 1)"),
        ("(macroexpand 5)", "!InvalidProgram: `macroexpand` takes a quoted form: `(macroexpand '(name …))`"),
    ],
)
def test_data(outcome, text, expected):
    assert outcome(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(defmacro unless [c & body] `(if ~c nil (do ~@body))) (unless false 1 2)", "2"),
        ("(defmacro m [x] `(let [v# ~x] [v# v#])) (let [v 1] (m (inc v)))", "[2 2]"),
        ("(defmacro m [& xs] (type-name xs)) (m 1 2)", '"list"'),
        ("(defmacro m [[a b]] `(+ ~a ~b)) (m [1 2])", "3"),
        ("(defmacro m ([a] 1) ([a b] 2)) [(m 1) (m 1 2)]", "[1 2]"),
        ("(defmacro m [] 1)", "nil"),
        ("(defn helper [x] (list 'inc x)) (defmacro m [x] (helper x)) (m 41)", "42"),
        ("(def k 5) (defn a [] (b)) (defn b [] k) (defmacro m [] (a)) (m)", "5"),
        ("(defmacro a [x] `(inc ~x)) (defmacro b [x] `(a (a ~x))) (b 1)", "3"),
        ("(defmacro m [x] 'x) (let [x 7] (m 1))", "7"),
        ("(defmacro m [x] `(fn [y : int] (+ y ~x))) ((m 1) 2)", "3"),
        ("(defmacro m [x] 1) (let [m inc] (m 1))", "2"),
        ("(defmacro m [x y] 1) (defn f [m] (m 1)) (f inc)", "2"),
        ("(defmacro m [x] 1) '(m 2)", "(m 2)"),
        ("(defmacro m [] `(+ 1 1)) {:a [(m)]}", "{:a [2]}"),
        ("(defmacro when [c x] `(if ~c [~x])) (when true 1)", "[1]"),
        ("(defmacro d [] `(do (defmacro e [] 9) nil)) (d) (e)", "9"),
        ("(m 1) (defmacro m [x] x)", "!UndefinedSymbol: Undefined symbol: m"),
        (
            "(defmacro m [x] x) (def y m)",
            "!InvalidProgram: `m` is a macro, which is no value; call it or wrap it in `fn`",
        ),
        ("(defmacro m [] (fn [x] x)) (m)", "!InvalidProgram: a function cannot stand in a program"),
        ("(defmacro m [a] a) (m)", "!Generic: Macro expansion error: Arity mismatch in m: expected 1, got 0"),
        ("(defmacro m [] (/ 1 0)) (m)", "!Generic: Macro expansion error: Division by zero"),
        ("(defmacro m [] (m)) (m)", "!Generic: Macro expansion error: macro `m` is used where it is defined"),
        ("(defmacro m [] (println 1)) (m)", "!Generic: Macro expansion error"),
        (
            "(defmacro m [] (later)) (m) (defn later [] 1)",
            "!Generic: Macro expansion error: Undefined symbol: later",
        ),
    ],
)
def test_macros(outcome, text, expected):
    found = outcome(text)
    assert found == expected or (expected.endswith("expansion error") and found.startswith(expected))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("`(m)", "more than 1000 expansions of one form"),
        ("`(do (m))", "more than 1000 expansions of one form"),
        ("`(do (m) (m))", "more than 1000 expansions of one form"),
        (
            "(reduce (fn [a _] (list a a)) (list 1) (range 0 64))",
            "expansions of one form hold more than 1000000 forms",
        ),
        ("(loop [] (recur))", "Resource budget exhausted: deadline (policy: 0.2 s)"),
    ],
)
def test_bombs_end_in_an_error(outcome, body, message, monkeypatch):
    monkeypatch.setattr(expand, "MAX_SECONDS", 0.2 if "loop" in body else 60.0)
    assert outcome(f"(defmacro m [] {body}) (m)") == f"!Generic: Macro expansion error: {message}"


def test_expansions_of_one_form_are_counted(outcome):
    calls = "(m) " * (expand.MAX_EXPANSIONS + 1)
    assert outcome(f"(defmacro m [] 1) [{calls}]").startswith("!Generic: Macro expansion error: more than")


def test_macros_live_in_a_session():
    session = Session()
    for text, expected in [
        ("(defn helper [x] (list '+ x 1))", None),
        ("(defmacro m [x] (helper x))", None),
        ("(m 1)", 2),
        ("(defn helper [x] (list '* x 10))", None),
        ("(m 1)", 10),
        ("(defn m [x] :function)", None),
    ]:
        value = session.evaluate(text)
        assert expected is None or value == expected
    assert session.evaluate("(= (m 1) :function)") is True
