"""Reading answers: one look-up, or lists of what there is.

Any number of processes read the folder while one writes, without asking it. Whatever is wrong with what they
find is a miss; `damaged` collects the keys, so that the writer can be told.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import lmdb

from actors.caches.clock import SLACK_US, SteadyClock
from actors.caches.disk.environment import Environment, Opened, join, leave
from actors.caches.errors import StoreError
from actors.caches.l2 import rows
from actors.caches.l2.epoch import Epoch
from actors.caches.l2.payload import Damaged, read_stored
from actors.caches.l2.rows import RECORD_BYTES, Record
from actors.caches.layer import Hit, Origin, Which
from rtfs.values import Value

#: how often a reader looks whether the file is still the one that it has open, seconds
FOLLOW_S: Final = 1.0
#: damaged entries that are remembered until the writer is told
_MOST_DAMAGED: Final = 1024


class Entry(NamedTuple):
    """What a list says of an answer."""

    key: bytes
    input: bytes
    origin: Origin
    confidence: float | None
    cost_usd: float
    age_s: float
    expires_in_s: float
    #: of the stored value
    nbytes: int
    uses: int


#: what was read and checked, to be decoded: record, stored value, whose, when, invalidations
type _Found = tuple[Record, bytes, Origin, int, int]


class L2Reader:
    """The answers in a folder. Safe to use from many threads.

    Args:
        clock: None: one of its own.

    Raises:
        StoreMissing: no writer has ever opened the folder.
        StoreError: it cannot be used.
    """

    def __init__(self, folder: Path, clock: SteadyClock | None = None) -> None:
        self.folder = folder
        self.clock = clock or SteadyClock()
        self.damaged: set[bytes] = set()
        #: times that something could not be read
        self.failures = 0
        self._environment: Environment[rows.Databases] = join(folder, rows.SCHEMA)
        try:
            self.epoch = Epoch(folder)
        except StoreError:
            leave(self._environment)
            raise
        self._follow_at = 0.0
        #: after a failure nothing is tried until then
        self._rest_until = 0.0
        self._is_open = True

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        if self._is_open:
            self._is_open = False
            leave(self._environment)  # and not of the number of invalidations: what is in memory needs it

    def get(self, key: bytes) -> Hit[Value] | None:
        """The answer under `key`, whatever it is good for; None: there is none, or none that can be read."""
        environment = self._environment
        with environment.reading:
            if not self._is_open or (self._rest_until and time.monotonic() < self._rest_until):
                return None
            try:
                found = self._found(self._usable(), key)
            except (lmdb.Error, StoreError, OSError):
                self._failed()
                return None
        if found is None:
            return None
        try:
            return _hit(found)
        except Damaged:
            self._note_damage(key)
            return None

    def entries(self, which: Which, limit: int = 1000) -> list[Entry]:
        """Answers that agree with `which`, at most `limit`; expired ones too, with nothing left to live."""
        with self._environment.reading:
            try:
                opened = self._usable()
                with self._begin(opened) as txn:
                    return list(self._listed(txn, opened, which, limit))
            except (lmdb.Error, StoreError, OSError):
                self._failed()
                return []

    def size(self) -> tuple[int, int]:
        """How many entries there are, and the bytes that they are charged."""
        with self._environment.reading:
            try:
                opened = self._usable()
                with self._begin(opened) as txn:
                    state = rows.read_state(txn.get(b"state", db=opened.databases.meta))
                    return txn.stat(opened.databases.entries)["entries"], state.nbytes
            except (lmdb.Error, StoreError, OSError):
                self._failed()
                return 0, 0

    # ------------------------------------------------------------ with `reading` held

    def _usable(self) -> Opened[rows.Databases]:
        """What is open; now and then after a look whether it still is what it should be."""
        if time.monotonic() >= self._follow_at:
            self._follow()
        return self._environment.opened or self._environment.open()

    def _failed(self) -> None:
        """The folder cannot be read: whatever the reason is, it may pass."""
        self.failures += 1
        self._follow_at = 0.0
        self._rest_until = time.monotonic() + FOLLOW_S

    def _follow(self) -> None:
        self._environment.follow()
        opened = self._environment.open()
        with self._begin(opened) as txn:
            rows.check_format(txn.get(b"format", db=opened.databases.meta), self.folder)
            state = rows.read_state(txn.get(b"state", db=opened.databases.meta))
        self.clock.resume(state.steady_us, state.wall_us)
        self._follow_at = time.monotonic() + FOLLOW_S
        self._rest_until = 0.0

    def _begin(self, opened: Opened[rows.Databases], *, buffers: bool = False) -> Any:
        """A read transaction; if the writer has made the map larger, so does this process."""
        env = opened.env
        try:
            return env.begin(buffers=True) if buffers else env.begin()
        except lmdb.MapResizedError:
            env.set_mapsize(0)
        except lmdb.ReadersFullError:
            env.reader_check()
        return env.begin(buffers=True) if buffers else env.begin()

    def _found(self, opened: Opened[rows.Databases], key: bytes) -> _Found | None:
        epoch = self.epoch.get()
        databases = opened.databases
        with self._begin(opened, buffers=True) as txn:
            row = txn.get(key, db=databases.entries)
            if row is None:
                return None
            # lengths first: a damaged one must not have memory copied that is not there
            if len(row) > RECORD_BYTES + rows.INLINE_BYTES:
                self._note_damage(key)
                return None
            taken = bytes(row)
            record = rows.read_record(key, taken)
            if record is None:
                self._note_damage(key)
                return None
            now_us = self.clock.now_us()
            if not record.created_us - SLACK_US <= now_us < record.expires_us:
                return None
            stored = _stored(txn, databases, record, taken)
            origin = _origin(txn, opened, record.origin)
        if stored is None or origin is None:
            self._note_damage(key)
            return None
        return record, stored, origin, now_us, epoch

    def _note_damage(self, key: bytes) -> None:
        if len(self.damaged) < _MOST_DAMAGED:
            self.damaged.add(key)

    def _listed(self, txn: Any, opened: Opened[rows.Databases], which: Which, limit: int) -> Iterator[Entry]:
        now_us, databases = self.clock.now_us(), opened.databases
        left = limit
        for number in candidates(txn, databases, which):
            if left <= 0:
                return
            place = rows.read_place(txn.get(number, default=b"", db=databases.order))
            if place is None or not place.agrees(which):
                continue
            record = rows.read_record(place.key, txn.get(place.key, default=b"", db=databases.entries))
            if record is None or rows.NUMBER.pack(record.number) != number:
                continue
            origin = _origin(txn, opened, record.origin)
            if origin is None or not which.is_of(origin):
                continue
            left -= 1
            yield Entry(
                key=place.key,
                input=place.input,
                origin=origin,
                confidence=rows.maybe_number(record.confidence),
                cost_usd=record.cost_usd,
                age_s=max(0, now_us - record.created_us) / 1e6,
                expires_in_s=max(0, record.expires_us - now_us) / 1e6,
                nbytes=record.length,
                uses=place.uses,
            )


def candidates(txn: Any, databases: rows.Databases, which: Which) -> Iterator[bytes]:
    """Numbers of entries that may agree with `which`, by the index that narrows it down most."""
    if which.key is not None:
        record = rows.read_record(which.key, txn.get(which.key, default=b"", db=databases.entries))
        if record is not None:
            yield rows.NUMBER.pack(record.number)
    elif which.input is not None:
        yield from _duplicates(txn, databases.by_input, which.input)
    elif which.names_nothing:
        yield from txn.cursor(databases.order).iternext(keys=True, values=False)
    else:
        for number, row in txn.cursor(databases.origins):
            origin = rows.read_origin(row)
            if origin is not None and which.is_of(origin):
                yield from _duplicates(txn, databases.by_origin, number)


def _duplicates(txn: Any, database: lmdb._Database, key: bytes) -> Iterator[bytes]:
    cursor = txn.cursor(database)
    if cursor.set_key(key):
        yield from cursor.iternext_dup()


def _origin(txn: Any, opened: Opened[rows.Databases], number: int) -> Origin | None:
    known = opened.origins.get(number)
    if known is None:
        row = txn.get(rows.ORIGIN_NUMBER.pack(number), db=opened.databases.origins)
        known = rows.read_origin(None if row is None else bytes(row))
        if known is not None:
            opened.origins[number] = known
    return known


def _stored(txn: Any, databases: rows.Databases, record: Record, row: bytes) -> bytes | None:
    """The stored value of an entry; None: it is damaged, or not there."""
    if record.value_number == 0:
        stored = row[RECORD_BYTES:]
    else:
        view = txn.get(rows.NUMBER.pack(record.value_number), db=databases.values)
        if view is None or len(view) != rows.DIGEST_BYTES + record.length:
            return None
        stored = bytes(view[rows.DIGEST_BYTES :])
    if len(stored) != record.length:
        return None
    return stored if rows.value_checksum(stored, record.value_number) == record.checksum else None


def _hit(found: _Found) -> Hit[Value]:
    """Raises Damaged."""
    record, stored, origin, now_us, epoch = found
    value, nbytes = read_stored(record.flags, stored)
    return Hit(
        value,
        "l2-cold",
        max(0, now_us - record.created_us) / 1e6,
        (record.expires_us - now_us) / 1e6,
        origin,
        rows.maybe_number(record.confidence),
        record.cost_usd,
        rows.maybe_number(record.latency_ms),
        nbytes,
        epoch,
    )
