"""Which modules go when a store is to be made smaller, and how they go.

First what has expired, then what was not used for the longest time. What goes is a blob, with all records that
refer to it: to remove one of two records of the same bytes would free nothing. A blob was last used when any
of its records was. Blobs that no record refers to go in any case, and so does what is damaged; rows that the
indexes lack are added.

A use that is yet to come, by more than `SLACK_S`, was noted under a clock that was wrong: it does not count, so
that it does not keep a module for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from actors.caches.l4 import rows
from actors.caches.l4.rows import Databases, StoredModule

#: how far ahead of now a use may be, and be believed, seconds: clocks are set by that much
SLACK_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection removed, or would remove."""

    #: in the order in which they went
    removed: tuple[StoredModule, ...] = ()
    #: of the blobs that went, those without a record too
    freed_bytes: int = 0
    #: of the blobs that are left
    kept_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that is in a store."""

    #: whole modules
    modules: Sequence[StoredModule]
    #: length of each blob by its content hash; 0: it is damaged
    blobs: Mapping[str, int]
    #: keys of rows that belong to no whole module, by table
    left_over: Mapping[str, Collection[bytes]] = field(default_factory=dict)
    #: keys of rows that whole modules should have in the indexes, and have not, by table
    missing: Mapping[str, Collection[bytes]] = field(default_factory=dict)


def contents(txn: Any, databases: Databases) -> Contents:
    """All that is in a store, as a transaction sees it."""
    modules: list[StoredModule] = []
    damaged: set[bytes] = set()
    for id in _keys(txn, databases.records):
        row = rows.record(txn, databases, id)
        module = rows.module(txn, databases, id, None if row is None else rows.decoded(id, row))
        if module is None:
            damaged.add(id)
        else:
            modules.append(module)
    ids = {bytes.fromhex(module.id): module.manifest for module in modules}
    due = {
        "by_interface": {rows.interface_key(manifest, id) for id, manifest in ids.items()},
        "by_content": {rows.content_key(manifest, id) for id, manifest in ids.items()},
    }
    found = {table: set(_keys(txn, getattr(databases, table))) for table in due}
    left_over = {table: found[table] - due[table] for table in due}
    left_over |= {"records": damaged, "uses": set(_keys(txn, databases.uses)) - ids.keys()}
    return Contents(
        modules=modules,
        blobs={key.hex(): rows.blob_size(txn, databases, key) or 0 for key in _keys(txn, databases.blobs)},
        left_over=left_over,
        missing={table: due[table] - found[table] for table in due},
    )


def plan(found: Contents, size_bytes: int, now: float, keep: Collection[str] = ()) -> Collected:
    """What goes so that the blobs that are left take no more than `size_bytes`, if `keep` lets it.

    Args:
        keep: ids of modules that stay, even if they have expired.
    """
    by_content: dict[str, list[StoredModule]] = {}
    gone: list[StoredModule] = []
    for module in sorted(found.modules, key=lambda module: (_end(module), module.id)):
        if module.id not in keep and _end(module) < now:
            gone.append(module)
        else:
            by_content.setdefault(module.manifest.content_hash, []).append(module)
    left = {content: found.blobs.get(content, 0) for content in by_content}
    kept_bytes = sum(left.values())
    for content in _least_recent(by_content, now):
        if kept_bytes <= size_bytes:
            break
        if left[content] and not any(module.id in keep for module in by_content[content]):
            gone += sorted(by_content[content], key=lambda module: (_used(module, now), module.id))
            kept_bytes -= left.pop(content)
    freed = sum(size for content, size in found.blobs.items() if content not in left)
    return Collected(removed=tuple(gone), freed_bytes=freed, kept_bytes=kept_bytes)


def carry_out(txn: Any, databases: Databases, found: Contents, chosen: Collected) -> bool:
    """Remove what `plan` has chosen and what belongs to nothing, and mend indexes; whether it did."""
    changed = False
    for table, keys in found.missing.items():
        for key in sorted(keys):
            changed |= txn.put(key, b"", db=getattr(databases, table))
    for table, keys in found.left_over.items():
        for key in sorted(keys):
            changed |= txn.delete(key, db=getattr(databases, table))
    changed |= delete(txn, databases, chosen.removed)
    gone = {module.id for module in chosen.removed}
    used = {module.manifest.content_hash for module in found.modules if module.id not in gone}
    for content in found.blobs.keys() - used:
        changed |= txn.delete(bytes.fromhex(content), db=databases.blobs)
    return changed


def delete(txn: Any, databases: Databases, modules: Iterable[StoredModule]) -> bool:
    """Remove the rows of modules, but not their blobs; whether there were any."""
    changed = False
    for module in modules:
        id = bytes.fromhex(module.id)
        changed |= txn.delete(id, db=databases.records)
        txn.delete(rows.interface_key(module.manifest, id), db=databases.by_interface)
        txn.delete(rows.content_key(module.manifest, id), db=databases.by_content)
        txn.delete(id, db=databases.uses)
    return changed


def is_referred_to(txn: Any, databases: Databases, content: bytes) -> bool:
    """Whether a whole record refers to a blob."""
    for id in list(rows.ids_under(txn, databases.by_content, content)):
        row = rows.record(txn, databases, id)
        found = None if row is None else rows.decoded(id, row)
        if found is not None and found[0].content_hash == content.hex():
            return True
    return False


def _keys(txn: Any, database: Any) -> list[bytes]:
    return list(map(bytes, txn.cursor(database).iternext(keys=True, values=False)))


def _least_recent(by_content: Mapping[str, list[StoredModule]], now: float) -> list[str]:
    """Content hashes, the one that was not used for the longest time first."""
    used = {content: max(_used(module, now) for module in of) for content, of in by_content.items()}
    return sorted(by_content, key=lambda content: (used[content], content))


def _used(module: StoredModule, now: float) -> float:
    """When a module was last used, or else made, seconds since the epoch."""
    for at in (module.used_at, module.manifest.created_at):
        if at is not None and at <= now + SLACK_S:
            return min(at, now)
    return 0.0


def _end(module: StoredModule) -> float:
    end = module.manifest.not_after
    return float("inf") if end is None else end
