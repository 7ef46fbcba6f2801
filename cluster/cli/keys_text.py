"""Keys and moments as people and programs read them."""

from __future__ import annotations

import argparse
import datetime
import re
import time
from typing import TYPE_CHECKING, Any, Final

from cluster.cli.cache_text import one_line
from cluster.cli.ticket_text import duration

if TYPE_CHECKING:
    from cluster.cli.keys_choice import KnownKey

HEADS: Final = ("ID", "NAME", "OWN", "STATE", "UNTIL", "WHY")
#: what lifts a bound
NEVER: Final = float("inf")
_DURATION: Final = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
#: what only a text with a time of day has
_TIME: Final = re.compile(r"[T: ]")


def moment(text: str) -> float:
    """An option that is a time to come, in seconds since the epoch; `NEVER` for `never`.

    `30d` is from now; `2030-01-31` is the last second of that day and `2030-01-31T12:00` that minute, in UTC
    unless the text names another zone.
    """
    if text == "never":
        return NEVER
    found = _DURATION.fullmatch(text)
    now = time.time()
    at = now + int(found[1]) * _UNITS[found[2]] if found else _date(text)
    if at is None or not at < 253_402_300_800:  # the year 10000, which dates cannot be written from
        raise argparse.ArgumentTypeError(
            f"expected a date such as 2030-01-31, or a time such as 12h, 30d or 8w, got `{one_line(text[:40])}`"
        )
    if at <= now:
        raise argparse.ArgumentTypeError(f"expected a time to come, got `{text}`")
    return at


def _date(text: str) -> float | None:
    try:
        found = datetime.datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.UTC)
        if not _TIME.search(text):
            found += datetime.timedelta(seconds=86_399)
        return found.timestamp()
    except (ValueError, OverflowError):
        return None


def day(at: float | None) -> str:
    """A moment in a table: its day, or its minute if it is not the end of one."""
    if at is None:
        return "-"
    found = _moment(at)
    form = "%Y-%m-%d" if (found.hour, found.minute) == (23, 59) else "%Y-%m-%d %H:%M"
    return found.strftime(form)


def when(at: float, now: float) -> str:
    """A moment with its distance: `2030-01-31 12:00 UTC (in 30d)`."""
    distance = duration(abs(now - at))
    return f"{_moment(at):%Y-%m-%d %H:%M} UTC ({f'{distance} ago' if at <= now else f'in {distance}'})"


def _moment(at: float) -> datetime.datetime:
    """A time, the nearest that can be written."""
    try:
        return datetime.datetime.fromtimestamp(at, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        whole = datetime.datetime.max if at > 0 else datetime.datetime.min
        return whole.replace(tzinfo=datetime.UTC)


def row(key: KnownKey, now: float) -> tuple[str, ...]:
    """A key in a table under `HEADS`."""
    trusted = key.trusted
    return (
        key.id,
        one_line(key.name),
        "-" if key.file is None else "yes",
        key.state(now),
        day(None if trusted is None else trusted.not_after),
        one_line(trusted.why) if trusted is not None and trusted.why else "-",
    )


def described(key: KnownKey, now: float) -> dict[str, Any]:
    """A key as JSON data. Times are seconds since the epoch."""
    trusted = key.trusted
    return {
        "id": key.id,
        "public": key.public,
        "name": key.name,
        "state": key.state(now),
        "own": key.file is not None,
        "file": None if key.file is None else str(key.file),
        "trusted_at": None if trusted is None else trusted.trusted_at,
        "not_after": None if trusted is None else trusted.not_after,
        "revoked_at": None if trusted is None else trusted.revoked_at,
        "why": "" if trusted is None else trusted.why,
    }
