"""The store of tickets: the one writer of its folder.

What is written together is collected in `Changes` and committed in one transaction, synced to the disk before
`write` returns. Commits cost a sync each, whatever they hold, so who has much to write writes it together.

`Changes` is data, not an open transaction. So a commit that finds the map full is done over in a larger one,
and one that finds no room on the disk has changed nothing.

The map begins at `map_bytes` and doubles as needed up to `max_bytes`, which bounds the size of the file. A
second writer in the same folder is refused: the first one holds a lock that goes with its process, however that
ends.

A store belongs to the process that opened it, and to one thread at a time.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import lmdb

from actors.tickets import rows
from actors.tickets.codec import decode_ticket, encode_ticket
from actors.tickets.errors import StoreFull, StoreInUse
from actors.tickets.reader import Reading
from actors.tickets.ticket import PARTS, Part, Ticket

MAP_BYTES: Final = 1 << 28
MAX_BYTES: Final = 1 << 40
#: what forgetting may use beyond: pages are copied before they are freed, so a full store could free none
SPARE_BYTES: Final = 1 << 24
#: the file whose lock says that there is a writer
WRITER_FILE: Final = "writer.lock"


@dataclass(slots=True)
class Changes:
    """What one transaction writes: records that are new or differ, and what lies beside them."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    payloads: dict[tuple[str, Part], bytes] = field(default_factory=dict)


