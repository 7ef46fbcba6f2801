"""Types that may, and types that certainly do not, have a member in common."""

import pytest

from rtfs.types.overlap import overlaps, strangers
from rtfs.types.parser import parse_type_text as T  # noqa: N812
from rtfs.types.parser import type_text

ALIASES = {"Tree": T("[:union int [:vector Tree]]"), "Bad": T("Bad")}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("any", "int"),
        ("int", "float"),
        ("float", "int"),
        ("int?", "string?"),
        ("int", "[:and int [:> 3]]"),
        ("[:val 5]", "[:and int [:custom]]"),
        ("[:vector int]", "[:vector string]"),
        ("[:vector int]", "[:tuple int]"),
        ("[:array int]", "[:array int [2]]"),
        ("[:map [:a int]]", "[:map [:b int]]"),
        ("[:map [:a int ?]]", "[:map [:a string ?]]"),
        ("[:map [:a int]]", "[:map-of keyword int]"),
        ("map", "[:map [:a int]]"),
        ("[:fn [int] int]", "[:fn [string] string]"),
        ("Unknown", "int"),
        ("Bad", "int"),
        ("Tree", "vector"),
        ('[:and string [:matches-regex "("]]', '[:val "a"]'),
    ],
)
def test_may_overlap(a, b):
    assert overlaps(T(a), T(b), ALIASES)
    assert overlaps(T(b), T(a), ALIASES)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("int", "string"),
        ("never", "any"),
        ("bool", "int"),
        ("int?", "string"),
        ("[:val 3]", "[:and int [:> 3]]"),
        ("[:val 2.5]", "int"),
        ("[:enum :a :b]", "[:enum :c]"),
        ("[:vector int]", "[:list int]"),
        ("[:tuple int]", "[:tuple int int]"),
        ("[:tuple int]", "[:vector string]"),
        ("[:tuple int]", "[:array int [2]]"),
        ("[:array int [1]]", "[:array int [2]]"),
        ("[:map [:a int]]", "[:map [:a string]]"),
        ("[:map [:a int]]", "[:map [:* string]]"),
        ("[:map [:* never]]", "[:map [:a int]]"),
        ("[:map [:a int]]", "[:map-of keyword string]"),
        ("[:map [:a int]]", "[:map-of int any]"),
        ("Tree", "string"),
        ("[:tuple string]", "Tree"),
    ],
)
def test_certainly_apart(a, b):
    assert not overlaps(T(a), T(b), ALIASES)
    assert not overlaps(T(b), T(a), ALIASES)


@pytest.mark.parametrize(
    ("given", "wanted", "expected", "all_of_them"),
    [
        ("[:union int string]", "int", ["string"], False),
        ("string?", "int", ["string", "nil"], True),
        ("int", "int", [], False),
        ("any", "int", [], False),
        ("Tree", "string", ["int", "[:vector Tree]"], True),
    ],
)
def test_strangers(given, wanted, expected, all_of_them):
    found, all_found = strangers(T(given), T(wanted), ALIASES)
    assert ([type_text(t) for t in found], all_found) == (expected, all_of_them)
