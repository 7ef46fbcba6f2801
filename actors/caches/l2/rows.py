"""How answers lie in LMDB. Numbers in keys are big-endian, so that they sort.

    meta      "format" → FORMAT; "state" → `State`
    entries   key of the call                  → `Record`, then the value if it is small
    values    number of a value                → digest of what follows, then the stored value
    shared    digest of a stored value         → its number, and how many entries have it
    order     number of an entry               → `Place`: last used, uses, key, input
    expiry    when an entry ends, its number   → (empty)
    origins   number of an origin              → its texts, as JSON
    by_origin number of an origin              → numbers of entries (sorted duplicates)
    by_input  digest of function and arguments → numbers of entries (sorted duplicates)

Entries and values are numbered in the order in which they come, so that most rows are appended and pages are
full. A record carries a checksum of itself and its key, and one of its value with the value's number. So
whatever damage there is to the bytes of an entry, it is noticed; lengths are compared before anything is read,
so that a damaged length leads nowhere.

A stored value is what `encode_value` wrote, compressed by zstd where that is shorter.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from math import nan
from struct import Struct
from typing import Any, Final, NamedTuple
from zlib import crc32

import lmdb

from actors.caches.disk.files import DATA_FILE as DATA_FILE
from actors.caches.disk.files import LOCK_FILE as LOCK_FILE
from actors.caches.disk.files import MAX_DATABASES as MAX_DATABASES
from actors.caches.disk.files import Schema
from actors.caches.disk.files import translated as translated
from actors.caches.disk.victims import EXPIRY as EXPIRY
from actors.caches.disk.victims import NUMBER as NUMBER
from actors.caches.errors import StoreDamaged
from actors.caches.keys import INPUT_BYTES, KEY_BYTES
from actors.caches.layer import Origin, Which

FORMAT: Final = b"rtfs l2 1"
#: stored values up to this size stand in the entry, bytes: sharing them would cost more than it saves
INLINE_BYTES: Final = 96
DIGEST_BYTES: Final = 16
#: what an entry takes beside its value, with all its rows and the gaps between them, bytes
ENTRY_OVERHEAD_BYTES: Final = 600

#: the value is compressed
ZSTD: Final = 1

ORIGIN_NUMBER: Final = Struct(">I")
SHARED: Final = Struct(">QI")
_CHECKSUM: Final = Struct(">I")
_RECORD: Final = Struct(">BdddQQQQIII")
_ROW: Final = Struct(">IBdddQQQQIII")
RECORD_BYTES: Final = _ROW.size
_PLACE: Final = Struct(f">II{KEY_BYTES}s{INPUT_BYTES}s")
PLACE_BYTES: Final = _PLACE.size
_STATE: Final = Struct(">QQQQQQQQ")


class Databases(NamedTuple):
    """The handles of the sub-databases."""

    meta: lmdb._Database
    entries: lmdb._Database
    values: lmdb._Database
    shared: lmdb._Database
    order: lmdb._Database
    expiry: lmdb._Database
    origins: lmdb._Database
    by_origin: lmdb._Database
    by_input: lmdb._Database


SCHEMA: Final = Schema(format=FORMAT, databases=Databases, with_duplicates=frozenset(("by_origin", "by_input")))
open_databases: Final = SCHEMA.open
check_format: Final = SCHEMA.check


class Record(NamedTuple):
    """What is said of an entry. Times are microseconds of the store's clock."""

    flags: int
    #: NaN: nothing is known about it
    confidence: float
    cost_usd: float
    #: NaN: not known
    latency_ms: float
    created_us: int
    expires_us: int
    #: of the entry
    number: int
    #: of its value; 0: it stands in the entry
    value_number: int
    origin: int
    #: of the stored value
    length: int
    #: of the stored value and its number
    checksum: int

    @property
    def charged_bytes(self) -> int:
        """What the entry counts against the size of the cache; a shared value counts for each that has it."""
        return ENTRY_OVERHEAD_BYTES + self.length

    def packed(self, key: bytes) -> bytes:
        """The row, without the value."""
        body = _RECORD.pack(*self)
        return _CHECKSUM.pack(crc32(body, crc32(key))) + body


def read_record(key: bytes, row: bytes) -> Record | None:
    """What `packed` wrote; None: it is damaged, or another key's."""
    if len(row) < RECORD_BYTES:
        return None
    fields = _ROW.unpack_from(row)
    if fields[0] != crc32(row[_CHECKSUM.size : RECORD_BYTES], crc32(key)):
        return None
    return tuple.__new__(Record, fields[1:])  # `_make` does the same in twice the time


def value_checksum(stored: bytes, value_number: int) -> int:
    """What says that a stored value is whole, and the one that is meant."""
    return crc32(stored, value_number & 0xFFFFFFFF)


def digest_of(stored: bytes) -> bytes:
    """The address of a stored value."""
    return blake2b(stored, digest_size=DIGEST_BYTES).digest()


class Place(NamedTuple):
    """What the order of eviction knows about an entry."""

    #: seconds of the store's clock
    used_s: int
    uses: int
    key: bytes
    input: bytes

    def agrees(self, which: Which) -> bool:
        """Whether the entry may be meant, as far as this says."""
        return which.key in (None, self.key) and which.input in (None, self.input)

    def packed(self) -> bytes:
        """The row."""
        return _PLACE.pack(*self)


def read_place(row: bytes) -> Place | None:
    """What `Place.packed` wrote; None: it has another length."""
    return Place._make(_PLACE.unpack(row)) if len(row) == _PLACE.size else None


class State(NamedTuple):
    """What the writer has to know when it starts again."""

    #: numbers to be given next, never twice
    next_number: int = 1
    next_value: int = 1
    next_origin: int = 1
    #: charged for all entries
    nbytes: int = 0
    #: the store's clock at the last commit, and the time of day then, microseconds
    steady_us: int = 0
    wall_us: int = 0
    #: invalidations so far
    epoch: int = 0
    #: commits so far
    commits: int = 0

    def packed(self) -> bytes:
        """The row."""
        return _STATE.pack(*self)


def read_state(row: bytes | None) -> State:
    """What `State.packed` wrote, or that of a new store.

    Raises:
        StoreDamaged: it has another length.
    """
    if row is None:
        return State()
    if len(row) != _STATE.size:
        raise StoreDamaged("the state of the cache has another length")
    return State._make(_STATE.unpack(row))


def write_origin(origin: Origin) -> bytes:
    """The row of an origin."""
    return json.dumps(list(origin), separators=(",", ":")).encode("ascii")


def read_origin(row: bytes | None) -> Origin | None:
    """What `write_origin` wrote; None: it is damaged, or not there."""
    if row is None:
        return None
    try:
        parts: Any = json.loads(row)
    except ValueError:
        return None
    if type(parts) is not list or len(parts) != len(Origin._fields):
        return None
    is_whole = all(type(part) is str for part in parts[1:]) and type(parts[0]) in (str, type(None))
    return Origin._make(parts) if is_whole else None


def maybe_number(number: float) -> float | None:
    """NaN, which stands for what is not known, as None."""
    return number if number == number else None


def number_or_nan(number: float | None) -> float:
    """None as NaN."""
    return nan if number is None else number
