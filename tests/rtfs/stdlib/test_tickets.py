import pytest

from rtfs.errors import DivisionByZero
from rtfs.stdlib.table import BUILTINS
from rtfs.tickets import FinishedTicket, TicketTimeout
from rtfs.values import Ticket


class _Slow(Ticket):
    """Work that takes a hundred milliseconds of a clock that only `wait` moves."""

    state = "working"

    def __init__(self):
        super().__init__("slow")
        self.waits = []

    def wait(self, timeout_ms):
        self.waits.append(timeout_ms)
        if timeout_ms is not None and timeout_ms < 100:
            raise TicketTimeout
        return "done"


@pytest.fixture
def tickets(run):
    return {"ok": FinishedTicket(3), "nil": FinishedTicket(None), "bad": FinishedTicket(error=DivisionByZero())}


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("await", ("ok",), "3"),
        ("await", ("nil", 10, 1), "nil"),
        ("await", ("bad",), "!DivisionByZero"),
        ("await", ("bad", 10, 1), "!DivisionByZero"),
        ("await", ("ok", 10), "!ArityMismatch"),
        ("await", ("ok", "10", 1), "!TypeError"),
        ("await", (1,), "!TypeError"),
        ("ticket-state", ("ok",), ":completed"),
        ("ticket-state", ("bad",), ":failed"),
        ("ticket-state", (None,), "!TypeError"),
    ],
)
def test_result(outcome, tickets, name, args, expected):
    assert outcome(name, tickets.get(args[0], args[0]), *args[1:]) == expected


def test_waiting_for_work_under_way(outcome):
    ticket = _Slow()
    assert outcome("await", ticket) == '"done"'
    assert outcome("await", ticket, 50, None) == "nil"
    assert outcome("await", ticket, 150.5, None) == '"done"'
    assert outcome("await", ticket, -1, 0) == "0"
    assert ticket.waits == [None, 50, 150.5, 0]
    assert outcome("ticket-state", ticket) == ":working"


def test_tickets_of_a_run_are_told_apart(tickets):
    assert len({ticket.id for ticket in tickets.values()}) == 3
    assert BUILTINS["="].function(tickets["ok"], tickets["ok"]) is True
    assert BUILTINS["="].function(tickets["ok"], tickets["nil"]) is False
    assert BUILTINS["type-name"].function(tickets["ok"]) == "ticket"


def test_awaiting_a_failure_again_and_again_keeps_nothing(tickets):
    error = tickets["bad"]._error
    for _ in range(5):
        with pytest.raises(DivisionByZero):
            BUILTINS["await"].function(tickets["bad"])
    frames, traceback = 0, error.__traceback__
    while traceback is not None:
        frames, traceback = frames + 1, traceback.tb_next
    assert frames <= 3
