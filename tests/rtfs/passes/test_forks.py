"""Where parts may overlap, by what runs elsewhere."""

from __future__ import annotations

import pytest

from rtfs import ir
from rtfs.analyze import analyze
from rtfs.passes.call_graph import CallGraph
from rtfs.passes.forks import Bindings, ForkPoints, Forks, Items
from rtfs.reader import read

PRELUDE = "(defn far [x] x) (defn near [x] x) (defn through [x] (far x)) (defn pair [f] [(f 1) (f 2)]) "


def forks(text: str, *elsewhere: str) -> Forks:
    """The forks of the last form."""
    unit = analyze(read(PRELUDE + text))
    functions = {form.name: id(form.value) for form in unit.forms if isinstance(form, ir.Def)}
    points = ForkPoints(unit.forms, CallGraph(unit))
    return points.forks([functions[name] for name in elsewhere]).get(len(unit.forms) - 1, Forks())


def found(text: str, *elsewhere: str) -> list[object]:
    """What is in a fork, without the ids."""
    all_ = forks(text, *elsewhere)
    return [*all_.items.values(), *all_.bindings.values(), *(["loop"] * len(all_.loops))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[(far 1) (far 2)]", [Items(0, 1)]),
        ("[1 (far 1) (near 2) (through 2) (near 3)]", [Items(1, 3)]),
        ("[(far 1) (near 2)]", []),
        ("[(far 1) [(far 2) (far 3)]]", [Items(0, 1), Items(0, 1)]),
        ("(list (far 1) (far 2))", [Items(0, 1)]),
        ("#{(far 1) (far 2)}", [Items(0, 1)]),
        ("{:a (far 1) :b (far 2)}", [Items(1, 3)]),
        ("(+ (far 1) (far 2) 3)", [Items(0, 1)]),
        ("(near (far (far 1)))", []),
        ("[(far 1) (unknown 2)]", [Items(0, 1)]),
        ("[(far 1) (fn [x] (far x))]", []),
        ("[(fn [x] [(far x) (far x)])]", [Items(0, 1)]),
        ("[(far 1) (await 2)]", [Items(0, 1)]),
        ("[(async (far 1)) (far 2)]", []),
        ("[(map far [1]) (far 2)]", [Items(0, 1)]),
        ("[(map near [1]) (far 2)]", []),
        ("(do (far 1) (far 2))", []),
        ("(if (far 1) (far 2) (far 3))", []),
        ("[(far 1) (do (def a 1) (far a))]", []),
        ("(let [a (far 1) b (far 2)] a)", [Bindings(2, (1, 1), ((), ()))]),
        ("(let [a (far 1) b (far a)] a)", []),
        ("(let [a (far 1) b (near a) c (far b)] a)", []),
        ("(let [a (near 1) b (far a) c (near b) d (far a)] a)", [Bindings(3, (1, 1, 1), ((), (0,), ()))]),
        ("(let [a (far 1) b (far a) c (far 2)] a)", [Bindings(3, (1, 1, 1), ((), (0,), ()))]),
        ("(let [[a b] (far 1) c (far 2) d (far b)] a)", [Bindings(6, (4, 1, 1), ((), (), (0,)))]),
        ("(let [a (far 1) f (fn [] a) b (far (f))] a)", []),
        ("(let [a (far 1) x (do (def y 1) y) b (far 2)] a)", []),
        ("(for [x [1 2]] (far x))", ["loop"]),
        ("(doseq [x [1 2]] (far x))", ["loop"]),
        ("(for [x [1 2]] (near x))", []),
        ("(for [x (far [1 2])] x)", []),
        ("(for [x [1 2] :when (far x)] x)", ["loop"]),
        ("(for [x [1 2] :while (far x)] x)", []),
        ("(for [x [1 2] :while x y [3]] (far y))", ["loop"]),
        ("(for [x [1 2] y [3]] (far y))", ["loop", "loop"]),
        ("(for [x [1 2]] (do (def a (far x)) a))", []),
        ("(loop [i 0 j 0] (if i (recur (far i) (far j))))", [Items(0, 1)]),
        ("(step-parallel (far 1) (far 2))", [Items(0, 1)]),
        ("(pair 1)", []),
        ("(module m (def a [(far 1) (far 2)]))", []),
    ],
)  # fmt: skip
def test_forks(text: str, expected: list[object]) -> None:
    assert found(text, "far") == expected


def test_what_counts_depends_on_what_runs_elsewhere() -> None:
    text = "(defn f [x] [(far x) (near x)])"
    assert found(text, "far") == found(text, "near") == []
    assert found(text, "far", "near") == [Items(0, 1)]
    assert forks(text, "far", "near").key() != forks(text, "far").key()


def test_a_function_of_which_nothing_is_known_may_run_elsewhere() -> None:
    assert found("(defn f [g] [(g 1) (g 2)])") == [Items(0, 1)]
    assert found("[(pair near) (pair near)]") == [Items(0, 1)]
    assert found("[(m/a 1) (m/a 2)]") == [Items(0, 1)]
