from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.caches.errors import StoreDamaged
from actors.caches.l3 import rows
from actors.caches.l3.entry import Entry
from actors.caches.l3.rows import IndexNote, State
from actors.caches.layer import Origin

NUMBER = (7).to_bytes(8)
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("\ud800\udfff"), max_size=20)
ENTRIES = st.builds(
    Entry,
    st.just(NUMBER),
    st.binary(min_size=32, max_size=32),
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=9).map(lambda n: np.array(n, np.float32)),
    st.lists(TEXTS, max_size=4).map(tuple),
    st.binary(min_size=32, max_size=32),
    st.builds(Origin, st.none() | TEXTS, TEXTS, TEXTS, TEXTS),
    st.integers(0, 1 << 60),
    st.integers(0, 1 << 60),
)


def same(one: Entry | None, other: Entry) -> bool:
    return one is not None and (
        np.array_equal(one.vector, other.vector)
        and one._replace(vector=other.vector)[:2] == other[:2]
        and one[3:] == other[3:]
    )


@settings(max_examples=40)
@given(ENTRIES, st.binary(max_size=9))
def test_an_entry_is_read_as_it_was_written(entry: Entry, evidence: bytes) -> None:
    row = rows.write_entry(entry)
    assert same(rows.read_entry(NUMBER, row, evidence), entry._replace(evidence=evidence))
    assert rows.charged_bytes(row) >= len(row)


@settings(max_examples=40)
@given(ENTRIES, st.data())
def test_a_flipped_bit_is_noticed(entry: Entry, data: st.DataObject) -> None:
    row = bytearray(rows.write_entry(entry))
    at = data.draw(st.integers(0, len(row) * 8 - 1))
    row[at // 8] ^= 1 << at % 8
    assert rows.read_entry(NUMBER, bytes(row), b"") is None


@given(ENTRIES)
@settings(max_examples=20)
def test_a_row_in_the_place_of_another_is_noticed(entry: Entry) -> None:
    row = rows.write_entry(entry)
    assert rows.read_entry((8).to_bytes(8), row, b"") is None
    assert rows.read_entry(NUMBER, row[:-1], b"") is None
    assert rows.read_entry(NUMBER, row[:50], b"") is None


def test_evidence() -> None:
    row = rows.write_evidence(NUMBER, b"learnt")
    assert rows.read_evidence(NUMBER, row) == b"learnt"
    assert rows.read_evidence(NUMBER, None) is None
    assert rows.read_evidence(NUMBER, rows.write_evidence(NUMBER, b"")) == b""
    assert rows.read_evidence((8).to_bytes(8), row) is None
    assert rows.read_evidence(NUMBER, row[:-1]) is None
    assert rows.read_evidence(NUMBER, b"") is None


def test_state_and_notes() -> None:
    state, note = State(9, 8, 7, 6, 5), IndexNote(1, 2, 3, 4, 5)
    assert rows.read_state(state.packed()) == state
    assert rows.read_state(None) == State()
    for row in (state.packed()[:-1], bytes(len(state.packed())), b""):
        with pytest.raises(StoreDamaged):
            rows.read_state(row)
    assert rows.read_note(note.packed()) == note
    assert rows.read_note(None) is None
    assert rows.read_note(note.packed()[:-1] + b"\xff") is None
