from __future__ import annotations

import struct
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models.vectors import MAGIC, are_float_vectors, decode_float_vectors, encode_float_vectors
from rtfs.errors import StorageError
from rtfs.values import List, Vector

FLOATS = st.lists(st.floats(), min_size=1, max_size=5)


def bits(rows: Any) -> list[bytes]:
    return [struct.pack(f">{len(row)}d", *row) for row in rows]


@given(st.lists(FLOATS, max_size=4))
def test_they_come_back_bit_by_bit(rows: list[list[float]]) -> None:
    vectors = [Vector(row) for row in rows]
    assert are_float_vectors(vectors)
    found = decode_float_vectors(encode_float_vectors(vectors))
    assert {type(each) for each in found} <= {Vector}
    assert bits(found) == bits(rows)


@given(st.binary(max_size=40))
def test_whatever_the_bytes_are(data: bytes) -> None:
    try:
        found = decode_float_vectors(MAGIC + data)
    except StorageError:
        return
    assert encode_float_vectors(found) == MAGIC + data  # type: ignore[arg-type]  # they are vectors


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Vector([0.5, nan, inf]), True),
        (Vector([]), False),  # of no type
        (Vector([0.5, 1]), False),
        (Vector([0.5, True]), False),
        (Vector([0.5, None]), False),
        (Vector([Vector([0.5])]), False),
        (List([0.5]), False),
        (0.5, False),
        ("0.5", False),
    ],
)
def test_what_they_are(value: Any, expected: bool) -> None:
    assert are_float_vectors([Vector([1.0]), value]) is expected
