"""What a service answers to a chat: read whole, or put together of a stream.

    {"choices": [{"message": {"content": "…"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, …}}

    data: {"choices": [{"delta": {"content": "…"}, "finish_reason": null}]}
    data: {"choices": [], "usage": {…}}
    data: [DONE]

Both give the same `Completion`. Fields that are not needed may be missing or be anything; what is needed has to
be what it should.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, isfinite
from typing import Any, Final

from actors.events.sse import SseReader
from policies.errors import TargetFailed

#: longest text of an answer, characters
MOST_TEXT: Final = 4 << 20
#: longest event of a stream, bytes: what is not complete is looked through again with each piece
_MOST_EVENT: Final = 1 << 20
_DONE: Final = "[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used, tokens."""

    prompt: int
    completion: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer."""

    text: str
    #: why it ended: `stop`, `length`, `content_filter`, `tool_calls`; None: it does not say
    finish: str | None = None
    refused: bool = False
    #: it wants a tool to be called
    calls_tools: bool = False
    usage: Usage | None = None
    #: natural logarithms of the probabilities of its tokens, if it gives them
    logprobs: tuple[float, ...] = ()

    @property
    def confidence(self) -> float | None:
        """The probability of the least likely token, 0 to 1; None without probabilities.

        Not of all together, since that of a long answer is always small; not their mean, since that of a label
        would drown in the brackets around it.
        """
        return min(1.0, exp(min(self.logprobs))) if self.logprobs else None

    def usable_text(self) -> str:
        """The text, if it is a whole answer.

        Raises:
            TargetFailed: it was cut off, is none, or calls a tool (`bad-reply`); the service refuses to answer
                this (`bad-request`).
        """
        if self.calls_tools or self.finish in ("tool_calls", "function_call"):
            raise TargetFailed("bad-reply", "it wants to call a tool, and was given none")
        if self.finish == "content_filter":
            raise TargetFailed("bad-request", "its content filter stopped the answer")
        if self.refused:
            raise TargetFailed("bad-request", "it refuses to answer")
        if self.finish == "length":
            raise TargetFailed("bad-reply", "its answer was cut off, since it took more tokens than it may")
        if not self.text.strip():
            raise TargetFailed("bad-reply", "its answer is empty")
        return self.text


def read_completion(found: Any) -> Completion:
    """The answer in a reply.

    Raises:
        TargetFailed: it holds none.
    """
    _check_no_error(found)
    choice = _choice(found)
    if choice is None:
        raise TargetFailed("bad-reply", "it answered with no choice")
    message = choice.get("message")
    if not isinstance(message, dict):
        raise TargetFailed("bad-reply", "expected a `message` in its choice")
    finish = choice.get("finish_reason")
    return Completion(
        text=_content(message.get("content")),
        finish=finish if isinstance(finish, str) else None,
        refused=bool(message.get("refusal")),
        calls_tools=bool(message.get("tool_calls") or message.get("function_call")),
        usage=read_usage(found),
        logprobs=tuple(_logprobs(choice)),
    )


@dataclass(slots=True)
class CompletionStream:
    """An answer that comes in pieces: `feed` it, and take its `completion` at the end."""

    _reader: SseReader = field(default_factory=SseReader)
    _utf8: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="strict")
    )
    _texts: list[str] = field(default_factory=list)
    _length: int = 0
    _unread: int = 0
    _finish: str | None = None
    _refused: bool = False
    _calls_tools: bool = False
    _usage: Usage | None = None
    _logprobs: list[float] = field(default_factory=list)
    _ended: bool = False

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes, cut anywhere; true when the answer is complete.

        Raises:
            TargetFailed: it is no such stream, or tells of an error.
        """
        try:
            self._utf8.decode(piece)
        except UnicodeDecodeError as error:
            raise TargetFailed("bad-reply", "its stream is not valid UTF-8") from error
        events = self._reader.feed(piece)
        self._unread = 0 if events else self._unread + len(piece)
        if self._unread > _MOST_EVENT:
            raise TargetFailed("bad-reply", f"an event of its stream is longer than {_MOST_EVENT} bytes")
        for event in events:
            if self._ended:
                break
            if event.data.strip() == _DONE:
                self._ended = True
            else:
                self._take(_chunk(event.data))
        return self._ended or self._calls_tools

    def completion(self) -> Completion:
        """The answer.

        Raises:
            TargetFailed: the stream ended before it was complete (`connection-lost`).
        """
        if not (self._ended or self._finish or self._calls_tools):
            raise TargetFailed("connection-lost", "its stream ended in the middle of the answer")
        return Completion(
            text="".join(self._texts),
            finish=self._finish,
            refused=self._refused,
            calls_tools=self._calls_tools,
            usage=self._usage,
            logprobs=tuple(self._logprobs),
        )

    @property
    def characters(self) -> int:
        """How much text has come."""
        return self._length

    def _take(self, chunk: Mapping[str, Any]) -> None:
        _check_no_error(chunk)
        self._usage = read_usage(chunk) or self._usage
        choice = _choice(chunk)
        if choice is None:
            return
        delta = choice.get("delta")
        if isinstance(delta, dict):
            text = _content(delta.get("content"))
            self._length += len(text)
            if self._length > MOST_TEXT:
                raise TargetFailed("bad-reply", f"its answer is longer than {MOST_TEXT} characters")
            self._texts.append(text)
            self._refused |= bool(delta.get("refusal"))
            self._calls_tools |= bool(delta.get("tool_calls") or delta.get("function_call"))
        self._logprobs += _logprobs(choice)
        finish = choice.get("finish_reason")
        if isinstance(finish, str):
            self._finish = finish


def read_usage(found: Mapping[str, Any]) -> Usage | None:
    """What a reply says that it used, None if it says nothing of the kind."""
    usage = found.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens", 0)
    if type(prompt) is not int or type(completion) is not int or prompt < 0 or completion < 0:
        return None
    return Usage(prompt=prompt, completion=completion)


def _chunk(data: str) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TargetFailed("bad-reply", "an event of its stream is no JSON") from error
    if not isinstance(found, dict):
        raise TargetFailed("bad-reply", "an event of its stream is no JSON object")
    return found


def _check_no_error(found: Any) -> None:
    """Some services tell of an error under the status of success."""
    if not isinstance(found, dict):
        raise TargetFailed("bad-reply", "expected a JSON object")
    if found.get("error"):
        raise TargetFailed("server-error", "it told of an error in the middle of an answer")


def _choice(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first choice; one alone is asked for."""
    choices = found.get("choices")
    if not isinstance(choices, list) or not choices:
        return None
    if not isinstance(choices[0], dict):
        raise TargetFailed("bad-reply", "expected a choice that is a JSON object")
    return choices[0]


def _content(content: Any) -> str:
    """A content as text; it may be one text, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    raise TargetFailed("bad-reply", "expected a text in its `content`")


def _logprobs(choice: Mapping[str, Any]) -> Sequence[float]:
    found = choice.get("logprobs")
    tokens = found.get("content") if isinstance(found, dict) else None
    each = [token.get("logprob") for token in tokens or () if isinstance(token, dict)]
    return [float(one) for one in each if isinstance(one, int | float) and isfinite(one)]
