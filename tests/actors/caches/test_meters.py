"""What caches tell meters: growth of counts, how they stand, and how long looks take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.caches.keys import InferenceCall
from actors.caches.layer import CacheConfig, CacheControl, CacheStats, Item
from actors.caches.manager import CacheManager, l2_manager
from actors.caches.meters import EACH, MOST_TIMES, CacheMeters, LookTimes, Took
from actors.telemetry import instruments
from actors.telemetry.aggregates import Aggregates
from policies.running import observe
from policies.running.observe import MemoryMeter

HOT = CacheConfig(size_entries=2)
TIER = "l2-hot"


class Counts:
    """Stats of one tier, set by hand."""

    def __init__(self, **counts: int) -> None:
        self.now = CacheStats(**counts)

    def __call__(self) -> dict[str, CacheStats]:
        return {TIER: self.now}


def lookups(meter: MemoryMeter) -> tuple[int, int]:
    hits, misses = (
        meter.counter(instruments.CACHE_LOOKUPS, tier=TIER, result=result) for result in ("hit", "miss")
    )
    return hits, misses


@pytest.mark.parametrize(
    ("count", "name"),
    [
        ("evictions", instruments.CACHE_EVICTIONS),
        ("expirations", instruments.CACHE_EXPIRATIONS),
        ("refused", instruments.CACHE_REFUSED),
        ("damaged", instruments.CACHE_DAMAGED),
        ("failures", instruments.CACHE_FAILURES),
    ],
)
def test_counts_are_told_by_their_growth(count: str, name: str) -> None:
    meter, counts = MemoryMeter(), Counts(**{count: 3})
    meters = CacheMeters(meter, counts)
    meters.publish()
    meters.publish()
    assert meter.counter(name, tier=TIER) == 3
    counts.now = CacheStats(**{count: 5})
    meters.publish()
    assert meter.counter(name, tier=TIER) == 5


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_what_is_told_adds_up_whenever_it_is_told(growth: list[int]) -> None:
    meter, counts = MemoryMeter(), Counts()
    meters = CacheMeters(meter, counts)
    for more in growth:
        counts.now = CacheStats(hits=counts.now.hits + more, misses=counts.now.misses + 2 * more)
        meters.publish()
    assert lookups(meter) == (sum(growth), 2 * sum(growth))


def test_a_layer_that_is_opened_anew_counts_from_nothing() -> None:
    meter, counts = MemoryMeter(), Counts(hits=10)
    meters = CacheMeters(meter, counts)
    meters.publish()
    counts.now = CacheStats(hits=4)
    meters.publish()
    assert lookups(meter) == (14, 0)


def test_what_stands_is_told_as_it_is() -> None:
    meter, counts = MemoryMeter(), Counts(hits=3, misses=1, entries=7, nbytes=900)
    CacheMeters(meter, counts).publish()
    assert meter.gauge_value(observe.HIT_RATE, cache=TIER) == 0.75
    assert meter.gauge_value(instruments.CACHE_ENTRIES, tier=TIER) == 7
    assert meter.gauge_value(instruments.CACHE_BYTES, tier=TIER) == 900


def test_sizes_of_what_many_read_are_told_by_one() -> None:
    meter = MemoryMeter()
    CacheMeters(meter, Counts(entries=7), sized_elsewhere=frozenset({TIER})).publish()
    assert meter.gauge_value(instruments.CACHE_ENTRIES, tier=TIER) is None


def test_a_cache_that_was_not_asked_has_no_rate() -> None:
    meter = MemoryMeter()
    CacheMeters(meter, Counts(stores=1)).publish()
    assert meter.gauge_value(observe.HIT_RATE, cache=TIER) is None


def test_all_that_is_told_is_in_the_table(caplog: Any) -> None:
    aggregates: Any = Aggregates()  # drops, and logs, what is not
    times = LookTimes(each=1)
    times.took("l3", 3.0)
    every = dict.fromkeys(CacheStats.__dataclass_fields__, 1)
    CacheMeters(aggregates, Counts(**every), times=times).publish()
    assert not caplog.records
    names = {each.instrument.name for each in aggregates.read()}
    assert {name for name in instruments.INSTRUMENTS if name.startswith("rtfs_cache_")} <= names


# ---------------------------------------------------------------- times


class Timer:
    """Nanoseconds: each look at it takes a microsecond more than the one before."""

    def __init__(self) -> None:
        self.now = self.step = 0

    def __call__(self) -> int:
        self.step += 1_000
        self.now += self.step
        return self.now


@pytest.fixture
def manager(call: Callable[..., InferenceCall]) -> CacheManager:
    made = l2_manager(None, hot=HOT, cold=HOT, writer=None)
    made.put(call(1), Item(value=1, origin=call(1).origin))
    return made


def test_one_look_of_several_is_timed(manager: CacheManager, call: Callable[..., InferenceCall]) -> None:
    manager.times = times = LookTimes()
    for _ in range(3 * EACH):
        assert manager.get(call(1)) is not None
    assert [took.tier for took in times.take()] == [TIER] * 3
    assert times.take() == []


def test_a_look_through_layers_is_timed_in_each() -> None:
    times = LookTimes(each=1, timer=Timer())
    timer = times.begin()
    assert timer is not None
    timer.looked("l2-hot")
    timer.looked("l2-cold")
    assert times.take() == [Took("l2-hot", 0.002), Took("l2-cold", 0.003)]


def test_nobody_looks_where_nothing_is_to_be_looked_for(
    manager: CacheManager, call: Callable[..., InferenceCall]
) -> None:
    manager.times = times = LookTimes(each=1)
    assert manager.get(call(1), CacheControl(bypass=True)) is None
    assert times.take() == []


def test_times_that_nobody_takes_do_not_pile_up() -> None:
    times = LookTimes(each=1)
    for _ in range(2 * MOST_TIMES):
        times.took("l3", 1.0)
    assert times.begin() is None
    assert len(times.take()) == MOST_TIMES
    assert times.begin() is not None


def test_times_are_told() -> None:
    meter, times = MemoryMeter(), LookTimes()
    times.took("l3", 4.0)
    CacheMeters(meter, Counts(), times=times).publish()
    assert meter.values(instruments.CACHE_LATENCY, tier="l3") == (4.0,)
