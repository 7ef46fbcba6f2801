"""The partitions that are open, those used last, and the thread that builds and saves their graphs.

A partition is loaded when it is first used: its graph from a file if that is as LMDB has it noted, else its
vectors from LMDB, in which all searches look until there is a graph. Nothing waits for a graph to be built.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from threading import Condition, Lock, Thread
from typing import Final

import numpy as np

from actors.caches.disk.victims import NUMBER
from actors.caches.errors import StoreError
from actors.caches.l3.entry import Vectors
from actors.caches.l3.graph import Graph
from actors.caches.l3.index_files import IndexFiles
from actors.caches.l3.partition import Partition
from actors.caches.l3.pending import Pending
from actors.caches.l3.records import Records

_log = logging.getLogger("rtfs.caches")

#: partitions that are open at the same time
MOST_OPEN: Final = 256
#: the memory that they take, bytes; the one in use may take more
MOST_BYTES: Final = 1 << 30


class Shelf:
    """Open partitions. Safe to use from many threads.

    Args:
        pending: entries that are not committed yet are searched too.
        graph_from: so many vectors make a graph worth while.
    """

    def __init__(
        self,
        records: Records,
        pending: Pending,
        *,
        dimensions: int,
        graph_from: int,
        most_open: int = MOST_OPEN,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._records = records
        self._pending = pending
        self._dimensions = dimensions
        self._graph_from = graph_from
        self._most_open = most_open
        self._most_bytes = most_bytes
        self.files = IndexFiles(records.folder)
        self.files.keep_only({self.files.path(key, note.generation) for key, note in records.notes().items()})
        #: index files that were not as noted
        self.damaged = 0
        self._open: OrderedDict[bytes, Partition] = OrderedDict()
        self._lock = Lock()
        self._builder = Builder(self, records)

    def close(self) -> None:
        """Stop building, and save what has changed."""
        self._builder.close()
        for partition in self.all():
            self.save(partition)

    def all(self) -> list[Partition]:
        """Those that are open."""
        with self._lock:
            return list(self._open.values())

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is nothing to build or save; whether it came to that."""
        return self._builder.wait(timeout_s)

    def get(self, key: bytes) -> Partition:
        """A partition, loaded.

        Raises:
            StoreError: it cannot be.
        """
        with self._lock:
            partition = self._open.get(key)
            if partition is None:
                partition = self._open[key] = Partition(key, self._dimensions, self._graph_from)
            else:
                self._open.move_to_end(key)
        if not partition.is_loaded:
            with partition.loading:
                if not partition.is_loaded:
                    self._load(partition)
                    partition.is_loaded = True
            self.trim()
            self.look(partition)
        return partition

    def is_quick(self, key: bytes, most: int) -> bool:
        """Whether `get` takes no time: it is loaded, or has at most so many entries. Raises StoreError."""
        partition = self.peek(key)
        return (partition is not None and partition.is_loaded) or not self._records.has_more(key, most)

    def peek(self, key: bytes) -> Partition | None:
        """A partition if it is open."""
        return self._open.get(key)

    def discard(self, key: bytes, number: bytes) -> None:
        """Remove an entry from the index of its partition."""
        partition = self.peek(key)
        if partition is not None:
            with partition.loading:
                partition.discard(NUMBER.unpack(number)[0])
            self.look(partition)

    def look(self, partition: Partition) -> None:
        """Have done what is to be done about a partition."""
        if partition.task is not None:
            self._builder.give(partition)

    def clear(self) -> None:
        """Forget all of them, and their files."""
        with self._lock:
            self._open.clear()
        self.files.keep_only(())

    def trim(self) -> None:
        """Close those that were not used for longest until the rest are few and small enough."""
        with self._lock:
            nbytes = sum(partition.nbytes for partition in self._open.values())
            while len(self._open) > 1 and (len(self._open) > self._most_open or nbytes > self._most_bytes):
                _, partition = self._open.popitem(last=False)
                nbytes -= partition.nbytes
                if partition.is_unsaved:
                    self._builder.give(partition)

    # ------------------------------------------------------------ from the disk and to it

    def _load(self, partition: Partition) -> None:
        waiting = self._pending.of(partition.key)
        numbers = self._records.members(partition.key)
        graph = self._graph(partition.key, set(numbers)) if len(numbers) >= self._graph_from else None
        if graph is not None:
            numbers = sorted(set(numbers).difference(graph.labels()))
        partition.begin(graph, self._records.vectors(partition.key, numbers))
        for entry in waiting:  # some of them may be committed by now, and are there already
            partition.add(NUMBER.unpack(entry.id)[0], entry.vector)

    def _graph(self, key: bytes, alive: set[int]) -> Graph | None:
        """The graph that was saved, if it is as noted."""
        note = self._records.note(key)
        if note is None:
            return None
        problem = self.files.problem(key, note)
        if not problem:
            try:
                graph = self.files.load(key, note, self._dimensions)
            except (RuntimeError, OSError) as error:
                problem = str(error)
            else:
                graph.keep_only(alive)
                return graph
        self.damaged += 1
        _log.warning("an index in `%s` is built anew: %s", self._records.folder, problem)
        return None

    def vectors(self, key: bytes) -> Iterator[tuple[list[int], Vectors]]:
        """All vectors of a partition, committed or not. Raises StoreError."""
        waiting = {NUMBER.unpack(entry.id)[0]: entry.vector for entry in self._pending.of(key)}
        committed = [number for number in self._records.members(key) if number not in waiting]
        yield from self._records.vectors(key, committed)
        if waiting:
            yield list(waiting), np.stack(list(waiting.values()))

    def save(self, partition: Partition) -> None:
        """Save the graph of a partition, if it has changed. Only for one thread at a time."""
        graph = partition.graph
        if graph is None or not partition.is_unsaved:
            return
        partition.saved()
        try:
            before = self._records.note(partition.key)
            note = self.files.write(partition.key, graph, before.generation + 1 if before else 1)
            self._records.commit(lambda _: None, (partition.key, note))
        except (StoreError, OSError) as error:
            _log.warning("an index in `%s` is not saved: %s", self._records.folder, error)
        else:
            if before is not None:
                self.files.remove(partition.key, before.generation)


