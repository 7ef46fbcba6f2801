from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.tickets.codec import decode_ticket, encode_ticket, ticket_data
from actors.tickets.errors import StoreDamaged
from actors.tickets.ticket import PHASES, STATES, Attempt, Ticket

texts = st.text(st.characters(), max_size=20)
times = st.floats(0, 1e12) | st.integers(0, 10**12)
maybe_times = st.none() | times
attempts = st.builds(
    Attempt,
    number=st.integers(1, 10**6),
    started_at=times,
    ended_at=maybe_times,
    where=texts,
    why=texts,
)


@st.composite
def tickets(draw: st.DrawFn) -> Ticket:
    state = draw(st.sampled_from(STATES))
    return Ticket(
        id=draw(texts),
        tenant=draw(texts),
        name=draw(texts),
        priority=draw(st.integers(-100, 100)),
        state=state,
        phase=draw(st.sampled_from(PHASES)) if state == "working" else None,
        reason=draw(texts),
        waiting_for=draw(st.none() | texts),
        created_at=draw(times),
        updated_at=draw(times),
        queued_at=draw(times),
        not_before=draw(maybe_times),
        deadline_at=draw(maybe_times),
        attempts=tuple(draw(st.lists(attempts, max_size=3))),
        tries=draw(st.integers(0, 10**6)),
        failures=draw(st.integers(0, 100)),
        max_attempts=draw(st.integers(1, 100)),
        dead=draw(st.booleans()),
        keep_s=draw(maybe_times),
        expires_at=draw(maybe_times),
        request_digest=draw(texts),
        journal=draw(st.none() | texts),
    )


@given(tickets())
def test_a_record_comes_back_as_it_was(ticket: Ticket) -> None:
    stored = encode_ticket(ticket)
    assert decode_ticket(stored) == ticket
    assert encode_ticket(decode_ticket(stored)) == stored
    json.dumps(ticket_data(ticket))


LITTLE = {
    "id": "i",
    "tenant": "t",
    "state": "working",
    "phase": "queued",
    "created_at": 1.0,
    "updated_at": 1.0,
    "queued_at": 1.0,
    "max_attempts": 3,
    "request_digest": "d",
}


def stored(**changes: Any) -> bytes:
    return b"\x01" + json.dumps(LITTLE | changes).encode()


def test_fields_that_are_not_stored_have_their_defaults() -> None:
    ticket = decode_ticket(stored())
    assert {
        each.name: getattr(ticket, each.name) for each in fields(ticket) if each.default is not MISSING
    } == {each.name: each.default for each in fields(Ticket) if each.default is not MISSING}
    assert set(json.loads(encode_ticket(ticket)[1:])) == set(LITTLE)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "another version: expected format 1, got nothing"),
        (b"\x02{}", "another version: expected format 1, got 2"),
        (b"\x80\x04.", "another version"),  # a pickle
        (b"\x01", "damaged"),
        (b"\x01\xff", "damaged"),
        (b"\x01[]", "fields are missing"),
        (b"\x01{}", "fields are missing"),
        (b"\x01" + b"[" * 100_000, "damaged"),
        (stored(unknown=1), "`unknown`"),
        (stored(id=7), "`id`"),
        (stored(dead=1), "`dead`"),
        (stored(tries=True), "`tries`"),
        (stored(created_at="now"), "`created_at`"),
        (stored(deadline_at=float("inf")), "`deadline_at`"),
        (stored(state="lost"), "state 'lost'"),
        (stored(state="completed"), "phase 'queued'"),
        (stored(phase=None), "phase None"),
        (stored(attempts=[[1, 2.0]]), "other fields"),
        (stored(attempts=[7]), "other fields"),
        (stored(attempts=[[1, 2.0, None, "w", 5]]), "an attempt has 5"),
    ],
)
def test_what_was_not_written_by_us_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(StoreDamaged) as caught:
        decode_ticket(data)
    assert why in str(caught.value)


@given(tickets(), st.data())
def test_damaged_bytes_give_a_record_or_an_error_of_ours(ticket: Ticket, data: st.DataObject) -> None:
    good = bytearray(encode_ticket(ticket))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_ticket(bytes(good))
    except StoreDamaged:
        pass
