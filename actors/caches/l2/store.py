"""The store of answers: the one writer of its folder.

Everything is written in transactions of many changes, each synced to the disk once. One that finds the map full
is done over in a larger one; one that finds no room on the disk has changed nothing. A killed writer loses what
was not committed, and nothing else.

How its folder stays its own, and what becomes of a damaged file: see `OwnedFolder`.

A store is used by one thread at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, Self

from actors.caches.clock import SteadyClock
from actors.caches.disk.owned import OwnedFolder
from actors.caches.l2 import rows
from actors.caches.l2.change import Change, Put
from actors.caches.l2.epoch import Epoch
from actors.caches.l2.reader import candidates
from actors.caches.l2.rows import State
from actors.caches.layer import CacheConfig, Origin, Which

_log = logging.getLogger("rtfs.caches")

MAP_BYTES: Final = 1 << 26
#: the most that is put into the map beyond what entries are charged: pages to be used again, and copies
SPARE_BYTES: Final = 1 << 26
#: entries that one transaction removes
_MOST_REMOVED: Final = 2_000
#: expired entries that a commit takes along
_MOST_EXPIRED: Final = 256


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
        self._random = Random(seed)
        self._origins: dict[Origin, int] = {}
        self._state = State()
        self._owned = OwnedFolder(
            folder,
            rows.SCHEMA,
            map_bytes=map_bytes,
            max_map_bytes=max_map_bytes or _default_map(config),
            load=self._load,
        )
        self._environment = self._owned.environment
        self._is_open = True
        try:
            self.epoch = Epoch(folder, write=True)
            self._begin_writing()
        except BaseException:
            self._owned.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        if self._is_open:
            self._is_open = False
            self.epoch.close()
            self._owned.close()

    @property
    def began_anew(self) -> bool:
        """Whether what was there had to be given up."""
        return self._owned.began_anew

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
        self._owned.look_after()

    # ------------------------------------------------------------ commits

    def _commit(self, work: Callable[[Change], None]) -> Change:
        now_us = self.clock.now_us()

        def write(txn: Any, databases: rows.Databases) -> tuple[Change, State]:
            change = Change(txn, databases, self._state, self._origins, now_us, self._random)
            work(change)
            state = change.state._replace(
                steady_us=now_us,
                wall_us=int(self.clock.wall() * 1e6),
                commits=self._state.commits + 1,
            )
            txn.put(b"state", state.packed(), db=databases.meta)
            return change, state

        with self._environment.writing:
            change, self._state = self._owned.commit(write)
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

    def _load(self, txn: Any, databases: rows.Databases) -> None:
        self._state = rows.read_state(txn.get(b"state", db=databases.meta))
        self._origins.clear()
        for number, row in txn.cursor(databases.origins):
            origin = rows.read_origin(row)
            if origin is not None:
                self._origins[origin] = rows.ORIGIN_NUMBER.unpack(number)[0]

    def _begin_writing(self) -> None:
        """Go on with clock and epoch from where the last writer was."""
        state = self._state
        is_known = not self.clock.was_set_back(state.wall_us)
        self.clock.resume(state.steady_us, state.wall_us)
        self._state = state._replace(epoch=max(state.epoch, self.epoch.get()) + self.began_anew)
        if not is_known:
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
