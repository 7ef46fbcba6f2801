"""Ids of tickets: 48 bits of time, 80 bits of chance, as 26 letters and digits that sort by time.

    01k8v3q2wd 7m0c9x5t2hqk4bne
    time, ms   secrets

Who submits makes the id, so that a submission whose answer was lost is repeated with the same id and makes one
ticket. An id is no permission, but it cannot be guessed. The letters are those of Crockford's base 32, without
i, l, o and u; an id is a safe file name, URL segment and shell word.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

from actors.tickets.errors import InvalidTicket

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH: Final = 26
_RANDOM_BITS: Final = 80
#: 26 digits of 5 bits are 130 bits; the first one holds three
_ID: Final = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}", re.ASCII)
_PREFIX: Final = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{0,25}", re.ASCII)

#: the tenant of tickets that belong to nobody in particular
NOBODY: Final = "(nobody)"


def new_ticket_id(now: float | None = None) -> str:
    """An id that no other ticket has.

    Args:
        now: seconds since the epoch; the present if None.
    """
    milliseconds = int((time.time() if now is None else now) * 1000) & (1 << 48) - 1
    number = milliseconds << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))


def is_ticket_id(text: str) -> bool:
    """Whether `text` is spelt like an id."""
    return _ID.fullmatch(text) is not None


def check_ticket_id(text: str) -> str:
    """The id itself.

    Raises:
        InvalidTicket: it is not spelt like one.
    """
    if not is_ticket_id(text):
        raise InvalidTicket(f"expected a ticket id of {_LENGTH} digits and letters, got {_shown(text)}")
    return text


def check_prefix(text: str) -> str:
    """The beginning of an id itself.

    Raises:
        InvalidTicket: no id begins like that.
    """
    if _PREFIX.fullmatch(text) is None:
        raise InvalidTicket(f"expected the beginning of a ticket id, got {_shown(text)}")
    return text


def _shown(text: str) -> str:
    shortened = text if len(text) <= 2 * _LENGTH else text[: 2 * _LENGTH] + "…"
    return f"`{shortened}`" if shortened.isprintable() else ascii(shortened)
