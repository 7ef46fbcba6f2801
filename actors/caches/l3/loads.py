"""Partitions that are loaded in the background: who asks first does not wait, and knows nothing until then."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from threading import Lock
from typing import Final

from actors.caches.errors import StoreError

#: loaded at the same time
_AT_ONCE: Final = 1


class Loads:
    """Has partitions loaded, one after the other. Safe to use from many threads.

    Args:
        load: loads a partition. Raises StoreError.
        failed: is told why one was not loaded; it is tried again when it is next asked for.
    """

    def __init__(self, load: Callable[[bytes], object], failed: Callable[[StoreError], None]) -> None:
        self._load = load
        self._failed = failed
        self._under_way: dict[bytes, futures.Future[None]] = {}
        self._lock = Lock()
        self._threads: futures.ThreadPoolExecutor | None = None
        self._is_over = False

    def close(self) -> None:
        """Load no more; comes back when nothing is being loaded."""
        with self._lock:
            self._is_over = True
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(cancel_futures=True)
            with self._lock:
                self._under_way.clear()

    def has(self, key: bytes) -> bool:
        """Whether a partition is being loaded, or waits for it."""
        return key in self._under_way

    def begin(self, key: bytes) -> None:
        """Have a partition loaded, unless it is being loaded."""
        with self._lock:
            if self._is_over or key in self._under_way:
                return
            if self._threads is None:
                self._threads = futures.ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="rtfs-cache-loads")
            self._under_way[key] = self._threads.submit(self._run, key)

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is being loaded; whether it came to that."""
        with self._lock:
            under_way = list(self._under_way.values())
        return not futures.wait(under_way, timeout_s).not_done

    def _run(self, key: bytes) -> None:
        try:
            self._load(key)
        except StoreError as error:
            self._failed(error)
        finally:
            with self._lock:
                self._under_way.pop(key, None)
