"""Subtype and join: the rules, one line each, and recursion."""

import pytest

from rtfs.types.kinds import kinds
from rtfs.types.parser import parse_type_text as T  # noqa: N812
from rtfs.types.parser import type_text
from rtfs.types.subtyping import is_subtype, join, same_type
from rtfs.values import Map, Vector

ALIASES = {
    "Tree": T("[:union int [:vector Tree]]"),
    "Wood": T("[:union int [:vector Wood]]"),
    "Big": T("[:union int string [:vector Big]]"),
    "Point": T("[:map [:x int] [:y int]]"),
    "Id": T("int"),
    "Bad": T("Bad"),
    "Even": T("[:map [:odd Odd?]]"),
    "Odd": T("[:map [:even Even?]]"),
}

SUBTYPES = [
    ("int", "int"),
    ("never", "int"),
    ("int", "any"),
    ("Unknown", "any"),
    ("int", "float"),
    ("int", "number"),
    ("float", "number"),
    ("number", "float?"),
    ("nil", "int?"),
    ("int", "int?"),
    ("int", "float?"),
    ("int?", "[:union nil float]"),
    ("int", "[:union string int]"),
    ("[:union int string]", "[:union string int nil]"),
    ("[:enum 1 2]", "int"),
    ("[:enum 1 2]", "[:enum 3 2 1]"),
    ("[:val 1]", "float"),
    ("[:val 5]", "[:and int [:> 3]]"),
    ("[:and int [:> 3]]", "int"),
    ("[:and int [:> 3]]", "float"),
    ("[:and int [:> 3] [:< 9]]", "[:and int [:> 3]]"),
    ("[:and int string]", "string"),
    ("[:and int [:> 3]]", "int?"),
    ("[:and [:and int [:> 3]] [:< 9]]", "[:and [:and int [:> 3]] [:< 9]]"),
    ("[:vector int]", "[:vector float]"),
    ("[:vector int]", "vector"),
    ("[:list int]", "[:list any]"),
    ("[:set int]", "set"),
    ("[:tuple int int]", "[:vector int]"),
    ("[:tuple int int]", "[:tuple float any]"),
    ("[:tuple int int]", "[:array int [2]]"),
    ("[:tuple int int]", "[:array int]"),
    ("[:array int [2]]", "[:vector int]"),
    ("[:array int [2 3]]", "[:vector [:vector int]]"),
    ("[:array int [2]]", "[:array float [?]]"),
    ("[:vector int]", "[:array int]"),
    ("[:map [:a int] [:b int]]", "[:map [:a int]]"),
    ("[:map [:a int]]", "[:map [:a int ?]]"),
    ("[:map [:a int]]", "map"),
    ("[:map [:a int] [:* int]]", "[:map [:a int] [:* float]]"),
    ("[:map [:a int] [:* never]]", "[:map-of [:union keyword string] int]"),
    ("[:map-of keyword int]", "[:map-of any float]"),
    ("[:map-of keyword int]", "map"),
    ("[:map-of keyword int]", "[:map [:a int ?]]"),
    ("[:map [:* int]]", "[:map [:a int ?]]"),
    ("[:fn [float] int]", "[:fn [int] float]"),
    ("[:fn [& int] int]", "[:fn [int int] int]"),
    ("[:fn [int] int]", "fn"),
    ("[:resource A]", "[:resource A]"),
    ("Id", "float"),
    ("Point", "[:map [:x int]]"),
    ("[:map [:x int] [:y int]]", "Point"),
    ("Tree", "Tree"),
    ("Tree", "Wood"),
    ("Wood", "Tree"),
    ("Tree", "Big"),
    ("[:vector Tree]", "Tree"),
    ("Even", "Even"),
    ("[:map [:odd [:map [:even Even?]]]]", "Even"),
]

