"""Replies, tickets and policies as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from actors.requests import CallSummary, RunReply
from actors.service import PolicyChange, PolicyView, TicketPage, TicketView
from cluster.http.problems import error_json
from rtfs.convert import to_python
from rtfs.errors import RtfsError
from rtfs.values import Value

#: values whose text is longer are converted in another thread
LONG_CHARS: Final = 64 << 10

#: made once, which takes longer than to encode a small document
_ENCODER: Final = json.JSONEncoder(allow_nan=False)
_ATOMS: Final = frozenset((type(None), bool, int, str))


def run_answer(reply: RunReply) -> bytes:
    """A reply as a JSON document."""
    document = {
        "run_id": reply.run_id,
        "status": reply.status,
        "value": _data(reply.value) if reply.portable else None,
        "rtfs": reply.text,
        "portable": reply.portable,
        "output": reply.output,
        "took_ms": round(reply.took_ms, 3),
        "had_effects": reply.had_effects,
        "calls": [_summary(each) for each in reply.calls],
        "error": None if reply.error is None else error_json(reply.error),
    }
    try:
        return encoded(document)
    except (ValueError, RecursionError):
        # an infinity, or nesting that no JSON reader would follow: only the value's text can be told
        return encoded({**document, "value": None})


def encoded(document: object) -> bytes:
    """JSON data as bytes.

    Raises:
        ValueError: it holds an infinity, or a float that is no number.
        RecursionError: it is nested too deep.
    """
    return _ENCODER.encode(document).encode()


def _data(value: Value) -> Any:
    """A value as JSON data, None if JSON has none like it."""
    if type(value) in _ATOMS:
        return value
    try:
        return to_python(value)
    except RtfsError:  # a function, say, or keys that would be the same
        return None


def _summary(call: CallSummary) -> dict[str, Any]:
    return {**asdict(call), "took_ms": round(call.took_ms, 3)}


def ticket_answer(ticket: TicketView) -> dict[str, Any]:
    """A ticket as JSON data."""
    return asdict(ticket)


def page_answer(page: TicketPage) -> dict[str, Any]:
    """Tickets as JSON data."""
    return {"tickets": [ticket_answer(each) for each in page.tickets], "cursor": page.cursor}


def policy_answer(policy: PolicyView) -> dict[str, Any]:
    """A policy as JSON data."""
    return asdict(policy)


def change_answer(change: PolicyChange) -> dict[str, Any]:
    """What became of a new policy, as JSON data."""
    return {
        "policy": policy_answer(change.policy),
        "swapped": change.swapped,
        "changes": list(change.changes),
    }
