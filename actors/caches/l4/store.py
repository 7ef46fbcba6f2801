"""The store of modules: manifests with their signatures, and the bytes that they speak of, by hash.

What is stored never changes: a record is found by the hash of its own bytes, and so is a blob, which records of
the same bytes share. Any process may read, and publish: see `SharedFolder`.

Nothing here says that a module may be trusted. A record that does not hash to its id is not there; whoever uses
a module compares the hash of its blob, and checks its signature.

Reads never raise: what cannot be read is not there, and is told in the log, once.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Final, Self

from actors.caches.disk.shared import SharedFolder, Version
from actors.caches.errors import StoreError, StoreMissing
from actors.caches.l4 import collecting, rows
from actors.caches.l4.collecting import Collected as Collected
from actors.caches.l4.collecting import Contents
from actors.caches.l4.errors import ModuleRefused
from actors.caches.l4.manifest import ModuleManifest, content_hash, decode_manifest
from actors.caches.l4.rows import Databases
from actors.caches.l4.rows import StoredModule as StoredModule
from rtfs.errors import StorageError

_log = logging.getLogger("rtfs.caches")

MAP_BYTES: Final = 1 << 24
MAX_MAP_BYTES: Final = 1 << 36
#: files up to this size are walked before they are opened, bytes
WALKED_BYTES: Final = 1 << 28
#: what a module takes beside its blob, with all its rows and the pages that a commit copies, about, bytes
_OVERHEAD_BYTES: Final = 1 << 16
#: how long a note of uses waits for other writers, seconds
_USE_WAIT_S: Final = 0.1
#: warnings that are remembered, so that they are not given again
_MOST_WARNINGS: Final = 1024
#: generations begin anywhere below this: those of a folder that is made anew are others than before
_GENERATIONS: Final = 1 << 48


class ModuleStore:
    """The modules in a folder, which need not be there yet. Safe to use from many threads.

    Args:
        map_bytes: the least size of LMDB's map when it is written.
        max_map_bytes: the file never grows beyond.
    """

    def __init__(self, folder: Path, *, map_bytes: int = MAP_BYTES, max_map_bytes: int = MAX_MAP_BYTES) -> None:
        self.folder = folder
        self._shared: SharedFolder[Databases] = SharedFolder(
            folder, rows.SCHEMA, map_bytes=map_bytes, max_map_bytes=max_map_bytes, walked_bytes=WALKED_BYTES
        )
        self._warned: set[str] = set()
        #: the generation that was read last, and of which state it is
        self._known: tuple[Version, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        self._shared.close()

    # ------------------------------------------------------------ to read

    @property
    def generation(self) -> int:
        """Another number after every change of the modules by any process; 0: there is nothing to read."""
        try:
            version = self._shared.version()
            known = self._known
            if known is not None and known[0] == version:
                return known[1]
            number = self._shared.read(rows.read_generation)
        except StoreError as error:
            self._warn(error)
            return 0
        # what was committed between the two looks only has the number read once more
        number = version.transaction if number is None else number
        self._known = version, number
        return number

    def all(self) -> list[StoredModule]:
        """All modules, in the order of their ids."""

        def ids(txn: Any, databases: Databases) -> list[bytes]:
            return [bytes(key) for key in txn.cursor(databases.records).iternext(keys=True, values=False)]

        return self._modules(ids)

    def of_interface(self, interface_hash: str) -> tuple[StoredModule, ...]:
        """The modules for an interface, the highest version first, of the same version the youngest."""
        digest = rows.digest_of(interface_hash)
        if digest is None:
            return ()
        found = self._modules(lambda txn, databases: list(rows.ids_under(txn, databases.by_interface, digest)))
        of_it = [module for module in found if module.manifest.interface_hash == interface_hash]
        of_it.sort(key=lambda module: (module.manifest.version, module.manifest.created_at, module.id))
        return tuple(reversed(of_it))

    def get(self, id: str) -> StoredModule | None:
        """The module with an id; None: there is none, or none that is whole."""
        digest = rows.digest_of(id)
        if digest is None:
            return None
        found = self._modules(lambda _txn, _databases: [digest])
        return found[0] if found else None

    def blob(self, content_hash: str) -> bytes | None:
        """The bytes that are stored under a hash, to be compared with it; None: there are none."""
        digest = rows.digest_of(content_hash)
        if digest is None:
            return None
        return self._read(lambda txn, databases: rows.blob(txn, databases, digest))

    def _modules(self, ids: Callable[[Any, Databases], list[bytes]]) -> list[StoredModule]:
        """The whole modules among `ids`. They are decoded while nothing is locked."""

        def read(txn: Any, databases: Databases) -> list[tuple[bytes, bytes | None]]:
            return [(id, rows.record(txn, databases, id)) for id in ids(txn, databases)]

        found = {}
        for id, row in self._read(read) or ():
            if row is not None:
                found[id] = rows.decoded(id, row)
                if found[id] is None:
                    self._warn(f"the module {id.hex()} in `{self.folder}` is damaged; it is not used")

        def complete(txn: Any, databases: Databases) -> list[StoredModule | None]:
            return [rows.module(txn, databases, id, each) for id, each in found.items()]

        modules = self._read(complete) if found else None
        return [module for module in modules or () if module is not None]

    def _read[R](self, work: Callable[[Any, Databases], R]) -> R | None:
        """What `work` says; None: nothing can be read."""
        try:
            return self._shared.read(work)
        except StoreError as error:
            self._warn(error)
            return None

    def _warn(self, what: StoreError | str) -> None:
        """Say what is wrong, once. That there is no store yet is nothing wrong."""
        if isinstance(what, StoreMissing):
            return
        text = str(what)
        if text not in self._warned and len(self._warned) < _MOST_WARNINGS:
            self._warned.add(text)
            _log.warning("%s", text)

    # ------------------------------------------------------------ to write

    def put(self, manifest: ModuleManifest, signature: bytes, blob: bytes) -> StoredModule:
        """Keep a module; what is there under its id already is as good.

        Raises:
            ModuleRefused: `damaged`: the blob is another than the manifest says, or the manifest is none.
            StoreInUse: others wrote to the folder for too long.
            StoreFull: no room. Nothing was changed.
            StoreError: the folder cannot be used, or holds what is damaged or something else.
        """
        row = _record_of(manifest, signature)
        if content_hash(blob) != manifest.content_hash:
            raise ModuleRefused(
                "damaged", f"expected bytes of hash {manifest.content_hash}, got {content_hash(blob)}"
            )
        id, content = rows.id_of(row), bytes.fromhex(manifest.content_hash)
        for known in self.of_interface(manifest.interface_hash):
            if known.id == id.hex() and self.blob(manifest.content_hash) == blob:
                return known

        def write(txn: Any, databases: Databases) -> StoredModule | None:
            txn.put(id, row, db=databases.records)
            txn.put(rows.interface_key(manifest, id), b"", db=databases.by_interface)
            txn.put(rows.content_key(manifest, id), b"", db=databases.by_content)
            if rows.blob(txn, databases, content) != blob:
                rows.write_blob(txn, databases, content, blob)
            _count_up(txn, databases)
            return rows.module(txn, databases, id, (manifest, signature))

        stored = self._shared.write(write, nbytes=len(blob) + len(row) + _OVERHEAD_BYTES)
        assert stored is not None
        return stored

    def used(self, ids: Iterable[str], now: float) -> None:
        """Note that modules were used, if that can be done at once.

        Args:
            now: seconds since the epoch.
        """
        digests = {digest for digest in map(rows.digest_of, ids) if digest is not None}

        def write(txn: Any, databases: Databases) -> None:
            for id in sorted(digests):
                if rows.record(txn, databases, id) is not None:
                    rows.write_use(txn, databases, id, now)

        def are_there(txn: Any, databases: Databases) -> bool:
            return any(rows.record(txn, databases, id) is not None for id in digests)

        try:
            if self._shared.read(are_there):
                self._shared.write(write, wait_s=_USE_WAIT_S)
        except StoreError as error:
            _log.debug("the use of modules was not noted: %s", error)

    def remove(self, ids: Iterable[str]) -> int:
        """Remove modules, and the blobs that no other one has; how many there were. Raises as `put`."""
        digests = sorted({digest for digest in map(rows.digest_of, ids) if digest is not None})

        def write(txn: Any, databases: Databases) -> int:
            count = sum(_removed(txn, databases, id) for id in digests)
            if count:
                _count_up(txn, databases)
            return count

        return self._changed(write, 0) if digests else 0

    def collect(
        self, size_bytes: int, now: float, keep: Collection[str] = (), *, dry_run: bool = False
    ) -> Collected:
        """Remove what has expired, what belongs to nothing, and then the least recently used.

        Args:
            size_bytes: what the blobs that are left may take.
            now: seconds since the epoch.
            keep: ids of modules that stay in any case.
            dry_run: change nothing; only say what would be removed.

        Raises:
            StoreError: as `put`.
        """
        keep = frozenset(keep)

        def look(txn: Any, databases: Databases) -> tuple[Contents, Collected]:
            found = collecting.contents(txn, databases)
            return found, collecting.plan(found, size_bytes, now, keep)

        def write(txn: Any, databases: Databases) -> Collected:
            found, chosen = look(txn, databases)
            if collecting.carry_out(txn, databases, found, chosen):
                _count_up(txn, databases)
            return chosen

        if dry_run:
            try:
                return self._shared.read(look)[1]
            except StoreMissing:
                return Collected()
        return self._changed(write, Collected())

    def _changed[R](self, write: Callable[[Any, Databases], R], otherwise: R) -> R:
        """What `write` says; `otherwise` if there is nothing to be changed, and no folder is made for it."""
        try:
            self._shared.version()
        except StoreMissing:
            return otherwise
        return self._shared.write(write)


def _record_of(manifest: ModuleManifest, signature: bytes) -> bytes:
    """The bytes of a record that can be read again. Raises ModuleRefused."""
    try:
        row = manifest.encode(signature)
    except StorageError as error:  # a number of more than 64 bits
        raise ModuleRefused(
            "damaged", f"the manifest of `{manifest.symbol}` cannot be stored: {error}"
        ) from error
    if len(row) > rows.MAX_RECORD_BYTES:
        raise ModuleRefused(
            "damaged",
            f"the manifest of `{manifest.symbol}` is too long: expected at most {rows.MAX_RECORD_BYTES} bytes, "
            f"got {len(row)}",
        )
    if decode_manifest(row) != (manifest, signature):
        raise ModuleRefused("damaged", f"the manifest of `{manifest.symbol}` is another when it is read again")
    return row


def _count_up(txn: Any, databases: Databases) -> None:
    number = rows.read_generation(txn, databases)
    rows.write_generation(txn, databases, 1 + (secrets.randbelow(_GENERATIONS) if number is None else number))


def _removed(txn: Any, databases: Databases, id: bytes) -> bool:
    """Whether there was a record under an id, which is gone now."""
    row = rows.record(txn, databases, id)
    module = rows.module(txn, databases, id, None if row is None else rows.decoded(id, row))
    if module is None:
        return bool(txn.delete(id, db=databases.records))
    collecting.delete(txn, databases, [module])
    content = bytes.fromhex(module.manifest.content_hash)
    if not collecting.is_referred_to(txn, databases, content):
        txn.delete(content, db=databases.blobs)
    return True
