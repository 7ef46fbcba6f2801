"""The files of a store, how its tables are opened, and what LMDB's errors stand for."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import lmdb

from actors.caches.errors import StoreDamaged, StoreError, StoreFull, StoreMissing

#: more than there are, so that a later version can add some
MAX_DATABASES: Final = 16
#: transactions that read at the same time, of all processes; each process keeps at most `SPARE_READERS`
MAX_READERS: Final = 4096
SPARE_READERS: Final = 8
#: LMDB's own files in the folder
DATA_FILE: Final = "data.mdb"
LOCK_FILE: Final = "lock.mdb"

#: what a write says that finds no room; EIO, as if the disk failed, when there was room for some of the bytes
NO_ROOM: Final = frozenset((errno.EFBIG, errno.ENOSPC, errno.EDQUOT, errno.EIO))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema[D]:
    """Which tables a store has, and what marks its format."""

    format: bytes
    #: a named tuple with the handle of each table; the table `meta` is one
    databases: type[D]
    #: tables that have several rows under a key
    with_duplicates: frozenset[str] = frozenset()

    def open(self, env: lmdb.Environment, *, create: bool) -> D:
        """The tables of an environment.

        Raises:
            StoreMissing: they are not there.
        """
        kind: Any = self.databases
        opened = []
        try:
            for name in kind._fields:
                many = name in self.with_duplicates
                opened.append(env.open_db(name.encode(), create=create, dupsort=many, dupfixed=many))
        except (lmdb.NotFoundError, lmdb.ReadonlyError) as exc:
            raise StoreMissing(f"there is no cache in `{env.path()}`") from exc
        return cast(D, kind(*opened))

    def check(self, found: bytes | None, folder: Path) -> None:
        """Whether this version can read the folder, whose format is `found`.

        Raises:
            StoreDamaged: it cannot.
        """
        if found != self.format:
            raise StoreDamaged(
                f"the cache in `{folder}` has another format: expected {self.format!a}, got {found!a}"
            )


def translated(exc: lmdb.Error, folder: Path) -> StoreError:
    """The error of ours that one of LMDB stands for."""
    code = getattr(exc, "code", 0)
    if code in NO_ROOM:
        return StoreFull(f"no room left to write the cache in `{folder}`, or the disk failed")
    damaged = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.PageNotFoundError)
    if isinstance(exc, damaged):
        return StoreDamaged(f"the cache in `{folder}` is damaged, or not of this format: {exc}")
    return StoreError(f"cannot use the cache in `{folder}`: {exc}")
