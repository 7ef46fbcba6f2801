"""LMDB environments: one for each folder and process, whoever uses it there.

LMDB allows a process to open the same files once, and none to take an open environment across a fork: the child
would use, or free, its parent's places in the table of readers. So what a process has open is shared here by
all who use the folder, and closed before a fork; parent and child open it again when they next use it.

Whoever reads holds `reading`, whoever writes `writing`. Neither waits for the other, but a fork, the end, and a
change of the map's size wait for both. `reading` is held for microseconds: a look-up or a few.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Final, NamedTuple

import lmdb

from actors.caches.disk import files
from actors.caches.disk.file_check import allot_readers, check_file, check_size, mend_size
from actors.caches.disk.files import Schema
from actors.caches.disk.writer_lock import has_writer
from actors.caches.errors import StoreDamaged, StoreError, StoreInUse, StoreMissing
from actors.caches.layer import Origin

#: looks at a file that a writer may just have begun to change
_TRIES: Final = 3


class Opened[D](NamedTuple):
    """An environment that is open."""

    env: lmdb.Environment
    databases: D
    #: the file that is mapped
    inode: int
    #: those that were read from it, by number
    origins: dict[int, Origin]


class Environment[D]:
    """That of a folder, open or not. `join` makes it.

    Args:
        map_bytes: size of the map of the writer's; None: it is for reading only.
        check: see `join`.
    """

    def __init__(
        self,
        folder: Path,
        schema: Schema[D],
        map_bytes: int | None,
        check: Callable[[Path], None] | None = None,
    ) -> None:
        self.folder = folder
        self.schema = schema
        self.map_bytes = map_bytes
        self.reading: Final = RLock()
        self.writing: Final = RLock()
        self.users = 0
        #: descriptor of the lock that the writer holds
        self.writer_lock: int | None = None
        #: None: not open now. Read with one of the locks held
        self.opened: Opened[D] | None = None
        self._opening = Lock()
        self._check = check or self._check_unwritten
        self._pid = os.getpid()

    @property
    def is_writable(self) -> bool:
        """Whether this process is the folder's writer."""
        return self.map_bytes is not None

    def open(self) -> Opened[D]:
        """What is open, or is now. With one of the locks held.

        Raises:
            StoreError: it cannot be opened.
        """
        with self._opening:
            if self.opened is None:
                if self._pid != os.getpid():  # a fork that Python knows nothing of
                    raise StoreError(f"the cache in `{self.folder}` was opened by another process")
                self.opened = self._open()
            return self.opened

    def close(self) -> None:
        """Close it until it is used again."""
        with self.writing, self.reading, self._opening:
            opened, self.opened = self.opened, None
            if opened is not None:
                opened.env.close()

    def follow(self) -> None:
        """Look whether the writer has replaced the file, and whether somebody has cut it. With `reading` held.

        Raises:
            StoreError: it cannot be used as it is.
        """
        try:
            status = (self.folder / files.DATA_FILE).stat()
        except FileNotFoundError:
            self._drop()
            raise StoreMissing(f"there is no cache in `{self.folder}`") from None
        if self.opened is not None and self.opened.inode != status.st_ino:
            self._drop()
        check_size(self.open().env, self.folder)

    def grow(self, most: int) -> bool:
        """Double the writer's map, up to `most` bytes; whether it grew. No transaction may be open."""
        with self.writing, self.reading:
            assert self.map_bytes is not None
            if self.map_bytes >= most:
                return False
            self.map_bytes = min(2 * self.map_bytes, most)
            self.open().env.set_mapsize(self.map_bytes)
            return True

    @contextmanager
    def writable(self, map_bytes: int) -> Iterator[None]:
        """Make this process, which reads the folder, its writer for a while. With the folder's lock held.

        Those who read meanwhile wait only while it is opened and closed.

        Raises:
            StoreError: it cannot be opened to be written.
        """
        with self.writing:
            self._reopen(map_bytes)
            try:
                yield
            finally:
                with suppress(StoreError, OSError):  # whoever reads next finds out
                    self._reopen(None)

    def _reopen(self, map_bytes: int | None) -> None:
        with self.writing, self.reading:
            self.close()
            self.map_bytes = map_bytes
            try:
                self.open()
            except BaseException:
                self.map_bytes = None
                raise

    def _drop(self) -> None:
        if self.is_writable:  # what it wrote is where it wrote it
            return
        with self._opening:
            opened, self.opened = self.opened, None
            if opened is not None:
                opened.env.close()

    def _open(self) -> Opened[D]:
        path = self.folder / files.DATA_FILE
        try:
            if self.map_bytes is None:
                self._check(path)
            else:
                allot_readers(self.folder)
            env = self._environment()
        except lmdb.Error as exc:
            raise files.translated(exc, self.folder) from exc
        try:
            if self.is_writable:
                mend_size(env, self.folder)
            else:
                check_size(env, self.folder)
            databases = self.schema.open(env, create=self.is_writable)
            return Opened(env, databases, path.stat().st_ino, {})
        except lmdb.Error as exc:
            env.close()
            raise files.translated(exc, self.folder) from exc
        except BaseException:
            env.close()
            raise

    def _check_unwritten(self, path: Path) -> None:
        """See to it that a file which no writer has looked at can be read."""
        damage: StoreDamaged | None = None
        for _ in range(_TRIES):
            if not path.is_file():
                raise StoreMissing(f"there is no cache in `{self.folder}`")
            if has_writer(self.folder):
                return None
            try:
                return check_file(self.folder, thorough=False)
            except StoreDamaged as error:
                damage = error  # or a writer has begun meanwhile
        assert damage is not None
        raise damage

    def _environment(self) -> lmdb.Environment:
        reads = self.map_bytes is None
        return lmdb.open(
            str(self.folder),
            map_size=self.map_bytes or 0,
            readonly=reads,
            create=not reads,
            mode=0o600,
            metasync=False,  # what was synced is whole all the same, at worst without the last commit
            max_dbs=files.MAX_DATABASES,
            max_readers=files.MAX_READERS,
            max_spare_txns=files.SPARE_READERS,
        )


