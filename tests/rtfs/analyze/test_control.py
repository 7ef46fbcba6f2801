"""`if`, `cond`, `case`, threading, tickets."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(do)", "nil"),
        ("(if nil 1)", "nil"),
        ("(if-not nil 1 2)", "1"),
        ("(when 1 2 3)", "3"),
        ("(when-not 1 2)", "nil"),
        ("[(and) (and 1 nil (/ 1 0)) (and 1 2)]", "[true nil 2]"),
        ("[(or) (or nil false) (or nil 3 (/ 1 0))]", "[false false 3]"),
        ("(map or [nil 1] [2 3])", "[2 1]"),
        ("(let [and (fn [a b] :mine)] (and 1 2))", ":mine"),
        ("(cond)", "nil"),
        ("(cond false 1 nil 2)", "nil"),
        ("(cond false 1 :else 2)", "2"),
        ("(case 3 1 :a (2 3) :b :c)", ":b"),
        ("(case 'x x 1 2)", "1"),
        ("(case 1.0 1 :int :other)", ":other"),
        ("(case [1 2] [1 2] :v)", ":v"),
        ("(case 9 1 :a)", "!MatchError: No matching clause"),
        ("(-> 5 (- 3) inc str)", '"3"'),
        ("(-> {:a {:b 1}} :a :b)", "1"),
        ("(->> [1 2] (map inc) (reduce +))", "5"),
        ("(some-> {:a nil} :a inc)", "nil"),
        ("(some-> {:a 1} :a inc (- 5))", "-3"),
        ("(some-> nil)", "nil"),
        ("(type-name (async 1))", '"ticket"'),
        ("(await (async (+ 1 2)))", "3"),
        ("(race 1 (/ 1 0))", "1"),
        ("(dotimes [i 4] (* i i))", "9"),
        ("(dotimes [i -1] i)", "nil"),
        ('(dotimes [i "a"] i)', "!TypeError: Type error in dotimes: expected integer, got string"),
        ("(for [x [1 2] y [x (* 10 x)]] y)", "[1 10 2 20]"),
        ("(for [x (range 0 9) :when (odd? x) :let [y (* x x)] :while (< y 30)] [x y])", "[[1 1] [3 9] [5 25]]"),
        ("(for [[k v] {:a 1 :b 2}] [v k])", "[[1 :a] [2 :b]]"),
        ('(for [c "ab" i [1]] 1 (str c i))', '["a1" "b1"]'),
        ("(doseq [x [1 2]] x)", "nil"),
        ("(try (for [x 5] x) (catch TypeError e :no))", ":no"),
    ],
)
def test_values(outcome, text, expected):
    assert outcome(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(if)", "`if` has the shape `(if test then else?)`, got 0 arguments"),
        ("(if 1 2 3 4)", "`if` has the shape `(if test then else?)`, got 4 arguments"),
        ("(cond 1)", "`cond` takes pairs of test and value; the last has no value"),
        ("(-> 1 2)", "a value is threaded through calls, got `2`"),
        ("(for [x [1]])", "`for` has no body"),
        ("(for [] 1)", "`for` goes over a collection first: `[name coll …]`"),
        ("(for [:when true] 1)", "`for` goes over a collection first: `[name coll …]`"),
        ("(for [x] 1)", "`for` takes pairs of name and collection"),
        ("(for [x [1] :wen true] 1)", "`for` knows `:let`, `:when` and `:while`, not `:wen`"),
        ("(dotimes [i] 1)", "`i` has no value in the bindings of `dotimes`"),
        ("(dotimes [[a] 1] 1)", "`dotimes` counts a name, got a vector"),
        ("(async)", "`async` has the shape `(async form)`, got 0 arguments"),
    ],
)
def test_refused(outcome, text, message):
    assert outcome(text) == f"!InvalidProgram: {message}"


@pytest.mark.parametrize("name", ["when", "cond", "case", "race", "task", "atom", "loop", "plan", "->"])
def test_a_global_hides_heads_that_older_programs_lack(outcome, name):
    assert outcome(f'(defn {name} [a] [:mine a]) ({name} "x")') == '[:mine "x"]'


@pytest.mark.parametrize("name", ["if", "let", "do", "fn", "match", "try", "and"])
def test_reserved_heads_yield_to_locals_only(outcome, name):
    assert outcome(f"(let [{name} (fn [a] [:mine a])] ({name} 1))") == "[:mine 1]"
    assert outcome("(defn if [a] :mine) (if true 1 2)") == "1"
