from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.caches.l2.change import Put
from actors.caches.l2.cold import ColdLayer
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.writer import CacheWriter
from actors.caches.layer import CacheConfig, CacheControl, CacheStats, Which

CONFIG = CacheConfig(size_bytes=1 << 26, ttl_s=60.0, confidence_threshold=0.3)


class Noted:
    """A writer that only takes down what it is told."""

    def __init__(self) -> None:
        self.puts: list[Put] = []
        self.used: list[bytes] = []
        self.damaged: list[bytes] = []

    def put(self, puts: Sequence[Put]) -> None:
        self.puts += puts

    def note(self, used: Sequence[bytes], damaged: Sequence[bytes]) -> None:
        self.used += used
        self.damaged += damaged

    def invalidate(self, which: Which) -> int:
        return 7

    def clear(self) -> int:
        return 9

    def stats(self) -> CacheStats:
        return CacheStats()


@pytest.fixture
def writer(folder: Path) -> Iterator[CacheWriter]:
    with CacheWriter(folder, CONFIG) as opened:
        yield opened


def test_an_answer_goes_to_the_writer_and_comes_from_the_file(
    writer: CacheWriter, folder: Path, call: Any, item: Any
) -> None:
    cold = ColdLayer(L2Reader(folder), writer, CONFIG)
    one = call("x", version="7")
    assert cold.get(one) is None
    assert cold.put(one, item(one, "v", confidence=0.5))
    writer.flush()
    hit = cold.get(one)
    assert hit is not None
    assert (hit.value, hit.tier, hit.origin.version, hit.confidence) == ("v", "l2-cold", "7", 0.5)
    assert 50 < hit.expires_in_s <= 60
    assert cold.get(one, CacheControl(min_confidence=0.6)) is None
    assert cold.get(one, CacheControl(max_age_s=0.0)) is None
    assert (cold.stats.hits, cold.stats.misses, cold.stats.entries) == (1, 3, 1)
    assert [entry.key for entry in cold.entries(Which(version="7"))] == [one.key]
    assert cold.invalidate(Which(version="7")) == 1
    assert cold.get(one) is None
    cold.close()


def test_what_is_not_to_be_kept_does_not_travel(
    writer: CacheWriter, folder: Path, call: Any, item: Any
) -> None:
    noted = Noted()
    cold, one = ColdLayer(L2Reader(folder), noted, CONFIG), call(1)
    assert not cold.put(one, item(one, "v", confidence=0.2))
    assert not cold.put(one, item(one, "v"))
    assert not cold.put(one, item(one, "v", confidence=0.9, complete=False))
    assert not cold.put(one, item(one, lambda: None, confidence=0.9))
    assert noted.puts == []
    assert cold.stats.refused == 4
    assert cold.put(one, item(one, "v", confidence=0.9, ttl_s=5.0))
    assert noted.puts[0].ttl_s == 5.0
    cold.close()


def test_the_writer_hears_of_uses_in_lots(writer: CacheWriter, folder: Path, call: Any, item: Any) -> None:
    one = call(1)
    first = ColdLayer(L2Reader(folder), writer, CONFIG)
    first.put(one, item(one, "v", confidence=0.9))
    first.close()
    writer.flush()
    noted = Noted()
    cold = ColdLayer(L2Reader(folder), noted, CONFIG)
    for _ in range(300):
        assert cold.get(one) is not None
    assert len(noted.used) == 256
    cold.close()
    assert len(noted.used) == 300


def test_without_a_writer_it_only_reads(writer: CacheWriter, folder: Path, call: Any, item: Any) -> None:
    cold, one = ColdLayer(L2Reader(folder), None, CONFIG), call(1)
    assert not cold.put(one, item(one, "v", confidence=0.9))
    assert cold.clear() == cold.invalidate(Which(model="local-a")) == 0
    cold.close()
