"""Modules are stored by what they are, shared, found by interface and version, and never changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import lmdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.caches.disk import shared
from actors.caches.disk.writer_lock import only_writer, release
from actors.caches.errors import StoreError, StoreFull, StoreInUse
from actors.caches.l4.errors import ModuleRefused
from actors.caches.l4.manifest import ModuleManifest, content_hash
from actors.caches.l4.store import ModuleStore, StoredModule

NOWHERE = "00" * 32
SIGNATURE = b"s" * 64


def manifest(blob: bytes, **changes: Any) -> ModuleManifest:
    fields: dict[str, Any] = {
        "symbol": "f",
        "interface_hash": "ab" * 32,
        "body_hash": "cd" * 32,
        "parameter_types": ("int", "string"),
        "return_type": "int",
        "language_version": "2.0",
        "kind": "IrBinary",
        "content_hash": content_hash(blob),
        "version": 1,
        "created_at": 1.0,
        "key_id": "ef" * 16,
    }
    return ModuleManifest(**(fields | changes))


def put(store: ModuleStore, blob: bytes, **changes: Any) -> StoredModule:
    return store.put(manifest(blob, **changes), SIGNATURE, blob)


@pytest.fixture
def store(folder: Path) -> Iterator[ModuleStore]:
    with ModuleStore(folder) as opened:
        yield opened


# ---------------------------------------------------------------- round trips


def test_what_is_put_is_there(store: ModuleStore) -> None:
    stored = put(store, b"bytes of it")
    assert stored.manifest == manifest(b"bytes of it")
    assert (stored.signature, stored.size, stored.used_at) == (SIGNATURE, 11, None)
    assert store.get(stored.id) == stored
    assert store.all() == [stored]
    assert store.of_interface("ab" * 32) == (stored,)
    assert store.blob(stored.manifest.content_hash) == b"bytes of it"


def test_the_id_is_the_hash_of_the_record(store: ModuleStore) -> None:
    stored = put(store, b"x")
    assert stored.id == content_hash(stored.manifest.encode(SIGNATURE))


def test_it_is_there_again(folder: Path) -> None:
    with ModuleStore(folder) as store:
        stored = put(store, b"x")
    with ModuleStore(folder) as store:
        assert store.get(stored.id) == stored
        assert store.blob(content_hash(b"x")) == b"x"


texts = st.text(max_size=30)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
times = st.floats(0.0, 1e11)
manifests = st.builds(
    ModuleManifest,
    symbol=texts,
    interface_hash=digests,
    body_hash=digests,
    parameter_types=st.lists(texts, max_size=3).map(tuple),
    return_type=texts,
    language_version=texts,
    kind=st.sampled_from(["WasmBytecode", "CompressedRtfsSource", "IrBinary"]),
    content_hash=digests,
    version=st.integers(1, (1 << 63) - 1),
    created_at=times,
    not_after=st.none() | times,
    description=texts,
    source=texts,
    embedder=texts,
    embedding=st.binary(max_size=20),
    key_id=texts,
)


@given(manifests, st.binary(max_size=80), st.binary(max_size=9000))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_put_is_there(
    store: ModuleStore, said: ModuleManifest, signature: bytes, blob: bytes
) -> None:
    said = replace(said, content_hash=content_hash(blob))
    stored = store.put(said, signature, blob)
    assert (stored.manifest, stored.signature, stored.size) == (said, signature, len(blob))
    assert store.get(stored.id) == stored
    assert stored in store.of_interface(said.interface_hash)
    assert store.blob(said.content_hash) == blob


# ---------------------------------------------------------------- nothing there


def test_a_folder_that_is_not_there_is_empty(
    folder: Path, store: ModuleStore, caplog: pytest.LogCaptureFixture
) -> None:
    assert (store.all(), store.of_interface("ab" * 32), store.generation) == ([], (), 0)
    assert store.get(NOWHERE) is None
    assert store.blob(NOWHERE) is None
    store.used([NOWHERE], 1.0)
    assert store.remove([NOWHERE]) == 0
    assert store.collect(0, 1.0) == store.collect(0, 1.0, dry_run=True)
    assert not folder.exists()
    assert caplog.records == []


def test_it_is_seen_as_soon_as_it_is_there(folder: Path, store: ModuleStore) -> None:
    assert store.all() == []
    with ModuleStore(folder) as other:
        stored = put(other, b"x")
    assert store.all() == [stored]


@pytest.mark.parametrize("name", ["", "x", "zz" * 32, "AB" * 32, "ab" * 31, "ab" * 33, "../" * 20])
def test_what_is_no_hash_is_not_there(store: ModuleStore, name: str) -> None:
    put(store, b"x")
    assert store.get(name) is None
    assert store.blob(name) is None
    assert store.of_interface(name) == ()
    assert store.remove([name]) == 0
    store.used([name], 1.0)


def test_a_closed_store_is_empty(store: ModuleStore) -> None:
    stored = put(store, b"x")
    store.close()
    store.close()
    assert (store.all(), store.get(stored.id), store.generation) == ([], None, 0)
    with pytest.raises(StoreError, match="is closed"):
        put(store, b"y")


# ---------------------------------------------------------------- sharing and versions


def test_the_same_again_changes_nothing(store: ModuleStore) -> None:
    stored = put(store, b"x")
    store.used([stored.id], 7.0)
    before = store.generation
    assert put(store, b"x") == replace(stored, used_at=7.0)
    assert store.generation == before
    assert len(store.all()) == 1


def test_a_blob_is_stored_once(store: ModuleStore) -> None:
    blob = os.urandom(300_000)
    for version in range(1, 20):
        put(store, blob, version=version)
    assert len(store.all()) == 19
    assert sum(path.stat().st_size for path in store.folder.glob("data.mdb")) < 2 * len(blob)


def test_another_signature_is_another_module(store: ModuleStore) -> None:
    one = store.put(manifest(b"x"), b"one", b"x")
    other = store.put(manifest(b"x"), b"other", b"x")
    assert one.id != other.id
    assert {each.signature for each in store.all()} == {b"one", b"other"}


def test_the_highest_version_is_first(store: ModuleStore) -> None:
    for version in (3, 300, 1, 1 << 62, 20):
        put(store, b"%d" % version, version=version)
    put(store, b"young", version=20, created_at=9.0)
    put(store, b"other", version=1000, interface_hash="ac" * 32)
    found = store.of_interface("ab" * 32)
    assert [each.manifest.version for each in found] == [1 << 62, 300, 20, 20, 3, 1]
    assert [each.manifest.created_at for each in found[2:4]] == [9.0, 1.0]
    assert len(store.of_interface("ac" * 32)) == 1
    assert store.of_interface("ad" * 32) == ()


# ---------------------------------------------------------------- what is refused


def test_a_blob_of_another_hash_is_refused(store: ModuleStore) -> None:
    with pytest.raises(ModuleRefused, match="damaged: expected bytes of hash") as refused:
        store.put(manifest(b"x"), SIGNATURE, b"y")
    assert refused.value.reason == "damaged"
    assert store.all() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": 1},
        {"created_at": float("inf")},
        {"version": 0},
        {"version": 1 << 64},
        {"interface_hash": "AB" * 32},
        {"kind": "Elf"},
    ],
)
def test_a_manifest_that_could_not_be_read_again_is_refused(
    store: ModuleStore, changes: dict[str, Any]
) -> None:
    with pytest.raises(ModuleRefused) as refused:
        put(store, b"x", **changes)
    assert refused.value.reason == "damaged"
    assert store.all() == []


def test_a_manifest_has_a_greatest_length(store: ModuleStore) -> None:
    with pytest.raises(ModuleRefused, match="is too long: expected at most 262144 bytes"):
        put(store, b"x", description="x" * (1 << 18))
    long = put(store, b"x", description="x" * (1 << 17))
    assert store.get(long.id) == long


# ---------------------------------------------------------------- removal, use, generation


def test_a_removed_module_is_gone_with_its_blob(store: ModuleStore) -> None:
    one, other = put(store, b"x"), put(store, b"y")
    store.used([one.id], 3.0)
    assert store.remove([one.id, one.id, NOWHERE]) == 1
    assert (store.get(one.id), store.blob(content_hash(b"x"))) == (None, None)
    assert store.of_interface("ab" * 32) == (other,)
    assert put(store, b"x") == one  # and not used yet


def test_a_shared_blob_stays_for_the_other(store: ModuleStore) -> None:
    one, two = put(store, b"x"), put(store, b"x", version=2)
    assert store.remove([one.id]) == 1
    assert store.blob(content_hash(b"x")) == b"x"
    assert store.remove([two.id]) == 1
    assert store.blob(content_hash(b"x")) is None


def test_uses_are_noted(store: ModuleStore) -> None:
    one, other = put(store, b"x"), put(store, b"y")
    store.used([one.id, NOWHERE], 5.5)
    store.used(iter([]), 6.0)
    found = {each.id: each.used_at for each in store.all()}
    assert found == {one.id: 5.5, other.id: None}
    store.used([one.id], 4.0)  # the clock was set back; what it says now is what counts
    assert store.of_interface("ab" * 32)[0].used_at in (4.0, None)


def test_the_generation_is_another_after_each_change(store: ModuleStore) -> None:
    seen = [store.generation]

    def is_another() -> bool:
        seen.append(store.generation)
        return seen[-1] not in seen[:-1] and store.generation == seen[-1]

    one = put(store, b"x")
    assert is_another()
    put(store, b"y")
    assert is_another()
    store.remove([one.id])
    assert is_another()
    store.collect(0, 1.0, dry_run=True)
    store.remove([one.id])
    assert not is_another()
    store.collect(0, 1.0)
    seen.pop()
    assert is_another()
    store.used([put(store, b"z").id], 1.0)
    seen.append(store.generation)
    store.used([put(store, b"z").id], 2.0)
    assert not is_another()


def test_a_folder_that_was_made_anew_has_another_generation(folder: Path) -> None:
    seen = set()
    for _ in range(3):
        with ModuleStore(folder) as store:
            put(store, b"x")
            seen.add(store.generation)
        for path in folder.iterdir():
            path.unlink()
    assert len(seen) == 3


# ---------------------------------------------------------------- room


def test_the_map_grows(folder: Path) -> None:
    with ModuleStore(folder, map_bytes=1 << 18) as small, ModuleStore(folder) as reader:
        stored = [put(small, os.urandom(200_000), version=n) for n in range(1, 12)]
        assert all(reader.get(each.id) == each for each in stored)
        assert {each.manifest.version for each in small.all()} == set(range(1, 12))


def test_a_full_map_is_told_and_nothing_is_changed(folder: Path) -> None:
    with ModuleStore(folder, map_bytes=1 << 18, max_map_bytes=1 << 20) as store:
        stored: list[StoredModule] = []

        def fill() -> None:
            for version in range(1, 100):
                stored.append(put(store, os.urandom(100_000), version=version))

        with pytest.raises(StoreFull, match="fills the room"):
            fill()
        assert len(stored) > 5
        assert sorted(store.all(), key=lambda each: each.manifest.version) == stored
        assert all(store.blob(each.manifest.content_hash) is not None for each in stored)
        assert store.remove([stored[0].id, stored[1].id]) == 2
        put(store, b"small")


def test_a_full_disk_is_told(store: ModuleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = put(store, b"x")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StoreFull):
        put(store, b"y")
    assert store.all() == [stored]
    monkeypatch.undo()
    put(store, b"y")


# ---------------------------------------------------------------- others in the same process


def test_who_writes_waits_for_others_and_then_says_so(
    store: ModuleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "WAIT_S", 0.05)
    stored = put(store, b"x")
    lock = only_writer(store.folder)
    with pytest.raises(StoreInUse, match="try again"):
        put(store, b"y")
    store.used([stored.id], 1.0)  # is given up
    assert store.get(stored.id) == stored
    release(lock)
    put(store, b"y")


def test_threads_publish_and_read_at_once(folder: Path) -> None:
    stores = [ModuleStore(folder) for _ in range(2)]
    barrier, wrong = Barrier(6), []

    def publish(number: int) -> None:
        barrier.wait()
        for turn in range(10):
            blob = b"%d" % (turn % 5 if number % 2 else turn)
            stored = put(stores[number % 2], blob, version=turn + 1)
            if stores[1 - number % 2].get(stored.id) != stored:
                wrong.append(stored)

    def read() -> None:
        barrier.wait()
        for _ in range(60):
            for each in stores[0].all():
                if (
                    content_hash(stores[1].blob(each.manifest.content_hash) or b"")
                    != each.manifest.content_hash
                ):
                    wrong.append(each)

    threads = [Thread(target=publish, args=(number,)) for number in range(4)]
    threads += [Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(stores[0].all()) == 15
    for store in stores:
        store.close()


# ---------------------------------------------------------------- other folders


def test_a_folder_of_something_else_is_left_as_it_is(
    folder: Path, store: ModuleStore, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    with lmdb.open(str(folder), max_dbs=4) as env, env.begin(write=True) as txn:
        txn.put(b"theirs", b"1", db=env.open_db(b"entries", txn=txn))
    before = (folder / "data.mdb").read_bytes()
    assert (store.all(), store.get(NOWHERE), store.generation) == ([], None, 0)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    with pytest.raises(StoreError, match="holds other things than are kept here; use another folder"):
        put(store, b"x")
    with pytest.raises(StoreError):
        store.collect(0, 1.0)
    assert (folder / "data.mdb").read_bytes() == before


def test_a_folder_of_another_format_is_left_as_it_is(
    folder: Path, store: ModuleStore, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, b"x")
    store.close()
    with lmdb.open(str(folder), max_dbs=16) as env, env.begin(write=True) as txn:
        txn.put(b"format", b"rtfs l4 2", db=env.open_db(b"meta", txn=txn))
    before = (folder / "data.mdb").read_bytes()
    with ModuleStore(folder) as later:
        assert (later.all(), later.generation, later.all()) == ([], 0, [])
        assert len(caplog.records) == 1
        with pytest.raises(StoreError, match="another format: expected b'rtfs l4 1', got b'rtfs l4 2'"):
            put(later, b"y")
    assert (folder / "data.mdb").read_bytes() == before


def test_a_folder_that_was_deleted_and_made_anew_is_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "FOLLOW_S", 0.0)
    with ModuleStore(folder) as store:
        put(store, b"x")
        for path in folder.iterdir():
            path.unlink()
        assert store.all() == []
        stored = put(store, b"y")
        assert store.all() == [stored]


def test_a_folder_that_cannot_be_is_empty_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with ModuleStore(tmp_path / "file" / "l4") as store:
        assert (store.all(), store.generation, store.all()) == ([], 0, [])
        assert len(caplog.records) == 1
        with pytest.raises(StoreError, match="Not a directory"):
            put(store, b"x")
