"""The store of L3: earlier calls by the meaning of their texts.

LMDB has the entries, and is what counts (`Records`); indexes are made from it and kept in memory (`Shelf`).
Whatever an index says, an entry is given only after its row was read and found whole, of that partition, and
alive, and how near it is is computed from the vector in its row. So an index that is wrong can hide an entry,
and no more.

One process owns the folder; a second one is refused. A killed one loses what it was given in the last 50 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final, Self

from actors.caches.clock import SteadyClock
from actors.caches.disk.victims import NUMBER
from actors.caches.errors import InvalidCache, StoreError
from actors.caches.keys import KEY_BYTES
from actors.caches.l3 import rows
from actors.caches.l3.committer import Committer
from actors.caches.l3.entry import Entry, Neighbour, Vectors
from actors.caches.l3.finder import Finder, normalised
from actors.caches.l3.loads import Loads
from actors.caches.l3.partition import Partition
from actors.caches.l3.pending import Pending
from actors.caches.l3.records import Records, is_alive
from actors.caches.l3.shelf import MOST_BYTES, MOST_OPEN, Shelf
from actors.caches.l3.verify import Verdict, verify
from actors.caches.layer import CacheConfig, CacheStats, Origin, Which

#: so many vectors make a graph worth while: below, looking at all of them takes no longer
GRAPH_FROM: Final = 500
#: partitions with at most so many entries are loaded when they are first asked for, which takes some 20 ms
LOADED_AT_ONCE: Final = 5_000
_MOST_TEXT_BYTES: Final = 1 << 20
_MOST_EVIDENCE_BYTES: Final = 1 << 16
_MOST_REMOVED: Final = 2_000
#: longer times are as good as this, some 300 years
_MOST_TIME_S: Final = 1e10
_EVERYTHING: Final = Which()


class SemanticStore:
    """Earlier calls by meaning, in a folder. Safe to use from many threads.

    Args:
        folder: made if it is not there, for its owner alone.
        dimensions: of the vectors.
        embedder_version: what makes them; if it is another than before, what there was is dropped.
        graph_from: so many vectors of a partition make a graph worth while.
        most_open: partitions in memory at the same time.
        most_index_bytes: and the memory that they take.
        loaded_at_once: larger partitions are loaded in the background for searches that do not wait, entries.
        options: as those of `Records`: map_bytes, max_map_bytes, seed.

    Raises:
        StoreInUse: another live process has the folder.
        StoreError: it cannot be used.
    """

    name = "l3"

    def __init__(
        self,
        folder: Path,
        *,
        dimensions: int,
        embedder_version: str,
        config: CacheConfig,
        clock: SteadyClock | None = None,
        graph_from: int = GRAPH_FROM,
        most_open: int = MOST_OPEN,
        most_index_bytes: int = MOST_BYTES,
        loaded_at_once: int = LOADED_AT_ONCE,
        **options: Any,
    ) -> None:
        if not 1 <= dimensions < 1 << 16:
            raise InvalidCache(f"expected vectors of 1 to 65535 numbers, got {dimensions}")
        self.folder = folder
        self.config = config
        self.clock = clock or SteadyClock()
        self.dimensions = dimensions
        embedder = rows.embedder_row(embedder_version, dimensions)
        self._records = Records(folder, embedder, config, self.clock, **options)
        try:
            self._pending = Pending(self._records.state.next_number)
            self._records.next_number = lambda: self._pending.next_number
            self._shelf = Shelf(
                self._records,
                self._pending,
                dimensions=dimensions,
                graph_from=graph_from,
                most_open=most_open,
                most_bytes=most_index_bytes,
            )
        except OSError as error:
            self._records.close()
            raise StoreError(f"cannot use `{folder}` for a cache: {error.strerror}") from error
        except BaseException:
            self._records.close()
            raise
        self._committer = Committer(self._records, self._pending, self._shelf.discard)
        self._loads = Loads(self._shelf.get, lambda error: self._committer.failed(0, error))
        self._loaded_at_once = loaded_at_once
        self._finder = Finder(self._records, self._pending, dimensions, self._committer.notify)
        self._hits = self._misses = 0
        self._counting = Lock()
        self._is_open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit what waits, save the indexes, and let go of the folder. A second call does nothing."""
        if self._is_open:
            self._is_open = False
            self._loads.close()
            self._committer.close()
            self._shelf.close()
            self._records.close()

    # ------------------------------------------------------------ entries

    def add(
        self,
        *,
        partition: bytes,
        vector: Vectors,
        texts: Sequence[str],
        key: bytes,
        origin: Origin,
        ttl_s: float | None = None,
        age_s: float = 0.0,
        evidence: bytes = b"",
    ) -> bytes | None:
        """Keep a call, in place of an older one with the same key: its id, which searches give at once.

        Args:
            vector: of its texts, of any length above 0.
            ttl_s: seconds; None: that of the store.
            age_s: how old its answer is already, seconds.

        Returns:
            None: it is not kept, since it is too large, or too many wait to be written.

        Raises:
            InvalidCache: the vector cannot be, or another argument.
        """
        made = normalised(vector, self.dimensions).copy()
        self._check(partition, key, evidence)
        now_us = self.clock.now_us()
        ttl_s = self.config.ttl_s if ttl_s is None else ttl_s
        if not (ttl_s >= 0 and age_s >= 0):
            raise InvalidCache(f"expected times of at least 0 seconds, got {ttl_s} and {age_s}")
        entry = Entry(
            b"",
            partition,
            made,
            tuple(texts),
            key,
            origin,
            max(0, now_us - int(min(age_s, _MOST_TIME_S) * 1e6)),
            now_us + int(min(ttl_s, _MOST_TIME_S) * 1e6),
            evidence,
        )
        if not self._fits(entry):
            self._committer.count(refused=1)
            return None
        kept = None
        try:
            older = self._finder.of_key(key)
            kept = self._pending.add(entry)  # before the index has it: whoever loads that adds what waits
            if kept is None:
                self._committer.count(refused=1)
                return None
            place = self._shelf.get(partition)
            place.add(NUMBER.unpack(kept.id)[0], made)
            self._shelf.look(place)
            if older is not None:
                self._forget(older)
        except StoreError as error:
            self._committer.failed(0, error)
        finally:
            self._committer.notify()
        return None if kept is None else kept.id

    def get(self, id: bytes) -> Entry | None:
        """An entry; None: it is not there, has expired, or is damaged."""
        try:
            entry = self._finder.find([id])[0]
        except StoreError as error:
            self._committer.failed(0, error)
            return None
        return entry if entry is not None and is_alive(entry, self.clock.now_us()) else None

    def set_evidence(self, id: bytes, evidence: bytes) -> None:
        """Keep what was learnt about an entry, if it is there; it counts as a use.

        Raises:
            InvalidCache: it is too long.
        """
        self._check_evidence(evidence)
        self._pending.learn(id, evidence)
        self._committer.notify()

    def use(self, id: bytes) -> None:
        """Note that an entry was used, for those evictions that look at it."""
        if self.config.eviction in ("lru", "lfu"):
            self._pending.use(id)
            self._committer.notify()

    def remove(self, id: bytes) -> bool:
        """Forget an entry; whether there was one. No search gives it after this; the disk follows soon."""
        try:
            entry = self._finder.find([id])[0]
        except StoreError as error:
            self._committer.failed(0, error)
            return False
        if entry is None:
            return False
        self._forget(entry)
        self._committer.notify()
        return True

    def invalidate(self, which: Which) -> int:
        """Remove the entries that agree with `which`; how many.

        What an entry points to is in L2, and good only as long as L2 has it. So nothing here has to say of
        which `input` an entry is: those of one go when their answers are removed from L2.

        Raises:
            InvalidCache: it names none in particular, or an input.
            StoreError: the disk failed; some may be gone.
        """
        which.check()
        gone = 0
        with self._committer.committing:
            self._committer.flush()
            while numbers := self._records.agreeing(which, None, _MOST_REMOVED):
                self._committer.apply(self._records.remove(numbers))
                gone += len(numbers)
        return gone

    def clear(self) -> int:
        """Remove everything; how many entries. Raises StoreError: the disk failed."""
        with self._committer.committing:
            self._committer.flush()
            entries = self._records.clear()
            self._shelf.clear()
            return entries

    # ------------------------------------------------------------ to look for

    def search(
        self, partition: bytes, vector: Vectors, k: int = 8, at_least: float = 0.0, *, wait: bool = True
    ) -> list[Neighbour]:
        """About the `k` nearest entries of a partition, best first; of one key the newest alone.

        Args:
            vector: of any length above 0.
            at_least: cosine; nothing less near is given.
            wait: for a large partition that has to be loaded; else nothing is found until it is.

        Raises:
            InvalidCache: the vector cannot be.
        """
        query = normalised(vector, self.dimensions)
        try:
            place = self._shelf.get(partition) if wait else self._loaded(partition)
            found = [] if place is None else self._finder.near(place, query, k, at_least)
        except StoreError as error:
            self._committer.failed(0, error)
            found = []
        with self._counting:
            if found:
                self._hits += 1
            else:
                self._misses += 1
        return found

    def partitions(self, which: Which = _EVERYTHING) -> list[bytes]:
        """Partitions that have entries of such an origin. Raises InvalidCache: `which` names an input."""
        self._committer.flush()
        try:
            return self._records.partitions(which)
        except StoreError as error:
            self._committer.failed(0, error)
            return []

    def entries(
        self, which: Which = _EVERYTHING, *, partition: bytes | None = None, limit: int = 1_000
    ) -> list[Entry]:
        """Entries that agree with `which`, at most about `limit`; without what has expired or is damaged.

        Raises:
            InvalidCache: `which` names an input.
        """
        self._committer.flush()
        try:
            found = self._records.find(self._records.agreeing(which, partition, limit))
        except StoreError as error:
            self._committer.failed(0, error)
            return []
        now_us = self.clock.now_us()
        return [entry for entry in found if entry is not None and is_alive(entry, now_us)]

    # ------------------------------------------------------------ the store itself

    @property
    def began_anew(self) -> bool:
        """Whether what was there had to be given up."""
        return self._records.began_anew

    @property
    def size(self) -> int:
        """How many entries there are, about, until all is committed; 0 if they cannot be counted."""
        try:
            return self._records.entries() + len(self._pending)
        except StoreError:
            return 0

    @property
    def stats(self) -> CacheStats:
        """What happened so far; a search that gave something is a hit."""
        own = CacheStats(
            hits=self._hits,
            misses=self._misses,
            entries=self.size,
            nbytes=self._records.state.nbytes,
            damaged=self._shelf.damaged,
        )
        return CacheStats.total((own, self._committer.stats))

    def flush(self) -> None:
        """Commit all that was given, or lose it."""
        self._committer.flush()

    def settle(self, timeout_s: float = 60.0) -> bool:
        """Wait until all vectors are in the graphs where they belong; whether it came to that in time."""
        self._committer.flush()
        return self._loads.wait(timeout_s) and self._shelf.wait(timeout_s)

    def verify(self) -> Verdict:
        """Look at everything: the file, each entry, what it is found by, and the indexes.

        Raises:
            StoreError: it cannot be used.
        """
        with self._committer.committing:
            self._committer.flush()
            return verify(self._records, self._shelf, self.dimensions)

    def _loaded(self, partition: bytes) -> Partition | None:
        """A partition that is loaded, or soon is; None: it is loaded in the background. Raises StoreError."""
        if self._loads.has(partition) or not self._shelf.is_quick(partition, self._loaded_at_once):
            self._loads.begin(partition)
            return None
        return self._shelf.get(partition)

    def _forget(self, entry: Entry) -> None:
        self._pending.remove(entry.id)
        self._shelf.discard(entry.partition, entry.id)

    def _fits(self, entry: Entry) -> bool:
        if sum(map(len, entry.texts)) > _MOST_TEXT_BYTES or len(entry.texts) >= 1 << 16:
            return False
        most = self.config.size_bytes
        return most is None or rows.charged_bytes(rows.write_entry(entry)) + len(entry.evidence) <= most

    def _check(self, partition: bytes, key: bytes, evidence: bytes) -> None:
        if len(partition) != rows.PARTITION_BYTES or len(key) != KEY_BYTES:
            raise InvalidCache(
                f"expected a partition of {rows.PARTITION_BYTES} bytes and a key of {KEY_BYTES}, "
                f"got {len(partition)} and {len(key)}"
            )
        self._check_evidence(evidence)

    def _check_evidence(self, evidence: bytes) -> None:
        if len(evidence) > _MOST_EVIDENCE_BYTES:
            raise InvalidCache(
                f"expected evidence of at most {_MOST_EVIDENCE_BYTES} bytes, got {len(evidence)}"
            )
