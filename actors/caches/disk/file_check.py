"""Whether LMDB's file can be believed. LMDB itself believes it: what is damaged, or cut, can end the process.

A file may end before the last page that LMDB has counted: pages that were given back before they were written
are not in it. The writer makes up for that after each commit, so that a file which is too short was cut.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import lmdb

from actors.caches.disk import files
from actors.caches.disk.files import DATA_FILE, LOCK_FILE, NO_ROOM
from actors.caches.disk.structure import structure_problems
from actors.caches.errors import StoreDamaged, StoreError, StoreFull

#: looks at the size, and the pause between them, seconds: between its commit and its making up the writer needs
#: some microseconds
_TRIES: Final = 3
_PAUSE_S: Final = 0.002
#: of a place in the table of readers: a line of the processor's cache, bytes
_READER_BYTES: Final = 64
#: files up to this size are walked whenever a writer starts, bytes: some 7 ms for each MiB
CHECKED_BYTES: Final = 1 << 25


class CutShort(StoreDamaged):
    """A file is shorter than its contents need: it was cut, or a writer was killed before it made up for it."""


def check_file(folder: Path, *, thorough: bool = True, walked_bytes: int = CHECKED_BYTES) -> None:
    """Walk the structure of a file without LMDB; that of a large one only if `thorough`. No writer may run.

    Args:
        walked_bytes: files up to this size are not large.

    Raises:
        StoreDamaged: it is not what LMDB wrote.
    """
    path = folder / DATA_FILE
    if not path.exists() or (path.stat().st_size > walked_bytes and not thorough):
        return
    try:
        problems = structure_problems(folder)
    except OSError as error:
        problems = [str(error)]
    if problems:
        raise StoreDamaged(f"the cache in `{folder}` is damaged: {problems[0]}")


def check_size(env: lmdb.Environment, folder: Path) -> None:
    """Whether the file is as long as its contents need.

    Raises:
        CutShort: it is not.
    """
    for _ in range(_TRIES):
        needed, found = _needed(env), (folder / DATA_FILE).stat().st_size
        if found >= needed:
            return
        time.sleep(_PAUSE_S)
    raise CutShort(f"the cache in `{folder}` was cut short: expected {needed} bytes, got {found}")


def extend(env: lmdb.Environment, folder: Path) -> None:
    """Make the file as long as its contents need. The writer's alone."""
    path, needed = folder / DATA_FILE, _needed(env)
    if path.stat().st_size < needed:
        os.truncate(path, needed)


def mend_size(env: lmdb.Environment, folder: Path) -> None:
    """Make a file longer that is too short, if it was a writer's end that left it so. Before anything is read.

    Raises:
        StoreDamaged: it was cut.
    """
    if (folder / DATA_FILE).stat().st_size < _needed(env):
        check_file(folder)
        extend(env, folder)


def allot_readers(folder: Path) -> None:
    """Give LMDB's table of readers its room on the disk, before LMDB maps it.

    Else it has holes, and whoever fills one on a full disk is ended by the system.

    Raises:
        StoreFull: there is no room.
        StoreError: the file cannot be used.
    """
    nbytes = (files.MAX_READERS + 4) * _READER_BYTES
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, max(nbytes, os.fstat(descriptor).st_size))
        finally:
            os.close(descriptor)
    except OSError as error:
        kind = StoreFull if error.errno in NO_ROOM else StoreError
        raise kind(f"cannot use the cache in `{folder}`: {error.strerror}") from error


def _needed(env: lmdb.Environment) -> int:
    return (env.info()["last_pgno"] + 1) * env.stat()["psize"]


def went_down(running: Path) -> bool:
    """Whether the machine ended while a writer was at work, by the file that says so."""
    try:
        return running.read_bytes() != boot()
    except OSError:
        return False


def boot() -> bytes:
    """What names this run of the machine; empty where there is no such name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return b""