# ---------------------------------------------------------------- what this process has open


class _Process:
    """The environments of this process."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.by_path: dict[str, Environment[Any]] = {}
        self.is_watching_forks = False
        self._forking: list[Environment[Any]] = []

    def watch_forks(self) -> None:
        """See to it, once, that no environment crosses a fork."""
        if not self.is_watching_forks:
            self.is_watching_forks = True
            os.register_at_fork(before=self._before, after_in_parent=self._after, after_in_child=self._in_child)

    def _before(self) -> None:
        self.lock.acquire()
        self._forking = list(self.by_path.values())
        for environment in self._forking:
            environment.writing.acquire()
            environment.reading.acquire()
            environment.close()

    def _after(self) -> None:
        for environment in self._forking:
            environment.reading.release()
            environment.writing.release()
        self._forking = []
        self.lock.release()

    def _in_child(self) -> None:
        for environment in self._forking:
            environment._pid = os.getpid()
            environment.map_bytes = None  # the parent stays the writer, for as long as it lives
            if environment.writer_lock is not None:
                os.close(environment.writer_lock)  # the parent has it still
                environment.writer_lock = None
        self._after()


_process: Final = _Process()


def join[D](
    folder: Path,
    schema: Schema[D],
    map_bytes: int | None = None,
    *,
    check: Callable[[Path], None] | None = None,
) -> Environment[D]:
    """The environment of a folder, for one user more, who calls `leave` in the end.

    Readers open it when they read.

    Args:
        map_bytes: for the writer; None: for readers.
        check: for readers: looks at the data file before it is opened, in place of what else is done; it raises
            StoreError if it must not be. With it the file need not be there yet.

    Raises:
        StoreInUse: for a writer, if this process uses the folder already: the writer comes first.
        StoreError: it cannot be opened.
    """
    path = os.path.realpath(folder)
    with _process.lock:
        _process.watch_forks()
        environment = _process.by_path.get(path)
        if environment is not None and map_bytes is not None:
            raise StoreInUse(f"this process uses the cache in `{folder}` already; open its writer first")
        if environment is None:
            environment = Environment(folder, schema, map_bytes, check)
            if map_bytes is not None:
                environment.open()
            elif check is None and not (folder / files.DATA_FILE).is_file():
                raise StoreMissing(f"there is no cache in `{folder}`")
            _process.by_path[path] = environment
        environment.users += 1
        return environment


def leave(environment: Environment[Any]) -> None:
    """Close the environment if nobody else in this process uses it."""
    with _process.lock:
        environment.users -= 1
        if environment.users == 0:
            _process.by_path.pop(os.path.realpath(environment.folder), None)
            environment.close()
