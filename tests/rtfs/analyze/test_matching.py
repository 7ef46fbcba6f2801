"""`match`: patterns and clauses."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("value", "clauses", "expected"),
    [
        ("{:a 1 :b 2}", "{:a x} x _ :open", ":open"),
        ("{:a 1}", "{:a x} x _ :open", "1"),
        ("{:a 1 :b 2}", "{:a x & r} [x r]", "[1 {:b 2}]"),
        ("{:a {:b 1}}", "{:a {:b 2}} 0 {:a {:b x}} x", "1"),
        ("{:a 1}", "{:a x :as m} m", "{:a 1}"),
        ("[:ok 5]", "[:ok n] when (> n 3) n _ nil", "5"),
        ("[:ok 2]", "[:ok n] when (> n 3) n [:ok m] [m] _ nil", "[2]"),
        ("1", "1.0 :float 1 :int", ":int"),
        ("nil", "false :false nil :nil", ":nil"),
        (":a", ":b 1 :a 2", "2"),
        ('"a"', ':a 1 "a" 2', "2"),
        ("'(1 2)", "[a b] [b a]", "[2 1]"),
        ("[1 2 3]", "[a] 1 [a & r] r", "[2 3]"),
        ("[1 [2 3] 4]", "[a [b 9] c] 1 [a [b & [c]] d] [a b c d]", "[1 2 3 4]"),
        ("[1 2 3]", "[_ & [_ 9]] :no [_ & [_ 3]] :yes", ":yes"),
        ("[1 2]", "(:as w [a b]) [w a]", "[[1 2] 1]"),
        ("[1 2]", "[a b :as w] w", "[1 2]"),
        ("5", "(:type :string) :s (:type :int) :i", ":i"),
        ("[1 2]", "[:vector :string] :s [:vector :int] :i", ":i"),
        ("nil", "[:vector :int]? :maybe _ :no", ":maybe"),
        ("[:vector 3]", "[:vector x] x", "3"),
        ("[:point 3]", "[:point x] x", "3"),
        ("'a", "'b 1 'a 2", "2"),
        ("''(a b)", "'(a b) 1 _ 2", "2"),
        ("'(a b)", "'(a b) 1 _ 2", "1"),
        ("7", "1 2", "!MatchError: No matching clause"),
        ("7", "x when (< x 0) :neg x when (> x 5) :big", ":big"),
    ],
)
def test_values(outcome, value, clauses, expected):
    assert outcome(f"(match {value} {clauses})") == expected


def test_bindings_live_in_their_clause_only(outcome):
    assert outcome("(let [x 0] (match 1 x when (= x 2) :a _ x))") == "0"


def test_a_guard_runs_once(outcome):
    program = '(match 1 x when (do (call :ccos.state.counter.inc "n") false) 1 _ 2)'
    assert outcome(program).startswith("!")  # no host: the guard is really evaluated
    assert outcome("(match 1 x when (nil? (println)) 1 _ 2)").startswith("!")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(match 1)", "`match` has the shape `(match value pattern result …)`, got 1 argument"),
        ("(match 1 2 3 4)", "the last pattern of `match` has no result"),
        ("(match 1 x when true)", "the last pattern of `match` has no result"),
        ("(match 1 (f x) 2)", "a list is no pattern; `(:as name pattern)`, `(:type T)` and `'symbol` are"),
        ("(match 1 #{1} 2)", "a set is no pattern"),
        ("(match 1 [a & b c] 2)", "after `& rest` only `:as name` may follow"),
    ],
)
def test_refused(outcome, text, message):
    assert outcome(text) == f"!InvalidProgram: {message}"
