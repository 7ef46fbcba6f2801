"""How entries lie in LMDB. Numbers in keys are big-endian, so that they sort.

    meta      "format" → format; "state" → `State`; "embedder" → what makes the vectors
    entries   number of an entry                → checksum, head, vector, origin, texts
    evidence  number of an entry                → checksum, what was learnt about it, if only that it is nothing
    members   partition, number                 → (empty)
    by_origin digest of an origin, partition, number → (empty)
    origins   digest of an origin               → its texts, as JSON
    by_key    key of the call                   → number of the entry
    order     number of an entry                → last used, seconds; uses
    expiry    when an entry ends, its number    → (empty)
    indexes   partition                         → `IndexNote`: the file that its index was saved to

Entries are numbered in the order in which they come, and no number is given twice. Checksums cover the number
too: a row that stands where another should is noticed like any damage to its bytes. No table has several rows
under a key.
"""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

import lmdb
import numpy as np

from actors.caches.disk.files import Schema
from actors.caches.disk.victims import NUMBER
from actors.caches.errors import StoreDamaged
from actors.caches.keys import KEY_BYTES
from actors.caches.l2.rows import read_origin, write_origin
from actors.caches.l3.entry import Entry
from actors.caches.layer import Origin

#: length of partitions, bytes
PARTITION_BYTES: Final = 32
#: what an entry takes beside its own row, with all its rows and the gaps between them, bytes
ENTRY_OVERHEAD_BYTES: Final = 600
#: rows that are longer stand in pages of their own, bytes
_OVERFLOW_BYTES: Final = 2_000
_PAGE_BYTES: Final = 4_096

_CHECKSUM: Final = Struct("<I")
#: checksum, partition, key, created, expires, numbers in the vector, texts, bytes of the origin
_HEAD: Final = Struct(f"<I{PARTITION_BYTES}s{KEY_BYTES}sQQHHI")
_ORIGIN_BYTES: Final = 16
_STATE: Final = Struct("<IQQQQQ")
_NOTE: Final = Struct("<IQQIII")
#: numbers as they stand in a row
_FLOATS: Final = np.dtype("<f4")


class Databases(NamedTuple):
    """The handles of the tables."""

    meta: lmdb._Database
    entries: lmdb._Database
    evidence: lmdb._Database
    members: lmdb._Database
    by_origin: lmdb._Database
    origins: lmdb._Database
    by_key: lmdb._Database
    order: lmdb._Database
    expiry: lmdb._Database
    indexes: lmdb._Database


SCHEMA: Final = Schema(format=b"rtfs l3 1", databases=Databases)

# ---------------------------------------------------------------- entries


def write_entry(entry: Entry) -> bytes:
    """The row of an entry, without its evidence."""
    origin = write_origin(entry.origin)
    texts = [text.encode("utf-8", "surrogatepass") for text in entry.texts]
    head = _HEAD.pack(
        0,
        entry.partition,
        entry.key,
        entry.created_us,
        entry.expires_us,
        len(entry.vector),
        len(texts),
        len(origin),
    )
    vector = entry.vector.astype(_FLOATS, copy=False).tobytes()
    lengths = b"".join(_CHECKSUM.pack(len(text)) for text in texts)
    body = b"".join((head[_CHECKSUM.size :], vector, origin, lengths, *texts))
    return _CHECKSUM.pack(crc32(body, crc32(entry.id))) + body


def read_entry(number: bytes, row: bytes, evidence: bytes) -> Entry | None:
    """What `write_entry` wrote; None: it is damaged, or another entry's."""
    if len(row) < _HEAD.size:
        return None
    checksum, partition, key, created_us, expires_us, size, count, origin_bytes = _HEAD.unpack_from(row)
    if checksum != crc32(memoryview(row)[_CHECKSUM.size :], crc32(number)):
        return None
    at = _HEAD.size + 4 * size
    origin = _origin(row[at : at + origin_bytes])
    if origin is None:
        return None
    at += origin_bytes
    texts = _texts(row, at, count)
    vector = np.frombuffer(row, _FLOATS, size, _HEAD.size)
    fields = (number, partition, vector, texts, key, origin, created_us, expires_us, evidence)
    return tuple.__new__(Entry, fields)  # as `Entry` does, in half the time


