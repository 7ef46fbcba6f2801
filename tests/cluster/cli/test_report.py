"""Reports come whole through a log that others write to, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.requests import RunReply
from cluster.cli import report
from rtfs.convert import from_python
from rtfs.errors import DivisionByZero

WORD = "rtfs-report-0123"
REPLY = RunReply(run_id="r", status="completed", value=from_python([1, "é\n"]), output="x" * 20_000)


def log_of(outcome: RunReply | str) -> list[str]:
    return [report.begin(WORD), *report.lines(WORD, outcome)]


def test_a_reply_comes_back() -> None:
    log = log_of(REPLY)
    assert max(map(len, log)) < 5_000
    found = report.read(WORD, "\n".join(["noise", log[0], "what people read", *log[1:], "(raylet) noise"]))
    assert isinstance(found, RunReply)
    assert found.encode() == REPLY.encode()


def test_an_error_and_a_ticket_come_back() -> None:
    failed = RunReply(run_id="r", status="failed", error=DivisionByZero())
    found = report.read(WORD, "\n".join(log_of(failed)))
    assert isinstance(found, RunReply)
    assert isinstance(found.error, DivisionByZero)
    assert report.read(WORD, "\n".join(log_of("01m8e1xd0rmbfpmrz5njedbydn"))) == "01m8e1xd0rmbfpmrz5njedbydn"


def test_one_that_a_program_makes_up_is_not_taken() -> None:
    forged = "\n".join(report.lines("rtfs-report-guessed", "01k"))
    assert report.read(WORD, forged) is None
    assert report.read(WORD, "") is None
    assert report.read(WORD, "\n".join(log_of(REPLY)[:-1])) is None  # the end is missing


@pytest.mark.parametrize(
    "change", [lambda log: [*log[:1], *log[2:]], lambda log: [log[0], log[1][:-1], *log[2:]]]
)
def test_a_damaged_one_is_not_taken(change) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(report.ReportDamaged):
        report.read(WORD, "\n".join(change(log_of(REPLY))))


@given(st.data())
def test_the_view_shows_what_came_before_whatever_the_pieces(data: st.DataObject) -> None:
    lines = [
        "2026-01-02 03:04:05,678\tINFO job_manager.py:581 -- Runtime env is setting up.",
        f"Running entrypoint for job j: python -m cluster.job --report {WORD}",
        "first",
        "",
        "second",
        *log_of("01k"),
        "after",
    ]
    rest = "\n".join(lines)
    shown: list[str] = []
    view = report.LogView(WORD, shown.append)
    while rest:
        size = data.draw(st.integers(1, 60))
        view.take(rest[:size])
        rest = rest[size:]
    view.end()
    assert shown == ["first", "", "second"]


def test_a_log_that_ends_in_the_middle_of_a_line_is_shown_whole() -> None:
    shown: list[str] = []
    view = report.LogView(WORD, shown.append)
    view.take("Killed")
    view.end()
    assert shown == ["Killed"]
