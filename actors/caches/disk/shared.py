"""A folder that many processes read, and that each of them may write for one transaction.

Whoever writes takes the folder's lock, becomes its writer, commits, and is a reader again. So nobody owns the
folder, and nobody drops what is in it either: a file that is damaged is not written to, and stays for people to
look at. Readers do not wait for writers.

Before a process opens the file, it walks its structure without LMDB, which would believe it; writers wait
meanwhile, so that what is found is true. While somebody writes, the file is that one's to have walked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import lmdb

from actors.caches.disk import files
from actors.caches.disk.environment import Environment, Opened, join, leave
from actors.caches.disk.file_check import CutShort, check_file, extend
from actors.caches.disk.files import Schema
from actors.caches.disk.writer_lock import only_writer, release, without_writer
from actors.caches.errors import StoreDamaged, StoreError, StoreFull, StoreInUse, StoreMissing

#: how long a writer waits for others, seconds
WAIT_S: Final = 5.0
#: how often a reader looks whether the file is still the one that it has open, and whole, seconds
FOLLOW_S: Final = 1.0
#: how long a file that could not be used is left alone, if it does not change: when it is damaged, and else
_DAMAGED_REST_S: Final = 60.0
_FAILED_REST_S: Final = 1.0
#: LMDB's file begins with two pages that say where the rest is; a shorter one has never held anything, bytes
_LEAST_BYTES: Final = 8192
#: maps are multiples of this, bytes
_MAP_UNIT: Final = 1 << 18

#: inode, bytes and last change of a file; None: there is none
type _Look = tuple[int, int, int] | None


class SharedSchema[D](Schema[D]):
    """Opens nothing that is of another format, so that no tables are added to what is somebody else's."""

    def open(self, env: lmdb.Environment, *, create: bool) -> D:
        """The tables of an environment. Raises StoreMissing, or StoreDamaged: they are of another format."""
        folder = Path(env.path())
        with env.begin() as txn:
            names = list(txn.cursor().iternext(keys=True, values=False))
        if names and b"meta" not in names:
            raise StoreDamaged(f"`{folder}` holds other things than are kept here; use another folder")
        if names:
            meta = env.open_db(b"meta", create=False)
            with env.begin() as txn:
                if txn.stat(meta)["entries"]:
                    self.check(txn.get(b"format", db=meta), folder)
        return super().open(env, create=create)


class Version(NamedTuple):
    """What names a state of the folder, for this process: another one after each commit."""

    #: what is open: a file that was made anew may look like the one before
    opening: object
    transaction: int


class _Failure(NamedTuple):
    """Why the file could not be used, as it was then."""

    error: StoreError
    look: _Look
    #: of the monotonic clock, seconds
    until: float


