"""Nearest names."""

from __future__ import annotations

import pytest

from rtfs.spell import nearest

NAMES = [
    "map",
    "max",
    "filter",
    "reduce",
    "string-length",
    "map-indexed",
    "dissoc",
    "+",
    "if",
    ":local",
    "count",
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mpa", "map"),
        ("filtr", "filter"),
        ("fliter", "filter"),
        ("reducee", "reduce"),
        ("string_length", "string-length"),
        ("stringlength", "string-length"),
        ("Map", "map"),
        ("IF", "if"),
        (":locl", ":local"),
        ("mxp", "map"),
        ("zzz", None),
        ("count", None),
        ("x", None),
        ("", None),
        ("c" * 1000, None),
        ("totally-different", None),
    ],
)
def test_nearest(name: str, found: str | None) -> None:
    assert nearest(name, NAMES) == found
    assert nearest(name, reversed(NAMES)) == found
