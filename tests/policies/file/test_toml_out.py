from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.file.toml_out import toml_text, toml_value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
INLINE = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
TABLES = st.recursive(
    st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, max_size=3), max_size=3),
    lambda inner: st.dictionaries(
        TEXTS, inner | st.lists(st.dictionaries(TEXTS, INLINE, max_size=2), min_size=1, max_size=3), max_size=3
    ),
    max_leaves=8,
)


@given(TABLES)
def test_it_reads_back(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(table)) == {"delegation": table}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1, "1"),
        (0.5, "0.5"),
        (60.0, "60"),
        (0.0, "0.0"),
        (1e22, "1e+22"),
        ('a "b" \\ \n\x1b', '"a \\"b\\" \\\\ \\n\\u001B"'),
        (("a", 1), '["a", 1]'),
        (frozenset({"b", "a"}), '["a", "b"]'),
        ({"a b": 1, "none": None}, '{ "a b" = 1 }'),
        ({}, "{}"),
    ],
)
def test_values(value: object, text: str) -> None:
    assert toml_value(value) == text


def test_tables_have_headers_and_keys_that_are_not_set_are_left_out() -> None:
    table = {"a": None, "b": {"c.d": {"e": 1}}, "rules": [{"f": [1]}, {"g": {"h": 2}}]}
    assert toml_text(table) == (
        '[delegation.b."c.d"]\ne = 1\n\n[[delegation.rules]]\nf = [1]\n\n[[delegation.rules]]\ng = { h = 2 }\n'
    )
