"""Constants of compiled code survive the way through `marshal`."""

from __future__ import annotations

import marshal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtfs
from rtfs.emit_python.frozen import NotFrozen, TypeConstant, freeze, thaw
from rtfs.types.parser import parse_type_text
from rtfs.values import Keyword, List, Map, ResourceHandle, Set, Symbol, Timestamp, Uuid, Vector, equal

NAMES = st.text("abcé-/?·", min_size=1, max_size=5)
KEYS = st.one_of(st.text(max_size=3), st.integers(), NAMES.map(Keyword.of))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.just("\ud800\0"),
    NAMES.map(Keyword.of),
    NAMES.map(Symbol.of),
    st.just(Timestamp("2025-01-31T10:20:30Z")),
    st.just(Uuid("123e4567-e89b-12d3-a456-426614174000")),
    st.just(ResourceHandle("resource://a")),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(Vector),
        st.lists(inner, max_size=4).map(List),
        st.lists(inner, max_size=4).map(Set),
        st.dictionaries(KEYS, inner, max_size=4).map(Map),
    ),
    max_leaves=12,
)


def round_trip(value: Any) -> Any:
    return thaw(marshal.loads(marshal.dumps(freeze(value))))


@given(VALUES)
def test_values(value: Any) -> None:
    back = round_trip(value)
    assert type(back) is type(value)
    assert equal(back, value)
    assert rtfs.pr_str(back) == rtfs.pr_str(value)


def test_numbers_keep_what_equality_does_not_see() -> None:
    assert (
        rtfs.pr_str(round_trip(Vector([-0.0, float("nan"), float("inf"), 1.0, True])))
        == "[-0.0 ##NaN ##Inf 1.0 true]"
    )


TYPES = [
    "int",
    "any",
    "string?",
    "Alias",
    "[:vector int]",
    "[:list [:set keyword]]",
    "[:tuple int string]",
    "[:map [:a int] [:b string ?] [:* any]]",
    "[:map-of string [:vector float]]",
    "[:fn [int & string] bool]",
    '[:enum :a "b" 3 nil]',
    "[:val 1.5]",
    "[:union int nil string]",
    '[:and int [:> 1] [:in-range 0 9] [custom "x"]]',
    "[:array float [2 ?]]",
    "[:resource File]",
]


@pytest.mark.parametrize("text", TYPES)
def test_types(text: str) -> None:
    declared = parse_type_text(text)
    back = round_trip(TypeConstant(declared))
    assert type(back) is TypeConstant
    assert back.type == declared
    assert round_trip(back).type == declared


@pytest.mark.parametrize("value", [len, object(), Vector([len]), b"bytes"])
def test_what_cannot_be_kept(value: Any) -> None:
    with pytest.raises(NotFrozen):
        freeze(value)
