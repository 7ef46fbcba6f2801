from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from actors.caches.errors import InvalidCache, NotCacheable
from actors.caches.layer import CacheConfig, CacheControl, CacheStats, Hit, Item, Origin, Which, reaches
from policies.file.schema import CacheTable

ORIGIN = Origin("acme", "f", "local-a", "1")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"size_entries": 0},
        {"size_bytes": -1},
        {"size_entries": 1, "ttl_s": 0.0},
        {"size_entries": 1, "ttl_s": inf},
        {"size_entries": 1, "ttl_s": nan},
        {"size_entries": 1, "confidence_threshold": 1.1},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidCache):
        CacheConfig(**settings)


def test_a_table_of_the_policy_makes_a_config() -> None:
    table = CacheTable(size=7, eviction="lfu", confidence_threshold=0.5)
    made = CacheConfig.of(table, 60.0)
    assert made == CacheConfig(size_entries=7, ttl_s=60.0, eviction="lfu", confidence_threshold=0.5)
    assert CacheConfig.of(CacheTable(ttl=5.0), 60.0).ttl_s == 5.0


def test_stats_add_up() -> None:
    total = CacheStats.total([CacheStats(hits=3, misses=1), CacheStats(hits=1, evictions=2)])
    assert total == CacheStats(hits=4, misses=1, evictions=2)
    assert total.hit_rate == 0.8
    assert CacheStats().hit_rate == 0.0


@pytest.mark.parametrize(
    ("confidence", "least", "expected"),
    [(None, 0.0, True), (None, 0.1, False), (0.5, 0.5, True), (0.49, 0.5, False), (0.0, 0.0, True)],
)
def test_what_is_not_known_reaches_no_threshold(confidence: float | None, least: float, expected: bool) -> None:
    assert reaches(confidence, least) is expected


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (Which(), True),
        (Which(tenant="acme", symbol="f", model="local-a", version="1"), True),
        (Which(tenant="other"), False),
        (Which(model="local-a", version="2"), False),
    ],
)
def test_which_names_entries_that_agree_in_all(which: Which, expected: bool) -> None:
    assert which.is_of(ORIGIN) is expected


def test_everything_is_not_invalidated_by_chance() -> None:
    with pytest.raises(InvalidCache, match="clear"):
        Which().check()


def test_control_bounds_age_and_certainty() -> None:
    control = CacheControl(max_age_s=10.0, min_confidence=0.5)
    assert control.suits(10.0, 0.5)
    assert not control.suits(10.1, 0.5)
    assert not control.suits(1.0, None)


def test_a_function_is_no_item() -> None:
    with pytest.raises(NotCacheable):
        _ = Item(value=lambda: None, origin=ORIGIN).payload


def test_a_hit_is_kept_for_the_time_it_has_left() -> None:
    hit = Hit("v", "l2-cold", 4.0, 6.0, ORIGIN, 0.5, 0.25, 12.0, 9, 3)
    kept = Item.of_hit(hit)
    assert (kept.ttl_s, kept.age_s, kept.nbytes, kept.epoch) == (6.0, 4.0, 9, 3)
    assert (kept.confidence, kept.cost_usd, kept.latency_ms) == (0.5, 0.25, 12.0)
