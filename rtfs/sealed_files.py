"""Files of the user's that this package wrote and reads again: caches of what was compiled.

What is in them is run, like a `.pyc`, so the folder belongs to the user alone. The digest of an entry, which
covers its name, is checked before a byte is interpreted; a file that is damaged, misplaced, foreign or writable
by others counts as absent. Entries that were not used for the longest time are removed when there are too many.
"""

from __future__ import annotations

import os
import stat
import time
from _blake2 import blake2b  # that of `hashlib`, which loads OpenSSL as well: 2 ms
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

_MAGIC: Final = b"RTFSPY3\n"
DIGEST_BYTES: Final = 32
#: what a folder may hold, and how long a file may take to be written
MOST_ENTRIES: Final = 256
MOST_BYTES: Final = 64 << 20
_WRITING_S: Final = 3600
#: what the names of entries end with
ENTRY: Final = ".rtfsc"
_TEMPORARY: Final = ".rtfsc.tmp"


def default_folder() -> str | None:
    """`$RTFS_CACHE_DIR`, else `rtfs` in the user's cache folder; None for a user who has no folder."""
    named = os.environ.get("RTFS_CACHE_DIR")
    if named:
        return named
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "rtfs") if os.path.isabs(base) else None


def digest_of(*parts: str | bytes) -> str:
    """BLAKE2b of all parts, each after its length, hex: a name for an entry that depends on them."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def read_sealed(path: str) -> bytes | None:
    """The body of an entry whose owner and digest are right. Notes that it was used."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(os.open(path, flags), "rb") as file:
            if not _is_own(os.fstat(file.fileno())):
                return None
            data = file.read()
    except OSError:
        return None
    start = len(_MAGIC) + DIGEST_BYTES
    body = data[start:]
    if data[:start] != _MAGIC + _seal(path, body):
        return None
    with suppress(OSError):  # on a disk that cannot be written to, nothing is removed either
        os.utime(path)
    return body


def _is_own(status: os.stat_result) -> bool:
    """Whether a file is a plain one of the user, which nobody else can write to."""
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _seal(path: str, body: bytes) -> bytes:
    return blake2b(os.path.basename(path).encode() + body, digest_size=DIGEST_BYTES).digest()


def write_sealed(path: str, body: bytes) -> None:
    """Write an entry so that a reader sees all of it or none. A full or read-only disk is no error."""
    if len(body) > MOST_BYTES // 2:
        return
    folder = os.path.dirname(path)
    with suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        temporary = os.path.join(folder, f"{os.urandom(8).hex()}{_TEMPORARY}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(_MAGIC + _seal(path, body) + body)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
        _remove_surplus(folder)


def _remove_surplus(folder: str) -> None:
    """Remove the entries that were not used for the longest time, and what writers that died left behind."""
    kept = nbytes = 0
    for _, size, path in sorted(_entries(folder), reverse=True):
        kept, nbytes = kept + 1, nbytes + size
        if kept > MOST_ENTRIES or nbytes > MOST_BYTES:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _entries(folder: str) -> Iterator[tuple[float, int, str]]:
    """Time of last use, size and path of each entry. Removes old temporary files on the way."""
    with os.scandir(folder) as files:
        for file in files:
            if file.name.endswith(ENTRY):
                with suppress(FileNotFoundError):
                    status = file.stat(follow_symlinks=False)
                    yield status.st_mtime, status.st_size, file.path
            elif file.name.endswith(_TEMPORARY):
                with suppress(FileNotFoundError):
                    if file.stat(follow_symlinks=False).st_mtime < time.time() - _WRITING_S:
                        os.unlink(file.path)