def charged_bytes(row: bytes) -> int:
    """What an entry counts against the size of the store."""
    if len(row) <= _OVERFLOW_BYTES:
        return ENTRY_OVERHEAD_BYTES + len(row)
    return ENTRY_OVERHEAD_BYTES + -(-len(row) // _PAGE_BYTES) * _PAGE_BYTES


def _texts(row: bytes, at: int, count: int) -> tuple[str, ...]:
    end = at + count * _CHECKSUM.size
    found = []
    for place in range(at, end, _CHECKSUM.size):
        length = _CHECKSUM.unpack_from(row, place)[0]
        found.append(row[end : end + length].decode("utf-8", "surrogatepass"))
        end += length
    return tuple(found)


@lru_cache(1024)
def _origin(row: bytes) -> Origin | None:
    return read_origin(row)


def digest_of(origin: Origin) -> bytes:
    """What entries of an origin are found by."""
    return blake2b(write_origin(origin), digest_size=_ORIGIN_BYTES).digest()


def write_evidence(number: bytes, evidence: bytes) -> bytes:
    """The row of what was learnt."""
    return _CHECKSUM.pack(crc32(evidence, crc32(number))) + evidence


def read_evidence(number: bytes, row: bytes | None) -> bytes | None:
    """What `write_evidence` wrote; None: it is damaged, or not there."""
    if row is None:
        return None
    evidence = row[_CHECKSUM.size :]
    is_whole = row[: _CHECKSUM.size] == _CHECKSUM.pack(crc32(evidence, crc32(number)))
    return evidence if is_whole else None


# ---------------------------------------------------------------- the store


class State(NamedTuple):
    """What the store has to know when it is opened again."""

    #: to be given next
    next_number: int = 1
    #: charged for all entries
    nbytes: int = 0
    #: the store's clock at the last commit, and the time of day then, microseconds
    steady_us: int = 0
    wall_us: int = 0
    #: commits so far
    commits: int = 0

    def packed(self) -> bytes:
        """The row."""
        return _sealed(_STATE, self)


def read_state(row: bytes | None) -> State:
    """What `State.packed` wrote, or that of a new store.

    Raises:
        StoreDamaged: it is damaged.
    """
    if row is None:
        return State()
    fields = _unsealed(_STATE, row)
    if fields is None:
        raise StoreDamaged("the state of the cache is damaged")
    return State._make(fields)


class IndexNote(NamedTuple):
    """What is known of the file that the index of a partition was saved to."""

    #: counts up; a part of the file's name
    generation: int
    nbytes: int
    #: of the file
    checksum: int
    #: what the index was built with, see `Graph`
    links: int
    breadth: int

    def packed(self) -> bytes:
        """The row."""
        return _sealed(_NOTE, self)


def read_note(row: bytes | None) -> IndexNote | None:
    """What `IndexNote.packed` wrote; None: it is damaged, or not there."""
    fields = None if row is None else _unsealed(_NOTE, row)
    return None if fields is None else IndexNote._make(fields)


def embedder_row(version: str, dimensions: int) -> bytes:
    """What makes the vectors."""
    return json.dumps([version, dimensions]).encode("ascii")


def _sealed(kind: Struct, fields: tuple[int, ...]) -> bytes:
    body = kind.pack(0, *fields)[_CHECKSUM.size :]
    return _CHECKSUM.pack(crc32(body)) + body


def _unsealed(kind: Struct, row: bytes) -> tuple[int, ...] | None:
    if len(row) != kind.size:
        return None
    checksum, *fields = kind.unpack(row)
    return tuple(fields) if checksum == crc32(row[_CHECKSUM.size :]) else None


def member(partition: bytes, number: bytes) -> bytes:
    """The key of an entry in the table `members`."""
    return partition + number


def number_of(key: bytes) -> bytes:
    """The number at the end of a key."""
    return key[-NUMBER.size :]
