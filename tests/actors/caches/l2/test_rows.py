from __future__ import annotations

from math import isnan
from pathlib import Path

import lmdb
import pytest

from actors.caches.errors import StoreDamaged, StoreError, StoreFull
from actors.caches.l2 import rows
from actors.caches.l2.rows import Place, Record, State
from actors.caches.layer import Origin, Which

KEY = b"k" * 32
RECORD = Record(0, 0.5, 0.25, rows.number_or_nan(None), 10, 20, 3, 4, 5, 6, 7)


def test_a_record_comes_back() -> None:
    found = rows.read_record(KEY, RECORD.packed(KEY) + b"value")
    assert found is not None
    assert found[:3] == RECORD[:3]
    assert isnan(found.latency_ms)
    assert found[4:] == RECORD[4:]


def test_no_flipped_bit_of_a_record_goes_unnoticed() -> None:
    row = RECORD.packed(KEY)
    for bit in range(8 * len(row)):
        flipped = bytearray(row)
        flipped[bit // 8] ^= 1 << bit % 8
        assert rows.read_record(KEY, bytes(flipped)) is None


def test_a_record_of_another_key_is_none() -> None:
    assert rows.read_record(b"j" * 32, RECORD.packed(KEY)) is None
    assert rows.read_record(KEY, b"") is None


def test_a_value_of_another_number_is_not_the_one_meant() -> None:
    assert rows.value_checksum(b"value", 1) != rows.value_checksum(b"value", 2)


def test_a_place_comes_back() -> None:
    place = Place(5, 6, KEY, b"i" * 16)
    assert rows.read_place(place.packed()) == place
    assert rows.read_place(b"short") is None
    assert place.agrees(Which(input=b"i" * 16))
    assert not place.agrees(Which(key=b"j" * 32))


@pytest.mark.parametrize(
    "origin", [Origin(None, "f", "m", "1"), Origin("", "é\ud800", "m", ""), Origin("t", "f", "m", "1")]
)
def test_an_origin_comes_back(origin: Origin) -> None:
    assert rows.read_origin(rows.write_origin(origin)) == origin


@pytest.mark.parametrize("row", [None, b"", b"[", b"{}", b"[1,2,3,4]", b'["a","b","c"]', b"\xff"])
def test_a_damaged_origin_is_none(row: bytes | None) -> None:
    assert rows.read_origin(row) is None


def test_a_state_comes_back() -> None:
    state = State(1, 2, 3, 4, 5, 6, 7, 8)
    assert rows.read_state(state.packed()) == state
    assert rows.read_state(None) == State()
    with pytest.raises(StoreDamaged):
        rows.read_state(b"short")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (lmdb.DiskError("full", 28), StoreFull),
        (lmdb.CorruptedError("what"), StoreDamaged),
        (lmdb.BadTxnError("what"), StoreError),
    ],
)
def test_errors_of_lmdb_are_translated(error: lmdb.Error, expected: type[StoreError]) -> None:
    found = rows.translated(error, Path("/somewhere"))
    if getattr(error, "code", 0) or expected is not StoreFull:
        assert type(found) is expected
