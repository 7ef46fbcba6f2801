"""What can go wrong with tickets.

TicketError
├── InvalidTicket        the caller's: a field of a submission, an id, a cursor that cannot be
├── UnknownTicket        the caller's: no such ticket, or another tenant's
├── TicketConflict       the caller's: the id belongs to another request
├── IllegalTransition    the caller's: a ticket in this state cannot do that
├── QueueFull            come back later: `retry_after_s` says when
└── StoreError           the folder, the disk, or what is in them
    ├── StoreMissing     there is no store in the folder
    ├── StoreInUse       another live process writes to it
    ├── StoreFull        no room left on the disk, or none that the store may use
    └── StoreDamaged     not what this version wrote: damaged, or of another format
"""

from __future__ import annotations


class TicketError(Exception):
    """Anything that is wrong with a ticket, the queue or the store."""


class InvalidTicket(TicketError):
    """A value from outside that no ticket can have."""


class UnknownTicket(TicketError):
    """No ticket of that id that the caller may see."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"there is no ticket `{ticket_id}`; it may have expired")
        self.ticket_id = ticket_id


class TicketConflict(TicketError):
    """The id of a submission is taken by another request."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(
            f"ticket `{ticket_id}` exists already, for another request; make a new id for each request"
        )
        self.ticket_id = ticket_id


class IllegalTransition(TicketError):
    """A step that the table of transitions does not have."""

    def __init__(self, ticket_id: str, state: str, wanted: str, hint: str = "") -> None:
        text = f"ticket `{ticket_id}` is {state} and cannot become {wanted}"
        super().__init__(f"{text}; {hint}" if hint else text)
        self.ticket_id = ticket_id
        self.state = state
        self.wanted = wanted


class QueueFull(TicketError):
    """Back-pressure: nothing of the submission was taken."""

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(f"{text}; try again in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


class StoreError(TicketError):
    """The store cannot do its work. What was committed before stays."""


class StoreMissing(StoreError):
    """There is no store in the folder."""


class StoreInUse(StoreError):
    """Another live process is the writer of the folder."""


class StoreFull(StoreError):
    """Nothing more can be written. What was committed before stays."""


class StoreDamaged(StoreError):
    """Bytes that this version did not write."""
