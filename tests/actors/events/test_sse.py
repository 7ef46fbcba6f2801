"""Server-sent events, written and read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.events.event import Event, EventError
from actors.events.sse import KEEP_ALIVE, SseMessage, SseReader, from_sse, sse_text, to_sse

TICKET = Event(
    seq=17,
    topic="tickets",
    key="t-1",
    at=1_700_000_000.5,
    data={"state": "failed", "reason": "one\ntwo\r\nthree\rü\u2028"},
    state=True,
    tenant="acme",
)


def read(*pieces: bytes) -> list[SseMessage]:
    reader = SseReader()
    return [message for piece in pieces for message in reader.feed(piece)]


def test_an_event_as_text() -> None:
    text = to_sse(TICKET)
    lines = text.split("\n")
    assert lines[:2] == ["id: 17", "event: tickets"]
    assert lines[2].startswith("data: {")
    assert lines[3:] == ["", ""]
    assert json.loads(lines[2].removeprefix("data: ")) == {
        "key": "t-1",
        "at": 1_700_000_000.5,
        "state": True,
        "data": TICKET.data,
    }
    assert "acme" not in text


def test_what_was_written_is_read_back() -> None:
    (message,) = read(to_sse(TICKET).encode())
    back = from_sse(message)
    assert (back.seq, back.topic, back.key, back.at, back.data, back.state) == (
        TICKET.seq,
        TICKET.topic,
        TICKET.key,
        TICKET.at,
        TICKET.data,
        TICKET.state,
    )


def test_an_event_of_the_stream_itself_has_no_id() -> None:
    text = to_sse(Event(seq=0, topic="stream", key="resumed", at=1.0))
    assert not text.startswith("id:")
    assert from_sse(read(text.encode())[0]).seq == 0


def test_half_a_character_from_a_program_can_be_sent() -> None:
    event = Event(seq=1, topic="caches", key="\ud800", at=1.0)
    assert from_sse(read(to_sse(event).encode())[0]).key == "\ud800"


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"])
def test_names_and_ids_are_one_line(bad: str) -> None:
    for fields in ({"event": bad}, {"id_": bad}):
        with pytest.raises(EventError, match="must be one line"):
            sse_text("x", **fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: a\ndata: b\n\n", [("a\nb", "message", "")]),
        ("data: a\r\ndata: b\r\rdata: c\n\n", [("a\nb", "message", ""), ("c", "message", "")]),
        ("\ufeffdata: a\n\n", [("a", "message", "")]),
        ("\ufeff\ufeffdata: a\n\n", []),  # a second mark belongs to the name of a field
        (": a comment\nunknown: x\ndata\n\n", [("", "message", "")]),
        ("event: e\n\ndata: a\n\n", [("a", "message", "")]),  # no data: no event, and its name is forgotten
        ("id: 3\ndata:a\n\ndata:  b\n\n", [("a", "message", "3"), (" b", "message", "3")]),
        ("id: 3\n\nid\ndata: a\n\n", [("a", "message", "")]),
        ("id: 3\nid: x\0y\ndata: a\n\n", [("a", "message", "3")]),
        ("data: cut off", []),
        ("data: cut off\n", []),
        (KEEP_ALIVE * 3, []),
    ],
)
def test_reading_follows_the_standard(text: str, expected: list[tuple[str, str, str]]) -> None:
    whole = read(text.encode())
    assert [(message.data, message.event, message.id) for message in whole] == expected
    assert read(*(bytes([each]) for each in text.encode()), b"") == whole


def test_the_wait_that_a_stream_asks_for() -> None:
    reader = SseReader()
    reader.feed(b"retry: 20\nretry: x\n\n")
    assert reader.retry_ms == 20


@given(st.lists(st.text(), max_size=4), st.lists(st.integers(0, 200), max_size=6))
def test_any_text_survives_any_cut(texts: list[str], cuts: list[int]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    whole = "".join(sse_text(text, event="e", id_=str(n)) for n, text in enumerate(texts)).encode()
    ends = sorted({*cuts, len(whole)})
    pieces = [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    expected = ["\n".join(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")) for text in texts]
    found = read(*pieces)
    assert [message.data for message in found] == expected
    assert [message.id for message in found] == [str(n) for n in range(len(texts))]


@pytest.mark.parametrize("data", ["", "[]", "{}", "not json", '{"key":1}'])
def test_what_is_no_event_of_ours(data: str) -> None:
    with pytest.raises(EventError, match="not an event of this service"):
        from_sse(SseMessage(data=data, event="tickets", id="1"))
