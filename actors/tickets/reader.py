"""Reading tickets: by id, by part, as lists.

`TicketReader` reads the folder of a store that another process writes, live, without asking that process. Any
number of readers may; they see what was committed. `Reading` is what it shares with the writer, `TicketStore`.

Every method has a read transaction of its own and ends it, so that no reader keeps old pages from being used
again. An environment must not cross a fork: open a reader in the process that reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Final, Self

import lmdb

from actors.tickets import rows
from actors.tickets.codec import decode_ticket
from actors.tickets.errors import InvalidTicket, StoreMissing, UnknownTicket
from actors.tickets.ids import check_prefix, check_ticket_id, is_ticket_id
from actors.tickets.ticket import PHASES, STATES, Part, Phase, State, Ticket
from rtfs.spell import nearest

#: records that one page looks at; a filter that finds little gives a short page and a cursor
LOOKED_AT: Final = 10_000
LARGEST_PAGE: Final = 1_000
#: hexadecimal digits of a time in a cursor
_TIME_DIGITS: Final = 16
#: sorts after every id
_LAST: Final = b"\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFilter:
    """Which tickets a list shows; None: any.

    Raises:
        InvalidTicket: there is no such state or phase, or no id begins like that.
    """

    #: None: of every tenant
    tenant: str | None = None
    state: State | None = None
    phase: Phase | None = None
    dead: bool | None = None
    #: the beginning of the id
    prefix: str = ""

    def __post_init__(self) -> None:
        _check_among("state", self.state, STATES)
        _check_among("phase", self.phase, PHASES)
        if self.prefix:
            check_prefix(self.prefix)

    def shows(self, ticket: Ticket) -> bool:
        """Whether a list with this filter has the ticket."""
        return (
            self.tenant in (None, ticket.tenant)
            and self.state in (None, ticket.state)
            and self.phase in (None, ticket.phase)
            and self.dead in (None, ticket.dead)
            and ticket.id.startswith(self.prefix)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list."""

    tickets: tuple[Ticket, ...]
    #: what to ask the next page with; None: there is none
    cursor: str | None


