"""Membership of values in types, and the texts of failures."""

import math

import pytest

from rtfs import errors
from rtfs.types.check import TypeEnv, checker, matches
from rtfs.types.model import Alias
from rtfs.types.parser import parse_type_text as T  # noqa: N812
from rtfs.values import (
    ErrorValue,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Timestamp,
    Uuid,
    Vector,
)

K = Keyword.of
V = Vector.of


def function():
    """Some RTFS function."""


VALUES = {
    "nil": None,
    "int": 5,
    "float": 2.5,
    "bool": True,
    "string": "abc",
    "keyword": K("k"),
    "symbol": Symbol.of("s"),
    "vector": V(1),
    "list": List.of(1),
    "map": Map({K("a"): 1}),
    "set": Set.of(1),
    "fn": function,
    "timestamp": Timestamp("2025-01-31T10:20:30Z"),
    "uuid": Uuid("123e4567-e89b-12d3-a456-426614174000"),
    "error": ErrorValue(errors.DivisionByZero()),
    "handle": ResourceHandle("resource://x"),
}
ALSO = {"float": {"int"}, "number": {"int", "float"}, "any": set(VALUES), "never": set()}
PRIMITIVES = ["number", "any", "never", *(name for name in VALUES if name != "handle")]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_primitives_hold_their_own_kind_and_no_other(name):
    holds = {kind for kind, value in VALUES.items() if matches(value, T(name), TypeEnv())}
    assert holds == ALSO.get(name, set()) | ({name} if name in VALUES else set())


#: type, members, others
MEMBERSHIP = [
    ("int?", [None, 1], [1.0, True]),
    ("[:vector int]", [V(), V(1, 2)], [V(1, 2.0), V(True), List.of(1), None]),
    ("[:list int]", [List(), List.of(1)], [V(1), List.of("a")]),
    ("[:set keyword]", [Set(), Set.of(K("a"))], [Set.of(1), V()]),
    ("[:tuple int string]", [V(1, "a")], [V(1), V(1, "a", 2), V("a", 1), List.of(1, "a")]),
    (
        "[:map [:a int]]",
        [Map({K("a"): 1}), Map({"a": 1}), Map({K("a"): 1, "z": "z"})],
        [Map({}), Map({K("a"): "x"})],
    ),
    ("[:map [:a int]]", [Map({K("a"): 1, "a": "keyword wins"})], [Map({K("a"): "x", "a": 1})]),
    ("[:map [:a int ?]]", [Map({}), Map({K("a"): 1})], [Map({K("a"): None}), 5]),
    ("[:map [:a int?]]", [Map({K("a"): None})], [Map({})]),
    ("[:map [:a int] [:* string]]", [Map({K("a"): 1, "b": "x"})], [Map({K("a"): 1, "b": 2}), Map({"b": "x"})]),
    ("[:map [:* never]]", [Map({})], [Map({1: 1})]),
    ("[:map-of keyword int]", [Map({}), Map({K("a"): 1})], [Map({"a": 1}), Map({K("a"): "x"})]),
    ("[:fn [int] int]", [function], [K("k"), 5]),
    ('[:enum :a "a" 1 nil]', [K("a"), "a", 1, None], [1.0, True, K("b"), V()]),
    ("[:val 1.0]", [1.0], [1, True]),
    ("[:val ##NaN]", [], [math.nan]),
    ("[:union int [:vector int]]", [1, V(1)], ["a", V("a")]),
    ("[:array int]", [V(), V(1)], [V("a"), List.of(1)]),
    ("[:array int [2]]", [V(1, 2)], [V(1), V(1, 2, 3), 5]),
    ("[:array int [2 ?]]", [V(V(1), V())], [V(V(1)), V(1, 2), V(V(1), V("a"))]),
    ("[:array int [? 2]]", [V(), V(V(1, 2))], [V(V(1))]),
    ("[:resource File]", [VALUES["handle"]], ["resource://x"]),
    ("[:and int [:> 3]]", [4], [3, 4.5, "4"]),
    ("[:and any [:> 3]]", [4, 3.5, math.inf], [3, math.nan, True, "9"]),
    ("[:and any [:>= 3]]", [3, 3.0], [2.9]),
    ("[:and any [:< 3]]", [2, -math.inf], [3, math.nan]),
    ("[:and any [:<= 3]]", [3], [4]),
    ("[:and any [:= 3]]", [3, 3.0], [4, "3"]),
    ("[:and any [:= true]]", [True], [1, "true"]),
    ("[:and any [:!= 3]]", [4, "3"], [3, 3.0]),
    ("[:and any [:in-range 1 3]]", [1, 3, 2.5], [0, 3.1, "2"]),
    ("[:and string [:min-length 2]]", ["ab", "日本"], ["a", "日"]),
    ("[:and string [:max-length 2]]", ["", "日本"], ["abc"]),
    ("[:and string [:length 2]]", ["日本"], ["a", "abc"]),
    ("[:and any [:length 1]]", ["a"], [V(1), 1]),
    ("[:and any [:min-count 1]]", [V(1), Map({1: 1}), "a", Set.of(1), List.of(1)], [V(), "", 1]),
    ("[:and any [:max-count 1]]", [V(), V(1)], [V(1, 2), None]),
    ("[:and any [:count 1]]", [V(1)], [V()]),
    ("[:and any [:non-empty]]", ["a", V(1)], ["", V(), None]),
    ('[:and string [:matches-regex "b+"]]', ["abba", "b"], ["a", ""]),
    ("[:and any [:has-key :a]]", [Map({K("a"): 1}), Map({"a": 1})], [Map({}), V(K("a"))]),
    ("[:and map [:required-keys [:a :b]]]", [Map({K("a"): 1, "b": 2})], [Map({K("a"): 1})]),
    ("[:and any [:is-url]]", ["http://x", "https://x"], ["ftp://x", "x http://", 5]),
    (
        "[:and any [:is-email]]",
        ["a@b.cd", "a.b+c@d-e.f.org"],
        ["a@b", "@b.cd", "a@.c", "a@b.c", "a@b@c.de", "a b@c.de", "a@b.c1", 5],
    ),
    ("[:and [:vector int] [:min-count 1] [:max-count 2]]", [V(1)], [V(), V(1, 2, 3), V("a")]),
    (
        "[:vector [:vector [:vector [:vector [:map [:a int?]]]]]]",
        [V(V(V(V(Map({"a": 1})))))],
        [V(V(V(V(Map({})))))],
    ),
]


