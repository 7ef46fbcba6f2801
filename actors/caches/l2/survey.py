"""All answers of a folder, one after the other, for people who look after it.

`L2Reader` makes a miss of whatever is wrong; here it is said. Nothing is written, whoever writes meanwhile.

Rows come in portions, each in a transaction of its own: as long as one is open, LMDB uses no page again that
was given back since it began, so that the file of a busy writer would grow. They come newest first: numbers
rise, so that what is added meanwhile is not seen, and the walk comes to an end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import lmdb

from actors.caches.clock import SteadyClock
from actors.caches.disk.environment import Environment, Opened, join, leave
from actors.caches.disk.writer_lock import WRITER_FILE, has_writer
from actors.caches.errors import StoreError
from actors.caches.l2 import rows
from actors.caches.l2.payload import Damaged, read_stored
from actors.caches.l2.rows import Databases, Place, Record, State
from actors.caches.layer import Origin, Which
from rtfs.values import Value

#: rows that one transaction looks at
_PORTION: Final = 512
#: stored values that it takes with it, bytes; one more may be larger
_PORTION_BYTES: Final = 4 << 20
_EVERYTHING: Final = Which()
#: above all numbers of entries
_END: Final = b"\xff" * rows.NUMBER.size


class Facts(NamedTuple):
    """What a folder says of itself."""

    entries: int
    #: stored values that stand beside entries, each for one or several
    values: int
    #: size of LMDB's file
    file_bytes: int
    state: State
    #: the process that writes; None: none does, or it does not say
    writer: int | None
    is_written: bool


class Row(NamedTuple):
    """An answer as it lies in the folder."""

    place: Place
    record: Record
    origin: Origin
    #: None: it was not asked for
    stored: bytes | None

    def value(self) -> Value:
        """The answer, if the stored value was asked for.

        Raises:
            Damaged: it cannot be read.
        """
        if self.stored is None:
            raise Damaged("the value is missing, or its checksum is another")
        return read_stored(self.record.flags, self.stored)[0]


class L2Survey:
    """The answers of a folder. For one thread.

    Raises:
        StoreMissing: there is no cache in it.
        StoreError: it cannot be used. So do all methods.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: entries that were left out because they are damaged; those with an intact record count if values are
        #: asked for
        self.damaged = 0
        self._clock = SteadyClock()
        with _translated(folder):
            self._environment: Environment[Databases] = join(folder, rows.SCHEMA)
        try:
            self.facts()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        leave(self._environment)

    def now_us(self) -> int:
        """The store's clock."""
        return self._clock.now_us()

    def facts(self) -> Facts:
        """What the folder says of itself now."""
        with self.reading() as (txn, opened):
            databases = opened.databases
            rows.check_format(txn.get(b"format", db=databases.meta), self.folder)
            state = rows.read_state(txn.get(b"state", db=databases.meta))
            self._clock.resume(state.steady_us, state.wall_us)
            return Facts(
                entries=txn.stat(databases.entries)["entries"],
                values=txn.stat(databases.values)["entries"],
                file_bytes=(self.folder / rows.DATA_FILE).stat().st_size,
                state=state,
                writer=writer_of(self.folder),
                is_written=has_writer(self.folder),
            )

    def origins(self) -> list[Origin]:
        """Whose answers there are, to what."""
        with self.reading() as (txn, opened):
            of_entries = txn.cursor(opened.databases.by_origin)
            return [
                origin
                for number, row in txn.cursor(opened.databases.origins)
                if (origin := rows.read_origin(row)) is not None and of_entries.set_key(number)
            ]

    def keys(self, beginning: bytes, most: int) -> list[bytes]:
        """Keys that begin so, at most `most`."""
        found: list[bytes] = []
        with self.reading() as (txn, opened):
            cursor = txn.cursor(opened.databases.entries)
            if cursor.set_range(beginning):
                for key in cursor.iternext(keys=True, values=False):
                    if not key.startswith(beginning) or len(found) == most:
                        break
                    found.append(key)
        return found

    def rows(self, which: Which = _EVERYTHING, *, values: bool = False) -> Iterator[Row]:
        """Answers that agree with `which`, newest first; expired ones too.

        Args:
            values: with their stored values.
        """
        if which.key is not None:
            with self.reading() as (txn, opened):
                row = self._row_of(txn, opened, which.key, which, values)
            yield from [] if row is None else [row]
            return
        indexes = [self._numbers(name, key) for name, key in self._indexes(which)]
        numbers = merge(*indexes, reverse=True)
        while waiting := deque(islice(numbers, _PORTION)):
            while waiting:
                yield from self._portion(waiting, which, values)

    @contextmanager
    def reading(self) -> Iterator[tuple[Any, Opened[Databases]]]:
        """A transaction that reads, and what is open."""
        with _translated(self.folder), self._environment.reading:
            self._environment.follow()
            opened = self._environment.open()
            with _begun(opened.env) as txn:
                yield txn, opened

    # ------------------------------------------------------------ the walk

    def _indexes(self, which: Which) -> list[tuple[str, bytes | None]]:
        """Tables in which numbers of all entries that may agree are found, and under which key there."""
        if which.input is not None:
            return [("by_input", which.input)]
        if not which.names_nothing:
            with self.reading() as (txn, opened):
                return [
                    ("by_origin", number)
                    for number, row in txn.cursor(opened.databases.origins)
                    if (origin := rows.read_origin(row)) is not None and which.is_of(origin)
                ]
        return [("order", None)]

    def _numbers(self, name: str, key: bytes | None) -> Iterator[bytes]:
        """Numbers of entries that a table has, under `key`, the highest first."""
        before = _END
        while True:
            with self.reading() as (txn, opened):
                cursor = txn.cursor(getattr(opened.databases, name))
                found = [*islice(_below(cursor, key, before), _PORTION)]
            yield from found
            if len(found) < _PORTION:
                return
            before = found[-1]

    def _portion(self, waiting: deque[bytes], which: Which, values: bool) -> list[Row]:
        """The next rows: those of all numbers that wait, or of so many as are not too large together."""
        found: list[Row] = []
        nbytes = 0
        with self.reading() as (txn, opened):
            while waiting and nbytes < _PORTION_BYTES:
                row = self._row(txn, opened, waiting.popleft(), which, values)
                if row is not None:
                    found.append(row)
                    nbytes += len(row.stored or b"")
        return found

    def _row(
        self, txn: Any, opened: Opened[Databases], number: bytes, which: Which, values: bool
    ) -> Row | None:
        place = rows.read_place(txn.get(number, default=b"", db=opened.databases.order))
        if place is None or not place.agrees(which):
            return None
        data = txn.get(place.key, default=b"", db=opened.databases.entries)
        record = rows.read_record(place.key, data)
        if record is None:
            self.damaged += bool(data)  # else it is a row that was left of none
            return None
        if rows.NUMBER.pack(record.number) != number:
            return None
        return self._whole(txn, opened, place, record, data, which, values)

    def _row_of(
        self, txn: Any, opened: Opened[Databases], key: bytes, which: Which, values: bool
    ) -> Row | None:
        data = txn.get(key, default=b"", db=opened.databases.entries)
        record = rows.read_record(key, data)
        if record is None:
            self.damaged += bool(data)
            return None
        return self._row(txn, opened, rows.NUMBER.pack(record.number), which, values)

    def _whole(
        self,
        txn: Any,
        opened: Opened[Databases],
        place: Place,
        record: Record,
        data: bytes,
        which: Which,
        values: bool,
    ) -> Row | None:
        number = rows.ORIGIN_NUMBER.pack(record.origin)
        origin = rows.read_origin(txn.get(number, db=opened.databases.origins))
        if origin is None:
            self.damaged += 1
            return None
        if not which.is_of(origin):
            return None
        stored = stored_of(txn, opened, record, data) if values else None
        if values and stored is None:
            self.damaged += 1
            return None
        return Row(place, record, origin, stored)


