"""Chains of tail calls do not grow the stack; everything else may be as deep as the limit says."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

import rtfs
from rtfs import ir
from rtfs.emit_python.tailcalls import TailCalls, chosen, tail_nodes
from rtfs.errors import StackOverflow
from rtfs.host import Complete
from rtfs.interpret.scopes import homes

TURNS = 300_000

#: name → definitions and a call that makes `TURNS` turns and ends in `:done`
CHAINS = {
    "self": "(defn f [n] (if (= n 0) :done (f (- n 1)))) (f TURNS)",
    "self, typed": "(defn f [n : int] : keyword (if (= n 0) :done (f (- n 1)))) (f TURNS)",
    "self, rest": "(defn f [n & r] (if (= n 0) :done (f (- n 1) 1 2))) (f TURNS)",
    "self, typed rest": "(defn f [n & r :int] (if (= n 0) :done (f (- n 1) 1))) (f TURNS)",
    "self, pattern": "(defn f [[n]] (if (= n 0) :done (f [(- n 1)]))) (f [TURNS])",
    "self, named fn": "((fn f [n] (if (= n 0) :done (f (- n 1)))) TURNS)",
    "self, inside a loop": """(defn f [n] (loop [i 0] (if (< i 1) (recur (+ i 1))
                                (if (= n 0) :done (f (- n 1)))))) (f TURNS)""",
    "self, may be redefined": """(def f (fn [n] (if (= n 0) :done (f (- n 1))))) (def g f) (f TURNS) (def f g)
                                 (g TURNS)""",
    "recur": "(defn f [n] (if (= n 0) :done (recur (- n 1)))) (f TURNS)",
    "arities": "(defn f ([n] (if (= n 0) :done (f (- n 1) 0))) ([n x] (f n))) (f TURNS)",
    "arities and rest": "(defn f ([n] (f n 1 2)) ([n & r] (if (= n 0) :done (f (- n 1))))) (f TURNS)",
    "mutual": """(defn a [n] (if (= n 0) :done (b (- n 1)))) (defn b [n] (if (= n 0) :done (a (- n 1))))
                 (a TURNS)""",
    "mutual, typed": """(defn a [n : int] : keyword (if (= n 0) :done (b (- n 1))))
                        (defn b [n : int] : keyword (if (= n 0) :done (a (- n 1)))) (a TURNS)""",
    "mutual, let": """(let [a (fn [n] (if (= n 0) :done (b (- n 1)))) b (fn [n] (if (= n 0) :done (a (- n 1))))]
                        (a TURNS))""",
    "mutual, with names of their own": """(let [a (fn a2 [n] (if (= n 0) :done (b (- n 1))))
                                             b (fn b2 [n] (if (= n 0) :done (a (- n 1))))] (a TURNS))""",
    "mutual, in a loop": """(first (for [x [:done]]
        (let [a (fn [n] (if (= n 0) x (b (- n 1)))) b (fn [n] (if (= n 0) x (a (- n 1))))] (a TURNS))))""",
    "unknown": "(defn f [n g] (if (= n 0) :done (g (- n 1) g))) (f TURNS f)",
    "unknown, typed": "(defn f [n g] : keyword (if (= n 0) :done (g (- n 1) g))) (f TURNS f)",
    "made anew": "(defn f [k] (fn [n] (if (= n 0) k ((f k) (- n 1))))) ((f :done) TURNS)",
    "through a closure": """(defn f [n] (let [g (fn [m] (if (= m 0) :done (f (- m 1))))] (g n))) (f TURNS)""",
    "module": """(module m (:exports [f]) (defn g [n] (if (= n 0) :done (f (- n 1))))
                   (defn f [n] (if (= n 0) :done (g (- n 1))))) (import m) (m/f TURNS)""",
    "between modules": """(module m (:exports [f]) (defn f [n k] (if (= n 0) :done (k (- n 1) m/f))))
                   (import m) (defn g [n k] (if (= n 0) :done (k (- n 1) g))) (g TURNS m/f)""",
    "match": "(defn f [n] (match n 0 :done _ (f (- n 1)))) (f TURNS)",
    "cond": "(defn f [n] (cond (= n 0) :done :else (f (- n 1)))) (f TURNS)",
    "and, or": "(defn f [n] (and true (or nil (if (= n 0) :done (f (- n 1)))))) (f TURNS)",
    "let, do": "(defn f [n] (let [m (- n 1)] (do 1 (if (< m 0) :done (f m))))) (f TURNS)",
    "described": '(defn f "doc" ^{:a 1} [n g] (if (= n 0) :done (g (- n 1) g))) (f TURNS f)',
}


@pytest.mark.parametrize("text", CHAINS.values(), ids=CHAINS.keys())
def test_a_chain_does_not_grow_the_stack(text: str) -> None:
    value = rtfs.evaluate(text.replace("TURNS", str(TURNS)), limits=rtfs.Limits())
    assert rtfs.pr_str(value) == ":done"


#: a name that means another function by the time it is called
REDEFINED = [
    ("(def f (fn [n] (if (= n 0) 1 (f (- n 1))))) (def h f) (def f (fn [n] 2)) (h 3)", "2"),
    ("(let [f (fn [n] (if (= n 0) 1 (f (- n 1)))) h f] (def f (fn [n] 2)) (h 5))", "2"),
    ("(let [f (fn [] 1)] (def f (fn [] 2)) (f))", "2"),
    ("(def f (fn [x] 1)) (f (do (def f (fn [x] 2)) 1))", "1"),
    ("(let [f (fn [x] 1)] (f (do (def f (fn [x] 2)) 1)))", "1"),
    ("(defn f [] (count [1])) (def a (f)) (defn count [x] 2) [a (f)]", "[1 2]"),
]


@pytest.mark.parametrize("backend", ["python", "interpreter"])
@pytest.mark.parametrize(("text", "value"), REDEFINED)
def test_a_call_means_what_its_name_means_then(text: str, value: str, backend: str) -> None:
    assert rtfs.pr_str(rtfs.evaluate(text, backend=backend)) == value  # type: ignore[arg-type]


def test_what_recur_gives_a_rest_parameter_may_be_nil() -> None:
    assert rtfs.evaluate("((fn [& r] (if r (recur nil) 7)) 1)", limits=rtfs.Limits(deadline_s=5)) == 7


@pytest.mark.parametrize("returns", ["string", "[:vector :int]"])
def test_a_return_type_is_checked_at_the_end_of_a_chain(returns: str) -> None:
    text = f"(defn g [n h] (if (= n 0) 5 (h (- n 1) h))) (defn f [n h] : {returns} (h n h)) (f 10 g)"
    with pytest.raises(rtfs.RtfsError, match="Type mismatch at return"):
        rtfs.evaluate(text)


# ---------------------------------------------------------------- depth

DEEP = "(defn f [n] (if (= n 0) 0 (+ 1 (f (- n 1))))) (f DEPTH)"


def deep(depth: int) -> object:
    return rtfs.evaluate(DEEP.replace("DEPTH", str(depth)), limits=rtfs.Limits())


def stepped(depth: int) -> object:
    outcome = rtfs.compile(DEEP.replace("DEPTH", str(depth))).link().step(limits=rtfs.Limits()).start()
    assert isinstance(outcome, Complete)
    return outcome.value


def on_a_thread(depth: int) -> object:
    found: list[object] = []

    def work() -> None:
        try:
            found.append(deep(depth))
        except rtfs.RtfsError as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(found[0], rtfs.RtfsError):
        raise found[0]
    return found[0]


@pytest.mark.parametrize("run", [deep, on_a_thread, stepped])
def test_depth(run: Callable[[int], object]) -> None:
    assert run(99_000) == 99_000
    with pytest.raises(StackOverflow):
        run(300_000)
    assert run(99_000) == 99_000


@pytest.mark.parametrize(
    "text",
    [
        "(defn f [n] (first (map f [(+ n 1)]))) (f 0)",
        "(defn f [n] (+ 1 (reduce (fn [a b] (f n)) [1 2]))) (f 0)",
        "(defn f [n] (first (sort (fn [a b] (f n)) [1 2]))) (f 0)",
        "(defn f [n] (apply f [n])) (f 0)",
        "(defn f [n] (update {:a 1} :a f)) (f 0)",
        "(defn f [x : [:and :int [p]]] x) (defn p [x] (f x)) (f 1)",
        "(defn f [n] (try (f n) (finally 1))) (f 0)",
        '(defn f [n] (+ 1 (step "s" (f n)))) (f 0)',
        "(defn f [n g] (+ 1 (g n g))) (f 0 f)",
        "(defn f ([n] (+ 1 (f n 1))) ([n m] (+ 1 (f n)))) (f 0)",
    ],
)
def test_endless_recursion_ends(text: str) -> None:
    with pytest.raises(StackOverflow):
        rtfs.evaluate(text, limits=rtfs.Limits(deadline_s=60), context=rtfs.RuntimeContext.full())


# ---------------------------------------------------------------- the analysis


def analysed(text: str) -> tuple[TailCalls, dict[str, ir.Lambda]]:
    unit = rtfs.compile(text, optimize=False).unit
    calls = TailCalls(unit.forms, unit.stable, frozenset(homes(unit.forms)))
    named = {
        form.name: form.value
        for form in unit.forms
        if isinstance(form, ir.Def) and isinstance(form.value, ir.Lambda)
    }
    return calls, named


@pytest.mark.parametrize(
    ("text", "bouncing"),
    [
        ("(defn f [n] (f n))", set()),
        ("(defn f [n] (+ 1 (f n)))", set()),
        ("(defn f [n] (g n)) (defn g [n] n)", set()),
        ("(defn f [n] (g n)) (defn g [n] (f n))", {"f", "g"}),
        ("(defn f [n] (g n)) (defn g [n] (h n)) (defn h [n] (g n))", {"f", "g", "h"}),
        ("(defn f [g] (g))", {"f"}),
        ("(defn f [g] (+ 1 (g)))", set()),
        ("(defn f [g] (f g)) (defn h [g] (f g))", set()),
        ("(defn f [g] (g)) (defn h [g] (f g))", {"f", "h"}),
        ("(defn f [n] (count n))", set()),
        ("(defn f ([] (f 1)) ([x] x))", {"f"}),
        ("(defn f [& r] (f 1))", set()),
        ("(defn f [n] (loop [] (f n)))", {"f"}),
        ("(def f (fn [n] (f n))) (def f 1)", {"f"}),
    ],
)
def test_which_functions_bounce(text: str, bouncing: set[str]) -> None:
    calls, named = analysed(text)
    assert {name for name, node in named.items() if calls.is_bouncing(node)} == bouncing


@pytest.mark.parametrize(
    ("text", "recursive"),
    [
        ("(defn f [n] (+ 1 (f n))) (defn g [n] (f n))", {"f"}),
        ("(defn f [n] (g n)) (defn g [n] (f n))", set()),
        ("(defn f [n] (map (fn [x] (f x)) n))", {"f"}),
        ("(defn f [n] (map f n))", {"f"}),
        ("(def f (fn me [n] (me n)))", {"f"}),
        ("(defn f [n] 1) (defn g [f] (f 1))", set()),
    ],
)
def test_functions_that_name_themselves(text: str, recursive: set[str]) -> None:
    calls, named = analysed(text)
    assert {name for name, node in named.items() if calls.is_recursive(node)} == recursive


@pytest.mark.parametrize(("count", "index"), [(0, None), (1, 0), (2, 1), (3, 2), (9, 2)])
def test_the_arity_that_a_call_enters(count: int, index: int | None) -> None:
    _, named = analysed("(defn f ([a] 1) ([a b] 2) ([a b & c] 3))")
    arities = named["f"].arities
    assert chosen(named["f"], count) is (None if index is None else arities[index])


def test_tail_nodes() -> None:
    _, named = analysed("(defn f [x] (if x (do 1 2) (let [y 3] (loop [] (and x (or x 4))))))")
    found = [
        (node.value, inside)
        for node, inside in tail_nodes(named["f"].arities[0].body)
        if isinstance(node, ir.Constant)
    ]
    assert sorted(found) == [(2, False), (4, True)]
