"""Tickets, from a runtime or, where none runs, from the folder in which they are kept."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from cluster.cli.connecting import NoRuntime, checked_name, connected, usable
from rtfs.cli.console import Console, UsageError

if TYPE_CHECKING:
    from actors.requests import RunReply, Status
    from actors.runtime import Runtime
    from actors.service import TicketPage, TicketView
    from actors.ticket_handle import Ticket as Handle
    from actors.tickets.reader import TicketReader
    from actors.tickets.ticket import Ticket

#: tickets that are asked for at once
_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Tickets that a list shows."""

    #: None: of everybody
    tenant: str | None = None
    state: Any = None
    dead: bool | None = None


class Tickets(Protocol):
    """Where tickets are looked up. What there is not raises UsageError."""

    def page(self, which: Which, limit: int, cursor: str | None) -> TicketPage:
        """Some tickets, newest first."""

    def view(self, ticket_id: str, tenant: str | None) -> TicketView:
        """A ticket; `tenant` None: of whomever."""

    def record(self, ticket_id: str) -> Ticket | None:
        """All that the store knows of a ticket; None: the store is not on this machine."""

    def reply(self, ticket_id: str, tenant: str | None, wait_s: float) -> RunReply | None:
        """What became of its run; None: it is not over."""


@contextmanager
def opened(options: Namespace, console: Console) -> Iterator[Tickets]:
    """The tickets of the runtime that the options name; if it does not run, those in its folder.

    Raises:
        UsageError: there is neither.
    """
    from actors.tickets.errors import StoreError
    from actors.tickets.reader import TicketReader

    try:
        runtime = connected(options)
    except NoRuntime as none:
        folder = folder_of(options)
        if options.address or not (folder / "data.mdb").is_file():
            raise
        console.note(f"{none}; read from {folder}")
    else:
        with runtime, usable():
            yield RuntimeTickets(runtime)
        return
    try:
        with TicketReader(folder) as reader:
            yield FolderTickets(reader)
    except StoreError as error:
        raise UsageError(str(error)) from error


@contextmanager
def living(options: Namespace) -> Iterator[RuntimeTickets]:
    """The tickets of a runtime, which has to run."""
    with connected(options) as runtime, usable():
        yield RuntimeTickets(runtime)


def folder_of(options: Namespace) -> Path:
    """Where the runtime keeps its tickets."""
    from actors.folders import state_folder

    name = checked_name(options.name)
    folder = Path(options.state_dir) / name if options.state_dir else state_folder(name, os.environ)
    return folder.absolute() / "tickets"


class RuntimeTickets:
    """Those of a runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def page(self, which: Which, limit: int, cursor: str | None) -> TicketPage:
        """See `Tickets`."""
        return self._runtime.tickets(
            which.tenant,
            state=which.state,
            dead=which.dead,
            limit=limit,
            cursor=cursor,
            everybody=which.tenant is None,
        )

    def view(self, ticket_id: str, tenant: str | None) -> TicketView:
        """See `Tickets`."""
        return self.handle(ticket_id, tenant).view()

    def record(self, ticket_id: str) -> Ticket | None:
        """See `Tickets`."""
        from actors.tickets.errors import StoreError
        from actors.tickets.reader import TicketReader

        try:
            with TicketReader(Path(self._runtime.spec.state_dir) / "tickets") as reader:
                return reader.find(ticket_id)
        except StoreError:  # it is on another machine
            return None

    def reply(self, ticket_id: str, tenant: str | None, wait_s: float) -> RunReply | None:
        """See `Tickets`."""
        try:
            return self.handle(ticket_id, tenant).reply(wait_s)
        except TimeoutError:
            return None

    def handle(self, ticket_id: str, tenant: str | None) -> Handle:
        """The ticket, of whomever if no tenant is named. Raises UsageError."""
        from actors.service import NotFoundError

        handle = self._runtime.ticket(ticket_id, tenant)
        try:
            handle.view()
        except NotFoundError as error:
            owner = self._owner(ticket_id) if tenant is None else None
            if owner is None:
                raise UsageError(str(error), hint="rtfs tickets list") from None
            return self._runtime.ticket(ticket_id, owner)
        return handle

    def _owner(self, ticket_id: str) -> str | None:
        """The tenant whose ticket it is."""
        cursor = None
        while True:
            page = self.page(Which(), _PAGE, cursor)
            for each in page.tickets:
                if each.id == ticket_id:
                    return each.tenant
            cursor = page.cursor
            if cursor is None:
                return None


class FolderTickets:
    """Those in a folder that nobody writes to at present."""

    def __init__(self, reader: TicketReader) -> None:
        self._reader = reader

    def page(self, which: Which, limit: int, cursor: str | None) -> TicketPage:
        """See `Tickets`."""
        from actors.service import TicketPage
        from actors.tickets.reader import TicketFilter
        from actors.tickets.views import views

        filtered = TicketFilter(tenant=which.tenant, state=which.state, dead=which.dead)
        page = self._reader.list(filtered, limit, cursor)
        return TicketPage(tickets=views(page.tickets), cursor=page.cursor)

    def view(self, ticket_id: str, tenant: str | None) -> TicketView:
        """See `Tickets`."""
        from actors.tickets.views import view

        return view(self._get(ticket_id, tenant))

    def record(self, ticket_id: str) -> Ticket | None:
        """See `Tickets`."""
        return self._reader.find(ticket_id)

    def reply(self, ticket_id: str, tenant: str | None, wait_s: float) -> RunReply | None:
        """See `Tickets`. Nobody runs anything, so nothing is waited for."""
        from actors.requests import RunReply
        from rtfs import errors

        ticket = self._get(ticket_id, tenant)
        if not ticket.ended:
            return None
        data = self._reader.payload(ticket_id, "result" if ticket.state == "completed" else "error")
        if data is not None:
            return RunReply.decode(data)
        status: Status = "cancelled" if ticket.state == "cancelled" else "failed"
        error = errors.BudgetExhausted(
            "cancelled" if status == "cancelled" else "attempts", ticket.reason or status
        )
        return RunReply(run_id=ticket_id, status=status, error=error)

    def _get(self, ticket_id: str, tenant: str | None) -> Ticket:
        from actors.tickets.errors import InvalidTicket, UnknownTicket

        try:
            return self._reader.get(ticket_id, tenant)
        except (InvalidTicket, UnknownTicket) as error:
            raise UsageError(str(error), hint="rtfs tickets list") from None


def check_id(text: str) -> None:
    """Whether a ticket can have this id. Raises UsageError."""
    from actors.tickets.ids import is_ticket_id

    if not is_ticket_id(text):
        shown = text if text.isprintable() and len(text) < 60 else ascii(text[:60])
        raise UsageError(
            f"expected the id of a ticket, 26 digits and lower-case letters, got `{shown}`",
            hint="rtfs tickets list",
        )
