"""Tickets whose work is over: all there are where nothing can overlap.

A ticket that a program can wait for is an `Awaitable`. Where work overlaps, other layers add their own.
"""

from __future__ import annotations

from typing import Literal, Protocol

from rtfs.errors import RtfsError
from rtfs.run import current_run
from rtfs.values import Ticket, Value

type State = Literal["working", "input_required", "completed", "failed", "cancelled"]


class TicketTimeout(Exception):
    """The work was not over when the waiting was."""


class Awaitable(Protocol):
    """What `await` and `ticket-state` need of a ticket."""

    @property
    def state(self) -> State:
        """Where its work stands now."""

    def wait(self, timeout_ms: float | None) -> Value:
        """The value of its work; None waits as long as it takes.

        Raises:
            RtfsError: the error that ended the work.
            TicketTimeout: it is not over after `timeout_ms`.
        """


class FinishedTicket(Ticket):
    """A ticket that has its value or its error. Made inside a run, which numbers its tickets."""

    __slots__ = ("_error", "_value")

    def __init__(self, value: Value = None, error: RtfsError | None = None) -> None:
        run = current_run()
        run.serial += 1
        super().__init__(f"ticket-{run.serial}")
        self._value = value
        self._error = error

    @property
    def state(self) -> State:
        """Where its work ended."""
        return "completed" if self._error is None else "failed"

    def wait(self, timeout_ms: float | None) -> Value:
        """The value, at once.

        Raises:
            RtfsError: the error that ended the work.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)  # each await raises it again; keep its traceback short
        return self._value
