"""Whether a store is what it was meant to be: the file, each entry, what it is found by, and the indexes.

Damage is what makes an entry unusable or hard to find. Left over are rows of entries that are gone: they take
room, and go when the store comes across them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from actors.caches.disk.files import DATA_FILE
from actors.caches.disk.structure import structure_problems
from actors.caches.disk.victims import EXPIRY, NUMBER, USE
from actors.caches.l3 import rows
from actors.caches.l3.entry import Entry
from actors.caches.l3.records import Records
from actors.caches.l3.rows import Databases, IndexNote
from actors.caches.l3.shelf import Shelf

#: problems that are told, each; all are counted
MOST_TOLD: Final = 100
#: tables that have one row for each entry
_ONE_FOR_EACH: Final = ("members", "by_origin", "by_key", "order", "expiry")


class Problem(NamedTuple):
    """Something that is damaged."""

    #: of the entry; None: it is the file that is damaged, or an index
    id: bytes | None
    text: str


class Verdict(NamedTuple):
    """What was found."""

    entries: int
    #: files with indexes
    indexes: int
    file_bytes: int
    #: how much is damaged, and the first of it
    damaged: int
    problems: tuple[Problem, ...]
    #: rows by table that belong to no entry
    left_over: dict[str, int]


def verify(records: Records, shelf: Shelf, dimensions: int) -> Verdict:
    """Look at everything, and change nothing.

    Raises:
        StoreError: the store cannot be used.
    """
    with records.standing_still():
        file_bytes = (records.folder / DATA_FILE).stat().st_size
        broken = structure_problems(records.folder, ())
        if broken:  # nothing else in it can be read safely
            told = tuple(Problem(None, text) for text in broken[:MOST_TOLD])
            return Verdict(0, 0, file_bytes, len(broken), told, {})
        return _Walk(records, shelf, dimensions).verdict(file_bytes)


class _Walk:
    def __init__(self, records: Records, shelf: Shelf, dimensions: int) -> None:
        self._records = records
        self._shelf = shelf
        self._dimensions = dimensions
        self._problems: list[Problem] = []
        self._damaged = 0
        self._entries = 0
        self._whole = self._with_evidence = self._charged = 0

    def verdict(self, file_bytes: int) -> Verdict:
        """Walk, and say what was found."""
        with self._records.reading() as (txn, databases):
            for number, row in txn.cursor(databases.entries):
                self._entries += 1
                texts = list(self._of_entry(txn, databases, number, row))
                if texts:
                    self._note(number, "; ".join(texts))
            left_over = self._left_over(txn, databases)
        if not self._damaged and self._charged != self._records.state.nbytes:
            self._note(
                None, f"entries take {self._charged} bytes, but {self._records.state.nbytes} are counted"
            )
        notes = self._records.notes()
        for partition, note in notes.items():
            self._check_file(partition, note)
        self._check_open()
        return Verdict(self._entries, len(notes), file_bytes, self._damaged, tuple(self._problems), left_over)

    def _note(self, number: bytes | None, text: str) -> None:
        self._damaged += 1
        if len(self._problems) < MOST_TOLD:
            self._problems.append(Problem(number, text))

    def _of_entry(self, txn: Any, databases: Databases, number: bytes, row: bytes) -> Iterator[str]:
        learnt = txn.get(number, db=databases.evidence)
        self._with_evidence += learnt is not None
        entry = rows.read_entry(number, row, b"")
        if entry is None:
            yield "its row is damaged"
            return
        self._whole += 1
        self._charged += rows.charged_bytes(row) + len(learnt or b"")
        if rows.read_evidence(number, learnt) is None:
            yield "what was learnt about it is damaged, or missing"
        if len(entry.vector) != self._dimensions:
            yield f"its vector has {len(entry.vector)} numbers"
        yield from self._of_tables(txn, databases, entry)

    def _of_tables(self, txn: Any, databases: Databases, entry: Entry) -> Iterator[str]:
        number = entry.id
        digest = rows.digest_of(entry.origin)
        end = EXPIRY.pack(entry.expires_us, NUMBER.unpack(number)[0])
        found_by = {
            "members": txn.get(rows.member(entry.partition, number), db=databases.members) == b"",
            "by_origin": txn.get(digest + entry.partition + number, db=databases.by_origin) == b"",
            "origins": txn.get(digest, db=databases.origins) is not None,
            "by_key": txn.get(entry.key, db=databases.by_key) == number,
            "order": len(txn.get(number, default=b"", db=databases.order)) == USE.size,
            "expiry": txn.get(end, db=databases.expiry) == b"",
        }
        for table, is_there in found_by.items():
            if not is_there:
                yield f"it is missing in the table `{table}`"

    def _left_over(self, txn: Any, databases: Databases) -> dict[str, int]:
        expected = {**dict.fromkeys(_ONE_FOR_EACH, self._whole), "evidence": self._with_evidence}
        counts = {name: txn.stat(getattr(databases, name))["entries"] - n for name, n in expected.items()}
        return {name: more for name, more in counts.items() if more > 0}

    # ------------------------------------------------------------ indexes

    def _check_file(self, partition: bytes, note: IndexNote) -> None:
        problem = self._shelf.files.problem(partition, note)
        if not problem:
            try:
                problem = self._of_graph(partition, note)
            except (RuntimeError, OSError) as error:
                problem = str(error)
        if problem:
            self._note(None, f"the index of {partition.hex()}: {problem}")

    def _of_graph(self, partition: bytes, note: IndexNote) -> str:
        """What is wrong with the vectors in a file; empty: nothing. Raises RuntimeError: one is removed."""
        graph = self._shelf.files.load(partition, note, self._dimensions)
        alive = sorted(set(graph.labels()).intersection(self._records.members(partition)))
        for numbers, vectors in self._records.vectors(partition, alive):
            if not np.array_equal(graph.vectors(numbers), vectors):
                return "a vector is not that of its entry"
        return ""

    def _check_open(self) -> None:
        for partition in self._shelf.all():
            missing = set(self._records.members(partition.key)).difference(partition.numbers())
            if missing and partition.is_loaded:
                self._note(None, f"the open index of {partition.key.hex()} has not {len(missing)} entries")