class Reading:
    """What reader and writer have in common."""

    def __init__(self, folder: Path, env: lmdb.Environment, databases: rows.Databases) -> None:
        self.folder = folder
        self._env = env
        self._databases = databases

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        self._env.close()

    def get(self, ticket_id: str, tenant: str | None = None) -> Ticket:
        """The record of a ticket.

        Args:
            ticket_id: its whole id.
            tenant: who asks; None: who may see all.

        Raises:
            InvalidTicket: this is no id.
            UnknownTicket: there is none, or it is another tenant's.
        """
        check_ticket_id(ticket_id)
        ticket = self.find(ticket_id)
        if ticket is None or tenant not in (None, ticket.tenant):
            raise UnknownTicket(ticket_id)
        return ticket

    def find(self, ticket_id: str) -> Ticket | None:
        """The record of a ticket of any tenant, if there is one."""
        with self._reading() as txn:
            return self._record(txn, ticket_id)

    def payload(self, ticket_id: str, part: Part) -> bytes | None:
        """The request, result or error of a ticket, if there is one. Does not ask whose it is: `get` does."""
        with self._reading() as txn:
            return txn.get(rows.payload_key(ticket_id, part), db=self._databases.payloads)

    def list(self, which: TicketFilter | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """A page of tickets, newest first; by the time in their ids if the filter has a `prefix`.

        Args:
            which: all if None.
            limit: tickets on the page, at most `LARGEST_PAGE`.
            cursor: of the page before.

        Raises:
            InvalidTicket: a cursor or limit that cannot be.
        """
        which = which or TicketFilter()
        if not 1 <= limit <= LARGEST_PAGE:
            raise InvalidTicket(f"a page has 1 to {LARGEST_PAGE} tickets, got {limit}")
        before = _LAST if cursor is None else _read_cursor(cursor)
        found: list[Ticket] = []
        with self._reading() as txn:
            for looked_at, ticket in enumerate(self._candidates(txn, which, before), 1):
                if which.shows(ticket):
                    found.append(ticket)
                if len(found) == limit or looked_at == LOOKED_AT:
                    return Page(tickets=tuple(found), cursor=_cursor(ticket))
        return Page(tickets=tuple(found), cursor=None)

    def unfinished(self) -> Iterator[Ticket]:
        """All tickets that have not ended, oldest first."""
        with self._reading() as txn:
            cursor = txn.cursor(self._databases.order)
            for state in ("working", "input_required"):
                prefix = rows.EVERYONE + rows.CLASSES[state]
                found = cursor.set_range(prefix)
                while found and (key := cursor.key()).startswith(prefix):
                    ticket = self._record(txn, rows.id_of(key[len(prefix) :]))
                    if ticket is not None:
                        yield ticket
                    found = cursor.next()

    def _candidates(self, txn: lmdb.Transaction[bytes], which: TicketFilter, before: bytes) -> Iterator[Ticket]:
        """The tickets that may be on the list, in its order, from `before` on."""
        ids = self._by_id(txn, which, before) if which.prefix else self._by_time(txn, which, before)
        for ticket_id in ids:
            ticket = self._record(txn, ticket_id)
            if ticket is not None:
                yield ticket

    def _by_time(self, txn: lmdb.Transaction[bytes], which: TicketFilter, before: bytes) -> Iterator[str]:
        scope = rows.scope_of(which.tenant)
        newest_first = [
            rows.backwards(txn.cursor(self._databases.order), scope + letter, before)
            for letter in rows.classes(which.state, which.dead)
        ]
        return (rows.id_of(place) for place in merge(*newest_first, reverse=True))

    def _by_id(self, txn: lmdb.Transaction[bytes], which: TicketFilter, before: bytes) -> Iterator[str]:
        prefix = which.prefix.encode()
        first = _LAST if before == _LAST else rows.id_of(before).encode()[len(prefix) :]
        cursor = txn.cursor(self._databases.tickets)
        return ((prefix + rest).decode() for rest in rows.backwards(cursor, prefix, first))

    def _record(self, txn: lmdb.Transaction[bytes], ticket_id: str) -> Ticket | None:
        stored = txn.get(ticket_id.encode(), db=self._databases.tickets)
        return None if stored is None else decode_ticket(stored)

    @contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction[bytes]]:
        """A read transaction; if the writer has made the map larger, so does this process."""
        try:
            try:
                txn = self._env.begin()
            except lmdb.MapResizedError:
                self._env.set_mapsize(0)
                txn = self._env.begin()
            with txn:
                yield txn
        except lmdb.Error as exc:
            raise rows.translated(exc, self.folder) from exc


class TicketReader(Reading):
    """The tickets in a folder, read while another process may write them.

    Raises:
        StoreMissing: there are none in the folder.
        StoreDamaged: they have another format.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / rows.DATA_FILE).is_file():
            raise StoreMissing(f"there are no tickets in `{folder}`")
        try:
            env = lmdb.open(
                str(folder),
                readonly=True,
                create=False,
                max_dbs=rows.MAX_DATABASES,
                max_readers=rows.MAX_READERS,
            )
        except lmdb.Error as exc:
            raise rows.translated(exc, folder) from exc
        try:
            super().__init__(folder, env, rows.open_databases(env, create=False))
            with self._reading() as txn:
                rows.check_format(txn.get(b"format", db=self._databases.meta), folder)
        except BaseException:
            env.close()
            raise


def _cursor(ticket: Ticket) -> str:
    return rows.time_key(ticket.created_at).hex() + ticket.id


def _read_cursor(cursor: str) -> bytes:
    """The place in the index that a cursor names. It may come from outside."""
    time, ticket_id = cursor[:_TIME_DIGITS], cursor[_TIME_DIGITS:]
    if not is_ticket_id(ticket_id) or any(digit not in "0123456789abcdef" for digit in time):
        raise InvalidTicket("the cursor is none that a page of tickets gave")
    return bytes.fromhex(time) + ticket_id.encode()


def _check_among(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is None or value in allowed:
        return
    near = nearest(value, allowed)
    hint = f"; did you mean `{near}`?" if near else ""
    raise InvalidTicket(f"`{name}` must be one of {', '.join(allowed)}, got {value!a:.60}{hint}")