class SharedFolder[D]:
    """The reads and commits of a process. Safe to use from many threads.

    Args:
        folder: need not be there; made by the first commit, for its owner alone.
        map_bytes: the least size of the map when it is written.
        max_map_bytes: the file never grows beyond.
        walked_bytes: files up to this size are walked before they are opened.
    """

    def __init__(
        self, folder: Path, schema: SharedSchema[D], *, map_bytes: int, max_map_bytes: int, walked_bytes: int
    ) -> None:
        self.folder = folder
        self._schema = schema
        self._map_bytes = map_bytes
        self._max_map_bytes = max_map_bytes
        self._environment: Environment[D] = join(folder, schema, check=partial(_check, folder, walked_bytes))
        self._failure: _Failure | None = None
        self._follow_at = 0.0
        self._is_open = True

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        with self._environment.reading:
            was_open, self._is_open = self._is_open, False
        if was_open:
            leave(self._environment)

    # ------------------------------------------------------------ to read

    def read[R](self, work: Callable[[Any, D], R]) -> R:
        """What `work` says, in a transaction that reads. Values are given to it as views, to be copied.

        Raises:
            StoreMissing: nothing was ever written.
            StoreError: the file cannot be read.
        """
        with self._environment.reading:
            try:
                opened = self._usable()
                with self._begin(opened.env) as txn:
                    return work(txn, opened.databases)
            except lmdb.Error as error:
                raise files.translated(error, self.folder) from error

    def version(self) -> Version:
        """Names what is committed now. Costs no transaction. Raises as `read`."""
        with self._environment.reading:
            opened = self._usable()
            return Version(opened.databases, opened.env.info()["last_txnid"])

    # ------------------------------------------------------------ to write

    def write[R](self, work: Callable[[Any, D], R], *, nbytes: int = 0, wait_s: float | None = None) -> R:
        """Do `work` in one transaction, all of it or nothing: what it says. It is done again if the map grows.

        Args:
            nbytes: about what it writes.
            wait_s: how long others are waited for, seconds; None: `WAIT_S`.

        Raises:
            StoreInUse: others wrote for all that time.
            StoreFull: no room. Nothing was changed.
            StoreError: the file is damaged, or the disk failed. Nothing was changed.
        """
        wait_s = WAIT_S if wait_s is None else wait_s
        until = time.monotonic() + wait_s
        if not self._environment.writing.acquire(timeout=wait_s):
            raise StoreInUse(f"another thread of this process writes to `{self.folder}`; try again")
        try:
            self._failure = None  # whoever writes wants to know how it is now
            with suppress(StoreMissing, CutShort):  # which a writer mends
                self.read(_nothing)
            with self._as_writer(nbytes, max(0.0, until - time.monotonic())):
                done = self._committed(work)
            self._failure = None
            return done
        except lmdb.Error as error:
            raise files.translated(error, self.folder) from error
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            self._environment.writing.release()

    @contextmanager
    def _as_writer(self, nbytes: int, wait_s: float) -> Iterator[None]:
        """This process has the folder's lock, and its file open to be written. With `writing` held."""
        environment = self._environment
        try:
            lock = only_writer(self.folder, wait_s=wait_s)
        except StoreInUse as error:
            raise StoreInUse(f"others write to `{self.folder}` all the time; try again") from error
        environment.writer_lock = lock
        try:
            size = self._ready()
            map_bytes = max(self._map_bytes, 2 * (size + nbytes))
            with environment.writable(min(-(-map_bytes // _MAP_UNIT) * _MAP_UNIT, self._max_map_bytes)):
                yield
        finally:
            environment.writer_lock = None
            release(lock)

    def _ready(self) -> int:
        """See to it that a file can be made if there is none that holds anything; how long it is, bytes."""
        path = self.folder / files.DATA_FILE
        size = path.stat().st_size if path.exists() else 0
        if size < _LEAST_BYTES:
            path.unlink(missing_ok=True)
            (self.folder / files.LOCK_FILE).unlink(missing_ok=True)  # it speaks of transactions of another file
        return size

    def _committed[R](self, work: Callable[[Any, D], R]) -> R:
        while True:
            opened = self._environment.open()
            opened.env.reader_check()
            databases: Any = opened.databases
            try:
                with opened.env.begin(write=True, buffers=True) as txn:
                    if txn.stat(databases.meta)["entries"] == 0:
                        txn.put(b"format", self._schema.format, db=databases.meta)
                    done = work(txn, opened.databases)
            except lmdb.MapFullError:
                if not self._environment.grow(self._max_map_bytes):
                    raise StoreFull(f"`{self.folder}` fills the room that it may use") from None
            else:
                extend(opened.env, self.folder)
                opened.env.sync(True)  # the page that names the commit, too: few are made, and each counts
                return done

    # ------------------------------------------------------------ with `reading` held

    def _usable(self) -> Opened[D]:
        """What is open; now and then after a look whether it still is what it should be."""
        opened = self._environment.opened
        if opened is not None and self._is_open and time.monotonic() < self._follow_at:
            return opened
        if not self._is_open:
            raise StoreError(f"the store in `{self.folder}` is closed")
        self._rest()
        try:
            self._follow()
            self._follow_at = time.monotonic() + FOLLOW_S
            return self._environment.open()
        except StoreMissing:
            raise
        except (StoreError, lmdb.Error, OSError) as error:
            raise self._failed(error) from error

    def _follow(self) -> None:
        environment = self._environment
        try:
            environment.follow()
        except CutShort:
            if not environment.writing.acquire(blocking=False):
                raise
            try:
                with suppress(StoreInUse), self._as_writer(0, 0.0):
                    pass  # it was made up for what a killed writer did not do
            finally:
                environment.writing.release()
            environment.follow()

    def _begin(self, env: lmdb.Environment) -> Any:
        """A read transaction; if a writer has made the map larger, so does this process."""
        try:
            return env.begin(buffers=True)
        except lmdb.MapResizedError:
            env.set_mapsize(0)
        except lmdb.ReadersFullError:
            env.reader_check()
        return env.begin(buffers=True)

    def _rest(self) -> None:
        """Raise what was wrong before, if it need not be tried again yet."""
        failure = self._failure
        if failure is None:
            return
        if time.monotonic() < failure.until and failure.look == self._look():
            raise type(failure.error)(*failure.error.args)
        self._failure = None

    def _failed(self, error: StoreError | lmdb.Error | OSError) -> StoreError:
        """Nothing is read until there is reason to try again."""
        if isinstance(error, lmdb.Error):
            error = files.translated(error, self.folder)
        elif isinstance(error, OSError):
            error = self._unusable(error)
        is_damaged = isinstance(error, StoreDamaged) and not isinstance(error, CutShort)
        rest_s = _DAMAGED_REST_S if is_damaged else _FAILED_REST_S
        self._failure = _Failure(error, self._look(), time.monotonic() + rest_s)
        self._follow_at = 0.0
        return error

    def _look(self) -> _Look:
        try:
            status = (self.folder / files.DATA_FILE).stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _unusable(self, error: OSError) -> StoreError:
        kind = StoreFull if error.errno in files.NO_ROOM else StoreError
        return kind(f"cannot use `{self.folder}`: {error.strerror}")


def _check(folder: Path, walked_bytes: int, path: Path) -> None:
    """Whether a file can be opened by who does not write it. Raises StoreError."""
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        size = 0
    if size < _LEAST_BYTES:
        raise StoreMissing(f"there is nothing in `{folder}`")
    with without_writer(folder) as there_is_none:
        if there_is_none:
            check_file(folder, thorough=False, walked_bytes=walked_bytes)


def _nothing(_txn: Any, _databases: object) -> None:
    """For a read that only looks whether one can be done."""