class Builder:
    """The thread that builds graphs, adds to them, and saves them."""

    def __init__(self, shelf: Shelf, records: Records) -> None:
        self._shelf = shelf
        self._records = records
        self._todo: OrderedDict[int, Partition] = OrderedDict()
        self._is_over = self._is_busy = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="rtfs-cache-indexes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, in the middle of a graph if need be."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._thread.join()

    def give(self, partition: Partition) -> None:
        """Have done what is to be done about a partition."""
        with self._changed:
            self._todo[id(partition)] = partition
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is nothing to do; whether it came to that."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._todo and not self._is_busy, timeout_s)

    def _goes_on(self) -> bool:
        return not self._is_over

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._todo or self._is_over)
                if self._is_over:
                    return
                _, partition = self._todo.popitem(last=False)
                self._is_busy = True
            try:
                self._work(partition)
            except (StoreError, OSError, RuntimeError) as error:  # it is searched as it is
                _log.warning("an index in `%s` is not built: %s", self._records.folder, error)

    def _work(self, partition: Partition) -> None:
        while self._goes_on() and (task := partition.task) is not None:
            if task == "build":
                if not partition.build(lambda: self._shelf.vectors(partition.key), self._goes_on):
                    return
            elif task == "move":
                partition.move(self._goes_on)
            else:
                self._shelf.save(partition)
        self._shelf.trim()
        if self._goes_on() and partition is not self._shelf.peek(partition.key):
            self._shelf.save(partition)  # it is closed, and was given here for this
