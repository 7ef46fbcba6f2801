r"""Server-sent events: events as text over HTTP, and back.

    id: 17
    event: tickets
    data: {"at":1700000000.5,"data":{"state":"completed"},"key":"t-1","state":false}

Lines end with a line feed, an event with an empty line. A text of several lines is several `data` lines, joined
by a line feed when read. Reading follows the rules for event streams of the HTML standard: lines may end in CR,
LF or both; one byte order mark in front is left out; comments and unknown fields too; an event without data is
none; what comes after the last empty line does not count.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from actors.events.event import Event, EventError

CONTENT_TYPE: Final = "text/event-stream"
#: a comment: keeps proxies from closing a connection on which nothing happens
KEEP_ALIVE: Final = ": \n\n"

_LINE_END: Final = re.compile(r"\r\n|\n|\r")


def to_sse(event: Event) -> str:
    """An event as text."""
    told = {"key": event.key, "at": event.at, "state": event.state, "data": dict(event.data)}
    text = json.dumps(told, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return sse_text(text, event=event.topic, id_=str(event.seq) if event.seq else None)


def sse_text(data: str, *, event: str | None = None, id_: str | None = None) -> str:
    """Any text as a server-sent event.

    Raises:
        EventError: a name or an id with a line end or NUL in it, which would be another field.
    """
    lines = []
    for name, value in (("id", id_), ("event", event)):
        if value is not None:
            if re.search(r"[\r\n\0]", value):
                raise EventError(f"the {name} of a server-sent event must be one line, got {value!r}")
            lines.append(f"{name}: {value}")
    lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return "\n".join(lines) + "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SseMessage:
    """One event as read."""

    data: str
    event: str = "message"
    #: the last id that the stream named, of this or an earlier event
    id: str = ""


def from_sse(message: SseMessage) -> Event:
    """The event that `to_sse` wrote. Whose it is was not told.

    Raises:
        EventError: it is none of ours.
    """
    try:
        told = json.loads(message.data)
        return Event(
            seq=int(message.id or 0),
            topic=message.event,
            key=told["key"],
            at=told["at"],
            data=told["data"],
            state=told["state"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise EventError(f"not an event of this service: {message!r}") from error


class SseReader:
    """Reads a stream in pieces as they come, cut anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text = ""
        self._at_start = True
        self._event = ""
        self._id = ""
        self._data: list[str] = []
        #: what the stream asked clients to wait before they connect again; None: nothing
        self.retry_ms: int | None = None

    def feed(self, piece: bytes) -> list[SseMessage]:
        """The events that are complete with this piece."""
        self._text += self._decoder.decode(piece)
        if self._at_start and self._text:
            self._at_start = False
            self._text = self._text.removeprefix("\ufeff")
        found = []
        for line in self._lines():
            if line:
                self._field(line)
            elif (message := self._message()) is not None:
                found.append(message)
        return found

    def _lines(self) -> Iterator[str]:
        """Complete lines. A CR at the very end may be half of a CR LF, so it waits for what follows."""
        at = 0
        for end in _LINE_END.finditer(self._text):
            if end.group() == "\r" and end.end() == len(self._text):
                break
            yield self._text[at : end.start()]
            at = end.end()
        self._text = self._text[at:]

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value)

    def _message(self) -> SseMessage | None:
        data, event = self._data, self._event
        self._data, self._event = [], ""
        if not data:
            return None
        return SseMessage(data="\n".join(data), event=event or "message", id=self._id)