OTHERS = [
    ("any", "int"),
    ("float", "int"),
    ("int?", "int"),
    ("bool", "int"),
    ("[:union int string]", "int"),
    ("[:enum 1 2.5]", "int"),
    ("[:val 1]", "[:val true]"),
    ("[:val 1]", "[:val 1.0]"),
    ("[:val 3]", "[:and int [:> 3]]"),
    ("[:val 3]", "[:and int [:custom]]"),
    ("int", "[:and int [:> 3]]"),
    ("[:and int [:= 1]]", "[:and int [:= true]]"),
    ("[:and float [:> 3]]", "int"),
    ("[:vector float]", "[:vector int]"),
    ("[:vector int]", "[:list int]"),
    ("vector", "[:vector int]"),
    ("[:tuple int]", "[:tuple int int]"),
    ("[:tuple int string]", "[:vector int]"),
    ("[:vector int]", "[:tuple int]"),
    ("[:tuple int]", "[:array int [2]]"),
    ("[:array int]", "[:array int [2]]"),
    ("[:vector int]", "[:array int [2]]"),
    ("[:map [:a int]]", "[:map [:a int] [:b int]]"),
    ("[:map [:a int ?]]", "[:map [:a int]]"),
    ("[:map [:a int]]", "[:map [:b int ?]]"),
    ("[:map [:a int]]", "[:map [:a int] [:* int]]"),
    ("[:map [:a int] [:b string] [:* int]]", "[:map [:a int] [:* int]]"),
    ("[:map [:a int]]", "[:map-of keyword int]"),
    ("[:map [:a int] [:* never]]", "[:map-of keyword int]"),
    ("[:map-of keyword int]", "[:map [:a int]]"),
    ("[:fn [int] int]", "[:fn [float] int]"),
    ("[:fn [int] float]", "[:fn [int] int]"),
    ("[:fn [int int] int]", "[:fn [int] int]"),
    ("[:fn [int] int]", "[:fn [int int] int]"),
    ("[:fn [int] int]", "[:fn [int & int] int]"),
    ("[:resource A]", "[:resource B]"),
    ("Unknown", "int"),
    ("int", "Unknown"),
    ("Bad", "int"),
    ("int", "Bad"),
    ("Big", "Tree"),
    ("Tree", "int"),
    ("Even", "Odd"),
]


@pytest.mark.parametrize(("a", "b"), SUBTYPES)
def test_subtypes(a, b):
    assert is_subtype(T(a), T(b), ALIASES)


@pytest.mark.parametrize(("a", "b"), OTHERS)
def test_no_subtypes(a, b):
    assert not is_subtype(T(a), T(b), ALIASES)


def test_a_failed_assumption_takes_back_what_was_shown_under_it():
    # [:vector A] ≤ B is asked while A ≤ B is open; A ≤ B then fails, so it must not be remembered as shown.
    aliases = {"A": T("[:union [:vector A] string]"), "B": T("[:union [:vector B] int]")}
    assert not is_subtype(T("[:tuple [:vector A] A]"), T("[:tuple B any]"), aliases)
    assert not is_subtype(T("[:union [:vector A] int]"), T("B"), aliases)


def test_many_mutually_recursive_aliases_end():
    size = 40
    aliases = {}
    for i in range(size):
        a, b = (i * 7 + 1) % size, (i * 11 + 3) % size
        aliases[f"A{i}"] = T(f"[:union int [:tuple A{a} A{b}]]")
        aliases[f"B{i}"] = T(f"[:union [:tuple B{b} B{a}] [:tuple B{a} B{b}] number]")
    assert is_subtype(T("A0"), T("B0"), aliases)
    aliases["A13"] = T("[:union string [:tuple A1 A2]]")
    assert not is_subtype(T("A0"), T("B0"), aliases)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("int", "int", "int"),
        ("int", "float", "float"),
        ("int", "number", "number"),
        ("never", "int", "int"),
        ("never", "never", "never"),
        ("int", "any", "any"),
        ("int", "nil", "int?"),
        ("nil", "nil", "nil"),
        ("int?", "string", "[:union int string]?"),
        ("int", "string", "[:union int string]"),
        ("[:union int string]", "[:union string bool]", "[:union int string bool]"),
        ("[:union int string bool]", "[:union keyword symbol]", "[:union int string bool keyword symbol]"),
        ("[:union int string bool]", "[:union keyword symbol uuid]", "any"),
        ("[:val 1]", "int", "int"),
        ("[:vector int]", "[:vector float]", "[:vector float]"),
        ("Tree", "Wood", "Tree"),
    ],
)
def test_join(a, b, expected):
    assert type_text(join(T(a), T(b), ALIASES)) == expected


def test_same_type():
    assert same_type(T("[:union int nil]"), T("int?"))
    assert not same_type(T("[:val 1]"), T("[:val true]"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int?", {int, type(None)}),
        ("float", {int, float}),
        ("Tree", {int, Vector}),
        ("[:and Point [:has-key :z]]", {Map}),
        ("[:enum 1 true]", {int, bool}),
        ("any", None),
        ("[:union int any]", None),
        ("Unknown", None),
        ("never", set()),
    ],
)
def test_kinds(text, expected):
    assert kinds(T(text), ALIASES) == expected
