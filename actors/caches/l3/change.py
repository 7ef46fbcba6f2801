"""One transaction of the store: entries added, learnt about, removed, and those that have to go."""

from __future__ import annotations

from random import Random
from typing import Any

from actors.caches.disk.victims import EXPIRY, MOST_USES, NUMBER, USE, Victims
from actors.caches.l2.rows import write_origin
from actors.caches.l3 import rows
from actors.caches.l3.entry import Entry
from actors.caches.l3.rows import Databases, State
from actors.caches.layer import CacheConfig


class Change:
    """What one transaction does. Lives as long as that.

    Args:
        state: before; `state` is what it is after.
        now_us: the store's clock.
    """

    def __init__(self, txn: Any, databases: Databases, state: State, now_us: int, random: Random) -> None:
        self.state = state
        #: partition and number of the entries that are gone
        self.gone: list[tuple[bytes, bytes]] = []
        self.stored = self.evicted = self.expired = self.damaged = 0
        self._txn = txn
        self._dbs = databases
        self._now_us = now_us
        self._victims = Victims(txn, databases.order, databases.expiry, random, USE.size)

    @property
    def entries(self) -> int:
        """How many there are."""
        return int(self._txn.stat(self._dbs.entries)["entries"])

    # ------------------------------------------------------------ single entries

    def add(self, entry: Entry, config: CacheConfig) -> None:
        """Keep an entry, in place of an older one of the same call, and make room for it."""
        txn, dbs, number = self._txn, self._dbs, entry.id
        older = txn.get(entry.key, db=dbs.by_key)
        if older is not None:
            self.remove(older)
        row, digest = rows.write_entry(entry), rows.digest_of(entry.origin)
        self.make_room(config, 1, rows.charged_bytes(row) + len(entry.evidence))
        if not txn.put(number, row, db=dbs.entries, append=True):  # which fills pages
            txn.put(number, row, db=dbs.entries)
        txn.put(rows.member(entry.partition, number), b"", db=dbs.members)
        txn.put(digest + entry.partition + number, b"", db=dbs.by_origin)
        txn.put(digest, write_origin(entry.origin), db=dbs.origins)
        txn.put(entry.key, number, db=dbs.by_key)
        txn.put(number, USE.pack(self._now_us // 1_000_000, 0), db=dbs.order)
        txn.put(EXPIRY.pack(entry.expires_us, NUMBER.unpack(number)[0]), b"", db=dbs.expiry)
        self._learn(number, entry.evidence)
        next_number = max(self.state.next_number, NUMBER.unpack(number)[0] + 1)
        self._charge(rows.charged_bytes(row), next_number=next_number)
        self.stored += 1

    def learn(self, number: bytes, evidence: bytes) -> None:
        """Keep what was learnt about an entry, if it is there."""
        if self._txn.get(number, db=self._dbs.order) is not None:
            self._learn(number, evidence)
            self.use(number)

    def use(self, number: bytes) -> None:
        """Note that an entry was used."""
        row = self._txn.get(number, default=b"", db=self._dbs.order)
        if len(row) == USE.size:
            uses = min(USE.unpack(row)[1] + 1, MOST_USES)
            self._txn.put(number, USE.pack(self._now_us // 1_000_000, uses), db=self._dbs.order)

    def remove(self, number: bytes) -> bool:
        """Forget an entry; whether there was one."""
        txn, dbs = self._txn, self._dbs
        row = txn.get(number, db=dbs.entries)
        txn.delete(number, db=dbs.order)
        if row is None:
            return False
        txn.delete(number, db=dbs.entries)
        self._charge(-rows.charged_bytes(row))
        evidence = txn.get(number, db=dbs.evidence)
        if evidence is not None:
            txn.delete(number, db=dbs.evidence)
            self._charge(-len(evidence))
        entry = rows.read_entry(number, row, b"")
        if entry is None:  # its other rows go when somebody comes across them
            return True
        txn.delete(rows.member(entry.partition, number), db=dbs.members)
        txn.delete(rows.digest_of(entry.origin) + entry.partition + number, db=dbs.by_origin)
        txn.delete(EXPIRY.pack(entry.expires_us, NUMBER.unpack(number)[0]), db=dbs.expiry)
        if txn.get(entry.key, db=dbs.by_key) == number:
            txn.delete(entry.key, db=dbs.by_key)
        self.gone.append((entry.partition, number))
        return True

    def remove_if_damaged(self, partition: bytes, number: bytes) -> None:
        """Forget an entry of which somebody has said that it is damaged, or not there."""
        txn, dbs = self._txn, self._dbs
        row = txn.get(number, db=dbs.entries)
        evidence = rows.read_evidence(number, txn.get(number, db=dbs.evidence))
        is_whole = row is not None and evidence is not None
        entry = rows.read_entry(number, row, b"") if is_whole else None
        if entry is not None and entry.partition == partition:
            return
        if row is not None and entry is None:
            self.damaged += 1
            self.remove(number)
        txn.delete(rows.member(partition, number), db=dbs.members)
        self.gone.append((partition, number))

    def _learn(self, number: bytes, evidence: bytes) -> None:
        before = self._txn.get(number, default=b"", db=self._dbs.evidence)
        row = rows.write_evidence(number, evidence)
        self._txn.put(number, row, db=self._dbs.evidence)
        self._charge(len(row) - len(before))

    def _charge(self, nbytes: int, **more: int) -> None:
        self.state = self.state._replace(nbytes=max(0, self.state.nbytes + nbytes), **more)

    # ------------------------------------------------------------ what has to go

    def drop_everything(self) -> None:
        """Forget all entries. No number is given again, so that no index takes a new one for an old."""
        for name, database in self._dbs._asdict().items():
            if name != "meta":
                self._txn.drop(database, delete=False)
        self.state = self.state._replace(nbytes=0)

    def note_embedder(self, embedder: bytes) -> None:
        """Say what makes the vectors."""
        self._txn.put(b"embedder", embedder, db=self._dbs.meta)

    def drop_notes(self) -> None:
        """Forget the indexes of partitions that have no entries."""
        cursor = self._txn.cursor(self._dbs.members)
        for partition in list(self._txn.cursor(self._dbs.indexes).iternext(keys=True, values=False)):
            if not cursor.set_range(partition) or not cursor.key().startswith(partition):
                self._txn.delete(partition, db=self._dbs.indexes)

    def expire(self, most: int) -> None:
        """Forget at most `most` entries that have expired."""
        for _ in range(most):
            number = self._victims.expired(self._now_us)
            if number is None:
                break
            self.expired += self.remove(number)

    def make_room(self, config: CacheConfig, entries: int, nbytes: int) -> None:
        """Have entries go until there is room for so many more."""
        most_entries, most_bytes = config.size_entries, config.size_bytes
        while (most_entries is not None and self.entries + entries > most_entries) or (
            most_bytes is not None and self.state.nbytes + nbytes > most_bytes
        ):
            number = self._victims.next(config.eviction, self.state.next_number)
            if number is None:
                return
            self.evicted += self.remove(number)
