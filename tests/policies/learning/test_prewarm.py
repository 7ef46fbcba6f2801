"""What is likely to be needed next."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtfs
from policies.errors import PolicyError
from policies.learning.prewarm import (
    EDGE,
    MAX_FOLLOWERS,
    MAX_SYMBOLS,
    Habits,
    call_graph,
    call_order,
    needed_targets,
    predict,
)

RUNS = st.lists(st.lists(st.sampled_from("abcde"), max_size=6), max_size=12)


def after(*runs: str) -> Habits:
    habits = Habits()
    for run in runs:
        habits = habits.after(tuple(run))
    return habits


def likely(habits: Habits, last: str | None, steps: int = 1, order: str = "") -> dict[str, float]:
    found = predict(habits, last, steps=steps, order=tuple(order))
    return {name: round(probability, 2) for name, probability in found}


# runs, last call, steps; what comes, and how likely
CASES = [
    (["abc"], None, 1, {"a": 1.0}),
    (["abc"], "a", 1, {"b": 1.0}),
    (["abc"], "a", 2, {"b": 1.0, "c": 1.0}),
    (["abc"], "c", 5, {}),
    (["abc"], "x", 5, {}),
    (["ab", "ac"], "a", 1, {"b": 0.5, "c": 0.5}),
    (["ab", "ab", "ab", "ac"], "a", 1, {"b": 0.75, "c": 0.25}),
    (["aab"], "a", 1, {"a": 0.5, "b": 0.5}),
    (["aab"], "a", 2, {"a": 0.5, "b": 0.75}),
    (["ab", "a"], None, 3, {"a": 1.0, "b": 0.5}),
]


@pytest.mark.parametrize(("runs", "last", "steps", "expected"), CASES)
def test_predictions(runs: list[str], last: str | None, steps: int, expected: dict[str, float]) -> None:
    assert likely(after(*runs), last, steps) == expected


def test_the_likeliest_comes_first_and_no_more_than_asked_for() -> None:
    habits = after(*["ab"] * 5, *["ac"] * 3, "ad")
    assert [each.name for each in predict(habits, "a", steps=1)] == ["b", "c", "d"]
    assert [each.name for each in predict(habits, "a", steps=1, most=2)] == ["b", "c"]


def test_a_program_says_all_where_nothing_was_seen_and_little_where_much_was() -> None:
    assert likely(Habits(), None, 2, order="abc") == {"a": 1.0, "b": 1.0}
    seen = after(*["ac"] * 98)
    assert likely(seen, "a", order="abc")["c"] > 0.95
    assert 0 < likely(seen, "a", order="abc")["b"] < 0.05


def test_old_habits_fade() -> None:
    habits = Habits(half_life=5)
    for run in [*["ab"] * 50, *["ac"] * 25]:
        habits = habits.after(tuple(run))
    assert likely(habits, "a") == {"c": 0.97, "b": 0.03}


@given(RUNS, st.none() | st.sampled_from("abcde"), st.integers(1, 6))
def test_predictions_are_probabilities_in_order(runs: list[list[str]], last: str | None, steps: int) -> None:
    habits = Habits()
    for run in runs:
        habits = habits.after(run)
    found = predict(habits, last, steps=steps)
    assert all(0 < each.probability <= 1 for each in found)
    assert list(found) == sorted(found, key=lambda each: (-each.probability, each.name))
    sooner = dict(predict(habits, last, steps=1))
    later = dict(found)
    assert all(later.get(name, 0) >= chance - 1e-9 for name, chance in sooner.items())
    followed = {b for run in runs for a, b in pairwise((EDGE, *run)) if a == (last or EDGE)}
    assert set(sooner) <= followed


@given(RUNS)
def test_data_round_trip(runs: list[list[str]]) -> None:
    habits = Habits(half_life=7)
    for run in runs:
        habits = habits.after(run)
    assert Habits.from_data(json.loads(json.dumps(habits.to_data()))) == habits


@pytest.mark.parametrize(
    "data",
    [None, {}, {"half_life": 0.0, "followers": {}}, {"half_life": 1.0, "followers": {"a": {"b": -1}}},
     {"half_life": 1.0, "followers": {"a": 3}}, {"half_life": 1.0, "followers": {1: {}}},
     {"half_life": 1.0, "followers": {"a": {"b": True}}}],
)  # fmt: skip
def test_other_data_is_refused(data: object) -> None:
    with pytest.raises(PolicyError, match="expected"):
        Habits.from_data(data)


def test_memory_is_bounded() -> None:
    habits = Habits()
    for number in range(MAX_FOLLOWERS + 20):
        habits = habits.after(("a", f"b{number}"))
    assert len(habits.followers["a"]) == MAX_FOLLOWERS
    assert f"b{MAX_FOLLOWERS + 19}" in habits.followers["a"]
    habits = Habits().after([f"s{number}" for number in range(MAX_SYMBOLS + 50)])
    assert len(habits.followers) == MAX_SYMBOLS
    assert EDGE in habits.followers


def test_targets_by_their_functions() -> None:
    predictions = predict(after("ab", "ac", "ac", "ad"), "a", steps=1)
    targets = {"b": "local-small", "c": "remote-big", "d": "local-small"}
    found = needed_targets(predictions, targets)
    assert [each.name for each in found] == ["remote-big", "local-small"]
    assert found[0].probability == pytest.approx(0.5, abs=0.01)
    assert found[1].probability == pytest.approx(1 - 0.75**2, abs=0.01)
    assert needed_targets(predictions, {}) == ()


PROGRAM = """
(defn clean [s] (trim s))
(defn label [s] (sentiment (clean s)))
(defn sentiment [s] "good")
(defn summary [xs] (join (map label xs)))
(defn join [xs] (reduce (fn [a b] (glue a b)) "" xs))
(defn glue [a b] (str a b))
(defn unused [x] (glue x x))
(summary ["a" "b"])
"""


def test_the_call_graph_of_a_program() -> None:
    graph = call_graph(rtfs.compile(PROGRAM).unit)
    assert graph[EDGE] == ("summary",)
    assert graph["summary"] == ("join", "label")
    assert graph["label"] == ("sentiment", "clean")
    assert graph["join"] == ("glue",)
    assert graph["unused"] == ("glue",)


def test_the_order_in_which_a_program_comes_to_its_functions() -> None:
    graph = call_graph(rtfs.compile(PROGRAM).unit)
    assert call_order(graph) == ("summary", "join", "glue", "label", "sentiment", "clean")
    assert call_order(graph, "label") == ("sentiment", "clean")
    assert call_order(graph, most=2) == ("summary", "join")


def test_functions_of_modules_have_their_names() -> None:
    text = "(module m (:exports [f]) (defn g [x] x) (defn f [x] (g x)))\n(m/f 1)"
    graph = call_graph(rtfs.compile(text).unit)
    assert graph["m/f"] == ("m/g",)
    assert graph[EDGE] == ("m/f",)


def test_recursion_ends() -> None:
    graph = call_graph(rtfs.compile("(defn f [n] (if (= n 0) 0 (g n))) (defn g [n] (f (- n 1))) (f 3)").unit)
    assert call_order(graph) == ("f", "g")
