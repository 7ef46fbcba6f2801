"""The lock that the one writer of a folder holds. It goes with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from actors.caches.errors import StoreError, StoreInUse

#: the file that is locked; it has the number of the writer's process
WRITER_FILE: Final = "writer.lock"
#: length of what the file says
_NAME_BYTES: Final = 20
#: how long the lock is waited for, and the pause between tries, seconds
_WAIT_S: Final = 0.05
_PAUSE_S: Final = 0.01


def only_writer(folder: Path, *, wait_s: float = _WAIT_S) -> int:
    """The descriptor of the lock, which this process has now.

    Args:
        wait_s: how long it is waited for, seconds. A reader that looks for a writer holds it for a moment.

    Raises:
        StoreInUse: another process has it.
        StoreError: there can be no such file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / WRITER_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot use `{folder}` for a cache: {error.strerror}") from error
    if not _locked(descriptor, wait_s):
        holder = os.pread(descriptor, _NAME_BYTES, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StoreInUse(
            f"the cache in `{folder}` has a writer already"
            f"{f', process {holder}' if holder.isdigit() else ''}; read it, or use another folder"
        )
    with suppress(OSError):  # a full disk; the name of the holder is for people alone
        os.pwrite(descriptor, f"{os.getpid():<{_NAME_BYTES - 1}}\n".encode(), 0)
    return descriptor


def release(descriptor: int) -> None:
    """Let go of the lock, also for a child that was just forked and has not closed its own descriptor yet."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def has_writer(folder: Path) -> bool:
    """Whether a process writes to the folder now."""
    with without_writer(folder) as there_is_none:
        return not there_is_none


@contextmanager
def without_writer(folder: Path) -> Iterator[bool]:
    """Keep writers waiting for a while; whether there is none now, so that this could be done."""
    try:
        descriptor = os.open(folder / WRITER_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _locked(descriptor: int, wait_s: float) -> bool:
    """Whether the lock is had, after as many tries as there is time for, but one at least."""
    for _ in range(max(1, round(wait_s / _PAUSE_S))):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_PAUSE_S)
    return False
