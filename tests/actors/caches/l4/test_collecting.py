"""What goes when a store is made smaller, and what stays."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.caches.disk.files import MAX_DATABASES
from actors.caches.l4 import rows
from actors.caches.l4.collecting import Collected, Contents, plan
from actors.caches.l4.manifest import ModuleManifest, content_hash
from actors.caches.l4.store import ModuleStore, StoredModule

NOW = 1000.0
SIGNATURE = b"s" * 64


def manifest(blob: bytes, **changes: Any) -> ModuleManifest:
    fields: dict[str, Any] = {
        "symbol": "f",
        "interface_hash": "ab" * 32,
        "body_hash": "cd" * 32,
        "parameter_types": (),
        "return_type": "int",
        "language_version": "2.0",
        "kind": "IrBinary",
        "content_hash": content_hash(blob),
        "version": 1,
        "created_at": 1.0,
        "key_id": "ef" * 16,
    }
    return ModuleManifest(**(fields | changes))


def put(store: ModuleStore, blob: bytes, **changes: Any) -> str:
    return store.put(manifest(blob, **changes), SIGNATURE, blob).id


def blob_of(number: int, length: int = 100) -> bytes:
    return random.Random(number).randbytes(length)


def ids(found: Collected) -> list[str]:
    return [module.id for module in found.removed]


@pytest.fixture
def store(folder: Path) -> Iterator[ModuleStore]:
    with ModuleStore(folder) as opened:
        yield opened


def rows_of(folder: Path, store: ModuleStore) -> dict[str, list[bytes]]:
    """Keys of all tables; the store is closed."""
    store.close()
    with lmdb.open(str(folder), max_dbs=MAX_DATABASES) as env:
        databases = rows.SCHEMA.open(env, create=False)
        with env.begin() as txn:
            return {
                table: list(txn.cursor(getattr(databases, table)).iternext(keys=True, values=False))
                for table in databases._fields
                if table != "meta"
            }


def changed(folder: Path, change: Callable[[Any, rows.Databases], object]) -> None:
    """Something is written past the store."""
    with lmdb.open(str(folder), max_dbs=MAX_DATABASES) as env:
        databases = rows.SCHEMA.open(env, create=False)
        with env.begin(write=True) as txn:
            change(txn, databases)


# ---------------------------------------------------------------- what goes first


def test_nothing_goes_that_fits(store: ModuleStore) -> None:
    for number in range(5):
        put(store, blob_of(number))
    before = store.generation
    assert store.collect(500, NOW) == Collected(removed=(), freed_bytes=0, kept_bytes=500)
    assert (len(store.all()), store.generation) == (5, before)


def test_the_least_recently_used_go_until_the_rest_fits(store: ModuleStore) -> None:
    made = [put(store, blob_of(number), created_at=float(number)) for number in range(5)]
    store.used([made[0]], 50.0)  # made first, used last
    found = store.collect(250, NOW)
    assert ids(found) == [made[1], made[2], made[3]]
    assert (found.freed_bytes, found.kept_bytes) == (300, 200)
    assert {each.id for each in store.all()} == {made[0], made[4]}
    assert store.blob(content_hash(blob_of(1))) is None


def test_what_has_expired_goes_first_and_in_any_case(store: ModuleStore) -> None:
    old = put(store, blob_of(1), created_at=1.0)
    later = put(store, blob_of(2), created_at=500.0, not_after=NOW - 1.0)
    soon = put(store, blob_of(3), created_at=600.0, not_after=NOW - 2.0)
    put(store, blob_of(4), created_at=2.0, not_after=NOW)
    assert ids(store.collect(10_000, NOW)) == [soon, later]
    assert ids(store.collect(100, NOW)) == [old]


def test_what_is_pinned_stays(store: ModuleStore) -> None:
    expired = put(store, blob_of(1), not_after=2.0)
    old = put(store, blob_of(2), created_at=1.0)
    young = put(store, blob_of(3), created_at=9.0)
    found = store.collect(0, NOW, [expired, old])
    assert ids(found) == [young]
    assert (found.freed_bytes, found.kept_bytes) == (100, 200)
    assert {each.id for each in store.all()} == {expired, old}


def test_a_blob_of_a_pinned_module_stays_and_with_it_what_frees_nothing(store: ModuleStore) -> None:
    pinned = put(store, blob_of(1), version=1)
    other = put(store, blob_of(1), version=2)
    assert store.collect(0, NOW, [pinned]) == Collected(removed=(), freed_bytes=0, kept_bytes=100)
    assert {each.id for each in store.all()} == {pinned, other}
    assert store.blob(content_hash(blob_of(1))) == blob_of(1)


def test_a_shared_blob_was_used_when_any_of_its_modules_was(store: ModuleStore) -> None:
    one = put(store, blob_of(1), created_at=1.0)
    two = put(store, blob_of(1), created_at=9.0, version=2)
    single = put(store, blob_of(2), created_at=5.0)
    assert ids(store.collect(100, NOW)) == [single]
    assert ids(store.collect(99, NOW)) == [one, two]
    assert store.all() == []


def test_an_expired_module_leaves_the_blob_to_another(store: ModuleStore) -> None:
    expired = put(store, blob_of(1), not_after=5.0)
    put(store, blob_of(1), version=2)
    found = store.collect(100, NOW)
    assert (ids(found), found.freed_bytes, found.kept_bytes) == ([expired], 0, 100)
    assert store.blob(content_hash(blob_of(1))) == blob_of(1)


def test_a_use_that_is_yet_to_come_keeps_nothing(store: ModuleStore) -> None:
    """The clock was years ahead when it was noted, and was set back."""
    ahead = put(store, blob_of(1), created_at=1.0)
    made_ahead = put(store, blob_of(2), created_at=9e9)
    right = put(store, blob_of(3), created_at=2.0)
    store.used([ahead], 8e9)
    store.used([right], NOW)
    assert ids(store.collect(100, NOW)) == [made_ahead, ahead]


def test_a_clock_that_was_set_back_a_little_forgets_no_use(store: ModuleStore) -> None:
    used = put(store, blob_of(1), created_at=1.0)
    made = put(store, blob_of(2), created_at=NOW - 5.0)
    store.used([used], NOW + 60.0)
    assert ids(store.collect(100, NOW)) == [made]


def test_what_had_expired_before_the_clock_was_set_back_stays_out(store: ModuleStore) -> None:
    put(store, blob_of(1), not_after=NOW)
    assert store.collect(100, NOW - 1.0).removed == ()
    assert len(store.collect(100, NOW + 1.0).removed) == 1
    assert store.collect(100, NOW - 1.0).removed == ()
    assert store.all() == []


# ---------------------------------------------------------------- what belongs to nothing


def test_a_blob_without_a_record_goes(folder: Path, store: ModuleStore) -> None:
    put(store, blob_of(1))
    store.close()
    orphan = blob_of(2)
    changed(folder, lambda txn, dbs: rows.write_blob(txn, dbs, bytes.fromhex(content_hash(orphan)), orphan))
    with ModuleStore(folder) as again:
        assert again.collect(1000, NOW, dry_run=True).freed_bytes == 100
        before = again.generation
        found = again.collect(1000, NOW)
        assert (found.removed, found.freed_bytes, found.kept_bytes) == ((), 100, 100)
        assert again.generation != before
        assert again.blob(content_hash(orphan)) is None
        assert len(again.all()) == 1


def test_damaged_records_and_rows_of_none_go(folder: Path, store: ModuleStore) -> None:
    whole = put(store, blob_of(1))
    damaged = bytes.fromhex(put(store, blob_of(2), version=2))
    store.used([damaged.hex()], 5.0)
    store.close()

    def damage(txn: Any, dbs: rows.Databases) -> None:
        row = bytearray(txn.get(damaged, db=dbs.records))
        row[-1] ^= 1
        txn.put(damaged, bytes(row), db=dbs.records)
        for table in (dbs.by_interface, dbs.by_content, dbs.uses):
            txn.put(b"q" * 72, b"", db=table)
        txn.put(b"short", b"", db=dbs.blobs)

    changed(folder, damage)
    with ModuleStore(folder) as again:
        found = again.collect(1000, NOW)
        assert (found.removed, found.freed_bytes, found.kept_bytes) == ((), 100, 100)
        assert [each.id for each in again.all()] == [whole]
        left = rows_of(folder, again)
    assert {table: len(keys) for table, keys in left.items()} == {
        "records": 1, "blobs": 1, "by_interface": 1, "by_content": 1, "uses": 0,
    }  # fmt: skip


def test_rows_that_an_index_lacks_are_added(folder: Path, store: ModuleStore) -> None:
    one, two = put(store, blob_of(1)), put(store, blob_of(1), version=2)
    gone = put(store, blob_of(2), version=3, not_after=5.0)
    whole = rows_of(folder, store)

    def lose(txn: Any, dbs: rows.Databases) -> None:
        for table in (dbs.by_interface, dbs.by_content):
            txn.drop(table, delete=False)

    changed(folder, lose)
    with ModuleStore(folder) as again:
        assert again.of_interface("ab" * 32) == ()
        assert ids(again.collect(1000, NOW)) == [gone]
        assert [each.id for each in again.of_interface("ab" * 32)] == [two, one]
        again.remove([one])
        assert again.blob(content_hash(blob_of(1))) == blob_of(1)
        assert put(again, blob_of(1)) == one
        assert put(again, blob_of(2), version=3, not_after=5.0) == gone
        assert rows_of(folder, again) == whole


def test_nothing_is_left_of_what_went(folder: Path, store: ModuleStore) -> None:
    made = [put(store, blob_of(number)) for number in range(20)]
    store.used(made, 5.0)
    assert len(store.collect(0, NOW).removed) == 20
    assert set(map(len, rows_of(folder, store).values())) == {0}


# ---------------------------------------------------------------- only to look


def test_a_dry_run_says_the_same_and_changes_nothing(folder: Path, store: ModuleStore) -> None:
    made = [put(store, blob_of(number), created_at=float(number)) for number in range(5)]
    before, generation = (folder / "data.mdb").read_bytes(), store.generation
    dry = store.collect(250, NOW, made[:1], dry_run=True)
    assert (folder / "data.mdb").read_bytes() == before
    assert (len(store.all()), store.generation) == (5, generation)
    assert len(dry.removed) == 3
    assert store.collect(250, NOW, made[:1]) == dry


# ---------------------------------------------------------------- properties


def used_of(module: StoredModule) -> float:
    return module.manifest.created_at if module.used_at is None else module.used_at


module = st.tuples(
    st.integers(0, 5),  # its blob
    st.integers(0, 3),  # made at
    st.none() | st.integers(0, 30),  # used at
    st.none() | st.integers(0, 20),  # not after
    st.booleans(),  # pinned
)


@given(st.lists(module, max_size=12), st.integers(0, 200), st.integers(0, 25))
@settings(max_examples=60, deadline=None)
def test_whatever_there_is(
    made: list[tuple[int, int, int | None, int | None, bool]], room: int, now: int
) -> None:
    modules = []
    for number, (blob, at, used, end, _) in enumerate(made):
        said = manifest(
            b"%d" % blob,
            created_at=float(at),
            not_after=None if end is None else float(end),
            version=number + 1,
        )
        modules.append(
            StoredModule(
                id=f"{number:064x}",
                manifest=said,
                signature=SIGNATURE,
                size=10 + blob,
                used_at=None if used is None else float(used),
            )
        )
    blobs = {content_hash(b"%d" % blob): 10 + blob for blob in range(6)}  # some have no record
    keep = {module.id for module, of in zip(modules, made, strict=True) if of[4]}
    found = plan(Contents(modules=modules, blobs=blobs), room, float(now), keep)

    gone = set(ids(found))
    left = [module for module in modules if module.id not in gone]
    of_left = {module.manifest.content_hash for module in left}
    assert len(gone) == len(found.removed)
    assert not gone & keep
    assert found.kept_bytes == sum(blobs[content] for content in of_left)
    assert found.freed_bytes == sum(blobs.values()) - found.kept_bytes
    ended = [
        module
        for module in modules
        if module.manifest.not_after is not None and module.manifest.not_after < now
    ]
    assert {module.id for module in ended} - keep <= gone
    if found.kept_bytes > room:  # nothing is left that could go
        held = {module.manifest.content_hash for module in left if module.id in keep}
        assert of_left == held
    evicted = [module for module in found.removed if module not in ended]
    if evicted:  # the last one had to go
        last = evicted[-1].manifest.content_hash
        assert found.kept_bytes + blobs[last] > room
        newest: dict[str, float] = {}
        for module in [*left, *evicted]:
            content = module.manifest.content_hash
            newest[content] = max(newest.get(content, 0.0), min(used_of(module), float(now)))
        free = of_left - {module.manifest.content_hash for module in left if module.id in keep}
        assert all(
            newest[module.manifest.content_hash] <= newest[content] for module in evicted for content in free
        )
