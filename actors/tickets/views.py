"""Between tickets and those outside: submissions from requests, what others see, errors they understand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from actors.requests import RunRequest
from actors.service import BusyError, ConflictError, NotFoundError, SubmitOptions, TicketView
from actors.tickets.errors import (
    IllegalTransition,
    InvalidTicket,
    QueueFull,
    TicketConflict,
    UnknownTicket,
)
from actors.tickets.ids import NOBODY
from actors.tickets.ticket import Submission, Ticket

#: attempts of a run that may be repeated, and of one that may not, where the submission says nothing
ATTEMPTS: Final = 3
ATTEMPTS_WITH_EFFECTS: Final = 1


def submission_for(data: bytes, options: SubmitOptions, now: float) -> Submission:
    """What the board is asked for.

    Raises:
        ValueError: it is what no ticket can have.
        StorageError: `data` is no request.
    """
    request = RunRequest.decode(data)
    attempts = options.max_attempts or (ATTEMPTS if request.repeatable else ATTEMPTS_WITH_EFFECTS)
    try:
        return Submission(
            request=data,
            tenant=request.facts.tenant or NOBODY,
            id=request.ticket_id or "",
            name=options.name or "",
            priority=options.priority,
            not_before=now + options.delay_s if options.delay_s > 0 else None,
            deadline_at=None if options.deadline_s is None else now + options.deadline_s,
            max_attempts=attempts,
        )
    except InvalidTicket as error:
        raise ValueError(str(error)) from error


def request_of(ticket: Ticket, data: bytes) -> tuple[RunRequest, bytes]:
    """The request of a ticket's attempt. Later ones have ids of their own: the run before may still go on.

    Raises:
        StorageError: it is damaged.
    """
    request = RunRequest.decode(data)
    if ticket.tries <= 1:
        return request, data
    request = replace(request, run_id=f"{request.run_id}.{ticket.tries}")
    return request, request.encode()


def asks_for(data: bytes) -> bytes:
    """What a request asks for, without what tells it from others that ask for the same."""
    return replace(RunRequest.decode(data), run_id="", traceparent=None).encode()


def view(ticket: Ticket) -> TicketView:
    """What others see of a ticket."""
    phase = ticket.stage
    return TicketView(
        id=ticket.id,
        tenant=None if ticket.tenant == NOBODY else ticket.tenant,
        state=ticket.state,
        phase="waiting" if ticket.waiting_for is not None else phase,
        reason=ticket.reason,
        name=ticket.name or None,
        priority=ticket.priority,
        created_at=ticket.created_at,
        updated_at=ticket.updated_at,
        attempts=ticket.tries,
        max_attempts=ticket.max_attempts,
        dead=ticket.dead,
        deadline_at=ticket.deadline_at,
    )


def views(tickets: Iterable[Ticket]) -> tuple[TicketView, ...]:
    """What others see of tickets."""
    return tuple(map(view, tickets))


def translated(error: Exception) -> Exception:
    """An error of the board as one of `actors.service`, which survives the way to another process."""
    if isinstance(error, UnknownTicket):
        return NotFoundError(str(error))
    if isinstance(error, TicketConflict | IllegalTransition):
        return ConflictError(str(error))
    if isinstance(error, QueueFull):
        return BusyError(str(error), error.retry_after_s)
    if isinstance(error, InvalidTicket):
        return ValueError(str(error))
    return error
