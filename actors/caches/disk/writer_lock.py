"""The lock that the one writer of a folder holds. It goes with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from actors.caches.errors import StoreError, StoreInUse

#: the file that is locked; it has the number of the writer's process
WRITER_FILE: Final = "writer.lock"
#: tries to get the lock, and the pause between them, seconds
_TRIES: Final = 5
_PAUSE_S: Final = 0.01


def only_writer(folder: Path) -> int:
    """The descriptor of the lock, which this process has now.

    Raises:
        StoreInUse: another process has it.
        StoreError: there can be no such file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / WRITER_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot use `{folder}` for a cache: {error.strerror}") from error
    if not _locked(descriptor):
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StoreInUse(
            f"the cache in `{folder}` has a writer already"
            f"{f', process {holder}' if holder.isdigit() else ''}; read it, or use another folder"
        )
    with suppress(OSError):  # a full disk; the name of the holder is for people alone
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def release(descriptor: int) -> None:
    """Let go of the lock, also for a child that was just forked and has not closed its own descriptor yet."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def has_writer(folder: Path) -> bool:
    """Whether a process writes to the folder now."""
    try:
        descriptor = os.open(folder / WRITER_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _locked(descriptor: int) -> bool:
    """Whether the lock is had, after a few tries: a reader that looks for a writer holds it for a moment."""
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_PAUSE_S)
    return False
