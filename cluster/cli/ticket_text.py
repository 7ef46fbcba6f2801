"""Tickets as people read them: a table, and one with everything."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actors.service import TicketView
    from actors.tickets.ticket import Ticket

_HEADS: Final = ("ID", "AGE", "STATE", "TRIES", "TENANT", "NAME", "REASON")
#: characters of a reason in a table; whole in `show`
_LONGEST_REASON: Final = 60


def duration(seconds: float) -> str:
    """`12s`, `4m`, `3h`, `2d`: how long ago something was, roughly."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size or (seconds >= size and unit != "m"):
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def table(tickets: Sequence[TicketView], now: float) -> list[str]:
    """One line a ticket, under a line of heads."""
    rows = [_HEADS, *(_row(each, now) for each in tickets)]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, each column as wide as its widest cell; the last one as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def _row(ticket: TicketView, now: float) -> tuple[str, ...]:
    return (
        ticket.id,
        duration(now - ticket.created_at),
        _stage(ticket),
        f"{ticket.attempts}/{ticket.max_attempts}",
        ticket.tenant or "-",
        ticket.name or "-",
        _shortened(ticket.reason),
    )


def _stage(ticket: TicketView) -> str:
    """`dead` for what can be queued again; else the phase, which is the state of what has ended."""
    return "dead" if ticket.dead else ticket.phase


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


def everything(view: TicketView, record: Ticket | None, now: float) -> list[str]:
    """All that is known of a ticket, a line each."""
    pairs = [
        ("ticket", view.id),
        ("state", view.state if view.phase == view.state else f"{view.state}: {view.phase}"),
        ("reason", view.reason or "-"),
        ("dead letter", "yes; `rtfs tickets requeue` tries it again" if view.dead else "no"),
        ("tenant", view.tenant or "-"),
        ("name", view.name or "-"),
        ("priority", str(view.priority)),
        ("tries", f"{view.attempts}, at most {view.max_attempts}"),
        ("created", _moment(view.created_at, now)),
        ("updated", _moment(view.updated_at, now)),
        ("deadline", "-" if view.deadline_at is None else _moment(view.deadline_at, now)),
        *(() if record is None else _recorded(record, now)),
    ]
    return aligned(pairs)


def _recorded(record: Ticket, now: float) -> Iterator[tuple[str, str]]:
    if record.waiting_for is not None:
        yield "waits for", record.waiting_for
    if record.not_before is not None:
        yield "not before", _moment(record.not_before, now)
    if record.expires_at is not None:
        yield "kept until", _moment(record.expires_at, now)
    for attempt in record.attempts:
        ended = attempt.ended_at
        took = "running" if ended is None else f"{ended - attempt.started_at:.3f} s"
        where = f" on {attempt.where}" if attempt.where else ""
        why = f": {attempt.why}" if attempt.why else ""
        yield f"try {attempt.number}", f"{_moment(attempt.started_at, now)}, {took}{where}{why}"


def _moment(at: float, now: float) -> str:
    when = datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    distance = duration(abs(now - at))
    return f"{when} ({distance} ago)" if at <= now else f"{when} (in {distance})"
