"""The store of answers: the one writer of its folder.

Everything is written in transactions of many changes, each synced to the disk once. One that finds the map full
is done over in a larger one; one that finds no room on the disk has changed nothing. A killed writer loses what
was not committed, and nothing else.

The first writer holds a lock that goes with its process, however that ends; a second one is refused.

A file that is damaged is found when the writer starts: its structure is walked without LMDB, which would
believe it. Then the cache begins anew, in a new file, and readers follow. Large files are walked only if the
machine went down while a writer was at work; a writer that is killed leaves no damage.

A store is used by one thread at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final, Self

import lmdb

from actors.caches.clock import SLACK_US, SteadyClock
from actors.caches.errors import StoreDamaged, StoreFull
from actors.caches.l2 import rows
from actors.caches.l2.change import Change, Put
from actors.caches.l2.environment import Environment, join, leave
from actors.caches.l2.epoch import Epoch
from actors.caches.l2.file_check import boot, check_file, check_size, extend, went_down
from actors.caches.l2.reader import candidates
from actors.caches.l2.rows import State
from actors.caches.l2.writer_lock import only_writer, release
from actors.caches.layer import CacheConfig, Origin, Which

_log = logging.getLogger("rtfs.caches")

#: the file that is there while a writer is at work; it names the run of the machine
RUNNING_FILE: Final = "running"
MAP_BYTES: Final = 1 << 26
#: the most that is put into the map beyond what entries are charged: pages to be used again, and copies
SPARE_BYTES: Final = 1 << 26
#: entries that one transaction removes
_MOST_REMOVED: Final = 2_000
#: expired entries that a commit takes along
_MOST_EXPIRED: Final = 256
#: a clock that was set back for longer while nobody looked leaves no way to know the age of anything
_MOST_BACK_US: Final = 60_000_000


class L2Store:
    """Answers in a folder, to be written.

    Args:
        folder: made if it is not there, for its owner alone.
        map_bytes: size of the map at first.
        max_map_bytes: the file never grows beyond; None: twice what the entries may be charged, and some.

    Raises:
        StoreInUse: another live process writes there, or this one reads there.
        StoreError: the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        config: CacheConfig,
        *,
        map_bytes: int = MAP_BYTES,
        max_map_bytes: int | None = None,
        clock: SteadyClock | None = None,
        seed: int | None = None,
    ) -> None:
        self.folder = folder
        self.config = config
        self.clock = clock or SteadyClock()
        #: whether what was there had to be given up
        self.began_anew = False
        self._max_map_bytes = max_map_bytes or _default_map(config)
        self._random = Random(seed)
        self._origins: dict[Origin, int] = {}
        self._state = State()
        lock = only_writer(folder)
        try:
            self._environment = self._joined(min(map_bytes, self._max_map_bytes))
            try:
                self.epoch = Epoch(folder, write=True)
                self._begin_writing()
            except BaseException:
                leave(self._environment)
                raise
        except BaseException:
            release(lock)
            raise
        self._environment.writer_lock = lock
        self._is_open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        if self._is_open:
            self._is_open = False
            self.epoch.close()
            leave(self._environment)
            lock, self._environment.writer_lock = self._environment.writer_lock, None
            if lock is not None:  # else this is a child of the writer
                (self.folder / RUNNING_FILE).unlink(missing_ok=True)
                release(lock)

    @property
    def state(self) -> State:
        """As of the last commit."""
        return self._state

    def write(self, puts: Sequence[Put], used: Sequence[bytes] = (), damaged: Sequence[bytes] = ()) -> Change:
        """Keep answers, note uses, drop what is damaged, and make room: all of it or nothing.

        Raises:
            StoreFull: no room. Nothing was changed.
            StoreError: the disk failed. Nothing was changed.
        """
        newest = {put.key: put for put in puts}.values()
        fresh = [put for put in newest if put.epoch in (None, self._state.epoch)]
        needed = sum(rows.ENTRY_OVERHEAD_BYTES + len(put.stored) for put in fresh)

        def change(at: Change) -> None:
            at.expire(_MOST_EXPIRED)
            for key in damaged:
                at.remove_if_damaged(key)
            for key in used:
                at.use(key)
            at.make_room(self.config, len(fresh), needed)
            for put in fresh:
                at.add(put)
            at.refused += len(newest) - len(fresh)

        return self._commit(change)

    def sweep(self) -> int:
        """Forget some of the entries that have expired; how many. Raises as `write`."""
        return self._commit(lambda at: _done(at.expire(_MOST_REMOVED))).expired

    def shrink(self, share: float) -> int:
        """Have entries go until the given share of the room is free; how many. Raises as `write`."""
        entries = int((self.config.size_entries or 0) * share)
        nbytes = int((self.config.size_bytes or 0) * share)
        return self._commit(lambda at: at.make_room(self.config, entries, nbytes)).evicted

    def invalidate(self, which: Which) -> int:
        """Remove the entries that agree with `which`; how many. Nothing gives them again after this.

        Raises:
            InvalidCache: it names none in particular.
            StoreError: as `write`; some may be gone.
        """
        which.check()
        gone = 0
        while keys := self._agreeing(which):
            self._commit(lambda at, keys=keys: _done([at.remove(key) for key in keys]))  # type: ignore[misc]
            gone += len(keys)
        self._advance()
        return gone

    def clear(self) -> int:
        """Remove everything; how many entries. Raises as `write`."""
        with self._environment.writing:
            entries = self._entries()
            self._commit(Change.drop_everything)
            self._origins.clear()
        self._advance()
        return entries

    def size(self) -> tuple[int, int]:
        """How many entries there are, and the bytes that they are charged."""
        with self._environment.writing:
            return self._entries(), self._state.nbytes

    def look_after(self) -> None:
        """Free the places of readers that died, which would keep old pages from being used again."""
        with self._environment.writing:
            self._environment.open().env.reader_check()

    # ------------------------------------------------------------ commits

    def _commit(self, work: Callable[[Change], None]) -> Change:
        try:
            while True:
                try:
                    return self._committed(work)
                except lmdb.MapFullError:
                    if not self._environment.grow(self._max_map_bytes):
                        raise StoreFull(
                            f"the cache in `{self.folder}` fills the room that it may use"
                        ) from None
        except lmdb.Error as exc:
            raise rows.translated(exc, self.folder) from exc

    def _committed(self, work: Callable[[Change], None]) -> Change:
        with self._environment.writing:
            opened = self._environment.open()
            check_size(opened.env, self.folder)
            now_us = self.clock.now_us()
            with opened.env.begin(write=True) as txn:
                change = Change(txn, opened.databases, self._state, self._origins, now_us, self._random)
                work(change)
                state = change.state._replace(
                    steady_us=now_us,
                    wall_us=int(self.clock.wall() * 1e6),
                    commits=self._state.commits + 1,
                )
                txn.put(b"state", state.packed(), db=opened.databases.meta)
            extend(opened.env, self.folder)
            self._state = state
            self._origins.update(change.new_origins)
            return change

    def _advance(self) -> None:
        """An invalidation is done: what processes have in memory is good no longer."""
        before = self._state
        self._state = before._replace(epoch=max(before.epoch, self.epoch.get()) + 1)
        try:
            self._commit(lambda _: None)
        finally:
            self.epoch.set(self._state.epoch)

    def _agreeing(self, which: Which) -> list[bytes]:
        """Keys of some of the entries that agree with `which`."""
        found: list[bytes] = []
        names = {number: origin for origin, number in self._origins.items()}
        with self._environment.writing:
            opened = self._environment.open()
            with opened.env.begin() as txn:
                for number in candidates(txn, opened.databases, which):
                    place = rows.read_place(txn.get(number, default=b"", db=opened.databases.order))
                    if place is None or not place.agrees(which):
                        continue
                    row = txn.get(place.key, default=b"", db=opened.databases.entries)
                    record = rows.read_record(place.key, row)
                    is_its = record is not None and rows.NUMBER.pack(record.number) == number
                    origin = names.get(record.origin) if record is not None and is_its else None
                    if (row and record is None) or (origin is not None and which.is_of(origin)):
                        found.append(place.key)
                    if len(found) == _MOST_REMOVED:
                        break
        return found

    def _entries(self) -> int:
        opened = self._environment.open()
        with opened.env.begin() as txn:
            return int(txn.stat(opened.databases.entries)["entries"])

    # ------------------------------------------------------------ the beginning

    def _joined(self, map_bytes: int) -> Environment:
        """The environment; a new one if what is there is damaged."""
        try:
            check_file(self.folder, thorough=went_down(self.folder / RUNNING_FILE))
            environment = join(self.folder, map_bytes)
        except StoreDamaged as damage:
            environment = self._anew(map_bytes, damage)
        try:
            self._load(environment)
        except (StoreDamaged, lmdb.Error) as damage:
            leave(environment)
            environment = self._anew(map_bytes, damage)
            self._load(environment)
        return environment

    def _anew(self, map_bytes: int, damage: Exception) -> Environment:
        _log.warning("%s; it begins anew", damage)
        self.began_anew = True
        for name in (rows.DATA_FILE, rows.LOCK_FILE):
            (self.folder / name).unlink(missing_ok=True)
        return join(self.folder, map_bytes)

    def _load(self, environment: Environment) -> None:
        opened = environment.open()
        opened.env.reader_check()
        with opened.env.begin(write=True) as txn:
            if txn.stat(opened.databases.meta)["entries"] == 0:
                txn.put(b"format", rows.FORMAT, db=opened.databases.meta)
            rows.check_format(txn.get(b"format", db=opened.databases.meta), self.folder)
            self._state = rows.read_state(txn.get(b"state", db=opened.databases.meta))
            for number, row in txn.cursor(opened.databases.origins):
                origin = rows.read_origin(row)
                if origin is not None:
                    self._origins[origin] = rows.ORIGIN_NUMBER.unpack(number)[0]

    def _begin_writing(self) -> None:
        """Go on with clock and epoch from where the last writer was."""
        with suppress(OSError):  # on a full disk large files are not walked, as if nothing had happened
            (self.folder / RUNNING_FILE).write_bytes(boot())
        state = self._state
        since_us = int(self.clock.wall() * 1e6) - state.wall_us
        self.clock.resume(state.steady_us, state.wall_us)
        self._state = state._replace(epoch=max(state.epoch, self.epoch.get()) + self.began_anew)
        if since_us < -_MOST_BACK_US - SLACK_US:
            _log.warning(
                "the clock was set back, so that nothing in `%s` has an age: it is cleared", self.folder
            )
            self.clear()
        self._commit(lambda _: None)
        self.epoch.set(self._state.epoch)


def _done(_: object) -> None:
    """For lambdas that stand for a statement."""


def _default_map(config: CacheConfig) -> int:
    nbytes = config.size_bytes or 1 << 38
    return 2 * nbytes + SPARE_BYTES
