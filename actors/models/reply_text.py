"""The JSON in a model's reply.

A model that is not held to a grammar may put its answer into a code fence, or words around it. The answer is
cut out where it cannot be mistaken:

1. The reply as a whole is JSON. What a model thought aloud before, up to `</think>`, does not count.
2. Of its code fences, one holds JSON.
3. Of its brackets, one pair holds JSON. Numbers and strings among words are no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from rtfs.types.json_data import MAX_BYTES, NotOfType, json_data

_OPENING_FENCE: Final = re.compile(r"```[ \t]*(?:json[c5]?)?", re.IGNORECASE)
_CLOSING_FENCE: Final = "```"
_THOUGHT: Final = "</think>"
_OPENING: Final = re.compile(r"[\[{]")
_STRUCTURE: Final = re.compile(r'[\[{\]}]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)
#: characters of a reply that an answer is cut out of
_MAX_CUT: Final = 100_000
#: places where JSON may begin that are looked at
_MAX_PLACES: Final = 20


def reply_data(text: str) -> Any:
    """The JSON data in a reply.

    Raises:
        NotOfType: there is none, or more than one could be meant.
    """
    if len(text) > MAX_BYTES:
        raise NotOfType(f"more than {MAX_BYTES} bytes")
    if text.lstrip().startswith("<think>"):
        _, mark, rest = text.rpartition(_THOUGHT)
        text = rest if mark else ""
    if not text.strip():
        raise NotOfType("an empty reply")
    try:
        return json_data(text)
    except NotOfType as error:
        first = error
    if len(text) > _MAX_CUT:
        raise first
    for candidates in (_fenced(text), _bracketed(text)):
        found = [data for each in candidates for data in _parsed(each)]
        if len(found) > 1:
            raise NotOfType("more than one JSON value")
        if found:
            return found[0]
    raise first


def _parsed(text: str) -> Iterator[Any]:
    """The data of `text`, if it is JSON."""
    try:
        yield json_data(text)
    except NotOfType:
        return


def _fenced(text: str) -> Iterator[str]:
    """What stands in code fences that are of JSON, or of nothing in particular."""
    inside: list[str] | None = None
    for line in text.split("\n"):
        mark = line.strip()
        if inside is None:
            inside = [] if _OPENING_FENCE.fullmatch(mark) else None
        elif mark == _CLOSING_FENCE:
            yield "\n".join(inside)
            inside = None
        else:
            inside.append(line)


def _bracketed(text: str) -> Iterator[str]:
    """What stands between outermost brackets that match."""
    at = 0
    for _ in range(_MAX_PLACES):
        opening = _OPENING.search(text, at)
        if opening is None:
            return
        end = _end(text, opening.start())
        if end is None:
            at = opening.end()
        else:
            yield text[opening.start() : end]
            at = end
    if _OPENING.search(text, at):
        raise NotOfType("no JSON, but many brackets")


def _end(text: str, start: int) -> int | None:
    """Where the bracket at `start` ends; None: nowhere."""
    depth = 0
    for found in _STRUCTURE.finditer(text, start):
        if found[0] in "[{":
            depth += 1
        elif found[0] in "]}":
            depth -= 1
            if not depth:
                return found.end()
    return None