@pytest.mark.parametrize(("text", "members", "others"), MEMBERSHIP)
def test_membership(text, members, others):
    env = TypeEnv()
    assert [matches(value, T(text), env) for value in members] == [True] * len(members)
    assert [matches(value, T(text), env) for value in others] == [False] * len(others)


@pytest.mark.parametrize(("text", "members", "others"), MEMBERSHIP)
def test_membership_under_a_deep_type_is_the_same(text, members, others):
    t, deep = T(text), T("[:vector [:vector [:vector [:vector X]]]]")
    env = TypeEnv(aliases={"X": t})
    for value in (*members, *others):
        assert matches(V(V(V(V(value)))), deep, env) is matches(value, t, env)


POINT = {
    "Point": T("[:map [:x int] [:y [:and int [:> 0]]]]"),
    "Tree": T("[:union int [:vector Tree]]"),
    "Chain": T("[:map [:next Chain?] [:v int]]"),
    "Bad": Alias("Bad"),
    "Loop": T("[:union [:and Loop [:> 1]] int]"),
}


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("int", "a", "Type mismatch at x: expected int, got string"),
        ("int?", "a", "Type mismatch at x: expected int?, got string"),
        ("[:vector int]", V(1, 2, "a"), "Type mismatch at x[2]: expected int, got string"),
        ("[:vector int]?", V("a"), "Type mismatch at x[0]: expected int, got string"),
        ("[:map [:name string]]", Map({"name": 1}), "Type mismatch at x.name: expected string, got integer"),
        ("[:map [:name string]]", Map({}), "Missing required key :name at x"),
        ("[:map [:* int]]", Map({7: "a"}), "Type mismatch at x[7]: expected int, got string"),
        ("[:map-of keyword int]", Map({"k": 1}), "Type mismatch at x.k (key): expected keyword, got string"),
        ("[:set int]", Set.of("a"), "Type mismatch at x[*]: expected int, got string"),
        ("[:tuple int int]", V(1), "Shape violation at x: expected 2 items, got 1"),
        ("[:array int [1]]", V(), "Shape violation at x: expected 1 item, got 0"),
        ("[:enum :a :b]", K("c"), "Type mismatch at x: expected [:enum :a :b], got :c"),
        ("[:union int string]", V(), "Type mismatch at x: expected [:union int string], got vector"),
        ("[:union int [:vector int]]", V("a"), "Type mismatch at x[0]: expected int, got string"),
        (
            "[:union [:vector int] [:vector bool]]",
            V("a"),
            "expected [:union [:vector int] [:vector bool]], got vector",
        ),
        ("[:and int [:> 0]]", -1, "Predicate [:> 0] violated at x: got -1"),
        ("[:and int [:> 0]]", "a", "Type mismatch at x: expected int, got string"),
        ("Point", 5, "Type mismatch at x: expected Point, got integer"),
        ("Point?", Map({"x": 1, "y": 0}), "Predicate [:> 0] violated at x.y: got 0"),
        ("[:vector Point]", V(Map({"x": "a"})), "Missing required key :y at x[0]"),
        ("Tree", V(1, V(2, "a")), "Type mismatch at x[1][1]: expected Tree, got string"),
        (
            "Chain",
            Map({"v": 1, "next": Map({"v": "a", "next": None})}),
            "at x.next.v: expected int, got string",
        ),
        ("Piont", 5, "Type mismatch at x: expected Piont (unknown type), got integer"),
        ("Bad", 5, "type Bad is defined only by itself"),
        ("Loop", 5, "type Loop is defined only by itself"),
        ("[:vector Bad]", V(), "type Bad is defined only by itself"),
        ("[:and int [:positve]]", 5, "Unknown predicate: positve"),
        ('[:and string [:matches-regex "("]]', "a", "Invalid regex pattern '('"),
    ],
)
def test_failure_texts(text, value, message):
    check = checker(T(text), TypeEnv(aliases=POINT))
    with pytest.raises(errors.TypeValidationError) as caught:
        check(value, "x")
    assert message in caught.value.message


