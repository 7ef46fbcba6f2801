"""The store on real files: what is written, shared, evicted, invalidated; and the clock."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.caches.clock import SteadyClock
from actors.caches.disk.victims import SAMPLE
from actors.caches.errors import InvalidCache, StoreError, StoreFull, StoreInUse
from actors.caches.l2 import rows
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig, Origin, Which
from policies.file.schema import Eviction

LONG = "a value of some length, which is not kept in the entry itself, " * 3


def rows_in(store: L2Store) -> dict[str, int]:
    """How many rows each sub-database has, without `meta`."""
    opened = store._environment.open()
    with opened.env.begin() as txn:
        named = opened.databases._asdict().items()
        return {name: txn.stat(handle)["entries"] for name, handle in named if name != "meta"}


def value_of(reader: L2Reader, call: Any) -> Any:
    hit = reader.get(call.key)
    return None if hit is None else hit.value


# ---------------------------------------------------------------- what is written is there


def test_what_is_written_is_there_after_a_restart(folder: Path, call: Any, put: Any) -> None:
    calls = [call(i) for i in range(3)]
    values = ["short", LONG, "compressed " * 200]
    with L2Store(folder, CacheConfig(size_bytes=1 << 24)) as store:
        details = {"confidence": 0.75, "cost_usd": 0.5, "latency_ms": 12.5}
        store.write([put(one, value, **details) for one, value in zip(calls, values, strict=True)])
    reader = L2Reader(folder)
    for one, value in zip(calls, values, strict=True):
        hit = reader.get(one.key)
        assert hit is not None
        assert (hit.value, hit.tier, hit.confidence, hit.cost_usd) == (value, "l2-cold", 0.75, 0.5)
        assert (hit.origin, hit.latency_ms) == (Origin(None, "mail/subject", "local-a", "1"), 12.5)
        assert 0 <= hit.age_s < 60
        assert 40 < hit.expires_in_s <= 100
    assert reader.get(call(99).key) is None
    reader.close()


def test_an_answer_takes_the_place_of_an_older_one(store: L2Store, call: Any, put: Any) -> None:
    reader = L2Reader(store.folder)
    store.write([put(call(1), "old"), put(call(1), "newer")])
    assert value_of(reader, call(1)) == "newer"
    store.write([put(call(1), LONG)])
    assert value_of(reader, call(1)) == LONG
    counts = rows_in(store)
    assert {counts[name] for name in ("entries", "order", "expiry", "by_origin", "by_input", "values")} == {1}
    reader.close()


def test_equal_values_are_stored_once(store: L2Store, call: Any, put: Any) -> None:
    reader = L2Reader(store.folder)
    store.write([put(call(i), LONG) for i in range(10)])
    assert rows_in(store)["values"] == rows_in(store)["shared"] == 1
    for i in range(9):
        store.invalidate(Which(key=call(i).key))
    assert value_of(reader, call(9)) == LONG
    store.invalidate(Which(key=call(9).key))
    assert set(rows_in(store).values()) == {0, 1}  # the origin is known still
    assert store.size() == (0, 0)
    reader.close()


# ---------------------------------------------------------------- room


@pytest.mark.parametrize("eviction", ["lru", "lfu", "fifo", "random", "ttl"])
def test_entries_and_bytes_are_bounded(folder: Path, eviction: Eviction, call: Any, put: Any) -> None:
    config = CacheConfig(size_entries=50, size_bytes=40 * (rows.ENTRY_OVERHEAD_BYTES + 250), eviction=eviction)
    with L2Store(folder, config, seed=1) as store:
        evicted = 0
        for start in range(0, 400, 20):
            change = store.write([put(call(i), f"{i} {LONG}") for i in range(start, start + 20)])
            evicted += change.evicted
            assert store.size()[0] <= 50
            assert store.size()[1] <= 40 * (rows.ENTRY_OVERHEAD_BYTES + 250)
        counts = rows_in(store)
        assert counts["entries"] + evicted == 400
        assert {counts[name] for name in ("order", "expiry", "by_origin", "by_input", "values")} == {
            counts["entries"]
        }


@pytest.mark.parametrize(("eviction", "gone"), [("lru", 1), ("lfu", 1), ("fifo", 0), ("ttl", 2)])
def test_what_goes_is_as_configured(
    folder: Path, eviction: Eviction, gone: int, clocks: Any, call: Any, put: Any
) -> None:
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    with L2Store(folder, CacheConfig(size_entries=3, eviction=eviction), clock=clock) as store:
        store.write([put(call(i), "v", ttl_s=100.0 - 10 * i) for i in range(3)])
        clocks.pass_by(2.0)
        store.write([], used=[call(i).key for i in (0, 2)])
        clocks.pass_by(2.0)
        store.write([put(call(3), "v")])
        reader = L2Reader(folder, clock)
        assert [value_of(reader, call(i)) is None for i in range(4)] == [i == gone for i in range(4)]
        reader.close()


def test_of_many_entries_those_in_use_stay(folder: Path, clocks: Any, call: Any, put: Any) -> None:
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    many = 20 * SAMPLE
    with L2Store(folder, CacheConfig(size_entries=many, eviction="lru"), clock=clock, seed=5) as store:
        store.write([put(call(i), "v") for i in range(many)])
        clocks.pass_by(2.0)
        store.write([], used=[call(i).key for i in range(many // 4)])
        clocks.pass_by(2.0)
        store.write([put(call(many + i), "v") for i in range(many // 4)])
        reader = L2Reader(folder, clock)
        left = sum(value_of(reader, call(i)) is not None for i in range(many // 4))
        assert left >= many // 4 * 0.95
        reader.close()


def test_the_map_grows(folder: Path, call: Any, put: Any) -> None:
    with L2Store(folder, CacheConfig(size_bytes=1 << 26), map_bytes=1 << 18) as store:
        reader = L2Reader(folder)
        for start in range(0, 2000, 200):
            store.write([put(call(i), f"{i} {LONG}") for i in range(start, start + 200)])
        assert all(value_of(reader, call(i)) == f"{i} {LONG}" for i in range(2000))
        assert store._environment.map_bytes is not None
        assert store._environment.map_bytes > 1 << 18
        reader.close()


def test_a_full_map_changes_nothing(folder: Path, call: Any, put: Any) -> None:
    with L2Store(folder, CacheConfig(size_bytes=1 << 26), map_bytes=1 << 18, max_map_bytes=1 << 19) as store:
        written = 0

        def fill() -> None:
            nonlocal written
            while True:
                store.write([put(call(written + i), f"{i} {LONG}") for i in range(100)])
                written += 100

        with pytest.raises(StoreFull, match="room"):
            fill()
        reader = L2Reader(folder)
        assert store.size()[0] == written > 0
        assert value_of(reader, call(written - 1)) is not None
        reader.close()


# ---------------------------------------------------------------- invalidation


def test_entries_are_invalidated_by_what_they_are_of(store: L2Store, call: Any, put: Any) -> None:
    models = [("local-a", "1"), ("local-a", "2"), ("local-b", "1")]
    calls = [call(i, model=model, version=version) for i in range(4) for model, version in models]
    calls += [call(i, tenant="acme") for i in range(4)]
    store.write([put(one, "v") for one in calls])
    reader = L2Reader(store.folder)
    assert len(reader.entries(Which(model="local-a"))) == 12
    assert len(reader.entries(Which(model="local-a"), limit=5)) == 5
    assert {entry.origin.model for entry in reader.entries(Which(input=call(2).input))} == {
        "local-a",
        "local-b",
    }
    assert len(reader.entries(Which())) == 16
    before = store.epoch.get()
    assert store.invalidate(Which(model="local-b")) == 4
    assert store.invalidate(Which(model="local-a", version="2")) == 4
    assert store.invalidate(Which(tenant="acme", input=call(1).input)) == 1
    assert store.invalidate(Which(key=call(0).key)) == 1
    assert store.invalidate(Which(symbol="none/such")) == 0
    assert store.epoch.get() == before + 5
    assert [entry.key for entry in reader.entries(Which(input=call(1).input))] == [call(1).key]
    assert len(reader.entries(Which())) == 6
    assert store.clear() == 6
    assert reader.entries(Which()) == []
    with pytest.raises(InvalidCache):
        store.invalidate(Which())
    reader.close()


def test_an_answer_that_was_asked_for_before_an_invalidation_is_not_kept(
    store: L2Store, call: Any, put: Any
) -> None:
    epoch = store.epoch.get()
    store.invalidate(Which(model="local-a"))
    change = store.write([put(call(1), "late", epoch=epoch), put(call(2), "v", epoch=epoch + 1)])
    assert (change.stored, change.refused) == (1, 1)


# ---------------------------------------------------------------- time


def test_what_has_expired_is_a_miss_and_is_swept(folder: Path, clocks: Any, call: Any, put: Any) -> None:
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    with L2Store(folder, CacheConfig(size_entries=100), clock=clock) as store:
        store.write([put(call(i), LONG, ttl_s=10.0 + i) for i in range(10)])
        reader = L2Reader(folder, clock)
        clocks.pass_by(14.5)
        assert [value_of(reader, call(i)) is None for i in range(10)] == [i < 5 for i in range(10)]
        assert store.sweep() == 5
        assert store.size()[0] == 5
        reader.close()


def test_a_clock_that_goes_back_brings_nothing_back(folder: Path, clocks: Any, call: Any, put: Any) -> None:
    with L2Store(
        folder, CacheConfig(size_entries=100), clock=SteadyClock(clocks.wall, clocks.monotonic)
    ) as store:
        store.write([put(call(1), "v", ttl_s=100.0)])
        clocks.pass_by(101.0)
        store.write([put(call(2), "v", ttl_s=100.0)])
        clocks.day -= 3600
        clocks.pass_by(1.0)
        # a process that starts now knows only the clock that was set back, and what the store says
        reader = L2Reader(folder, SteadyClock(clocks.wall, clocks.monotonic))
        assert value_of(reader, call(1)) is None
        assert value_of(reader, call(2)) == "v"
        clocks.pass_by(100.0)
        assert value_of(reader, call(2)) is None
        reader.close()


def test_nor_does_it_over_a_restart(folder: Path, clocks: Any, call: Any, put: Any) -> None:
    with L2Store(
        folder, CacheConfig(size_entries=100), clock=SteadyClock(clocks.wall, clocks.monotonic)
    ) as store:
        store.write([put(call(1), "v", ttl_s=100.0), put(call(2), "v", ttl_s=1000.0)])
        clocks.pass_by(99.0)
        store.write([])
    clocks.day -= 30
    clocks.machine = 0.0
    with L2Store(folder, CacheConfig(size_entries=100), clock=SteadyClock(clocks.wall, clocks.monotonic)):
        reader = L2Reader(folder, SteadyClock(clocks.wall, clocks.monotonic))
        clocks.pass_by(2.0)
        assert value_of(reader, call(1)) is None
        assert value_of(reader, call(2)) == "v"
        reader.close()


def test_time_that_nobody_could_measure_clears_the_cache(
    folder: Path, clocks: Any, call: Any, put: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with L2Store(
        folder, CacheConfig(size_entries=100), clock=SteadyClock(clocks.wall, clocks.monotonic)
    ) as store:
        store.write([put(call(1), "v", ttl_s=1000.0)])
    clocks.day -= 86_400
    with (
        caplog.at_level(logging.WARNING),
        L2Store(
            folder, CacheConfig(size_entries=100), clock=SteadyClock(clocks.wall, clocks.monotonic)
        ) as store,
    ):
        assert store.size()[0] == 0
    assert "set back" in caplog.text


def test_time_goes_by_while_nobody_writes(folder: Path, clocks: Any, call: Any, put: Any) -> None:
    with L2Store(
        folder, CacheConfig(size_entries=100), clock=SteadyClock(clocks.wall, clocks.monotonic)
    ) as store:
        store.write([put(call(1), "v", ttl_s=100.0)])
    clocks.day += 101
    clocks.machine = 0.0
    with L2Store(
        folder, CacheConfig(size_entries=100), clock=SteadyClock(clocks.wall, clocks.monotonic)
    ) as store:
        store.sweep()
        assert store.size()[0] == 0


# ---------------------------------------------------------------- one writer


def test_a_second_writer_is_refused(folder: Path, child: Callable[..., subprocess.Popen[str]]) -> None:
    code = (
        "import sys; from pathlib import Path; from actors.caches.l2.store import L2Store\n"
        "from actors.caches.layer import CacheConfig\n"
        "store = L2Store(Path(sys.argv[1]), CacheConfig(size_entries=9)); print('open', flush=True); input()"
    )
    first = child(code, folder)
    assert first.stdout is not None
    assert first.stdout.readline() == "open\n"
    with pytest.raises(StoreInUse, match=f"process {first.pid}"):
        L2Store(folder, CacheConfig(size_entries=9))
    first.kill()
    first.wait()
    L2Store(folder, CacheConfig(size_entries=9)).close()


def test_a_process_that_reads_cannot_become_the_writer(folder: Path) -> None:
    L2Store(folder, CacheConfig(size_entries=9)).close()
    reader = L2Reader(folder)
    with pytest.raises(StoreInUse, match="writer first"):
        L2Store(folder, CacheConfig(size_entries=9))
    reader.close()
    L2Store(folder, CacheConfig(size_entries=9)).close()


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        L2Store(tmp_path / "file" / "cache", CacheConfig(size_entries=9))
