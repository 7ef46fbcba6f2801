"""`let` and its kin."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(let [] 3)", "3"),
        ("(let [x 1 y (+ x 1)] [x y])", "[1 2]"),
        ("(let [x 1] (let [x (+ x 1)] x))", "2"),
        ("(let [_ 1 x 2] x)", "2"),
        # a keyword is a type only where the vector can be used up that way
        ("(let [x :foo] x)", ":foo"),
        ("(let [x :a y 2] [x y])", "[:a 2]"),
        ("(let [a :b c :d e :f] [a c e])", "[:b :d :f]"),
        ('(let [x :int 5 y : string "s" z 3] [x y z])', '[5 "s" 3]'),
        ("(let [x : [:vector :int]? nil y : [:vector :int]? [1]] [x y])", "[nil [1]]"),
        ('(let [x : int "a"] x)', "!TypeValidationError: Type mismatch at let x: expected int, got string"),
        # functions of one let see each other; other values only what is before them
        (
            "(let [e (fn [n] (if (= n 0) true (o (dec n)))) o (fn [n] (if (= n 0) false (e (dec n))))] (e 9))",
            "false",
        ),
        ("(let [f (fn [] (g)) g (fn [] 1)] (f))", "1"),
        ("(let [g (fn [] :outer)] (let [v (g) g (fn [] :inner)] [v (g)]))", "[:outer :inner]"),
        ("(let [x 1 f (fn [] x) x 2] [(f) x])", "[1 2]"),
        ("(let [f #(+ % 1)] (f 1))", "2"),
        ("(letrec [f (fn [n] (if (= n 0) :done (f (dec n))))] (f 3))", ":done"),
        ("(letfn [(f [n] (if (= n 0) 0 (g (dec n)))) (g [n] (f n))] (f 5))", "0"),
        ("(if-let [x 1] [x] :no)", "[1]"),
        ("(let [x 5] (if-let [x nil] x x))", "5"),
        ("(if-let [[a b] [1 2]] b :no)", "2"),
        ("(if-let [[a b] nil] b :no)", ":no"),
        ("(when-let [x 1] x (inc x))", "2"),
        ("(when-let [x false] x)", "nil"),
        ("(as-> 1 x (+ x 1) (* x 10))", "20"),
        ("(as-> 1 x)", "1"),
        ("(loop [i 0 s 0] (if (< i 5) (recur (inc i) (+ s i)) s))", "10"),
        ("(loop [[a b] [1 2] c (+ a b)] (if (< c 10) (recur [b c] (+ c 5)) [a b c]))", "[3 8 13]"),
        ("(loop [i 0 fs []] (if (< i 2) (recur (inc i) (conj fs (fn [] i))) (map (fn [f] (f)) fs)))", "[0 1]"),
        ("((fn [n acc] (if (= n 0) acc (recur (dec n) (+ acc n)))) 4 0)", "10"),
        ("((fn [a & r] (if (= a 3) r (recur (inc a) (list a)))) 1)", "(2)"),
        ("(loop [i 0] (cond (> i 2) i :else (let [j (inc i)] (do nil (recur j)))))", "3"),
        ("(loop [i 0] (match i 3 :end n (recur (inc n))))", ":end"),
        ("(loop [i 0] (and true (or false (if (< i 3) (recur (inc i)) i))))", "3"),
    ],
)
def test_values(outcome, text, expected):
    assert outcome(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(let [x] 1)", "`x` has no value in the bindings of `let`"),
        ("(let [x 1 y] 1)", "`y` has no value in the bindings of `let`"),
        ("(let [x 1])", "`let` has no body"),
        ("(let x 1)", "`let` takes a vector of bindings, got `x`"),
        ("(let [1 2] 3)", "`let` binds a name or a pattern, got `1`"),
        ("(letrec [[a] 1] 2)", "`letrec` binds names, got a vector"),
        ("(letfn [f 1] 2)", "`letfn` takes functions `(name [params] body…)`"),
        ("(if-let [a 1 b 2] a)", "`if-let` takes one binding, got 2"),
        ("(recur 1)", "`recur` stands in no `loop` or function"),
        ("(loop [i 0] (+ 1 (recur 2)))", "`recur` must be in tail position, and not across `try`"),
        ("(loop [i 0] (do (recur 1) 2))", "`recur` must be in tail position, and not across `try`"),
        ("(loop [i 0] (try (recur 1) (catch e e)))", "`recur` must be in tail position, and not across `try`"),
        ("(loop [i 0] (for [x [1]] (recur 1)))", "`recur` must be in tail position, and not across `try`"),
        ("(loop [i 0] (and (recur 1) 2))", "`recur` must be in tail position, and not across `try`"),
    ],
)
def test_refused(outcome, text, message):
    assert outcome(text) == f"!InvalidProgram: {message}"


@pytest.mark.parametrize("text", ["(loop [i 0] (recur 1 2))", "(fn [a] (recur))", "(fn [a & r] (recur 1))"])
def test_recur_with_a_wrong_count(outcome, text):
    assert outcome(text).startswith("!ArityMismatch")
