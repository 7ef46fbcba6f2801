"""The entries in LMDB: what is true of the store. Its indexes are made from it.

Everything is written in transactions of many changes, each synced to the disk once. How the folder stays this
process's own, and what becomes of a damaged file: see `OwnedFolder`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

import lmdb
import numpy as np

from actors.caches.clock import SLACK_US, SteadyClock
from actors.caches.disk.file_check import check_size
from actors.caches.disk.files import translated
from actors.caches.disk.owned import OwnedFolder
from actors.caches.disk.victims import NUMBER
from actors.caches.errors import InvalidCache, StoreError
from actors.caches.l2.rows import read_origin
from actors.caches.l3 import rows
from actors.caches.l3.change import Change
from actors.caches.l3.entry import Entry, Vectors
from actors.caches.l3.pending import Batch
from actors.caches.l3.rows import Databases, IndexNote, State
from actors.caches.layer import CacheConfig, Which

_log = logging.getLogger("rtfs.caches")

MAP_BYTES: Final = 1 << 26
#: the most that is put into the map beyond what entries are charged: pages to be used again, and copies
SPARE_BYTES: Final = 1 << 26
#: files up to this size are walked whenever the store is opened, bytes
WALKED_BYTES: Final = 1 << 28
#: entries that one transaction removes, or reads
_MOST_REMOVED: Final = 2_000
_PORTION: Final = 512
#: expired entries that a commit takes along
_MOST_EXPIRED: Final = 256
#: how often the length of the file is looked at, seconds
_LOOK_S: Final = 1.0


class Records:
    """The LMDB file of a store. Safe to use from many threads.

    Args:
        embedder: what makes the vectors, as `rows.embedder_row` has it; if it is another than before, what
            there was is dropped.
        max_map_bytes: the file never grows beyond; None: twice what the entries may be charged, and some.

    Raises:
        StoreInUse: another live process has the folder.
        StoreError: it cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        embedder: bytes,
        config: CacheConfig,
        clock: SteadyClock,
        *,
        map_bytes: int = MAP_BYTES,
        max_map_bytes: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.folder = folder
        self.config = config
        self.clock = clock
        #: whether the embedder is another, or nothing had an age any more
        self.was_dropped = False
        self._embedder = embedder
        self._before: bytes | None = None
        self._random = Random(seed)
        self._state = State()
        self._look_at = 0.0
        self._owned = OwnedFolder(
            folder,
            rows.SCHEMA,
            map_bytes=map_bytes,
            max_map_bytes=max_map_bytes or 2 * (config.size_bytes or 1 << 38) + SPARE_BYTES,
            load=self._load,
            walked_bytes=WALKED_BYTES,
        )
        self._environment = self._owned.environment
        self._is_open = True
        #: above all numbers that were given; whoever gives them says so
        self.next_number: Callable[[], int] = lambda: self._state.next_number
        try:
            self._begin()
        except BaseException:
            self._owned.close()
            raise

    @property
    def began_anew(self) -> bool:
        """Whether what was there had to be given up."""
        return self._owned.began_anew or self.was_dropped

    @property
    def state(self) -> State:
        """As of the last commit."""
        return self._state

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        with self._environment.writing, self._environment.reading:
            self._is_open = False
        self._owned.close()

    def _load(self, txn: Any, databases: Databases) -> None:
        self._state = rows.read_state(txn.get(b"state", db=databases.meta))
        self._before = txn.get(b"embedder", db=databases.meta)

    def _begin(self) -> None:
        state = self._state
        is_known = not self.clock.was_set_back(state.wall_us)
        self.clock.resume(state.steady_us, state.wall_us)
        if not is_known:
            _log.warning(
                "the clock was set back, so that nothing in `%s` has an age: it is cleared", self.folder
            )
        if self._before not in (None, self._embedder):
            _log.warning("the cache in `%s` is of another embedder; it begins anew", self.folder)
        self.was_dropped = not is_known or self._before not in (None, self._embedder)
        try:
            self.commit(self._tidy)
        except StoreError as error:
            if self.was_dropped:
                raise
            _log.warning("%s", error)  # what is there can be read all the same

    def _tidy(self, at: Change) -> None:
        if self.was_dropped:
            at.drop_everything()
        at.note_embedder(self._embedder)
        at.drop_notes()

    # ------------------------------------------------------------ to write

    def commit(self, work: Callable[[Change], object], note: tuple[bytes, IndexNote] | None = None) -> Change:
        """Do `work` in one transaction, all of it or nothing, and keep a note of an index.

        Raises:
            StoreFull: no room. Nothing was changed.
            StoreError: the disk failed. Nothing was changed.
        """
        now_us = self.clock.now_us()

        def write(txn: Any, databases: Databases) -> tuple[Change, State]:
            change = Change(txn, databases, self._state, now_us, self._random)
            work(change)
            if note is not None:
                txn.put(note[0], note[1].packed(), db=databases.indexes)
            state = change.state._replace(
                next_number=max(change.state.next_number, self.next_number()),
                steady_us=now_us,
                wall_us=int(self.clock.wall() * 1e6),
                commits=self._state.commits + 1,
            )
            txn.put(b"state", state.packed(), db=databases.meta)
            return change, state

        with self._environment.writing:
            self._check_open()
            change, self._state = self._owned.commit(write)
            return change

    def write(self, batch: Batch) -> Change:
        """Commit what waited, and make room for it. Raises as `commit`."""

        def change(at: Change) -> None:
            at.expire(_MOST_EXPIRED)
            for partition, number in batch.damaged:
                at.remove_if_damaged(partition, number)
            for entry in batch.added.values():
                at.add(entry, self.config)
            for number, evidence in batch.learnt.items():
                at.learn(number, evidence)
            for number in batch.used:
                at.use(number)
            for number in batch.removed:
                at.remove(number)

        return self.commit(change)

    def sweep(self) -> Change:
        """Forget some of the entries that have expired. Raises as `commit`."""
        self._owned.look_after()
        return self.commit(lambda at: at.expire(_MOST_REMOVED))

    def shrink(self, share: float) -> Change:
        """Have entries go until the given share of the room is free. Raises as `commit`."""
        entries = int((self.config.size_entries or 0) * share)
        nbytes = int((self.config.size_bytes or 0) * share)
        return self.commit(lambda at: at.make_room(self.config, entries, nbytes))

    def remove(self, numbers: Sequence[bytes]) -> Change:
        """Forget entries at once. Raises as `commit`."""
        return self.commit(lambda at: [at.remove(number) for number in numbers])

    def clear(self) -> int:
        """Remove everything; how many entries. Raises as `commit`."""
        with self._environment.writing:
            entries = self.entries()
            self.commit(Change.drop_everything)
            return entries

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Nothing is written meanwhile."""
        with self._environment.writing:
            yield

    # ------------------------------------------------------------ to read

    @contextmanager
    def reading(self) -> Iterator[tuple[Any, Databases]]:
        """A transaction that reads.

        Raises:
            StoreError: the file cannot be read.
        """
        try:
            with self._environment.reading:
                self._check_open()
                opened = self._environment.open()
                if time.monotonic() >= self._look_at:
                    self._look(opened.env)
                with opened.env.begin() as txn:
                    yield txn, opened.databases
        except (lmdb.Error, OSError) as error:
            raise self._unreadable(error) from error

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreError(f"the cache in `{self.folder}` is closed")

    def _look(self, env: lmdb.Environment) -> None:
        check_size(env, self.folder)
        self._look_at = time.monotonic() + _LOOK_S

    def _unreadable(self, error: lmdb.Error | OSError) -> StoreError:
        if isinstance(error, lmdb.Error):
            return translated(error, self.folder)
        return StoreError(f"cannot use the cache in `{self.folder}`: {error.strerror}")

    def entries(self) -> int:
        """How many there are. Raises StoreError."""
        with self.reading() as (txn, databases):
            return int(txn.stat(databases.entries)["entries"])

    def find(self, numbers: Sequence[bytes]) -> list[Entry | None]:
        """Entries by number; None: it is damaged, or not there. Raises StoreError."""
        environment = self._environment
        found: list[Entry | None] = []
        try:  # as `reading` does, which takes longer
            with environment.reading:
                if not self._is_open:
                    self._check_open()
                opened = environment.opened or environment.open()
                if time.monotonic() >= self._look_at:
                    self._look(opened.env)
                entries, evidences = opened.databases.entries, opened.databases.evidence
                with opened.env.begin() as txn:
                    for number in numbers:
                        row = txn.get(number, db=entries)
                        evidence = rows.read_evidence(number, txn.get(number, db=evidences))
                        if row is None or evidence is None:
                            found.append(None)
                        else:
                            found.append(rows.read_entry(number, row, evidence))
            return found
        except (lmdb.Error, OSError) as error:
            raise self._unreadable(error) from error

    def of_key(self, key: bytes) -> bytes | None:
        """Number of the entry of a call. Raises StoreError."""
        with self.reading() as (txn, databases):
            number: bytes | None = txn.get(key, db=databases.by_key)
            return number

    def members(self, partition: bytes) -> list[int]:
        """Numbers of the entries of a partition. Raises StoreError."""
        with self.reading() as (txn, databases):
            return [
                NUMBER.unpack(rows.number_of(key))[0] for key in _with_prefix(txn, databases.members, partition)
            ]

    def has_more(self, partition: bytes, most: int) -> bool:
        """Whether a partition has more entries than so many. Raises StoreError."""
        with self.reading() as (txn, databases):
            keys = _with_prefix(txn, databases.members, partition)
            return next(islice(keys, most, None), None) is not None

    def vectors(self, partition: bytes, numbers: Sequence[int]) -> Iterator[tuple[list[int], Vectors]]:
        """Vectors of entries, in portions; what is damaged is left out. Raises StoreError."""
        for start in range(0, len(numbers), _PORTION):
            found = self.find([NUMBER.pack(number) for number in numbers[start : start + _PORTION]])
            whole = [entry for entry in found if entry is not None and entry.partition == partition]
            if whole:
                taken = [NUMBER.unpack(entry.id)[0] for entry in whole]
                yield taken, np.stack([entry.vector for entry in whole])

    def partitions(self, which: Which) -> list[bytes]:
        """Partitions that have entries of such an origin. Raises StoreError, InvalidCache as `agreeing`."""
        _check(which)
        found: list[bytes] = []
        with self.reading() as (txn, databases):
            for digest in _digests(txn, databases, which):
                cursor = txn.cursor(databases.by_origin)
                at = digest
                while cursor.set_range(at) and (key := cursor.key()).startswith(digest):
                    found.append(key[len(digest) : -NUMBER.size])
                    at = key[: -NUMBER.size] + b"\xff" * (NUMBER.size + 1)
        return found

    def agreeing(self, which: Which, partition: bytes | None, limit: int) -> list[bytes]:
        """Numbers of entries that agree with `which`; what is damaged may agree.

        Raises:
            InvalidCache: it names an input.
            StoreError: the file cannot be read.
        """
        _check(which)
        found: list[bytes] = []
        with self.reading() as (txn, databases):
            for number in _candidates(txn, databases, which, partition):
                row = txn.get(number, db=databases.entries)
                entry = None if row is None else rows.read_entry(number, row, b"")
                if row is not None and (entry is None or which.is_of(entry.origin)):
                    found.append(number)
                if len(found) >= limit:
                    break
        return found

    def note(self, partition: bytes) -> IndexNote | None:
        """What is known of the file with the index of a partition. Raises StoreError."""
        with self.reading() as (txn, databases):
            return rows.read_note(txn.get(partition, db=databases.indexes))

    def notes(self) -> dict[bytes, IndexNote]:
        """The same of all partitions. Raises StoreError."""
        with self.reading() as (txn, databases):
            read = ((key, rows.read_note(row)) for key, row in txn.cursor(databases.indexes))
            return {key: note for key, note in read if note is not None}


def _check(which: Which) -> None:
    """Raises InvalidCache: nothing here says of which input an entry is, so that all would agree."""
    if which.input is not None:
        raise InvalidCache(
            "expected a key, a tenant, a symbol, a model or a version, got an input, which L3 does not know; "
            "remove its answers from L2, and L3 does not give them any more"
        )


def is_alive(entry: Entry, now_us: int) -> bool:
    """Whether an entry's time lasts, and has begun."""
    return entry.created_us - SLACK_US <= now_us < entry.expires_us


def _with_prefix(txn: Any, database: lmdb._Database, prefix: bytes) -> Iterator[bytes]:
    """Keys that begin with `prefix`."""
    cursor = txn.cursor(database)
    if cursor.set_range(prefix):
        for key in cursor.iternext(keys=True, values=False):
            if not key.startswith(prefix):
                return
            yield key


def _digests(txn: Any, databases: Databases, which: Which) -> Iterator[bytes]:
    """Digests of origins that agree with `which`; one that cannot be read may agree."""
    for digest, row in txn.cursor(databases.origins):
        origin = read_origin(row)
        if origin is None or which.is_of(origin):
            yield digest


def _candidates(txn: Any, databases: Databases, which: Which, partition: bytes | None) -> Iterator[bytes]:
    if which.key is not None:
        number = txn.get(which.key, db=databases.by_key)
        if number is not None and (
            partition is None or txn.get(rows.member(partition, number), db=databases.members) is not None
        ):
            yield number
    elif partition is not None:
        yield from map(rows.number_of, _with_prefix(txn, databases.members, partition))
    else:
        for digest in _digests(txn, databases, which):
            yield from map(rows.number_of, _with_prefix(txn, databases.by_origin, digest))
