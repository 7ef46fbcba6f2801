"""The writer of answers, as it lives in the one process that writes.

What is to be kept is taken at once and written by a thread, many answers in one commit. No room on the disk or
in the map, or a disk that fails, costs answers and never an error: they are not kept, which is counted, and
said in the log when it begins.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Condition, Lock, Thread
from typing import Any, Final, Protocol, Self

from actors.caches.errors import StoreError, StoreFull
from actors.caches.l2.change import Change, Put
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig, CacheStats, Which

_log = logging.getLogger("rtfs.caches")

#: answers that wait to be written; one more is not kept
MOST_WAITING: Final = 16_384
#: and their size, bytes
MOST_WAITING_BYTES: Final = 256 << 20
#: answers in one commit
MOST_IN_COMMIT: Final = 1_024
#: how long the first answer waits for others, seconds: a commit costs a sync, whatever it holds
GATHER_S: Final = 0.02
#: pause between looks at what has expired, and at readers that died, seconds
SWEEP_S: Final = 5.0
#: share of the room that is freed when the map is full
_FREED: Final = 0.1


class WriterPort(Protocol):
    """How a process reaches the writer. Never raises: what does not arrive is not kept."""

    def put(self, puts: Sequence[Put]) -> None:
        """Keep answers."""

    def note(self, used: Sequence[bytes], damaged: Sequence[bytes]) -> None:
        """Say which entries were used, and which are damaged."""

    def invalidate(self, which: Which) -> int:
        """Remove entries; how many."""

    def clear(self) -> int:
        """Remove everything; how many entries."""

    def stats(self) -> CacheStats:
        """What the writer did."""


class CacheWriter:
    """Writes the answers of all processes of a machine. Safe to use from many threads.

    Args:
        store_options: as those of `L2Store`.

    Raises:
        StoreError: the folder cannot be used.
    """

    def __init__(self, folder: Path, config: CacheConfig, **store_options: Any) -> None:
        self._store = L2Store(folder, config, **store_options)
        self._stats = CacheStats()
        self._puts: list[Put] = []
        self._used: list[bytes] = []
        self._damaged: list[bytes] = []
        self._waiting_bytes = 0
        #: what was given to be written or noted, and how much of it is done with
        self._given = self._done = 0
        self._is_failing = self._is_over = False
        self._changed = Condition()
        #: held by whoever uses the store
        self._storing = Lock()
        self._thread = Thread(target=self._run, name="rtfs-cache-writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what waits, and let go of the folder. A second call does nothing."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._thread.join()
        self._store.close()

    def put(self, puts: Sequence[Put]) -> None:
        """Keep answers, soon. Those that there is no room to have wait are not kept."""
        with self._changed:
            for put in puts:
                if len(self._puts) >= MOST_WAITING or self._waiting_bytes >= MOST_WAITING_BYTES:
                    self._count(refused=1)
                    continue
                self._puts.append(put)
                self._given += 1
                self._waiting_bytes += len(put.stored)
            self._changed.notify_all()

    def note(self, used: Sequence[bytes], damaged: Sequence[bytes]) -> None:
        """Say which entries were used, and which are damaged."""
        with self._changed:
            for waiting, more in ((self._used, used), (self._damaged, damaged)):
                if len(waiting) + len(more) <= MOST_WAITING:
                    waiting += more
                    self._given += len(more)
            self._changed.notify_all()

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Wait until all that was given before is written, or lost; whether it came to that in time."""
        with self._changed:
            target = self._given
            return self._changed.wait_for(lambda: self._done >= target, timeout_s)

    def invalidate(self, which: Which) -> int:
        """Remove entries, those that still wait included; how many were written.

        Raises:
            InvalidCache: it names none in particular.
            StoreError: the disk failed.
        """
        which.check()
        self.flush()
        with self._storing:
            return self._store.invalidate(which)

    def clear(self) -> int:
        """Remove everything; how many entries. Raises StoreError: the disk failed."""
        self.flush()
        with self._storing:
            return self._store.clear()

    def stats(self) -> CacheStats:
        """What was written, lost and removed so far. Looking up is the readers'."""
        with self._storing:
            entries, nbytes = self._store.size()
        return replace(self._stats, entries=entries, nbytes=nbytes)

    # ------------------------------------------------------------ the thread

    def _has_work(self) -> bool:
        return bool(self._puts or self._used or self._damaged)

    def _run(self) -> None:
        sweep_at = time.monotonic() + SWEEP_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._has_work() or self._is_over, SWEEP_S)
                if self._is_over and not self._has_work():
                    return
                is_idle = not self._has_work()
            if not is_idle:
                self._gather()
                self._write_some()
            if time.monotonic() >= sweep_at:
                self._sweep()
                sweep_at = time.monotonic() + SWEEP_S

    def _gather(self) -> None:
        """Wait a little for others, unless there are enough."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._puts) >= MOST_IN_COMMIT or self._is_over, GATHER_S)

    def _write_some(self) -> None:
        with self._changed:
            puts, self._puts = self._puts[:MOST_IN_COMMIT], self._puts[MOST_IN_COMMIT:]
            used, self._used = self._used, []
            damaged, self._damaged = self._damaged, []
            self._waiting_bytes -= sum(len(put.stored) for put in puts)
        try:
            change = self._written_with_room(puts, used, damaged)
        except (StoreError, OSError) as error:
            self._failed(len(puts), error)
        else:
            self._is_failing = False
            self._tally(change, len(damaged))
        with self._changed:
            self._done += len(puts) + len(used) + len(damaged)
            self._changed.notify_all()

    def _written_with_room(
        self, puts: Sequence[Put], used: Sequence[bytes], damaged: Sequence[bytes]
    ) -> Change:
        with self._storing:
            try:
                return self._store.write(puts, used, damaged)
            except StoreFull:  # of the map perhaps: have some entries go, and try once more
                self._count(evictions=self._store.shrink(_FREED))
                return self._store.write(puts, used, damaged)

    def _failed(self, lost: int, error: Exception) -> None:
        self._count(failures=max(1, lost))
        if not self._is_failing:
            self._is_failing = True
            _log.warning("answers are not kept for now: %s", error)

    def _tally(self, change: Change, damaged: int) -> None:
        self._count(
            stores=change.stored,
            evictions=change.evicted,
            expirations=change.expired,
            refused=change.refused,
            damaged=damaged,
        )

    def _sweep(self) -> None:
        try:
            with self._storing:
                self._store.look_after()
                expired = self._store.sweep()
            self._count(expirations=expired)
        except (StoreError, OSError) as error:
            self._failed(0, error)

    def _count(self, **more: int) -> None:
        with self._changed:
            stats = self._stats
            self._stats = replace(stats, **{name: getattr(stats, name) + n for name, n in more.items()})
