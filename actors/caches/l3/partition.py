"""The vectors of one partition, as they are searched: a graph, and what is not in it yet.

    few vectors     all in a matrix, searched exactly
    many            in a graph; new ones are searched exactly until they are in it as well

Only one thread, the one that builds, adds to the graph. Whatever is missing here is in LMDB, and the other way
round a number without a row is no entry: who searches reads the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final, Literal

import numpy as np

from actors.caches.l3.entry import Vectors
from actors.caches.l3.flat import Flat, Found, merged
from actors.caches.l3.graph import Graph
from actors.caches.l3.read_write_lock import ReadWriteLock

#: so many removed ones, and such a share of all, make a graph worth building anew
_MANY_DEAD: Final = 256
_DEAD_SHARE: Final = 0.25
#: changes, and their share of all, after which a graph is saved
_MANY_UNSAVED: Final = 1_000
_UNSAVED_SHARE: Final = 0.25
#: vectors that are added to a graph while searches wait, some 0.3 ms each
_AT_ONCE: Final = 4

type Task = Literal["build", "move", "save"]


class Partition:
    """Vectors by number. Safe to use from many threads.

    Args:
        key: of the partition.
        graph_from: so many vectors make a graph worth while.
    """

    def __init__(self, key: bytes, dimensions: int, graph_from: int) -> None:
        self.key = key
        #: held by who loads it
        self.loading: Final = Lock()
        self.is_loaded = False
        self._dimensions = dimensions
        self._graph_from = graph_from
        #: so many make a graph worth trying: what is damaged gets into none
        self._build_from = graph_from
        self._tail = Flat(dimensions)
        self._graph: Graph | None = None
        #: changes of the graph since it was saved
        self._unsaved = 0
        #: removed while a graph is being built
        self._discarded: set[int] | None = None
        self._lock = ReadWriteLock()

    def __len__(self) -> int:
        return len(self._tail) + (0 if self._graph is None else len(self._graph))

    @property
    def nbytes(self) -> int:
        """Memory that it takes, about."""
        return self._tail.nbytes + (0 if self._graph is None else self._graph.nbytes)

    @property
    def graph(self) -> Graph | None:
        """The graph, for the thread that builds, and tests."""
        return self._graph

    @property
    def waiting(self) -> int:
        """Vectors that are in no graph."""
        return len(self._tail)

    def numbers(self) -> set[int]:
        """Of all vectors, and perhaps of some that are removed."""
        with self._lock.reading:
            found = set(self._tail.numbers())
            return found if self._graph is None else found.union(self._graph.labels())

    def begin(self, graph: Graph | None, numbers: Iterable[tuple[list[int], Vectors]]) -> None:
        """Go on from a graph that was loaded, and vectors that are not in it."""
        with self._lock.writing:
            self._graph = graph
            self._tail = Flat(self._dimensions)
            for some, vectors in numbers:
                self._tail.add(some, vectors)

    def add(self, number: int, vector: Vectors) -> None:
        """Add a vector, unless it is there."""
        with self._lock.writing:
            self._tail.add((number,), vector[np.newaxis])

    def discard(self, number: int) -> None:
        """Remove a vector, if it is there."""
        with self._lock.writing:
            self._tail.discard(number)
            if self._graph is not None and self._graph.discard(number):
                self._unsaved += 1
            if self._discarded is not None:
                self._discarded.add(number)

    def search(self, vector: Vectors, k: int) -> Found:
        """About the `k` nearest, best first; all that are in no graph are looked at."""
        with self._lock.reading:
            near = None if self._graph is None else self._graph.search(vector, k)
            if near is not None and not len(self._tail):
                return near
            exact = self._tail.search(vector, k)
        if near is None:
            return exact
        return merged(near, exact, k)

    # ------------------------------------------------------------ the thread that builds

    @property
    def task(self) -> Task | None:
        """What is to be done next."""
        graph, waiting = self._graph, len(self._tail)
        if graph is None:
            return "build" if waiting >= self._build_from else None
        if graph.dead > max(_MANY_DEAD, _DEAD_SHARE * len(graph)):
            return "build"
        if waiting:
            return "move"
        return "save" if self._unsaved > max(_MANY_UNSAVED, _UNSAVED_SHARE * len(graph)) else None

    def build(
        self, source: Callable[[], Iterable[tuple[list[int], Vectors]]], goes_on: Callable[[], bool]
    ) -> bool:
        """Make a graph of all vectors, while searches use what there is; whether it came to that.

        Args:
            source: gives them, in portions.
        """
        with self._lock.writing:
            self._discarded = set()
        try:
            graph = Graph(self._dimensions, int(1.25 * len(self)))
            taken: set[int] = set()
            for numbers, vectors in source():
                if not goes_on():
                    return False
                graph.add(numbers, vectors)
                taken.update(numbers)
            self._take(graph, taken)
            return True
        finally:
            self._discarded = None

    def _take(self, graph: Graph, taken: set[int]) -> None:
        """Search the new graph from now on; a small one goes back into a matrix."""
        with self._lock.writing:
            tail = Flat(self._dimensions)
            rest = [number for number in self._tail.numbers() if number not in taken]
            tail.add(rest, self._tail.vectors(rest))
            for number in self._discarded or ():
                graph.discard(number)
            if len(graph) < self._graph_from // 2:
                alive = list(taken.difference(self._discarded or ()))
                tail.add(alive, graph.vectors(alive))
                self._graph, self._unsaved = None, 0
                self._build_from = max(self._graph_from, len(tail) + self._graph_from // 4)
            else:
                self._graph, self._unsaved = graph, len(graph) + _MANY_UNSAVED + 1
            self._tail = tail

    def move(self, goes_on: Callable[[], bool]) -> None:
        """Add to the graph what is not in it."""
        while goes_on() and self._graph is not None:
            with self._lock.writing:
                numbers, vectors = self._tail.first(_AT_ONCE)
                if not numbers:
                    return
                self._graph.add(numbers, vectors)
                for number in numbers:
                    self._tail.discard(number)
                self._unsaved += len(numbers)

    @property
    def is_unsaved(self) -> bool:
        """Whether there is a graph that has changed since it was saved."""
        return self._graph is not None and self._unsaved > 0

    def saved(self) -> None:
        """It is saved, or cannot be: that is tried again after more changes."""
        self._unsaved = 0
