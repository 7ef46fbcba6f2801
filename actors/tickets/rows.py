"""How tickets lie in LMDB.

    meta       "format"                         → FORMAT
    tickets    id                               → the record (`actors.tickets.codec`)
    payloads   id "/" part                      → bytes of request, result, error
    order      scope, class, created, id        → (empty)     for lists, newest first
    expiry     expires, id                      → (empty)     for forgetting
    journal    (kept free for the journals of runs, whose entries commit together with records)

A scope is a tenant, as a digest since a name may be longer than a key, or everyone. A class is one letter for a
state; dead letters have their own. Times are microseconds since the epoch in 8 bytes, so that they sort. Each
row of `order` stands once for its tenant and once for everyone.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

import lmdb

from actors.tickets.errors import StoreDamaged, StoreError, StoreFull, StoreMissing
from actors.tickets.ticket import Part, State, Ticket

FORMAT: Final = b"1"
#: more than there are, so that a later version can add some
MAX_DATABASES: Final = 16
#: processes and threads that read at the same time
MAX_READERS: Final = 1024
#: LMDB's own file in the folder
DATA_FILE: Final = "data.mdb"

EVERYONE: Final = bytes(16)
DEAD: Final = b"x"
CLASSES: Final[dict[State, bytes]] = {
    "working": b"w",
    "input_required": b"i",
    "completed": b"c",
    "failed": b"f",
    "cancelled": b"k",
}
_TIME: Final = 8

#: what a write says that finds no room; EIO, as if the disk failed, when there was room for some of the bytes
_NO_ROOM: Final = frozenset((errno.EFBIG, errno.ENOSPC, errno.EDQUOT, errno.EIO))


class Databases(NamedTuple):
    """The handles of the sub-databases."""

    meta: lmdb._Database
    tickets: lmdb._Database
    payloads: lmdb._Database
    order: lmdb._Database
    expiry: lmdb._Database


def open_databases(env: lmdb.Environment, *, create: bool) -> Databases:
    """The sub-databases of an environment.

    Raises:
        StoreMissing: they are not there.
    """
    try:
        return Databases(*[env.open_db(name.encode(), create=create) for name in Databases._fields])
    except (lmdb.NotFoundError, lmdb.ReadonlyError) as exc:
        raise StoreMissing(f"there are no tickets in `{env.path()}`") from exc


def check_format(found: bytes | None, folder: Path) -> None:
    """Whether this version can read the folder.

    Raises:
        StoreDamaged: it cannot.
    """
    if found != FORMAT:
        got = "none" if found is None else ascii(found.decode("latin-1"))
        raise StoreDamaged(
            f"the tickets in `{folder}` have another format: expected {FORMAT.decode()}, got {got}; "
            "use the version that wrote them"
        )


def scope_of(tenant: str | None) -> bytes:
    """The first part of keys of the index; None: everyone."""
    return EVERYONE if tenant is None else blake2b(tenant.encode("utf-8"), digest_size=16).digest()


def class_of(ticket: Ticket) -> bytes:
    """The letter that the index has for a ticket."""
    return DEAD if ticket.dead else CLASSES[ticket.state]


def classes(state: State | None, dead: bool | None) -> list[bytes]:
    """The letters to look at for tickets of that state, dead or not; None: any."""
    living = list(CLASSES.values()) if state is None else [CLASSES[state]]
    if dead is None:
        return [*living, DEAD] if state in (None, "failed") else living
    return [DEAD] if dead and state in (None, "failed") else [] if dead else living


def time_key(seconds: float) -> bytes:
    """A time as a part of a key."""
    return int(seconds * 1e6).to_bytes(_TIME)


def place_of(ticket: Ticket) -> bytes:
    """The part of an index key that orders a list."""
    return time_key(ticket.created_at) + ticket.id.encode()


def index_keys(ticket: Ticket) -> tuple[bytes, bytes]:
    """The rows of the index for a ticket."""
    rest = class_of(ticket) + place_of(ticket)
    return scope_of(ticket.tenant) + rest, EVERYONE + rest


def expiry_key(ticket: Ticket) -> bytes | None:
    """The row that has a ticket forgotten; None: it has not ended."""
    return None if ticket.expires_at is None else time_key(ticket.expires_at) + ticket.id.encode()


def id_of(place: bytes) -> str:
    """The id in a part of a key that begins with a time."""
    return place[_TIME:].decode("ascii")


def payload_key(ticket_id: str, part: Part) -> bytes:
    """The key of a request, result or error."""
    return f"{ticket_id}/{part}".encode()


def backwards(cursor: lmdb.Cursor[bytes], prefix: bytes, before: bytes) -> Iterator[bytes]:
    """What follows `prefix` in the keys that begin with it, from the last one below prefix + `before` down."""
    found = cursor.set_range(prefix + before)
    found = cursor.prev() if found else cursor.last()
    while found and (key := cursor.key()).startswith(prefix):
        yield key[len(prefix) :]
        found = cursor.prev()


def translated(exc: lmdb.Error, folder: Path) -> StoreError:
    """The error of ours that one of LMDB stands for."""
    code = getattr(exc, "code", 0)
    if code in _NO_ROOM:
        broken = ", or the disk failed" if code == errno.EIO else ""
        return StoreFull(
            f"no room left to write tickets in `{folder}`{broken}; nothing committed before is lost"
        )
    if isinstance(
        exc, (lmdb.CorruptedError, lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.PageNotFoundError)
    ):
        return StoreDamaged(f"the tickets in `{folder}` are damaged, or not of this format: {exc}")
    return StoreError(f"cannot use the tickets in `{folder}`: {exc}")
