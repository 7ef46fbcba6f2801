"""Waiting for work that `async` started."""

from __future__ import annotations

from typing import cast

from rtfs.errors import ArityMismatch
from rtfs.overlap.current import before_effect
from rtfs.stdlib.arithmetic import number
from rtfs.stdlib.iteration import MISSING, not_a
from rtfs.stdlib.registry import builtin
from rtfs.tickets import Awaitable, TicketTimeout
from rtfs.values import Keyword, Ticket, Value


def _ticket(x: Value, operation: str) -> Awaitable:
    if isinstance(x, Ticket):
        return cast(Awaitable, x)
    raise not_a(x, "ticket", operation)


@builtin("await", effect=True)
def await_(ticket: Value, ms: Value = MISSING, default: Value = MISSING) -> Value:
    """The value of the work that a ticket stands for; its error, if it failed.

    With `ms` and `default`: the default, if the work is not over after that many milliseconds.

    (await (async (+ 1 2))) => 3
    (await (async 1) 50 :late) => 1
    (await 1) => !TypeError
    """
    waiting = _ticket(ticket, "await")
    if ms is MISSING:
        return waiting.wait(None)
    if default is MISSING:
        raise ArityMismatch("await", "1 or 3", 2)
    before_effect()  # what it gives depends on when it is asked
    try:
        return waiting.wait(max(number(ms, "await"), 0))
    except TicketTimeout:
        return default


@builtin("ticket-state", effect=True)
def ticket_state(ticket: Value) -> Value:
    """Where the work of a ticket stands: `:working`, `:input_required`, `:completed`, `:failed`, `:cancelled`.

    (ticket-state (async 1)) => :completed
    (ticket-state (async (/ 1 0))) => :failed
    """
    asked = _ticket(ticket, "ticket-state")
    before_effect()
    return Keyword.of(asked.state)
