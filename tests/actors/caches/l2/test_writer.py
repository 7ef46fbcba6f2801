"""The writer: commits of many, room that ends."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.caches.errors import StoreFull
from actors.caches.l2 import writer as module
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.store import L2Store
from actors.caches.l2.writer import CacheWriter
from actors.caches.layer import CacheConfig, Which

CONFIG = CacheConfig(size_bytes=1 << 26)


@pytest.fixture
def writer(folder: Path) -> Iterator[CacheWriter]:
    with CacheWriter(folder, CONFIG) as opened:
        yield opened


def test_many_answers_are_one_commit(writer: CacheWriter, call: Any, put: Any) -> None:
    assert writer.flush()
    before = writer._store.state.commits
    for i in range(500):
        writer.put([put(call(i), "v")])
    assert writer.flush()
    assert writer._store.state.commits - before < 50
    assert (writer.stats().stores, writer.stats().entries) == (500, 500)


def test_what_waits_is_written_at_the_end(folder: Path, call: Any, put: Any) -> None:
    with CacheWriter(folder, CONFIG) as writer:
        writer.put([put(call(i), "v") for i in range(3000)])
    reader = L2Reader(folder)
    assert reader.size()[0] == 3000
    reader.close()


def test_what_there_is_no_room_for_to_wait_is_not_kept(
    writer: CacheWriter, call: Any, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    writer.put([put(call(i), "v") for i in range(15)])
    assert writer.flush()
    assert (writer.stats().stores, writer.stats().refused) == (10, 5)


def test_uses_and_damage_are_noted(writer: CacheWriter, call: Any, put: Any) -> None:
    writer.put([put(call(1), "v")])
    writer.note([call(1).key, call(1).key, call(9).key], [call(1).key])
    assert writer.flush()
    reader = L2Reader(writer._store.folder)
    assert [entry.uses for entry in reader.entries(Which())] in ([0], [2])
    writer.note([call(1).key], [])
    assert writer.flush()
    assert [entry.uses for entry in reader.entries(Which())] in ([1], [3])
    reader.close()


def test_an_invalidation_takes_what_waits_along(writer: CacheWriter, call: Any, put: Any) -> None:
    writer.put([put(call(i), "v") for i in range(100)])
    assert writer.invalidate(Which(model="local-a")) == 100
    writer.put([put(call(1), "v")])
    assert writer.clear() == 1


def test_expired_entries_are_swept(folder: Path, call: Any, put: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEEP_S", 0.01)
    with CacheWriter(folder, CONFIG) as writer:
        writer.put([put(call(1), "v", ttl_s=0.05)])
        assert writer.flush()
        until = time.monotonic() + 30
        while writer.stats().entries and time.monotonic() < until:
            time.sleep(0.01)
        assert writer.stats().expirations == 1


# ---------------------------------------------------------------- no room


def test_a_full_map_has_entries_go(folder: Path, call: Any, put: Any) -> None:
    options = {"map_bytes": 1 << 19, "max_map_bytes": 1 << 20}
    with CacheWriter(folder, CONFIG, **options) as writer:
        for i in range(3000):
            writer.put([put(call(i), f"{i} " + "words " * 30)])
            if i % 100 == 0:
                assert writer.flush()
        assert writer.flush()
        stats = writer.stats()
        assert stats.entries > 0
        assert stats.stores + stats.failures == 3000


def test_no_room_costs_answers_and_is_said_once(
    folder: Path, call: Any, put: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = L2Store.write
    full = True

    def maybe(self: L2Store, *args: Any) -> Any:
        if full:
            raise StoreFull("no room left")
        return write(self, *args)

    monkeypatch.setattr(L2Store, "write", maybe)
    with caplog.at_level(logging.WARNING, "rtfs.caches"), CacheWriter(folder, CONFIG) as writer:
        for i in range(3):
            writer.put([put(call(i), "v")])
            assert writer.flush()
        assert (writer.stats().failures, writer.stats().stores) == (3, 0)
        assert caplog.text.count("not kept") == 1
        full = False
        writer.put([put(call(9), "v")])
        assert writer.flush()
        full = True
        writer.put([put(call(10), "v")])
        assert writer.flush()
        assert (writer.stats().failures, writer.stats().stores) == (4, 1)
        assert caplog.text.count("not kept") == 2


_FULL_DISK = """
import resource, sys
from pathlib import Path
from actors.caches.l2.change import Put
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.writer import CacheWriter
from actors.caches.layer import CacheConfig, Origin, Which
from rtfs.ir_codec import encode_value
limit = 2_000_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
writer = CacheWriter(Path(sys.argv[1]), CacheConfig(size_bytes=1 << 26))
reader = L2Reader(Path(sys.argv[1]))
origin = Origin(None, "f", "local-a", "1")
for i in range(4000):
    value = encode_value(f"{i} " + "words " * 60)
    writer.put([Put(i.to_bytes(32), bytes(16), origin, 0, value, None, 0.0, None, 99.0)])
    if i % 50 == 0:
        writer.flush()
writer.flush()
stats = writer.stats()
good = sum(reader.get(i.to_bytes(32)) is not None for i in range(4000))
assert stats.failures > 0, stats
assert stats.stores > 500, stats
assert good == stats.entries > 0, (good, stats)
assert reader.failures == 0
print("fine")
"""


def test_a_full_disk_is_no_error(folder: Path, child: Callable[..., subprocess.Popen[str]]) -> None:
    process = child(_FULL_DISK, folder)
    printed, _ = process.communicate(timeout=100)
    assert printed.endswith("fine\n")