def stored_of(txn: Any, opened: Opened[Databases], record: Record, data: bytes) -> bytes | None:
    """The stored value of an entry whose row is `data`; None: it is damaged, or not there."""
    stored = data[rows.RECORD_BYTES :]
    if record.value_number:
        found = txn.get(rows.NUMBER.pack(record.value_number), default=b"", db=opened.databases.values)
        stored = found[rows.DIGEST_BYTES :]
    if len(stored) != record.length or rows.value_checksum(stored, record.value_number) != record.checksum:
        return None
    return bytes(stored)


def writer_of(folder: Path) -> int | None:
    """The process that writes to a folder now; None: none does, or it does not say which."""
    if not has_writer(folder):
        return None
    try:
        text = (folder / WRITER_FILE).read_bytes()[:20].strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _below(cursor: Any, key: bytes | None, before: bytes) -> Iterator[bytes]:
    """Numbers below `before`, from the highest: keys of a table, or what it has under `key`."""
    if key is None:
        if cursor.prev() if cursor.set_range(before) else cursor.last():
            yield from cursor.iterprev(keys=True, values=False)
    elif cursor.prev_dup() if cursor.set_range_dup(key, before) else cursor.set_key(key) and cursor.last_dup():
        yield from cursor.iterprev_dup()


def _begun(env: lmdb.Environment) -> Any:
    """A transaction that reads; if the writer has made the map larger, so does this process."""
    try:
        return env.begin()
    except lmdb.MapResizedError:
        env.set_mapsize(0)
    except lmdb.ReadersFullError:
        env.reader_check()
    return env.begin()


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """What LMDB and the system raise, as errors of ours."""
    try:
        yield
    except lmdb.Error as error:
        raise rows.translated(error, folder) from error
    except OSError as error:
        raise StoreError(f"cannot use the cache in `{folder}`: {error.strerror or error}") from error
