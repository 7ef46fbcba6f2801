"""The thread that commits what was given to a store: many entries in one transaction, soon.

No room on the disk or in the map, or a disk that fails, costs entries and never an error: they are not kept,
which is counted, and said in the log when it begins.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Condition, Lock, RLock, Thread
from typing import Final

from actors.caches.errors import StoreError, StoreFull
from actors.caches.l3.change import Change
from actors.caches.l3.pending import MOST_IN_COMMIT, Batch, Pending
from actors.caches.l3.records import Records
from actors.caches.layer import CacheStats

_log = logging.getLogger("rtfs.caches")

#: how long the first entry waits for others, seconds: a commit costs a sync, whatever it holds
GATHER_S: Final = 0.02
#: pause between looks at what has expired, seconds
SWEEP_S: Final = 5.0
#: share of the room that is freed when the map is full
_FREED: Final = 0.1


class Committer:
    """Commits what waits. Safe to use from many threads.

    Args:
        gone: is told partition and number of each entry that is no longer there.
    """

    def __init__(self, records: Records, pending: Pending, gone: Callable[[bytes, bytes], None]) -> None:
        self._records = records
        self._pending = pending
        self._gone = gone
        self._stats = CacheStats()
        self._counting = Lock()
        #: held by whoever commits
        self.committing: Final = RLock()
        self._is_failing = self._is_over = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="rtfs-cache-meanings", daemon=True)
        self._thread.start()

    @property
    def stats(self) -> CacheStats:
        """What was committed, lost and removed."""
        return self._stats

    def close(self) -> None:
        """Commit what waits, and stop."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._thread.join()
        self.flush()

    def notify(self) -> None:
        """Something waits."""
        with self._changed:
            self._changed.notify_all()

    def flush(self) -> None:
        """Commit all that waits, or lose it."""
        with self.committing:
            while self._pending:
                self._commit_some()

    def apply(self, change: Change) -> None:
        """Count what a transaction did, and tell what is gone."""
        for partition, number in change.gone:
            self._gone(partition, number)
        self.count(
            stores=change.stored,
            evictions=change.evicted,
            expirations=change.expired,
            damaged=change.damaged,
        )

    def count(self, **more: int) -> None:
        """Count up."""
        with self._counting:
            stats = self._stats
            self._stats = replace(stats, **{name: getattr(stats, name) + n for name, n in more.items()})

    def failed(self, lost: int, error: Exception) -> None:
        """Something could not be read or written."""
        self.count(failures=max(1, lost))
        if not self._is_failing:
            self._is_failing = True
            _log.warning("results by meaning are not kept for now: %s", error)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        sweep_at = time.monotonic() + SWEEP_S
        while not self._is_over:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._is_over, SWEEP_S)
                if self._pending:  # others come along
                    self._changed.wait_for(
                        lambda: len(self._pending) >= MOST_IN_COMMIT or self._is_over, GATHER_S
                    )
            self.flush()
            if time.monotonic() >= sweep_at:
                self._sweep()
                sweep_at = time.monotonic() + SWEEP_S

    def _commit_some(self) -> None:
        batch = self._pending.take(MOST_IN_COMMIT)
        try:
            change = self._written(batch)
        except (StoreError, OSError) as error:
            self._pending.done(batch)
            for entry in batch.added.values():
                self._gone(entry.partition, entry.id)
            self.failed(len(batch.added), error)
        else:
            self._pending.done(batch)
            self._is_failing = False
            self.apply(change)

    def _written(self, batch: Batch) -> Change:
        try:
            return self._records.write(batch)
        except StoreFull:  # of the map perhaps: have some entries go, and try once more
            self.apply(self._records.shrink(_FREED))
            return self._records.write(batch)

    def _sweep(self) -> None:
        try:
            with self.committing:
                self.apply(self._records.sweep())
        except (StoreError, OSError) as error:
            self.failed(0, error)
