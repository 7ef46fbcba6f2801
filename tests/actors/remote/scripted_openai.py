"""What services that speak the OpenAI protocol answer, for `ScriptedServer`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import Any

from scripted_server import JSON, Behaviour, Received, answers, head

EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


def chat(
    text: Any, *, finish: str | None = "stop", usage: tuple[int, int] | None = None, **message: Any
) -> str:
    """A whole answer as JSON. `text` other than a string is the value of an object."""
    content = text if isinstance(text, str) or text is None else json.dumps({"value": text})
    found: dict[str, Any] = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"content": content, **message}, "finish_reason": finish}],
    }
    if usage is not None:
        found["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return json.dumps(found)


def says(text: Any, **more: Any) -> Behaviour:
    return answers(200, chat(text, **more))


def refuses(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Behaviour:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return answers(status, json.dumps({"error": error}))


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first request gets the first of them, and so on; all that follow get the last."""
    left = list(behaviours)

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        behaviour = left.pop(0) if len(left) > 1 else left[0]
        await behaviour(received, writer)

    return behave


def chunks(text: Any, *, finish: str | None = "stop", usage: tuple[int, int] | None = None) -> Iterator[str]:
    """The events of a streamed answer, a few characters in each."""
    content = text if isinstance(text, str) else json.dumps({"value": text})
    yield json.dumps({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
    for start in range(0, len(content), 3):
        yield json.dumps({"choices": [{"index": 0, "delta": {"content": content[start : start + 3]}}]})
    yield json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if usage is not None:
        counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
        yield json.dumps({"choices": [], "usage": counted})
    yield "[DONE]"


def as_events(events: Iterable[str], end: str = "\n") -> bytes:
    return "".join(f"data: {each}{end}{end}" for each in events).encode()


def streams(*pieces: bytes, ends: bool = True, then: Behaviour | None = None) -> Behaviour:
    """A stream in these pieces. With `ends`, it says how it ends; else it breaks off after `then`."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, {**EVENTS, "transfer-encoding": "chunked"}))
        for piece in pieces:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
        if then is not None:
            await then(received, writer)
        if ends:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        else:
            writer.close()

    return behave


def says_streamed(text: Any, **more: Any) -> Behaviour:
    return streams(*(as_events([each]) for each in chunks(text, **more)))


def embeds(received_to_vectors: Any = None) -> Behaviour:
    """Answers each text with a vector of its length, the last text first."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        texts = received.json["input"]
        data = [{"index": n, "embedding": [float(len(text)), 1.0, 0.0]} for n, text in enumerate(texts)]
        body = {"data": data[::-1], "usage": {"prompt_tokens": sum(map(len, texts))}}
        await answers(200, json.dumps(body), JSON)(received, writer)

    return behave
