"""Leases between the processes of a machine: locks on bytes of one file, one byte for each key.

To take one is a system call and needs no other process; the kernel frees those of a process that dies. A lock
takes no room in the file. Nobody is told by the kernel when a lock is free without a thread that waits for it,
so while somebody waits, one thread looks every few milliseconds, far less than what is waited for takes.

What is kept is written a little later than it is given to the writer. So a lease that is given back is free
once the writer says that what was given before is written (`when_written`): then whoever waits finds the
answer.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from actors.caches.errors import StoreError
from actors.caches.leases import Told

#: pause between two looks at locks that are waited for, seconds
LOOK_S: Final = 0.005
#: in the cache's folder
LOCKS_FILE: Final = "leases"
#: of a key, for the place of its byte; offsets of files have 63 bits
_PLACE_BYTES: Final = 7

#: calls back once all that this process has given the writer until now is written, or lost
type WhenWritten = Callable[[Callable[[], None]], None]


class FileLeases:
    """A `LeasePort`. Safe to use from many threads; in a process `Flights` sees to it that one asks for a key.

    Args:
        folder: that all processes share.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(self, folder: Path, when_written: WhenWritten = lambda told: told()) -> None:
        self._when_written = when_written
        try:
            self._file = os.open(folder / LOCKS_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"cannot use `{folder / LOCKS_FILE}`: {error.strerror}") from error
        self._pid = os.getpid()
        #: keys that this process holds
        self._held: set[bytes] = set()
        #: who waits for which key
        self._waiting: dict[bytes, list[Told]] = {}
        self._watcher: threading.Thread | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def close(self) -> None:
        """Give all back, and wait for none any more: who waits is told. A second call does nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            os.close(self._file)
            waiting, self._waiting = self._waiting, {}
        for tolds in waiting.values():
            for told in tolds:
                told()

    def acquire(self, key: bytes, told: Told) -> None:
        """Tell when the lease on `key` is had, as soon as it is free; once closed at once: nobody is asked."""
        with self._lock:
            if not self._is_closed and not self._took(key):
                self._waiting.setdefault(key, []).append(told)
                self._watch()
                return
        told()

    def release(self, key: bytes) -> None:
        """Give a lease back."""
        self._when_written(lambda: self._free(key))

    def _took(self, key: bytes) -> bool:
        """With the lock held: whether the lease is this process's now."""
        if self._is_closed or key in self._held:
            return False
        if self._pid != os.getpid():  # a lock is not inherited
            return False
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(key))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):  # somebody has it
                return False
            # there are no locks to be had here, so nothing to wait for
        self._held.add(key)
        return True

    def _free(self, key: bytes) -> None:
        with self._lock:
            if key in self._held:
                self._held.discard(key)
                if not self._is_closed:
                    with suppress(OSError):  # it was had without a lock
                        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(key))

    def _watch(self) -> None:
        """With the lock held: see to it that somebody looks at what is waited for."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._look, name="rtfs-leases", daemon=True)
            self._watcher.start()

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_S)
            told: list[Told] = []
            with self._lock:
                for key in list(self._waiting):
                    if self._took(key):
                        tolds = self._waiting[key]
                        told.append(tolds.pop(0))
                        if not tolds:
                            del self._waiting[key]
                if not self._waiting:
                    self._watcher = None
            for tell in told:
                tell()
            if self._watcher is not threading.current_thread():
                return


def _place(key: bytes) -> int:
    return int.from_bytes(key[:_PLACE_BYTES], "big")