def test_nearest_names_are_hinted():
    with pytest.raises(errors.TypeValidationError) as caught:
        checker(T("Piont"), TypeEnv(aliases=POINT))(5, "x")
    assert caught.value.hint == "did you mean `Point`?"
    with pytest.raises(errors.TypeValidationError) as caught:
        checker(T("[:and string [:min-lenght 2]]"), TypeEnv())("a", "x")
    assert caught.value.hint == "did you mean `[:min-length …]`?"


def test_custom_predicates_get_the_value_and_their_literals():
    calls = []

    def divides(value, by):
        calls.append((value, by))
        return value % by == 0

    env = TypeEnv(function={"divides": divides}.get)
    assert matches(9, T("[:and int [:divides 3]]"), env)
    assert not matches(10, T("[:and int [:divides 3]]"), env)
    assert calls == [(9, 3), (10, 3)]


def test_basic_level_leaves_predicates_out():
    t = T("[:and int [:> 3] [:no-such]]")
    assert matches(1, t, TypeEnv(level="basic"))
    assert not matches(1, T("[:and int [:> 3]]"), TypeEnv(level="strict"))
    assert not matches("a", t, TypeEnv(level="basic"))


def test_aliases_mean_what_they_mean_when_the_check_runs():
    aliases = {"A": T("int")}
    env = TypeEnv(aliases=aliases)
    t = T("[:vector A]")
    check = checker(t, env)
    check(V(1), "x")
    assert matches(V(1), t, env)
    aliases["A"] = T("string")
    assert not matches(V(1), t, env)
    check(V("a"), "x")
    with pytest.raises(errors.TypeValidationError):
        check(V(1), "x")


def nested(depth, leaf):
    value = leaf
    for _ in range(depth):
        value = V(value)
    return value


def test_depth_of_data_is_no_limit():
    env = TypeEnv(aliases=POINT)
    assert matches(nested(100_000, 1), T("Tree"), env)
    with pytest.raises(
        errors.TypeValidationError, match=r"at x(\[0\]){10}…(\[0\]){10}: expected Tree, got string"
    ):
        checker(T("Tree"), env)(nested(20_000, "a"), "x")


def test_shared_data_is_looked_at_once():
    value = 1
    for _ in range(200):
        value = V(value, value)
    env = TypeEnv(aliases=POINT)
    assert matches(value, T("Tree"), env)
    deep = "int"
    for _ in range(60):
        deep = f"[:vector {deep}]"
    value = 1
    for _ in range(60):
        value = V(value, value)
    assert matches(value, T(deep), env)


def test_array_types_of_higher_rank_are_made_once():
    from rtfs.types.shapes import array_item

    t = T("[:array int [2 3]]")
    assert array_item(t) is array_item(t)
    assert array_item(T("[:array int [2]]")) == T("int")


def test_long_texts_are_cut():
    names = " ".join(f":name{i}" for i in range(500))
    with pytest.raises(errors.TypeValidationError) as caught:
        checker(T(f"[:enum {names}]"), TypeEnv())("v" * 10_000, "x")
    assert len(caught.value.message) < 400
