"""How modules lie in LMDB. Hashes are their 32 bytes; numbers in keys are big-endian, so that they sort.

    meta          "format" → FORMAT; "state" → generation
    records       id of a module               → manifest and signature: `ModuleManifest.encode`
    blobs         content hash                 → length and its checksum, then the bytes of the module
    by_interface  interface hash, version, id  → (empty)
    by_content    content hash, id             → (empty)
    uses          id                           → when the module was last used

Nothing that is read is believed. A record must hash to its id, and what the other tables say of it is compared
with it; a blob is only as long as it says, and whoever uses it compares its hash. So whatever is damaged is not
found, and nothing else is found in its place. Lengths are compared before anything is copied, so that a damaged
one leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from math import isfinite
from struct import Struct
from typing import Any, Final, NamedTuple
from zlib import crc32

import lmdb

from actors.caches.disk.shared import SharedSchema
from actors.caches.l4.errors import ModuleRefused
from actors.caches.l4.manifest import ModuleManifest, decode_manifest

FORMAT: Final = b"rtfs l4 1"
HASH_BYTES: Final = 32
#: the longest record, bytes
MAX_RECORD_BYTES: Final = 1 << 18
#: records whose manifests are kept in memory: to decode one takes some 100 µs
_MOST_DECODED: Final = 256

_VERSION: Final = Struct(">Q")
_CHECKSUM: Final = Struct(">I")
_LENGTH: Final = Struct(">QI")
_NUMBER: Final = Struct(">Q")
_TIME: Final = Struct(">d")
_DIGITS: Final = frozenset("0123456789abcdef")


class Databases(NamedTuple):
    """The handles of the sub-databases."""

    meta: lmdb._Database
    records: lmdb._Database
    blobs: lmdb._Database
    by_interface: lmdb._Database
    by_content: lmdb._Database
    uses: lmdb._Database


SCHEMA: Final = SharedSchema(format=FORMAT, databases=Databases)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModule:
    """What a store says of a module."""

    #: SHA-256, hex, of `manifest.encode(signature)`: the address of the record
    id: str
    manifest: ModuleManifest
    signature: bytes
    #: of its blob, bytes; 0: there is none, or none that is whole
    size: int
    #: when it was last used, seconds since the epoch; None: not yet
    used_at: float | None


# ---------------------------------------------------------------- keys


def digest_of(text: str) -> bytes | None:
    """The bytes of a hash in hex; None: it is none."""
    is_one = isinstance(text, str) and len(text) == 2 * HASH_BYTES and _DIGITS.issuperset(text)
    return bytes.fromhex(text) if is_one else None


def id_of(row: bytes) -> bytes:
    """The address of a record."""
    return sha256(row).digest()


def interface_key(manifest: ModuleManifest, id: bytes) -> bytes:
    """The key of a module in `by_interface`."""
    return bytes.fromhex(manifest.interface_hash) + _VERSION.pack(manifest.version) + id


def content_key(manifest: ModuleManifest, id: bytes) -> bytes:
    """The key of a module in `by_content`."""
    return bytes.fromhex(manifest.content_hash) + id


def ids_under(txn: Any, database: lmdb._Database, digest: bytes) -> Iterator[bytes]:
    """Ids at the end of the keys of an index that begin with `digest`."""
    cursor = txn.cursor(database)
    if cursor.set_range(digest):
        for view in cursor.iternext(keys=True, values=False):
            key = bytes(view)
            if not key.startswith(digest):
                return
            yield key[-HASH_BYTES:]


# ---------------------------------------------------------------- records


def record(txn: Any, databases: Databases, id: bytes) -> bytes | None:
    """The bytes under an id, whatever they are; None: there are none, or none that a record can be."""
    view = txn.get(id, db=databases.records)
    return None if view is None or len(view) > MAX_RECORD_BYTES else bytes(view)


def decoded(id: bytes, row: bytes) -> tuple[ModuleManifest, bytes] | None:
    """Manifest and signature of a record; None: it is damaged."""
    return _decoded(row) if id_of(row) == id else None


@lru_cache(_MOST_DECODED)
def _decoded(row: bytes) -> tuple[ModuleManifest, bytes] | None:
    try:
        return decode_manifest(row)
    except ModuleRefused:  # written by something else
        return None


def module(
    txn: Any, databases: Databases, id: bytes, found: tuple[ModuleManifest, bytes] | None
) -> StoredModule | None:
    """What is said of a module whose record is decoded."""
    if found is None:
        return None
    manifest, signature = found
    return StoredModule(
        id=id.hex(),
        manifest=manifest,
        signature=signature,
        size=blob_size(txn, databases, bytes.fromhex(manifest.content_hash)) or 0,
        used_at=read_use(txn, databases, id),
    )


# ---------------------------------------------------------------- blobs


def blob_size(txn: Any, databases: Databases, digest: bytes) -> int | None:
    """The length of a blob, bytes; None: there is none, or its length cannot be believed."""
    view = txn.get(digest, db=databases.blobs)
    return None if view is None else _length(digest, view)


def blob(txn: Any, databases: Databases, digest: bytes) -> bytes | None:
    """The bytes of a module as they are stored; None: there are none, or their length cannot be believed."""
    view = txn.get(digest, db=databases.blobs)
    if view is None or _length(digest, view) is None:
        return None
    return bytes(view[_LENGTH.size :])


def write_blob(txn: Any, databases: Databases, digest: bytes, data: bytes) -> None:
    """Store the bytes of a module."""
    length = _NUMBER.pack(len(data))
    head = length + _CHECKSUM.pack(crc32(length, crc32(digest)))
    txn.put(digest, head + data, db=databases.blobs)


def _length(digest: bytes, view: Any) -> int | None:
    if len(view) < _LENGTH.size:
        return None
    head = bytes(view[: _LENGTH.size])
    length, checksum = _LENGTH.unpack(head)
    is_right = checksum == crc32(head[: _NUMBER.size], crc32(digest))
    return int(length) if is_right and len(view) == _LENGTH.size + length else None


# ---------------------------------------------------------------- uses and state


def write_use(txn: Any, databases: Databases, id: bytes, at: float) -> None:
    """Note when a module was used."""
    body = _TIME.pack(at)
    txn.put(id, body + _CHECKSUM.pack(crc32(body, crc32(id))), db=databases.uses)


def read_use(txn: Any, databases: Databases, id: bytes) -> float | None:
    """When a module was last used; None: it was not, or that is damaged."""
    view = txn.get(id, db=databases.uses)
    if view is None or len(view) != _TIME.size + _CHECKSUM.size:
        return None
    row = bytes(view)
    body = row[: _TIME.size]
    if row[_TIME.size :] != _CHECKSUM.pack(crc32(body, crc32(id))):
        return None
    at = float(_TIME.unpack(body)[0])
    return at if isfinite(at) else None


def write_generation(txn: Any, databases: Databases, number: int) -> None:
    """Note the number of the state that the transaction makes."""
    body = _NUMBER.pack(number)
    txn.put(b"state", body + _CHECKSUM.pack(crc32(body)), db=databases.meta)


def read_generation(txn: Any, databases: Databases) -> int | None:
    """The number of the state; None: there is none, or it is damaged."""
    view = txn.get(b"state", db=databases.meta)
    row = b"" if view is None or len(view) != _LENGTH.size else bytes(view)
    body = row[: _NUMBER.size]
    if not row or row[_NUMBER.size :] != _CHECKSUM.pack(crc32(body)):
        return None
    return int(_NUMBER.unpack(body)[0])
