"""Tickets of `async`: of work that overlaps with what comes after it, or is over already where nothing can.

A ticket that a program can wait for is an `Awaitable`. Other layers add their own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, Literal, Protocol

from rtfs.errors import BudgetExhausted, LimitError, RtfsError
from rtfs.overlap.current import before_effect, current_part
from rtfs.overlap.part import Part, Wait
from rtfs.run import Run, current_run, end_with, poll
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


def start(body: Callable[[], Value], understood: Callable[[Exception], RtfsError]) -> Ticket:
    """Start `body` as a part of its own; its ticket, when it waits for the first time or is over.

    Where nothing can overlap it runs at once. Its effects wait for what stands before it in the program, and
    nothing waits for them: whoever writes `async` wants it beside what comes after it. It is cancelled when the
    run ends.

    Args:
        understood: called with what `body` raises, where it was caught: the error of the ticket. It raises what
            ends the run.
    """
    part = current_part()
    if part is not None and not part.alone:
        ticket = StartedTicket(part, body, understood)
        poll()  # it may have ended the run
        return ticket
    try:
        return FinishedTicket(body())
    except Exception as exc:
        return FinishedTicket(error=understood(exc))


class _Numbered(Ticket):
    """A ticket of a run, which numbers those that are told apart, in the order in which that happens."""

    __slots__ = ("_number", "_run")

    def __init__(self) -> None:
        self._run: Final[Run] = current_run()
        self._number: int | None = None

    @property
    def id(self) -> str:  # type: ignore[override]
        """Its number, which it gets when somebody asks for it."""
        if self._number is None:
            before_effect()
            self._run.serial += 1
            self._number = self._run.serial
        return f"ticket-{self._number}"


class FinishedTicket(_Numbered):
    """A ticket that has its value or its error. Made inside a run."""

    __slots__ = ("_error", "_value")

    def __init__(self, value: Value = None, error: RtfsError | None = None) -> None:
        super().__init__()
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


class StartedTicket(_Numbered):
    """A ticket of a part of this thread's hub. `starting` is the part that starts it."""

    __slots__ = ("_part", "_understood", "_waiting")

    def __init__(
        self, starting: Part, body: Callable[[], Value], understood: Callable[[Exception], RtfsError]
    ) -> None:
        super().__init__()
        self._understood = understood
        #: told when it is over
        self._waiting: list[Callable[[], None]] = []
        self._part = part = Part(starting.hub, lambda _: self._work(body), handled=sys.exception())
        part.depth, part.on_over = starting.depth_below(), self._over
        part.turn = None if starting.turn is None else starting.turn.kept()
        self._run.on_end[self._end] = None
        starting.hub.run_first(part, starting)

    def _work(self, body: Callable[[], Value]) -> Value:
        try:
            return body()
        except Exception as exc:
            error = self._understood(exc)
        raise error.with_traceback(None)

    def _over(self, part: Part) -> None:
        self._run.on_end.pop(self._end, None)
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()
        error = part.error
        if isinstance(error, LimitError) and part.cancelled is None:
            end_with(self._run, error)
        elif error is not None and not isinstance(error, Exception):  # an interrupt is for the whole program
            for each in list(part.hub.parts):
                part.hub.cancel(each, error)

    def _end(self) -> None:
        """The run ends: cancel the work, and wait until it has noticed."""
        part, ending = self._part, current_part()
        part.hub.cancel(part, BudgetExhausted("cancelled", "the program has ended"))
        while not part.over and ending is not None and ending.hub is part.hub:
            waiting = Wait(ending)
            self._waiting.append(waiting.wake)
            ending.park(waiting, shielded=True)

    @property
    def state(self) -> State:
        """Where its work stands now."""
        part = self._part
        if not part.over:
            return "working"
        if part.error is None:
            return "completed"
        return "failed" if part.cancelled is None else "cancelled"

    def wait(self, timeout_ms: float | None) -> Value:
        """The value of its work; None waits as long as it takes.

        Raises:
            RtfsError: the error that ended the work.
            TicketTimeout: it is not over after `timeout_ms`.
        """
        from rtfs.overlap.waiting import wait_for

        part = self._part
        if not part.over and not wait_for(self._told, None if timeout_ms is None else timeout_ms / 1000):
            raise TicketTimeout
        if part.error is not None:
            raise part.error.with_traceback(None)  # each await raises it again; keep its traceback short
        return part.value

    def _told(self, wake: Callable[[], None]) -> None:
        self._waiting.append(wake)