class TicketStore(Reading):
    """Tickets in a folder.

    Args:
        folder: made if it is not there, for its owner alone.
        map_bytes: size of the map at first.
        max_bytes: the store never grows beyond.

    Raises:
        StoreInUse: another live process writes there.
        StoreDamaged: what is there has another format.
        StoreError: the folder cannot be used.
    """

    def __init__(self, folder: Path, *, map_bytes: int = MAP_BYTES, max_bytes: int = MAX_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._max_bytes = max_bytes
        self._writer_lock = _only_writer(folder)
        try:
            super().__init__(folder, *_opened(folder, map_bytes))
        except BaseException:
            os.close(self._writer_lock)
            raise
        self._open = True

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        super().close()
        if self._open:
            self._open = False
            os.close(self._writer_lock)

    def write(self, changes: Changes) -> None:
        """Commit changes, all or nothing; they are on the disk when this returns.

        Raises:
            StoreFull: no room. Nothing was changed.
            StoreError: the disk failed. Nothing was changed.
        """
        if changes.tickets or changes.payloads:
            self._commit(lambda txn: self._put(txn, changes), self._max_bytes)

    def purge(self, now: float, most: int) -> list[str]:
        """Forget tickets whose time is over: the ids of at most `most` of them, oldest first."""
        gone = self._expired(now, most)
        if gone:
            self._commit(lambda txn: self._remove(txn, gone), self._max_bytes + SPARE_BYTES)
            if self._env.info()["map_size"] >= self._max_bytes:
                self._make_room_usable()
        return [ticket.id for ticket in gone]

    def next_expiry(self) -> float | None:
        """When the next ticket is to be forgotten; None: there is none that has ended."""
        with self._reading() as txn:
            cursor = txn.cursor(self._databases.expiry)
            return int.from_bytes(cursor.key()[:8]) / 1e6 if cursor.first() else None

    def _expired(self, now: float, most: int) -> list[Ticket]:
        until = rows.time_key(max(now, 0.0))
        found: list[Ticket] = []
        with self._reading() as txn:
            for key in txn.cursor(self._databases.expiry).iternext(keys=True, values=False):
                if len(found) == most or key[: len(until)] > until:
                    break
                ticket = self._record(txn, rows.id_of(key))
                if ticket is not None:
                    found.append(ticket)
        return found

    def _put(self, txn: lmdb.Transaction[bytes], changes: Changes) -> None:
        databases = self._databases
        for ticket_id, ticket in changes.tickets.items():
            key = ticket_id.encode()
            stored = txn.get(key, db=databases.tickets)
            before = None if stored is None else decode_ticket(stored)
            txn.put(key, encode_ticket(ticket), db=databases.tickets)
            self._put_order(txn, before, ticket)
        for (ticket_id, part), payload in changes.payloads.items():
            txn.put(rows.payload_key(ticket_id, part), payload, db=databases.payloads)

    def _put_order(self, txn: lmdb.Transaction[bytes], before: Ticket | None, after: Ticket) -> None:
        old = () if before is None else rows.index_keys(before)
        new = rows.index_keys(after)
        if old != new:
            for key in old:
                txn.delete(key, db=self._databases.order)
            for key in new:
                txn.put(key, b"", db=self._databases.order)
        old_expiry = None if before is None else rows.expiry_key(before)
        new_expiry = rows.expiry_key(after)
        if old_expiry != new_expiry:
            if old_expiry is not None:
                txn.delete(old_expiry, db=self._databases.expiry)
            if new_expiry is not None:
                txn.put(new_expiry, b"", db=self._databases.expiry)

    def _remove(self, txn: lmdb.Transaction[bytes], tickets: list[Ticket]) -> None:
        databases = self._databases
        for ticket in tickets:
            txn.delete(ticket.id.encode(), db=databases.tickets)
            for part in PARTS:
                txn.delete(rows.payload_key(ticket.id, part), db=databases.payloads)
            for key in rows.index_keys(ticket):
                txn.delete(key, db=databases.order)
            expiry = rows.expiry_key(ticket)
            if expiry is not None:
                txn.delete(expiry, db=databases.expiry)

    def _commit(self, change: Callable[[lmdb.Transaction[bytes]], None], most: int) -> None:
        """Make a change in one transaction; if the map has no room, in a larger one of at most `most` bytes."""
        while True:
            try:
                with self._env.begin(write=True) as txn:
                    change(txn)
                return
            except lmdb.MapFullError:
                self._grow(most)
            except lmdb.Error as exc:
                raise rows.translated(exc, self.folder) from exc

    def _make_room_usable(self) -> None:
        """Have what was freed written to again, and give back the spare room.

        Pages are used again two commits after they were freed, and if the store is full there may be no others.
        """
        written = rows.time_key(time.time())
        self._commit(lambda txn: self._note(txn, b"room made", written), self._max_bytes + SPARE_BYTES)
        self._env.set_mapsize(self._max_bytes)

    def _note(self, txn: lmdb.Transaction[bytes], key: bytes, value: bytes) -> None:
        txn.put(key, value, db=self._databases.meta)

    def _grow(self, most: int) -> None:
        size = self._env.info()["map_size"]
        if size >= most:
            raise StoreFull(
                f"the tickets in `{self.folder}` fill the {self._max_bytes / 2**20:.0f} MiB that they may use; "
                "nothing committed before is lost; wait until ended tickets expire, or allow more"
            )
        self._env.set_mapsize(min(2 * size, most))


def _only_writer(folder: Path) -> int:
    """The descriptor of the lock that the writer of a folder holds. It goes with the process."""
    descriptor = os.open(folder / WRITER_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StoreInUse(
            f"the tickets in `{folder}` have a writer already"
            f"{f', process {holder}' if holder.isdigit() else ''}; stop it, or use another folder"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _opened(folder: Path, map_bytes: int) -> tuple[lmdb.Environment, rows.Databases]:
    """The environment and its sub-databases, made if the folder is new, without the readers that died."""
    try:
        env = lmdb.open(
            str(folder),
            map_size=map_bytes,
            max_dbs=rows.MAX_DATABASES,
            max_readers=rows.MAX_READERS,
            mode=0o600,
        )
    except lmdb.Error as exc:
        raise rows.translated(exc, folder) from exc
    try:
        env.reader_check()
        databases = rows.open_databases(env, create=True)
        with env.begin(write=True) as txn:
            new = txn.stat(databases.tickets)["entries"] == 0
            if new:
                txn.put(b"format", rows.FORMAT, db=databases.meta, overwrite=False)
            rows.check_format(txn.get(b"format", db=databases.meta), folder)
    except lmdb.Error as exc:
        env.close()
        raise rows.translated(exc, folder) from exc
    except BaseException:
        env.close()
        raise
    return env, databases
