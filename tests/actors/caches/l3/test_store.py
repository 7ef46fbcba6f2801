"""The store on real files: what is added is found, in order, until it is removed, expires, or has to go."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.caches.clock import SteadyClock
from actors.caches.errors import InvalidCache, StoreError, StoreInUse
from actors.caches.l3 import rows
from actors.caches.l3.store import SemanticStore
from actors.caches.layer import CacheConfig, Origin, Which
from policies.file.schema import Eviction

OTHER = b"o" * 32

# ---------------------------------------------------------------- what is added is found


@pytest.mark.parametrize("count", [20, 200])
def test_neighbours_come_in_order_with_all_that_was_said_of_them(
    store: SemanticStore, stores: Any, count: int
) -> None:
    ids = [stores.add(store, n, ttl_s=50.0, age_s=5.0) for n in range(count)]
    stores.add(store, 7, partition=OTHER, key=bytes(32))
    assert store.settle()
    query = stores.vector(count + 1)
    cosines = sorted(((float(stores.vector(n) @ query), n) for n in range(count)), reverse=True)
    found = store.search(stores.partition, 3 * query, 5, -1.0)  # its length is nothing
    assert [near.entry.id for near in found] == [ids[n] for _, n in cosines[:5]]
    assert np.allclose([near.similarity for near in found], [cosine for cosine, _ in cosines[:5]], atol=1e-6)
    entry = store.search(stores.partition, stores.vector(7))[0].entry
    assert (entry.id, entry.partition, entry.key) == (ids[7], stores.partition, (7).to_bytes(32))
    assert (entry.texts, entry.origin, entry.evidence) == ((stores.text(7),), Origin(None, "f", "m", "1"), b"")
    assert entry.expires_us - entry.created_us == 55_000_000
    assert np.allclose(entry.vector, stores.vector(7))


def test_what_is_less_near_is_not_given(store: SemanticStore, stores: Any) -> None:
    for n in range(100):
        stores.add(store, n)
    found = store.search(stores.partition, stores.vector(5), 50, 0.3)
    assert 1 <= len(found) < 50
    assert all(near.similarity >= 0.3 for near in found)
    assert store.search(stores.partition, stores.vector(5), 0) == []
    assert store.search(OTHER, stores.vector(5)) == []
    assert (store.stats.hits, store.stats.misses) == (1, 2)


def test_what_is_added_is_found_before_it_is_committed(
    store: SemanticStore, stores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store._committer.committing:  # nobody commits
        id = stores.add(store, 1)
        store.set_evidence(id, b"learnt")
        assert stores.nearest(store, 1) == stores.text(1)
        found = store.get(id)
        assert found is not None
        assert found.evidence == b"learnt"
        assert store.size == 1
        assert store._records.entries() == 0
    store.flush()
    assert (store.size, store._records.entries()) == (1, 1)


def test_it_is_committed_soon(store: SemanticStore, stores: Any) -> None:
    stores.add(store, 1)
    done = threading.Event()
    while store._records.entries() == 0:
        assert not done.wait(0.005)


def test_a_restart_finds_all_of_it(folder: Path, stores: Any) -> None:
    store = stores.open(folder)
    ids = [stores.add(store, n, evidence=str(n).encode()) for n in range(200)]
    stores.add(store, 300, texts=("two", "\ud800 texts", ""), partition=OTHER)
    assert store.settle()
    store.set_evidence(ids[9], b"more")
    store.close()
    again = stores.open(folder)
    assert not again.began_anew
    assert [stores.nearest(again, n) for n in range(200)] == [stores.text(n) for n in range(200)]
    place = again._shelf.peek(stores.partition)
    assert (place.waiting, again._shelf.damaged) == (0, 0)  # the index was used
    assert {again.get(ids[n]).evidence for n in (8, 9)} == {b"8", b"more"}
    assert again.search(OTHER, stores.vector(300))[0].entry.texts == ("two", "\ud800 texts", "")
    assert again.verify().problems == ()


def test_what_came_after_the_index_was_saved_is_found(folder: Path, stores: Any) -> None:
    store = stores.open(folder)
    for n in range(100):
        stores.add(store, n)
    store.settle()
    store.close()
    store = stores.open(folder)
    for n in range(100, 110):
        stores.add(store, n)
    removed = store.search(stores.partition, stores.vector(3), 1)[0].entry.id
    assert store.remove(removed)
    store.settle()
    for place in store._shelf.all():
        place.saved()  # as if there had been no time to
    store.close()
    store = stores.open(folder)
    assert [n for n in range(110) if stores.nearest(store, n) is None] == [3]
    assert store.verify().problems == ()


def test_the_same_call_takes_the_place_of_the_older_one(store: SemanticStore, stores: Any) -> None:
    older = stores.add(store, 1, evidence=b"old")
    store.flush()
    newer = stores.add(store, 1)
    found = store.search(stores.partition, stores.vector(1), 5)
    assert [near.entry.id for near in found] == [newer]
    store.flush()
    assert (store.get(older), store.size) == (None, 1)
    assert store.verify().problems == ()


# ---------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    "vector",
    [
        np.ones(15, np.float32),
        np.ones((1, 16), np.float32),
        np.zeros(16, np.float32),
        np.full(16, np.nan, np.float32),
        np.array([np.inf] + 15 * [0], np.float32),
    ],
)
def test_vectors_that_cannot_be(store: SemanticStore, stores: Any, vector: Any) -> None:
    with pytest.raises(InvalidCache, match="expected a vector"):
        stores.add(store, 1, vector=vector)
    with pytest.raises(InvalidCache, match="expected a vector"):
        store.search(stores.partition, vector)
    assert store.size == 0


def test_other_arguments_that_cannot_be(folder: Path, store: SemanticStore, stores: Any) -> None:
    cannot_be: list[dict[str, Any]] = [
        {"partition": b"short"},
        {"key": b"short"},
        {"evidence": bytes(1 << 17)},
        {"ttl_s": -1.0},
        {"ttl_s": float("nan")},
        {"age_s": -1.0},
    ]
    for changes in cannot_be:
        with pytest.raises(InvalidCache):
            stores.add(store, 1, **changes)
    with pytest.raises(InvalidCache):
        store.invalidate(Which())
    with pytest.raises(InvalidCache):
        stores.open(folder / "other", dimensions=0)
    assert stores.add(store, 1, texts=("x" * (1 << 21),)) is None
    assert store.stats.refused == 1


# ---------------------------------------------------------------- removed, invalidated, expired


def test_what_is_removed_is_gone_at_once(store: SemanticStore, stores: Any) -> None:
    ids = [stores.add(store, n) for n in range(100)]
    store.settle()
    with store._committer.committing:
        waiting = stores.add(store, 200)
        for id, number in ((ids[5], 5), (waiting, 200)):
            assert store.remove(id)
            assert not store.remove(id)
            assert (store.get(id), stores.nearest(store, number)) == (None, None)
    store.flush()
    assert store.size == 99
    assert stores.nearest(store, 6) == stores.text(6)
    verdict = store.verify()
    assert (verdict.problems, verdict.left_over) == ((), {})


def test_entries_are_invalidated_by_what_they_are_of(store: SemanticStore, stores: Any) -> None:
    for n in range(90):
        stores.add(store, n, model="abc"[n % 3], partition=bytes([n % 3]) * 32)
    assert store.partitions(Which(model="b")) == [b"\x01" * 32]
    assert sorted(store.partitions()) == [bytes([n]) * 32 for n in range(3)]
    assert len(store.entries(Which(model="b"))) == 30
    assert len(store.entries(Which(model="b"), limit=7)) == 7
    assert len(store.entries(partition=b"\x02" * 32)) == 30
    assert store.invalidate(Which(model="b", version="2")) == 0
    assert store.invalidate(Which(model="b", tenant=None)) == 30
    assert store.invalidate(Which(key=(3).to_bytes(32))) == 1
    assert [stores.nearest(store, n, bytes([n % 3]) * 32) is None for n in range(6)] == [
        False, True, False, True, True, False,
    ]  # fmt: skip
    assert store.partitions(Which(model="b")) == []
    assert store.clear() == 59
    assert (store.size, store.entries()) == (0, [])
    assert stores.nearest(store, 2, b"\x02" * 32) is None
    stores.add(store, 2, partition=b"\x02" * 32)
    assert stores.nearest(store, 2, b"\x02" * 32) == stores.text(2)
    verdict = store.verify()
    assert (verdict.problems, verdict.left_over) == ((), {})


@pytest.mark.parametrize("which", [Which(input=bytes(16)), Which(input=bytes(16), model="m")])
def test_of_which_input_an_entry_is_only_l2_knows(store: SemanticStore, stores: Any, which: Which) -> None:
    stores.add(store, 1)
    for of_input in (store.invalidate, store.entries, store.partitions):
        with pytest.raises(
            InvalidCache, match="got an input, which L3 does not know; remove its answers from L2"
        ):
            of_input(which)
    assert store.size == 1


@pytest.mark.parametrize("count", [30, 300])
def test_what_has_expired_is_not_found_and_is_swept(folder: Path, stores: Any, clocks: Any, count: int) -> None:
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    store = stores.open(folder, clock=clock)
    for n in range(count):
        stores.add(store, n, ttl_s=10.0 if n % 10 else 100.0)
    store.settle()
    clocks.pass_by(50.0)
    left = {f"{stores.text(n)}" for n in range(0, count, 10)}
    found = store.search(stores.partition, stores.vector(5), len(left), -1.0)  # the nearest have expired
    assert {near.entry.texts[0] for near in found} == left
    assert len(store.entries()) == len(left)
    stores.add(store, 1000)
    store.flush()
    store.flush()
    while store.size > len(left) + 1:
        store._committer._sweep()
    assert store.stats.expirations == count - len(left)
    assert store.verify().problems == ()
    store.close()
    clocks.day -= 86_400
    again = stores.open(folder, clock=SteadyClock(clocks.wall, clocks.monotonic))
    assert (again.size, again.began_anew) == (0, True)  # nothing has an age any more


# ---------------------------------------------------------------- room


@pytest.mark.parametrize("eviction", ["lru", "lfu", "fifo", "random", "ttl"])
def test_entries_and_bytes_are_bounded(folder: Path, stores: Any, eviction: Eviction) -> None:
    each = rows.ENTRY_OVERHEAD_BYTES + 250
    config = CacheConfig(size_entries=50, size_bytes=40 * each, eviction=eviction)
    store = stores.open(folder, config=config, graph_from=30)
    for n in range(200):
        stores.add(store, n)
        if n % 20 == 19:
            store.flush()
            assert store.size <= 50
            assert store.stats.nbytes <= 40 * each
    assert store.settle()
    stats = store.stats
    assert (stats.stores, stats.entries + stats.evictions) == (200, 200)
    assert sum(stores.nearest(store, n) == stores.text(n) for n in range(200)) == stats.entries
    verdict = store.verify()
    assert (verdict.problems, verdict.left_over) == ((), {})


@pytest.mark.parametrize(("eviction", "gone"), [("lru", 1), ("lfu", 1), ("fifo", 0), ("ttl", 2)])
def test_what_goes_is_as_configured(
    folder: Path, stores: Any, clocks: Any, eviction: Eviction, gone: int
) -> None:
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    store = stores.open(folder, clock=clock, config=CacheConfig(size_entries=3, eviction=eviction))
    ids = [stores.add(store, n, ttl_s=100.0 - 10 * n) for n in range(3)]
    store.flush()
    clocks.pass_by(2.0)
    store.use(ids[0])
    store.set_evidence(ids[2], b"learnt")
    store.flush()
    clocks.pass_by(2.0)
    stores.add(store, 3)
    store.flush()
    assert [stores.nearest(store, n) is None for n in range(4)] == [n == gone for n in range(4)]


def test_more_at_once_than_there_is_room_for(folder: Path, stores: Any) -> None:
    store = stores.open(folder, config=CacheConfig(size_entries=3))
    with store._committer.committing:
        for n in range(10):
            stores.add(store, n)
    store.flush()
    assert store.size == 3
    small = stores.open(folder.with_name("small"), config=CacheConfig(size_bytes=500))
    assert stores.add(small, 1) is None


def test_a_full_map_costs_entries_and_no_error(
    folder: Path, stores: Any, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"config": CacheConfig(size_bytes=1 << 26), "map_bytes": 1 << 18, "max_map_bytes": 1 << 18}
    store = stores.open(folder, **options)
    with caplog.at_level(logging.WARNING):
        for n in range(600):
            stores.add(store, n, texts=("x" * 1_000,))
            if n % 50 == 0:
                store.flush()
        store.flush()
    assert store.stats.failures + store.stats.evictions > 0
    kept = store.entries(limit=10_000)
    assert 0 < len(kept) == store.size
    assert all(store.search(stores.partition, each.vector, 1, 0.999) for each in kept)
    found = [store.search(stores.partition, stores.vector(n), 1, 0.999) for n in range(600)]
    assert sum(map(bool, found)) == len(kept)
    assert store.verify().problems == ()


def test_a_disk_that_fails_costs_entries_and_no_error(
    store: SemanticStore, stores: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stores.add(store, 1)
    store.flush()

    def fail(*_: Any, **__: Any) -> None:
        raise StoreError("the disk failed")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(store._records._owned, "commit", fail)
        for n in range(2, 5):
            stores.add(store, n)
        store.flush()
        assert [stores.nearest(store, n) for n in range(1, 5)] == [stores.text(1), None, None, None]
    assert store.stats.failures == 3
    assert caplog.text.count("not kept for now") == 1
    stores.add(store, 2)
    store.flush()
    assert stores.nearest(store, 2) == stores.text(2)


def test_few_partitions_are_open(folder: Path, stores: Any) -> None:
    store = stores.open(folder, most_open=2)
    for n in range(400):
        stores.add(store, n, partition=bytes([n % 4]) * 32)
    assert store.settle()
    assert len(store._shelf.all()) <= 2
    assert [stores.nearest(store, n, bytes([n % 4]) * 32) for n in range(400)] == list(
        map(stores.text, range(400))
    )
    assert store.settle()
    assert len(store._shelf.all()) == 2
    tight = store._shelf
    tight._most_bytes = 1
    stores.nearest(store, 1, bytes([9]) * 32)
    assert len(tight.all()) == 1


# ---------------------------------------------------------------- loaded in the background


def waiting_for_nothing(store: SemanticStore, stores: Any, number: int) -> list[str]:
    found = store.search(stores.partition, stores.vector(number), 1, 0.999, wait=False)
    return [near.entry.texts[0] for near in found]


@pytest.fixture
def large(folder: Path, stores: Any) -> SemanticStore:
    """A store whose one partition is too large to be waited for, and not loaded."""
    store = stores.open(folder)
    for n in range(100):
        stores.add(store, n)
    store.settle()
    store.close()
    opened: SemanticStore = stores.open(folder, loaded_at_once=99)
    return opened


def test_a_large_partition_knows_nothing_until_it_is_loaded(
    large: SemanticStore, stores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, load, loads = threading.Event(), large._shelf._load, []

    def slowly(partition: Any) -> None:
        loads.append(partition.key)
        go.wait(10)
        load(partition)

    monkeypatch.setattr(large._shelf, "_load", slowly)
    for _ in range(3):
        assert waiting_for_nothing(large, stores, 7) == []
    assert not large._loads.wait(0.01)
    adding = threading.Thread(target=stores.add, args=(large, 200))
    adding.start()
    go.set()
    adding.join()
    assert large.settle()
    assert [waiting_for_nothing(large, stores, n) for n in (7, 200)] == [[stores.text(7)], [stores.text(200)]]
    assert loads == [stores.partition]
    assert large.stats.misses == 3


def test_who_waits_has_a_large_partition_at_once(large: SemanticStore, stores: Any) -> None:
    assert stores.nearest(large, 7) == stores.text(7)
    assert waiting_for_nothing(large, stores, 8) == [stores.text(8)]


def test_a_small_partition_is_loaded_at_once(folder: Path, large: SemanticStore, stores: Any) -> None:
    large.close()
    store = stores.open(folder, loaded_at_once=100)
    assert waiting_for_nothing(store, stores, 7) == [stores.text(7)]
    assert waiting_for_nothing(store, stores, 300) == []


def test_a_partition_that_could_not_be_loaded_is_tried_again(
    large: SemanticStore, stores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StoreError("the disk failed")

    with monkeypatch.context() as patch:
        patch.setattr(large._shelf, "_load", fail)
        assert waiting_for_nothing(large, stores, 7) == []
        assert large.settle()
    assert large.stats.failures == 1
    assert waiting_for_nothing(large, stores, 7) == []
    assert large.settle()
    assert waiting_for_nothing(large, stores, 7) == [stores.text(7)]


def test_it_can_be_closed_while_it_loads(large: SemanticStore, stores: Any) -> None:
    assert waiting_for_nothing(large, stores, 7) == []
    large.close()
    assert waiting_for_nothing(large, stores, 7) == []
    assert large._loads.wait(10)


# ---------------------------------------------------------------- whose it is


def test_another_embedder_begins_anew(folder: Path, stores: Any, caplog: pytest.LogCaptureFixture) -> None:
    store = stores.open(folder)
    id = None
    for n in range(100):
        id = stores.add(store, n)
    store.settle()
    store.close()
    with caplog.at_level(logging.WARNING):
        store = stores.open(folder, embedder_version="e2")
    assert (store.began_anew, store.size) == (True, 0)
    assert stores.nearest(store, 1) is None
    assert list((folder / "indexes").iterdir()) == []
    assert stores.add(store, 1) > id  # numbers go on
    assert "another embedder" in caplog.text
    store.close()
    store = stores.open(folder, embedder_version="e2")
    assert (store.began_anew, stores.nearest(store, 1)) == (False, stores.text(1))


def test_other_dimensions_begin_anew(folder: Path, stores: Any) -> None:
    store = stores.open(folder)
    stores.add(store, 1)
    store.close()
    store = stores.open(folder, dimensions=4)
    assert (store.began_anew, store.size) == (True, 0)


def test_a_second_owner_is_refused(
    folder: Path, stores: Any, child: Callable[..., subprocess.Popen[str]]
) -> None:
    code = (
        "import sys; from pathlib import Path; from actors.caches.l3.store import SemanticStore\n"
        "from actors.caches.layer import CacheConfig\n"
        "store = SemanticStore(Path(sys.argv[1]), dimensions=16, embedder_version='e1',\n"
        "                      config=CacheConfig(size_entries=9)); print('open', flush=True); input()"
    )
    first = child(code, folder)
    assert first.stdout is not None
    assert first.stdout.readline() == "open\n"
    with pytest.raises(StoreInUse, match=f"process {first.pid}"):
        stores.open(folder)
    first.kill()
    first.wait()
    stores.open(folder)
    with pytest.raises(StoreInUse):
        stores.open(folder)


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path, stores: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        stores.open(tmp_path / "file" / "cache")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "indexes").write_text("")
    with pytest.raises(StoreError):
        stores.open(tmp_path / "taken")
    (tmp_path / "taken" / "indexes").unlink()
    stores.open(tmp_path / "taken")


def test_times_without_end(store: SemanticStore, stores: Any) -> None:
    stores.add(store, 1, ttl_s=float("inf"), age_s=float("inf"))
    store.flush()
    entry = store.search(stores.partition, stores.vector(1))[0].entry
    assert entry.created_us == 0
    assert entry.expires_us > store.clock.now_us() + 9e15


def test_a_closed_one_knows_nothing(folder: Path, stores: Any) -> None:
    store = stores.open(folder)
    id = stores.add(store, 1)
    store.close()
    store.close()
    assert (store.search(stores.partition, stores.vector(1)), store.get(id), store.size) == ([], None, 0)
    assert (store.entries(), store.partitions(), store.remove(id)) == ([], [], False)
    again = stores.open(folder)
    assert stores.nearest(again, 1) == stores.text(1)


def test_many_threads(store: SemanticStore, stores: Any) -> None:
    wrong: list[Any] = []

    def work(start: int) -> None:
        for n in range(start, start + 150):
            id = stores.add(store, n)
            if stores.nearest(store, n) != stores.text(n):
                wrong.append(n)
            store.set_evidence(id, str(n).encode())
            if n % 3 == 0:
                store.remove(id)
                if stores.nearest(store, n) is not None:
                    wrong.append(-n)

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.settle()
    assert wrong == []
    assert store.size == 300
    assert all(int(each.evidence) == int.from_bytes(each.key) for each in store.entries())
    verdict = store.verify()
    assert (verdict.problems, verdict.left_over) == ((), {})
