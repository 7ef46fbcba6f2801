from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.caches.clock import SteadyClock
from actors.caches.l2.store import L2Store
from actors.caches.l2.summary import BOUNDS_S, Share, Summary
from actors.caches.l2.survey import L2Survey
from actors.caches.layer import CacheConfig

CONFIG = CacheConfig(size_bytes=1 << 26)


@pytest.fixture
def summary(folder: Path, call: Any, put: Any, clocks: Any) -> Summary:
    """Answers from two minutes and from a second ago, seen ten seconds later."""
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    with L2Store(folder, CONFIG, clock=clock) as store:
        old = [call(i, model="a", tenant="acme") for i in range(3)]
        store.write(
            [put(one, "x", cost_usd=0.5, latency_ms=100.0, ttl_s=125.0 + 10 * i) for i, one in enumerate(old)]
        )
        clocks.pass_by(119)
        store.write([], used=[old[0].key, old[0].key, old[1].key])
        store.write([put(call(9, model="b", version="2"), "x" * 200, ttl_s=7200.0)])
        clocks.pass_by(10)
        made = Summary()
        now_us = clock.now_us()
    with L2Survey(folder) as survey:
        made.add(survey.rows(), now_us)
    return made


def test_the_sums(summary: Summary) -> None:
    total = summary.total
    assert (total.entries, total.uses) == (4, 3)
    assert (total.cost_usd, total.latency_ms) == (1.5, 300.0)
    assert (total.saved_usd, total.saved_ms) == (1.5, 300.0)
    assert total.nbytes > 0


def test_shares_come_by_their_size(summary: Summary) -> None:
    by_model = summary.by(lambda origin: (origin.model, origin.version))
    assert [(names, share.entries) for names, share in by_model.items()] == [(("a", "1"), 3), (("b", "2"), 1)]
    by_tenant = summary.by(lambda origin: origin.tenant)
    assert {name: share.cost_usd for name, share in by_tenant.items()} == {"acme": 1.5, None: 0.0}
    assert sum(share.nbytes for share in by_model.values()) == summary.total.nbytes


def test_ages_and_what_is_left(summary: Summary) -> None:
    assert len(summary.ages) == len(summary.left) == len(BOUNDS_S) + 1
    assert summary.ages == [1, 3, 0, 0, 0]
    assert summary.expired == 1
    assert summary.left == [2, 0, 1, 0, 0]


def test_of_nothing() -> None:
    empty = Summary()
    assert empty.total == Share()
    assert empty.by(lambda origin: origin.model) == {}
