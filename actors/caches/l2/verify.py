"""Whether a folder is what its writer meant it to be: the file, each answer, and what it is found by.

The file is walked without LMDB first, since LMDB believes what it reads. While a process writes, a transaction
is held open meanwhile: LMDB uses no page again that a reader may still see, so that all that is walked stands
still.

Damage is what makes an answer unusable or hard to find. Left over are rows of answers that are gone: they take
room, and go when the writer comes across them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.caches.disk.environment import Opened
from actors.caches.disk.structure import structure_problems
from actors.caches.disk.writer_lock import has_writer
from actors.caches.errors import StoreDamaged, StoreError, StoreMissing
from actors.caches.keys import KEY_BYTES
from actors.caches.l2 import rows
from actors.caches.l2.payload import Damaged, read_stored
from actors.caches.l2.rows import Record
from actors.caches.l2.survey import L2Survey, stored_of

#: problems that are told, each; all are counted
MOST_TOLD: Final = 100
#: walks of a file that is written to
_TRIES: Final = 3
#: tables that have one row for each entry
_ONE_FOR_EACH: Final = ("order", "expiry", "by_origin", "by_input")


class Problem(NamedTuple):
    """Something that is damaged."""

    #: of the entry; None: it is the file that is damaged, or a table as a whole
    key: bytes | None
    text: str


class Verdict(NamedTuple):
    """What was found."""

    entries: int
    #: stored values that stand beside entries
    values: int
    file_bytes: int
    #: whether there was anything damaged, and the first of it
    damaged: int
    problems: tuple[Problem, ...]
    #: rows by table that belong to no entry
    left_over: dict[str, int]


def verify(folder: Path) -> Verdict:
    """Look at everything in a folder, and change nothing.

    Raises:
        StoreMissing: there is no cache in it.
        StoreError: it cannot be used.
    """
    try:
        if not has_writer(folder):
            _check_file(folder)
        with L2Survey(folder) as survey, survey.reading() as (txn, opened):
            if has_writer(folder):
                _check_file(folder)
            return _Walk(txn, opened, _size(folder)).verdict()
    except StoreDamaged as damage:  # nothing else in it can be read safely
        return Verdict(0, 0, _size(folder), 1, (Problem(None, str(damage)),), {})


def _check_file(folder: Path) -> None:
    """Walk the file; a few times while a process writes, which may just have made it longer.

    Raises:
        StoreDamaged: it is not what LMDB wrote.
        StoreError: it cannot be read.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            problems = structure_problems(folder)
        except (FileNotFoundError, NotADirectoryError):
            raise StoreMissing(f"there is no cache in `{folder}`") from None
        except OSError as error:
            raise StoreError(f"cannot use the cache in `{folder}`: {error.strerror or error}") from error
        if not problems:
            return
        if not tries_left or not has_writer(folder):
            raise StoreDamaged(f"the cache in `{folder}` is damaged: {problems[0]}")


def _size(folder: Path) -> int:
    return (folder / rows.DATA_FILE).stat().st_size


class _Walk:
    """One walk through all entries, in one transaction."""

    def __init__(self, txn: Any, opened: Opened[rows.Databases], file_bytes: int) -> None:
        self._txn = txn
        self._opened = opened
        self._dbs = opened.databases
        self._file_bytes = file_bytes
        self._problems: list[Problem] = []
        self._damaged = 0
        #: entries whose record is whole, and those of them that share a stored value
        self._whole = self._sharing = 0

    def verdict(self) -> Verdict:
        """Walk, and say what was found."""
        entries = self._rows_of("entries")
        for key, row in self._txn.cursor(self._dbs.entries):
            problems = list(self._of_entry(key, row))
            if problems:
                self._note(Problem(key, "; ".join(problems)))
        values = self._rows_of("values")
        expected = {**dict.fromkeys(_ONE_FOR_EACH, self._whole), "values": self._rows_of("shared")}
        left_over = {
            name: more for name, count in expected.items() if (more := self._rows_of(name) - count) > 0
        }
        self._check_users()
        return Verdict(entries, values, self._file_bytes, self._damaged, tuple(self._problems), left_over)

    def _rows_of(self, name: str) -> int:
        return int(self._txn.stat(getattr(self._dbs, name))["entries"])

    def _note(self, problem: Problem) -> None:
        self._damaged += 1
        if len(self._problems) < MOST_TOLD:
            self._problems.append(problem)

    def _of_entry(self, key: bytes, row: bytes) -> Iterator[str]:
        record = rows.read_record(key, row) if len(key) == KEY_BYTES else None
        if record is None:
            yield "its record is damaged"
            return
        self._whole += 1
        self._sharing += bool(record.value_number)
        yield from self._of_indexes(key, record)
        yield from self._of_value(record, row)

    def _of_indexes(self, key: bytes, record: Record) -> Iterator[str]:
        txn, dbs, number = self._txn, self._dbs, rows.NUMBER.pack(record.number)
        origin = rows.ORIGIN_NUMBER.pack(record.origin)
        if rows.read_origin(txn.get(origin, db=dbs.origins)) is None:
            yield "nothing says whose it is"
        if txn.get(rows.EXPIRY.pack(record.expires_us, record.number), db=dbs.expiry) is None:
            yield "it is missing in the table `expiry`"
        if not txn.cursor(dbs.by_origin).set_key_dup(origin, number):
            yield "it is missing in the table `by_origin`"
        place = rows.read_place(txn.get(number, default=b"", db=dbs.order))
        if place is None or place.key != key:
            yield "it is missing in the table `order`"
        elif not txn.cursor(dbs.by_input).set_key_dup(place.input, number):
            yield "it is missing in the table `by_input`"

    def _of_value(self, record: Record, row: bytes) -> Iterator[str]:
        stored = stored_of(self._txn, self._opened, record, row)
        if stored is None:
            yield "its value is missing, or the checksum is another"
            return
        try:
            read_stored(record.flags, stored)
        except Damaged as damage:
            yield f"its value cannot be read: {damage}"
        if record.value_number:
            number = rows.NUMBER.pack(record.value_number)
            digest = self._txn.get(number, db=self._dbs.values)[: rows.DIGEST_BYTES]
            shared = self._txn.get(digest, default=b"", db=self._dbs.shared)
            if digest != rows.digest_of(stored) or shared[: rows.NUMBER.size] != number:
                yield "its value is missing in the table `shared`"

    def _check_users(self) -> None:
        """Whether the uses of shared values add up: with too few of them a value would go too early."""
        users = 0
        for _, row in self._txn.cursor(self._dbs.shared):
            users += rows.SHARED.unpack(row)[1] if len(row) == rows.SHARED.size else 0
        if users < self._sharing:
            text = f"entries share {self._sharing} stored values, but the table `shared` counts {users}"
            self._note(Problem(None, text))
