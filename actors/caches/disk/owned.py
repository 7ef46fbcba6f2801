"""A folder that this process alone writes.

The writer holds a lock that goes with its process, however that ends; a second one is refused.

A file that is damaged is found when the writer starts: its structure is walked without LMDB, which would
believe it. Then the store begins anew, in a new file, and readers follow. Large files are walked only if the
machine went down while a writer was at work; a writer that is killed leaves no damage.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import lmdb

from actors.caches.disk import files
from actors.caches.disk.environment import Environment, join, leave
from actors.caches.disk.file_check import CHECKED_BYTES, boot, check_file, check_size, extend, went_down
from actors.caches.disk.files import Schema
from actors.caches.disk.writer_lock import only_writer, release
from actors.caches.errors import StoreDamaged, StoreFull

_log = logging.getLogger("rtfs.caches")

#: the file that is there while a writer is at work; it names the run of the machine
RUNNING_FILE: Final = "running"


class OwnedFolder[D]:
    """The lock, the environment and the commits of a store's writer.

    Args:
        folder: made if it is not there, for its owner alone.
        map_bytes: size of the map at first.
        max_map_bytes: the file never grows beyond.
        load: reads what the store has to know, in a transaction that it may write to as well; it is called
            again, with empty tables, if it raises StoreDamaged.
        walked_bytes: files up to this size are always walked.

    Raises:
        StoreInUse: another live process writes there, or this one reads there.
        StoreError: the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        schema: Schema[D],
        *,
        map_bytes: int,
        max_map_bytes: int,
        load: Callable[[Any, D], object],
        walked_bytes: int = CHECKED_BYTES,
    ) -> None:
        self.folder = folder
        #: whether what was there had to be given up
        self.began_anew = False
        self._schema = schema
        self._max_map_bytes = max_map_bytes
        self._load = load
        lock = only_writer(folder)
        try:
            self.environment = self._joined(min(map_bytes, max_map_bytes), walked_bytes)
        except BaseException:
            release(lock)
            raise
        self.environment.writer_lock = lock
        with suppress(OSError):  # on a full disk large files are not walked, as if nothing had happened
            (folder / RUNNING_FILE).write_bytes(boot())
        self._is_open = True

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        if self._is_open:
            self._is_open = False
            leave(self.environment)
            lock, self.environment.writer_lock = self.environment.writer_lock, None
            if lock is not None:  # else this is a child of the writer
                (self.folder / RUNNING_FILE).unlink(missing_ok=True)
                release(lock)

    def commit[R](self, work: Callable[[Any, D], R]) -> R:
        """Do `work` in one transaction, all of it or nothing: what it says. It is done again if the map grows.

        Raises:
            StoreFull: no room. Nothing was changed.
            StoreError: the disk failed. Nothing was changed.
        """
        try:
            while True:
                try:
                    return self._committed(work)
                except lmdb.MapFullError:
                    if not self.environment.grow(self._max_map_bytes):
                        raise StoreFull(
                            f"the cache in `{self.folder}` fills the room that it may use"
                        ) from None
        except lmdb.Error as exc:
            raise files.translated(exc, self.folder) from exc

    def look_after(self) -> None:
        """Free the places of readers that died, which would keep old pages from being used again.

        Raises:
            StoreError: the file cannot be used.
        """
        try:
            with self.environment.writing:
                self.environment.open().env.reader_check()
        except lmdb.Error as exc:
            raise files.translated(exc, self.folder) from exc

    def _committed[R](self, work: Callable[[Any, D], R]) -> R:
        with self.environment.writing:
            opened = self.environment.open()
            check_size(opened.env, self.folder)
            with opened.env.begin(write=True) as txn:
                done = work(txn, opened.databases)
            extend(opened.env, self.folder)
            return done

    # ------------------------------------------------------------ the beginning

    def _joined(self, map_bytes: int, walked_bytes: int) -> Environment[D]:
        """The environment; a new one if what is there is damaged."""
        thorough = went_down(self.folder / RUNNING_FILE)
        try:
            check_file(self.folder, thorough=thorough, walked_bytes=walked_bytes)
            environment = join(self.folder, self._schema, map_bytes)
        except StoreDamaged as damage:
            environment = self._anew(map_bytes, damage)
        try:
            self._begin(environment)
        except (StoreDamaged, lmdb.Error) as damage:
            leave(environment)
            if isinstance(damage, lmdb.Error) and getattr(damage, "code", 0) in files.NO_ROOM:
                raise files.translated(damage, self.folder) from damage
            environment = self._anew(map_bytes, damage)
            self._begin(environment)
        except BaseException:
            leave(environment)
            raise
        return environment

    def _anew(self, map_bytes: int, damage: Exception) -> Environment[D]:
        _log.warning("%s; it begins anew", damage)
        self.began_anew = True
        for name in (files.DATA_FILE, files.LOCK_FILE):
            (self.folder / name).unlink(missing_ok=True)
        return join(self.folder, self._schema, map_bytes)

    def _begin(self, environment: Environment[D]) -> None:
        opened = environment.open()
        opened.env.reader_check()
        databases: Any = opened.databases
        with opened.env.begin(write=True) as txn:
            if txn.stat(databases.meta)["entries"] == 0:
                txn.put(b"format", self._schema.format, db=databases.meta)
            self._schema.check(txn.get(b"format", db=databases.meta), self.folder)
            self._load(txn, opened.databases)
