from __future__ import annotations

import pytest

from rtfs.repl.type_of import type_of
from rtfs.values import Keyword, List, Map, Set, Timestamp, Value, Vector

A, B = Keyword.of("a"), Keyword.of("b")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "int"),
        (1.5, "float"),
        (True, "bool"),
        (None, "nil"),
        ("s", "string"),
        (A, "keyword"),
        (Timestamp("2025-01-31T10:20:30Z"), ":timestamp"),
        ((lambda: None), ":fn"),
        (Vector.of(), ":vector"),
        (Vector.of(1, 2), "[:vector int]"),
        (Vector.of(1, "a"), "[:vector [:union int string]]"),
        (Vector.of(Vector.of(1)), "[:vector [:vector int]]"),
        (List.of(1), "[:list int]"),
        (Set.of(A), "[:set keyword]"),
        (Map({}), ":map"),
        (Map({A: 1, B: "x"}), "[:map [:a int] [:b string]]"),
        (Map({"a": 1}), "[:map-of string int]"),
        (Vector.of(1, 1.0, "a", A, None, True), "[:vector any]"),
    ],
)
def test_type_of(value: Value, text: str) -> None:
    assert type_of(value) == text


def test_a_record_with_many_keys_is_described_by_their_types() -> None:
    assert type_of(Map({Keyword.of(f"k{i}"): i for i in range(20)})) == "[:map-of keyword int]"


def test_deep_data_is_cut_short() -> None:
    value = Vector.of(1)
    for _ in range(100_000):
        value = Vector.of(value)
    assert type_of(value).count("[:vector") == 6
