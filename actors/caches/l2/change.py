"""One transaction of the writer: entries added, used, removed, and those that have to go."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

from actors.caches.disk.victims import MOST_USES, Victims
from actors.caches.l2 import rows
from actors.caches.l2.rows import Databases, Place, Record, State
from actors.caches.layer import CacheConfig, Origin


class Put(NamedTuple):
    """An answer to be kept, as it travels to the writer."""

    key: bytes
    #: digest of function and arguments
    input: bytes
    origin: Origin
    flags: int
    #: the value, as `stored_form` made it
    stored: bytes
    confidence: float | None
    cost_usd: float
    latency_ms: float | None
    ttl_s: float
    #: invalidations before the answer was asked for; None: it cannot be stale
    epoch: int | None = None


class Change:
    """What one transaction does. Lives as long as that.

    Args:
        state: before; `state` is what it is after.
        origins: numbers of those that are known; those added are in `new_origins`.
        now_us: the store's clock.
    """

    def __init__(
        self,
        txn: Any,
        databases: Databases,
        state: State,
        origins: Mapping[Origin, int],
        now_us: int,
        random: Random,
    ) -> None:
        self.new_origins: dict[Origin, int] = {}
        self.evicted = self.expired = self.refused = self.stored = 0
        self._txn = txn
        self._dbs = databases
        self._origins = origins
        self._now_us = now_us
        self._victims = Victims(txn, databases.order, databases.expiry, random, rows.PLACE_BYTES)
        self._next_number = state.next_number
        self._next_value = state.next_value
        self._next_origin = state.next_origin
        self._nbytes = state.nbytes
        self._before = state

    @property
    def state(self) -> State:
        """What the store is now."""
        return self._before._replace(
            next_number=self._next_number,
            next_value=self._next_value,
            next_origin=self._next_origin,
            nbytes=self._nbytes,
        )

    @property
    def entries(self) -> int:
        """How many there are."""
        return int(self._txn.stat(self._dbs.entries)["entries"])

    # ------------------------------------------------------------ single entries

    def add(self, put: Put) -> None:
        """Keep an answer, in place of one that is there."""
        self.remove(put.key)
        value_number = 0 if len(put.stored) <= rows.INLINE_BYTES else self._value(put.stored)
        number = self._next_number
        self._next_number += 1
        record = Record(
            flags=put.flags,
            confidence=rows.number_or_nan(put.confidence),
            cost_usd=put.cost_usd,
            latency_ms=rows.number_or_nan(put.latency_ms),
            created_us=self._now_us,
            expires_us=self._now_us + int(put.ttl_s * 1e6),
            number=number,
            value_number=value_number,
            origin=self._origin(put.origin),
            length=len(put.stored),
            checksum=rows.value_checksum(put.stored, value_number),
        )
        txn, dbs, packed = self._txn, self._dbs, rows.NUMBER.pack(number)
        txn.put(put.key, record.packed(put.key) + (b"" if value_number else put.stored), db=dbs.entries)
        place = Place(self._now_us // 1_000_000, 0, put.key, put.input)
        txn.put(packed, place.packed(), db=dbs.order, append=True)
        txn.put(rows.EXPIRY.pack(record.expires_us, number), b"", db=dbs.expiry)
        txn.put(rows.ORIGIN_NUMBER.pack(record.origin), packed, db=dbs.by_origin)
        txn.put(put.input, packed, db=dbs.by_input)
        self._nbytes += record.charged_bytes
        self.stored += 1

    def remove(self, key: bytes) -> bool:
        """Forget an entry; whether there was one."""
        txn, dbs = self._txn, self._dbs
        row = txn.get(key, db=dbs.entries)
        if row is None:
            return False
        txn.delete(key, db=dbs.entries)
        record = rows.read_record(key, row)
        if record is None:  # its other rows go when somebody comes across them
            self._nbytes = max(0, self._nbytes - rows.ENTRY_OVERHEAD_BYTES)
            return True
        number = rows.NUMBER.pack(record.number)
        place = rows.read_place(txn.get(number, default=b"", db=dbs.order))
        if place is not None:
            txn.delete(place.input, number, db=dbs.by_input)
        txn.delete(number, db=dbs.order)
        txn.delete(rows.EXPIRY.pack(record.expires_us, record.number), db=dbs.expiry)
        txn.delete(rows.ORIGIN_NUMBER.pack(record.origin), number, db=dbs.by_origin)
        if record.value_number:
            self._release(record.value_number)
        self._nbytes = max(0, self._nbytes - record.charged_bytes)
        return True

    def use(self, key: bytes) -> None:
        """Note that an entry was used."""
        record = rows.read_record(key, self._txn.get(key, default=b"", db=self._dbs.entries))
        if record is None:
            return
        number = rows.NUMBER.pack(record.number)
        place = rows.read_place(self._txn.get(number, default=b"", db=self._dbs.order))
        if place is not None:
            used = place._replace(used_s=self._now_us // 1_000_000, uses=min(place.uses + 1, MOST_USES))
            self._txn.put(number, used.packed(), db=self._dbs.order)

    def remove_if_damaged(self, key: bytes) -> bool:
        """Forget an entry if it is damaged, as a reader has said; whether it was."""
        txn, dbs = self._txn, self._dbs
        row = txn.get(key, db=dbs.entries)
        if row is None:
            return False
        record = rows.read_record(key, row)
        if record is not None and self._is_whole(record, row):
            return False
        return self.remove(key)

    def _is_whole(self, record: Record, row: bytes) -> bool:
        txn, dbs = self._txn, self._dbs
        if rows.read_origin(txn.get(rows.ORIGIN_NUMBER.pack(record.origin), db=dbs.origins)) is None:
            return False
        if record.value_number:
            found = txn.get(rows.NUMBER.pack(record.value_number), default=b"", db=dbs.values)
            stored = found[rows.DIGEST_BYTES :]
        else:
            stored = row[rows.RECORD_BYTES :]
        return rows.value_checksum(stored, record.value_number) == record.checksum

    # ------------------------------------------------------------ what has to go

    def drop_everything(self) -> None:
        """Forget all entries. Numbers are not given again, so that nobody takes a new row for an old one."""
        for name, database in self._dbs._asdict().items():
            if name != "meta":
                self._txn.drop(database, delete=False)
        self._nbytes = 0

    def expire(self, most: int) -> int:
        """Forget at most `most` entries that have expired; how many."""
        gone = 0
        for _ in range(most):
            number = self._victims.expired(self._now_us)
            if number is None:
                break
            gone += self._remove_number(number)
        self.expired += gone
        return gone

    def make_room(self, config: CacheConfig, entries: int, nbytes: int) -> None:
        """Have entries go until there is room for so many more."""
        most_entries, most_bytes = config.size_entries, config.size_bytes
        while (most_entries is not None and self.entries + entries > most_entries) or (
            most_bytes is not None and self._nbytes + nbytes > most_bytes
        ):
            number = self._victims.next(config.eviction, self._next_number)
            if number is None:
                return
            self.evicted += self._remove_number(number)

    def _remove_number(self, number: bytes) -> bool:
        """Forget the entry of that number; rows that are left of none go too."""
        place = rows.read_place(self._txn.get(number, default=b"", db=self._dbs.order))
        self._txn.delete(number, db=self._dbs.order)
        if place is None:
            return False
        self._txn.delete(place.input, number, db=self._dbs.by_input)
        record = rows.read_record(place.key, self._txn.get(place.key, default=b"", db=self._dbs.entries))
        # what is damaged goes too; an entry of that key with another number came after this one
        is_meant = record is None or rows.NUMBER.pack(record.number) == number
        return is_meant and self.remove(place.key)

    # ------------------------------------------------------------ values and origins

    def _value(self, stored: bytes) -> int:
        """The number of a stored value, which one more entry has now."""
        txn, dbs = self._txn, self._dbs
        digest = rows.digest_of(stored)
        shared = txn.get(digest, db=dbs.shared)
        if shared is not None and len(shared) == rows.SHARED.size:
            number, users = rows.SHARED.unpack(shared)
            if txn.get(rows.NUMBER.pack(number), db=dbs.values) == digest + stored:  # else it was damaged
                txn.put(digest, rows.SHARED.pack(number, users + 1), db=dbs.shared)
                return int(number)
        made = self._next_value
        self._next_value += 1
        txn.put(rows.NUMBER.pack(made), digest + stored, db=dbs.values, append=True)
        txn.put(digest, rows.SHARED.pack(made, 1), db=dbs.shared)
        return made

    def _release(self, number: int) -> None:
        """One entry less has this value."""
        txn, dbs = self._txn, self._dbs
        key = rows.NUMBER.pack(number)
        digest = txn.get(key, default=b"", db=dbs.values)[: rows.DIGEST_BYTES]
        shared = txn.get(digest, db=dbs.shared) if digest else None
        known, users = rows.SHARED.unpack(shared) if shared and len(shared) == rows.SHARED.size else (0, 0)
        if known == number and users > 1:
            txn.put(digest, rows.SHARED.pack(number, users - 1), db=dbs.shared)
            return
        txn.delete(key, db=dbs.values)
        if known == number:
            txn.delete(digest, db=dbs.shared)

    def _origin(self, origin: Origin) -> int:
        known = self._origins.get(origin) or self.new_origins.get(origin)
        if known is None:
            known = self.new_origins[origin] = self._next_origin
            self._next_origin += 1
            self._txn.put(rows.ORIGIN_NUMBER.pack(known), rows.write_origin(origin), db=self._dbs.origins)
        return known
