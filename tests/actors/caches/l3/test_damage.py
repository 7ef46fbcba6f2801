"""Files that are flipped, cut, swapped or gone: what is damaged is not given, and nobody gets an error."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from actors.caches.disk.files import DATA_FILE, MAX_DATABASES
from actors.caches.disk.owned import OwnedFolder
from actors.caches.errors import StoreFull
from actors.caches.l3 import rows
from actors.caches.l3.graph import Graph
from actors.caches.l3.store import SemanticStore

COUNT = 150


@pytest.fixture
def full(folder: Path, stores: Any) -> Path:
    """A folder with entries, evidence, and an index."""
    store = stores.open(folder)
    for n in range(COUNT):
        stores.add(store, n, evidence=str(n).encode())
    assert store.settle()
    store.close()
    return folder


def flip(path: Path, at: int, bit: int = 3) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def index_file(folder: Path) -> Path:
    (found,) = (folder / "indexes").iterdir()
    return found


def changed(folder: Path, change: Callable[[Any, rows.Databases], object]) -> None:
    """Something is written past the store."""
    env = lmdb.open(str(folder), max_dbs=MAX_DATABASES)
    databases = rows.SCHEMA.open(env, create=False)
    with env.begin(write=True) as txn:
        change(txn, databases)
    env.close()


def all_right(store: SemanticStore, stores: Any) -> int:
    """How many entries are found; none may be another than it was."""
    count = 0
    for n in range(COUNT):
        for near in store.search(stores.partition, stores.vector(n), 3, -1.0):
            number = int.from_bytes(near.entry.key)
            assert near.entry.texts == (stores.text(number),)
            assert near.entry.evidence == str(number).encode()
            assert near.similarity == pytest.approx(float(stores.vector(number) @ stores.vector(n)), abs=1e-5)
        count += stores.nearest(store, n) == stores.text(n)
    return count


# ---------------------------------------------------------------- LMDB


def test_flipped_bits_anywhere_in_the_file(full: Path, tmp_path: Path, stores: Any) -> None:
    size, chance = (full / DATA_FILE).stat().st_size, random.Random(4)
    found = []
    for number in range(16):
        folder = tmp_path / str(number)
        shutil.copytree(full, folder)
        for _ in range(3):
            flip(folder / DATA_FILE, chance.randrange(size), chance.randrange(8))
        store = stores.open(folder)
        found.append(all_right(store, stores))
        store.flush()  # which drops what was found damaged, and counts it
        assert found[-1] == COUNT or store.began_anew or store.stats.damaged or store.verify().damaged
        store.close()
    assert max(found) == COUNT
    assert min(found) < COUNT


def test_a_damaged_entry_is_dropped_and_the_others_are_found(full: Path, stores: Any) -> None:
    path = full / DATA_FILE
    data = path.read_bytes()
    for old in (stores.text(77).encode(), stores.vector(78).tobytes()):  # in pages that are free, too
        data = data.replace(old, old[:5] + bytes([old[5] ^ 1]) + old[6:])
    path.write_bytes(data)
    store = stores.open(full)
    assert store.verify().damaged == 2
    assert all_right(store, stores) == COUNT - 2
    store.flush()
    assert (store.stats.damaged, store.size) == (2, COUNT - 2)
    assert stores.add(store, 77) is not None
    assert stores.nearest(store, 77) == stores.text(77)
    assert store.verify().problems == ()


def test_damaged_evidence_goes_with_its_entry(full: Path, stores: Any) -> None:
    changed(full, lambda txn, dbs: txn.put((5).to_bytes(8), b"????more", db=dbs.evidence))
    changed(full, lambda txn, dbs: txn.delete((6).to_bytes(8), db=dbs.evidence))
    store = stores.open(full)
    assert [problem.id for problem in store.verify().problems] == [(5).to_bytes(8), (6).to_bytes(8)]
    assert all_right(store, stores) == COUNT - 2
    store.flush()
    assert store.size == COUNT - 2


def test_rows_that_changed_places(full: Path, stores: Any) -> None:
    def swap(txn: Any, dbs: rows.Databases) -> None:
        one, other = (txn.get(n.to_bytes(8), db=dbs.entries) for n in (5, 6))
        txn.put((5).to_bytes(8), other, db=dbs.entries)
        txn.put((6).to_bytes(8), one, db=dbs.entries)

    changed(full, swap)
    store = stores.open(full)
    assert all_right(store, stores) == COUNT - 2


def test_rows_that_are_missing_are_told(full: Path, stores: Any) -> None:
    def drop(txn: Any, dbs: rows.Databases) -> None:
        for table in (dbs.members, dbs.order, dbs.expiry, dbs.by_key, dbs.by_origin):
            cursor = txn.cursor(table)
            cursor.first()
            cursor.delete()
        txn.put(b"m" * 40, b"", db=dbs.members)
        txn.put(b"m" * 40, b"", db=dbs.expiry)
        txn.put(b"n" * 40, b"", db=dbs.expiry)

    changed(full, drop)
    store = stores.open(full)
    verdict = store.verify()
    told = "; ".join(problem.text for problem in verdict.problems)
    for table in ("members", "order", "expiry", "by_key", "by_origin"):
        assert f"`{table}`" in told
    assert verdict.left_over == {"expiry": 1}


@pytest.mark.parametrize("left", [0, 100, 5_000, 30_000])
def test_a_file_that_was_cut_begins_anew(full: Path, stores: Any, left: int) -> None:
    (full / DATA_FILE).write_bytes((full / DATA_FILE).read_bytes()[:left])
    store = stores.open(full)
    assert (store.size, all_right(store, stores)) == (0, 0)
    assert list((full / "indexes").iterdir()) == []
    stores.add(store, 1)
    assert stores.nearest(store, 1) == stores.text(1)


def test_a_file_that_is_cut_while_it_is_open_is_not_read(full: Path, stores: Any) -> None:
    store = stores.open(full)
    assert stores.nearest(store, 1) == stores.text(1)
    data = (full / DATA_FILE).read_bytes()
    os.truncate(full / DATA_FILE, 8_192)
    store._records._look_at = 0.0
    assert stores.nearest(store, 1) is None
    stores.add(store, 500)
    store.flush()
    assert store.stats.failures > 0
    assert (store.size, store.entries(), store.partitions()) == (0, [], [])
    (full / DATA_FILE).write_bytes(data)


def test_another_format_begins_anew(full: Path, stores: Any) -> None:
    changed(full, lambda txn, dbs: txn.put(b"format", b"rtfs l3 9", db=dbs.meta))
    assert stores.open(full).began_anew


def test_a_damaged_state_begins_anew(full: Path, stores: Any) -> None:
    changed(full, lambda txn, dbs: txn.put(b"state", b"x" * 44, db=dbs.meta))
    assert stores.open(full).began_anew


# ---------------------------------------------------------------- indexes


def test_flipped_bits_anywhere_in_an_index(full: Path, stores: Any) -> None:
    chance, data = random.Random(5), index_file(full).read_bytes()
    for _ in range(4):
        name = index_file(full)
        flip(name, chance.randrange(len(data)), chance.randrange(8))
        store = stores.open(full)
        assert [problem.id for problem in store.verify().problems] == [None]
        assert all_right(store, stores) == COUNT
        assert store.stats.damaged == 1
        assert store.settle()
        store.close()
        assert index_file(full) != name  # it was built and saved anew


@pytest.mark.parametrize("length", [0, 50, 5_000])
def test_an_index_that_was_cut(full: Path, stores: Any, length: int) -> None:
    index_file(full).write_bytes(index_file(full).read_bytes()[:length])
    store = stores.open(full)
    assert all_right(store, stores) == COUNT
    assert store.settle()
    assert store.verify().problems == ()


def test_an_index_that_is_gone(full: Path, stores: Any) -> None:
    index_file(full).unlink()
    store = stores.open(full)
    assert "cannot be read" in store.verify().problems[0].text
    assert all_right(store, stores) == COUNT


def test_files_that_belong_to_nothing_are_deleted(full: Path, stores: Any) -> None:
    (full / "indexes" / "left.new").write_bytes(b"over")
    stores.open(full)
    assert len(list((full / "indexes").iterdir())) == 1


def test_an_index_of_other_vectors_gives_no_wrong_entry(full: Path, stores: Any) -> None:
    """Whatever the index says, what is given is as near as it is said to be."""
    store = stores.open(full)
    place = store._shelf.get(stores.partition)
    graph = Graph(16)
    vectors = np.stack([stores.vector(n) for n in range(COUNT)])
    graph.add(range(5, COUNT + 5), vectors)  # those of others, and some that are no entries
    place.begin(graph, ())
    assert "has not 4 entries" in store.verify().problems[0].text
    for n in range(COUNT):
        for near in store.search(stores.partition, stores.vector(n), 3, -1.0):
            number = int.from_bytes(near.entry.key)
            assert near.entry.texts == (stores.text(number),)
            assert near.similarity == pytest.approx(float(stores.vector(number) @ stores.vector(n)), abs=1e-5)
    store.flush()
    assert store.size == COUNT
    assert store.stats.damaged == 0


def test_an_index_of_another_partition_gives_none_of_its_entries(full: Path, stores: Any) -> None:
    store = stores.open(full)
    other = b"o" * 32
    for n in range(1_000, 1_100):
        stores.add(store, n, partition=other)
    store.settle()
    place = store._shelf.get(other)
    foreign = Graph(16)
    foreign.add(range(1, COUNT + 1), np.stack([stores.vector(n) for n in range(COUNT)]))
    place.begin(foreign, ())
    assert all(store.search(other, stores.vector(n), 5, -1.0) == [] for n in range(0, COUNT, 10))
    store.flush()
    assert all_right(store, stores) == COUNT


def test_a_disk_that_was_full_when_it_was_opened_is_read(
    full: Path, stores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StoreFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(OwnedFolder, "commit", fail)
        store = stores.open(full)
        assert all_right(store, stores) == COUNT
        with pytest.raises(StoreFull):
            stores.open(full.with_name("other"), embedder_version="e2").clear()
    assert all_right(store, stores) == COUNT


def test_a_large_file_in_a_small_map_is_no_damage(full: Path, stores: Any) -> None:
    store = stores.open(full, map_bytes=1 << 12)
    assert all_right(store, stores) == COUNT
    stores.add(store, 1_000)
    store.flush()
    assert (store.began_anew, store.size) == (False, COUNT + 1)
