"""Entries looked for: what an index says is near, and LMDB says is so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, sqrt
from typing import Final

import numpy as np

from actors.caches.disk.victims import NUMBER
from actors.caches.errors import InvalidCache
from actors.caches.l3.entry import Entry, Neighbour, Vectors
from actors.caches.l3.flat import Found
from actors.caches.l3.partition import Partition
from actors.caches.l3.pending import Pending
from actors.caches.l3.records import Records, is_alive

#: what similarities from an index may be off, of which nothing is left when they are computed anew
_SLACK: Final = 1e-3
#: what the square of a length of 1 may be off
_UNIT: Final = 1e-5
#: the most that an index is asked for when the nearest entries have expired or are damaged
_MOST_ASKED: Final = 1_024


class Finder:
    """Finds entries, committed or not. Safe to use from many threads.

    Args:
        notify: is called when something waits to be committed.
    """

    def __init__(self, records: Records, pending: Pending, dimensions: int, notify: Callable[[], None]) -> None:
        self._records = records
        self._pending = pending
        self._dimensions = dimensions
        self._notify = notify

    def near(self, place: Partition, query: Vectors, k: int, at_least: float) -> list[Neighbour]:
        """About the `k` nearest entries of a partition, best first. Raises StoreError."""
        asked = k
        while asked > 0:
            found = place.search(query, asked)
            neighbours = self._whole(place, found, query, at_least)
            reached_end = len(found[0]) < asked or found[1][-1] < at_least - _SLACK
            if len(neighbours) >= k or reached_end or asked >= _MOST_ASKED:
                return neighbours[:k]
            asked *= 4
        return []

    def find(self, ids: Sequence[bytes]) -> list[Entry | None]:
        """Entries by id; None: it is not there, or damaged. Raises StoreError."""
        if not ids:
            return []
        pending = self._pending
        if not pending:
            return self._records.find(ids)
        # first what waits: what is committed meanwhile is in the transaction that comes after
        waiting = [pending.get(id) for id in ids]
        learnt = [pending.evidence(id) for id in ids]
        found = []
        for id, entry, evidence, row in zip(ids, waiting, learnt, self._records.find(ids), strict=True):
            if row is not None and evidence is not None:
                row = row._replace(evidence=evidence)
            found.append(None if pending.is_removed(id) else entry or row)
        return found

    def of_key(self, key: bytes) -> Entry | None:
        """The newest entry of a call, whole. Raises StoreError."""
        id = self._pending.of_key(key) or self._records.of_key(key)
        return None if id is None else self.find([id])[0]

    def _whole(self, place: Partition, found: Found, query: Vectors, at_least: float) -> list[Neighbour]:
        """Those of what an index said that are entries, with the similarity that they really have."""
        least = at_least - _SLACK
        ids = [NUMBER.pack(number) for number, rough in zip(*found, strict=True) if rough >= least]
        now_us = self._records.clock.now_us()
        neighbours = []
        for id, entry in zip(ids, self.find(ids), strict=True):
            if entry is None or entry.partition != place.key or len(entry.vector) != self._dimensions:
                self._drop(place, id)
                continue
            similarity = float(entry.vector.dot(query))
            if similarity >= at_least and is_alive(entry, now_us):
                neighbours.append(Neighbour(similarity, entry))
        if len(neighbours) > 1:
            neighbours.sort(key=_rank)
            of_key: dict[bytes, Neighbour] = {}
            for each in neighbours:
                of_key.setdefault(each.entry.key, each)
            return list(of_key.values())
        return neighbours

    def _drop(self, place: Partition, id: bytes) -> None:
        """An index has what is damaged, or no entry."""
        place.discard(NUMBER.unpack(id)[0])
        self._pending.note_damage(place.key, id)
        self._notify()


def normalised(vector: Vectors, dimensions: int) -> Vectors:
    """A vector made to have length 1; the same if it has it.

    Raises:
        InvalidCache: it has another number of dimensions, no length, or something that is no number.
    """
    made: Vectors = np.asarray(vector, np.float32)
    if made.shape != (dimensions,):
        raise InvalidCache(f"expected a vector of {dimensions} numbers, got the shape {made.shape}")
    square = float(made.dot(made))
    if not isfinite(square) or square < 1e-12:
        raise InvalidCache(f"expected a vector of some length, got one of {sqrt(max(square, 0.0))}")
    if abs(square - 1.0) < _UNIT:
        return made
    scaled: Vectors = made * np.float32(1.0 / sqrt(square))
    return scaled


def _rank(neighbour: Neighbour) -> tuple[float, int]:
    """Best first; of equals the newest."""
    return -neighbour.similarity, -NUMBER.unpack(neighbour.entry.id)[0]
