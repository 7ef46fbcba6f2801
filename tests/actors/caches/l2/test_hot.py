from __future__ import annotations

from typing import Any

import pytest

from actors.caches.clock import SteadyClock
from actors.caches.errors import InvalidCache
from actors.caches.l2.epoch import Epoch
from actors.caches.l2.hot import HotLayer, memory_of
from actors.caches.layer import CacheConfig, CacheControl, Which
from policies.file.schema import Eviction


def layer(size: int = 3, **settings: Any) -> HotLayer:
    return HotLayer(CacheConfig(size_entries=size, **settings))


def test_a_hit_tells_where_it_is_from(clocks: Any, call: Any, item: Any) -> None:
    hot = HotLayer(CacheConfig(size_entries=3, ttl_s=60.0), clock=SteadyClock(clocks.wall, clocks.monotonic))
    one = call("x", version="7")
    assert hot.put(one, item(one, "v", confidence=0.5, cost_usd=0.25, latency_ms=3.0))
    clocks.pass_by(10.0)
    hit = hot.get(one)
    assert hit is not None
    assert (hit.value, hit.tier, hit.confidence, hit.cost_usd, hit.latency_ms) == (
        "v",
        "l2-hot",
        0.5,
        0.25,
        3.0,
    )
    assert (round(hit.age_s, 3), round(hit.expires_in_s, 3)) == (10.0, 50.0)
    assert (hit.origin.model, hit.origin.version) == ("local-a", "7")


def test_an_entry_ends_and_does_not_come_back_with_the_clock(clocks: Any, call: Any, item: Any) -> None:
    hot = HotLayer(CacheConfig(size_entries=3, ttl_s=60.0), clock=SteadyClock(clocks.wall, clocks.monotonic))
    one, two = call(1), call(2)
    hot.put(one, item(one, "v"))
    hot.put(two, item(two, "v"))
    clocks.pass_by(60.0)
    assert hot.get(one) is None
    clocks.day -= 3600
    assert hot.get(two) is None
    assert hot.stats.expirations == 2


@pytest.mark.parametrize("eviction", ["lru", "lfu", "fifo", "random", "ttl"])
def test_it_never_holds_more_than_its_size(eviction: Eviction, call: Any, item: Any) -> None:
    hot = layer(5, eviction=eviction)
    for i in range(50):
        one = call(i)
        assert hot.put(one, item(one, i))
        assert hot.get(one) is not None
    assert hot.stats.entries == 5
    assert hot.stats.evictions == 45


@pytest.mark.parametrize(("eviction", "gone"), [("lru", 1), ("lfu", 1), ("fifo", 0), ("ttl", 2)])
def test_what_goes_is_as_configured(eviction: Eviction, gone: int, call: Any, item: Any) -> None:
    hot = layer(3, eviction=eviction)
    calls = [call(i) for i in range(4)]
    for one, ttl_s in zip(calls[:3], (30.0, 20.0, 10.0), strict=True):
        hot.put(one, item(one, "v", ttl_s=ttl_s))
    for i in (0, 0, 2, 2):
        hot.get(calls[i])
    if eviction == "ttl":  # nothing has expired: what was not used for the longest time
        gone = 1
    hot.put(calls[3], item(calls[3], "v"))
    assert [hot.get(one) is None for one in calls] == [i == gone for i in range(4)]


def test_memory_is_bounded_in_bytes(call: Any, item: Any) -> None:
    hot = HotLayer(CacheConfig(size_bytes=10 * memory_of(1000)))
    for i in range(100):
        one = call(i)
        hot.put(one, item(one, "x" * 1000))
    assert 5 < hot.stats.entries <= 10
    assert hot.stats.nbytes <= 10 * memory_of(1000)
    big = call("big")
    assert not hot.put(big, item(big, "x" * 100_000))
    assert hot.stats.refused == 1


def test_what_is_not_certain_is_neither_kept_nor_given(call: Any, item: Any) -> None:
    hot = layer(confidence_threshold=0.5)
    sure, unsure, unknown = call(1), call(2), call(3)
    assert hot.put(sure, item(sure, "v", confidence=0.9))
    assert not hot.put(unsure, item(unsure, "v", confidence=0.4))
    assert not hot.put(unknown, item(unknown, "v"))
    assert hot.get(sure, CacheControl(min_confidence=0.95)) is None
    assert hot.get(sure, CacheControl(min_confidence=0.9)) is not None


def test_parts_of_answers_and_functions_are_not_kept(call: Any, item: Any) -> None:
    hot, one = layer(), call(1)
    assert not hot.put(one, item(one, "v", complete=False))
    assert not hot.put(one, item(one, lambda: None))
    assert hot.get(one) is None


def test_nothing_is_good_after_an_invalidation_anywhere(call: Any, item: Any) -> None:
    epoch = Epoch(None)
    hot, one = HotLayer(CacheConfig(size_entries=3), epoch=epoch), call(1)
    hot.put(one, item(one, "v"))
    epoch.set(1)
    assert hot.get(one) is None
    assert not hot.put(one, item(one, "asked for before", epoch=0))
    assert hot.put(one, item(one, "asked for since", epoch=1))


def test_entries_are_invalidated_by_what_they_are_of(call: Any, item: Any) -> None:
    hot = layer(10)
    calls = [call(1), call(1, model="local-b"), call(1, version="2"), call(1, tenant="acme"), call(2)]
    for one in calls:
        hot.put(one, item(one, "v"))
    assert hot.invalidate(Which(model="local-b")) == 1
    assert hot.invalidate(Which(model="local-a", version="2")) == 1
    assert hot.invalidate(Which(input=call(2).input)) == 1
    assert hot.invalidate(Which(key=calls[0].key)) == 1
    assert hot.get(calls[3]) is not None
    assert hot.clear() == 1
    with pytest.raises(InvalidCache):
        hot.invalidate(Which())
