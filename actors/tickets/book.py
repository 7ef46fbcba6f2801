"""The store and the queue, kept as one: what a batch changes is in both, or in neither."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from actors.tickets.errors import UnknownTicket
from actors.tickets.ids import check_ticket_id
from actors.tickets.queue import JobQueue
from actors.tickets.store import Changes, TicketStore
from actors.tickets.ticket import Part, Ticket


class Book:
    """All tickets: records in the store, those that have not ended in the queue as well.

    Args:
        store: open for writing.
        queue: empty; gets the tickets that have not ended.
        clock: seconds since the epoch.
        on_change: told each new record after its commit.
    """

    def __init__(
        self,
        store: TicketStore,
        queue: JobQueue,
        clock: Callable[[], float],
        on_change: Callable[[Ticket], None] | None,
    ) -> None:
        self.store = store
        self.queue = queue
        #: tickets that have ended while their runs go on
        self.stopping: set[str] = set()
        self._clock = clock
        self._on_change = on_change
        #: what the open batch has changed; None: there is none
        self._changes: Changes | None = None
        #: what the open batch has moved in the queue
        self._moved: set[str] = set()
        #: the records of the open batch in the order of their changes
        self._to_tell: list[Ticket] = []
        for ticket in store.unfinished():
            queue.put(ticket, clock())

    @property
    def in_batch(self) -> bool:
        """Whether a batch is open."""
        return self._changes is not None

    # ------------------------------------------------------------ reading, the open batch included

    def find(self, ticket_id: str) -> Ticket | None:
        """A ticket of any tenant, if there is one."""
        if self._changes is not None and ticket_id in self._changes.tickets:
            return self._changes.tickets[ticket_id]
        return self.store.find(ticket_id)

    def get(self, ticket_id: str, tenant: str | None = None) -> Ticket:
        """A ticket that `tenant` may see; None: any.

        Raises:
            InvalidTicket: this is no id.
            UnknownTicket: there is none, or it is another tenant's.
        """
        check_ticket_id(ticket_id)
        ticket = self.find(ticket_id)
        if ticket is None or tenant not in (None, ticket.tenant):
            raise UnknownTicket(ticket_id)
        return ticket

    def payload(self, ticket_id: str, part: Part) -> bytes | None:
        """The request, result or error of a ticket, if there is one."""
        if self._changes is not None and (ticket_id, part) in self._changes.payloads:
            return self._changes.payloads[ticket_id, part]
        return self.store.payload(ticket_id, part)

    # ------------------------------------------------------------ writing

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Writing that shares one commit; inside another batch, a part of that one.

        Raises:
            StoreError: the commit failed; nothing of the batch has happened.
        """
        if self._changes is not None:
            yield
            return
        self._changes = changes = Changes()
        try:
            yield
            self.store.write(changes)
        except BaseException:
            self._changes = None
            self._set_back()
            raise
        self._changes = None
        self._moved.clear()
        told, self._to_tell = self._to_tell, []
        self._tell(told)

    def write(self, ticket: Ticket, now: float, payloads: dict[Part, bytes] | None = None) -> Ticket:
        """Enter a record, and what lies beside it, into the open batch and the queue."""
        self._enter(ticket, payloads)
        self.queue.put(ticket, now)
        return ticket

    def stop(self, ticket: Ticket, payloads: dict[Part, bytes] | None = None) -> Ticket:
        """Enter the record of a ticket that has ended while its run goes on: it keeps its place."""
        self._enter(ticket, payloads)
        self.queue.stopping(ticket.id)
        self.stopping.add(ticket.id)
        return ticket

    def run_over(self, ticket_id: str) -> None:
        """The run of a ticket that had ended is over: its place is free."""
        if ticket_id in self.stopping:
            self.stopping.discard(ticket_id)
            self.queue.remove(ticket_id)

    def moved(self, ticket_ids: Iterable[str]) -> None:
        """The queue has moved these by itself; they go back if the open batch fails."""
        self._moved.update(ticket_ids)

    def _enter(self, ticket: Ticket, payloads: dict[Part, bytes] | None) -> None:
        assert self._changes is not None  # every operation opens a batch, or is in one
        self._changes.tickets[ticket.id] = ticket
        for part, payload in (payloads or {}).items():
            self._changes.payloads[ticket.id, part] = payload
        self._moved.add(ticket.id)
        self._to_tell.append(ticket)

    def _set_back(self) -> None:
        """Have the queue say what the store says."""
        moved, self._moved, self._to_tell = self._moved, set(), []
        for ticket_id in moved:
            ticket = self.store.find(ticket_id)
            if ticket is None:
                self.queue.remove(ticket_id)
            elif ticket_id not in self.stopping or not ticket.ended:
                self.stopping.discard(ticket_id)
                self.queue.put(ticket, self._clock())

    def _tell(self, tickets: list[Ticket]) -> None:
        """Tell the listener all of them, whatever it does with one."""
        if self._on_change is None:
            return
        errors: list[Exception] = []
        for ticket in tickets:
            try:
                self._on_change(ticket)
            except Exception as exc:
                errors.append(exc)
        if errors:
            raise ExceptionGroup("tickets were committed, but who listens to them failed", errors)
