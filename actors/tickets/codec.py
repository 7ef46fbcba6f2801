"""A ticket's record as bytes.

    stored = FORMAT, JSON object of the fields

JSON in ASCII, not the codec of RTFS values: a record has nothing but texts and numbers, is read and written
several times in a ticket's life, and JSON took a fifth to a tenth of the time here. Fields that have their
default are left out, which also lets a later version add fields: what an older one wrote has their default. A
record of a newer format is refused rather than half understood.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from functools import lru_cache
from math import isfinite
from typing import Any, Final

from actors.tickets.errors import StoreDamaged
from actors.tickets.ticket import PHASES, STATES, Attempt, Ticket

FORMAT: Final = 1

_DEFAULTS: Final = {each.name: each.default for each in fields(Ticket) if each.default is not MISSING}
_NAMES: Final = tuple(each.name for each in fields(Ticket))
_REQUIRED: Final = frozenset(_NAMES) - frozenset(_DEFAULTS)
_TEXT: Final = (str,)
_MAYBE_TEXT: Final = (str, type(None))
_NUMBER: Final = (float, int)
_MAYBE_NUMBER: Final = (float, int, type(None))
#: the Python types of each field's JSON
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("id", "tenant", "name", "state", "reason", "request_digest"), _TEXT),
    **dict.fromkeys(("phase", "waiting_for", "journal"), _MAYBE_TEXT),
    **dict.fromkeys(("created_at", "updated_at", "queued_at"), _NUMBER),
    **dict.fromkeys(("not_before", "deadline_at", "keep_s", "expires_at"), _MAYBE_NUMBER),
    **dict.fromkeys(("priority", "tries", "failures", "max_attempts"), (int,)),
    "dead": (bool,),
    "attempts": (list,),
}
_ATTEMPT_KINDS: Final = ((int,), _NUMBER, _MAYBE_NUMBER, _TEXT, _TEXT)
_NOTHING: Final = object()
_JSON: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
#: records that need not be decoded again: each is read by whoever changes it, and once more when it is written
_REMEMBERED: Final = 1_024


def encode_ticket(ticket: Ticket) -> bytes:
    """The record, which `decode_ticket` reads back to an equal one."""
    data = {name: value for name in _NAMES if (value := getattr(ticket, name)) != _DEFAULTS.get(name, _NOTHING)}
    return bytes((FORMAT,)) + _JSON.encode(data).encode("ascii")


@lru_cache(_REMEMBERED)
def decode_ticket(stored: bytes) -> Ticket:
    """The record that `encode_ticket` wrote.

    Raises:
        StoreDamaged: the bytes are damaged, or of another version.
    """
    if stored[:1] != bytes((FORMAT,)):
        got = stored[0] if stored else "nothing"
        raise StoreDamaged(f"a ticket's record of another version: expected format {FORMAT}, got {got}")
    try:
        data = json.loads(stored[1:])
    except (ValueError, RecursionError) as exc:
        raise StoreDamaged(f"damaged record of a ticket: {exc}") from exc
    _check(data)
    if "attempts" in data:
        data["attempts"] = tuple([Attempt(*each) for each in data["attempts"]])
    return Ticket(**data)


def ticket_data(ticket: Ticket) -> dict[str, Any]:
    """All fields as plain data: texts, numbers, None, lists and dicts, for JSON and for people."""
    data = {name: getattr(ticket, name) for name in _NAMES}
    data["attempts"] = [attempt._asdict() for attempt in ticket.attempts]
    return data


def _check(data: Any) -> None:
    """Whether the fields are there and are what their annotations say."""
    if type(data) is not dict or not data.keys() >= _REQUIRED:
        raise StoreDamaged("damaged record of a ticket: fields are missing")
    for name, value in data.items():
        if type(value) not in _KINDS.get(name, ()) or (type(value) is float and not isfinite(value)):
            raise StoreDamaged(f"damaged record of a ticket: `{name}` cannot be {value!a:.60}")
    if data["state"] not in STATES or (data["phase"] in PHASES) != (data["state"] == "working"):
        raise StoreDamaged(
            f"damaged record of a ticket: state {data['state']!a:.60}, phase {data['phase']!a:.60}"
        )
    for attempt in data.get("attempts", ()):
        if type(attempt) is not list or len(attempt) != len(_ATTEMPT_KINDS):
            raise StoreDamaged("damaged record of a ticket: an attempt has other fields")
        for value, kinds in zip(attempt, _ATTEMPT_KINDS, strict=True):
            if type(value) not in kinds or (type(value) is float and not isfinite(value)):
                raise StoreDamaged(f"damaged record of a ticket: an attempt has {value!a:.60}")
