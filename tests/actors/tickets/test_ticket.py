"""The table of states, and what a submission may say."""

from __future__ import annotations

from itertools import product
from math import inf, nan
from typing import Any

import pytest

from actors.tickets.errors import IllegalTransition, InvalidTicket
from actors.tickets.ids import new_ticket_id
from actors.tickets.ticket import ENDED, NEXT, PHASES, STATES, Stage, Submission, Ticket, request_digest


def ticket(stage: Any = "queued", **changes: Any) -> Ticket:
    working = stage in PHASES
    fields: dict[str, Any] = {
        "id": new_ticket_id(),
        "tenant": "acme",
        "state": "working" if working else stage,
        "phase": stage if working else None,
        "created_at": 100.0,
        "updated_at": 100.0,
        "queued_at": 100.0,
        "max_attempts": 3,
        "request_digest": "d",
    }
    return Ticket(**(fields | changes))


def test_the_table_names_every_stage() -> None:
    stages: set[Any] = {*PHASES, *STATES} - {"working"}
    assert NEXT.keys() == stages
    assert {after for each in NEXT.values() for after in each} <= stages
    assert {stage for stage in stages if NEXT[stage] <= {"queued"}} == ENDED


#: row → column, as in the drawing of the module's docstring
TABLE = """
                delayed queued running retrying input_required completed failed cancelled
delayed         -       -      x       -        -              -         x      x
queued          -       -      x       -        -              x         x      x
running         -       x      -       x        x              x         x      x
retrying        -       -      x       -        -              x         x      x
input_required  -       x      x       -        -              x         x      x
completed       -       -      -       -        -              -         -      -
failed          -       x      -       -        -              -         -      -
cancelled       -       -      -       -        -              -         -      -
"""


def cells() -> list[tuple[Any, Any, bool]]:
    header, *lines = TABLE.strip().splitlines()
    return [
        (row.split()[0], after, mark == "x")
        for row in lines
        for after, mark in zip(header.split(), row.split()[1:], strict=True)
    ]


@pytest.mark.parametrize(("before", "after", "legal"), cells())
def test_each_step_is_legal_or_an_error_that_names_both_states(
    before: Stage, after: Stage, legal: bool
) -> None:
    old = ticket(before)
    if legal:
        new = old.moved(after, 101.0, reason="why")
        assert (new.stage, new.updated_at, new.reason) == (after, 101.0, "why")
        assert (new.state == "working") == (after in PHASES) == (new.phase is not None)
    else:
        with pytest.raises(IllegalTransition, match=f"is {before} and cannot become {after}"):
            old.moved(after, 101.0)


def test_the_table_of_the_test_is_complete() -> None:
    assert {(before, after) for before, after, _ in cells()} == set(product(NEXT, NEXT))


def test_a_clock_that_is_set_back_does_not_set_a_ticket_back() -> None:
    assert ticket().moved("running", 50.0).updated_at == 100.0


BAD: list[tuple[str, Any]] = [
    ("id", "../../etc/passwd"),
    ("id", ""),
    ("tenant", ""),
    ("tenant", "a\nb"),
    ("tenant", "a" * 201),
    ("tenant", "\udcff"),
    ("tenant", 7),
    ("name", "\x1b[2J"),
    ("priority", 101),
    ("priority", -101),
    ("priority", 1.5),
    ("priority", True),
    ("max_attempts", 0),
    ("max_attempts", 101),
    ("not_before", -1.0),
    ("deadline_at", nan),
    ("deadline_at", inf),
    ("deadline_at", "soon"),
    ("keep_s", 1e13),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_what_no_submission_can_say(name: str, value: Any) -> None:
    good: dict[str, Any] = {"request": b"r", "tenant": "acme"}
    with pytest.raises(InvalidTicket, match=name if name != "id" else "ticket id"):
        Submission(**(good | {name: value}))


def test_a_ticket_cannot_be_due_before_it_may_begin() -> None:
    with pytest.raises(InvalidTicket, match="must come before"):
        Submission(request=b"r", tenant="acme", not_before=20.0, deadline_at=10.0)


def test_a_request_does_not_show_in_logs() -> None:
    assert "secret" not in repr(Submission(request=b"secret", tenant="acme"))


def test_digests_tell_tenants_and_requests_apart() -> None:
    pairs = [("a", b"b"), ("a", b"c"), ("ab", b""), ("a", b"\0b"), ("b", b"b")]
    assert len({request_digest(*pair) for pair in pairs}) == len(pairs)
