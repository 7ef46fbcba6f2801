"""Tickets as people read them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.service import TicketView
from actors.tickets.ticket import Attempt, Ticket
from cluster.cli.ticket_text import duration, everything, table

NOW = 1_800_000_000.0
VIEW = TicketView(
    id="01m8e1xd0rmbfpmrz5njedbydn",
    tenant=None,
    state="working",
    phase="queued",
    reason="",
    name=None,
    priority=0,
    created_at=NOW - 7_500,
    updated_at=NOW - 30,
    attempts=0,
    max_attempts=3,
    dead=False,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0.4, "0s"),
        (59, "59s"),
        (119, "119s"),
        (120, "2m"),
        (3_599, "59m"),
        (3_600, "1h"),
        (86_399, "23h"),
        (86_400, "1d"),
        (864_000, "10d"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_table_is_aligned() -> None:
    tickets = [
        VIEW,
        replace(
            VIEW,
            tenant="acme",
            name="nightly report",
            state="failed",
            phase="failed",
            dead=True,
            attempts=3,
            reason="target remote-x is down\n" + "very " * 30,
        ),
    ]
    assert table(tickets, NOW) == [
        "ID                          AGE  STATE   TRIES  TENANT  NAME            REASON",
        "01m8e1xd0rmbfpmrz5njedbydn  2h   queued  0/3    -       -",
        "01m8e1xd0rmbfpmrz5njedbydn  2h   dead    3/3    acme    nightly report  "
        "target remote-x is down very very very very very very very …",
    ]


def test_everything_has_the_tries_where_they_are_known() -> None:
    record = Ticket(
        id=VIEW.id,
        tenant="acme",
        state="working",
        phase="retrying",
        created_at=NOW - 60,
        updated_at=NOW,
        queued_at=NOW - 60,
        not_before=NOW + 300,
        waiting_for="remote-x",
        attempts=(
            Attempt(1, NOW - 50, NOW - 48.5, "evaluator-0", "timeout"),
            Attempt(2, NOW - 5, None, "evaluator-1"),
        ),
        max_attempts=3,
        request_digest="",
    )
    lines = everything(VIEW, record, NOW)
    assert lines[0] == "ticket       01m8e1xd0rmbfpmrz5njedbydn"
    assert lines[-2:] == [
        "try 1        2027-01-15 07:59:10 UTC (50s ago), 1.500 s on evaluator-0: timeout",
        "try 2        2027-01-15 07:59:55 UTC (5s ago), running on evaluator-1",
    ]
    assert "waits for    remote-x" in lines
    assert "not before   2027-01-15 08:05:00 UTC (in 5m)" in lines
    assert len(everything(VIEW, None, NOW)) == len(lines) - 4
