"""What L3 tells meters."""

from __future__ import annotations

from typing import Any

from actors.caches.l3.learnt import Estimate
from actors.caches.semantic_meters import SemanticMeters
from actors.telemetry import instruments
from actors.telemetry.aggregates import Aggregates
from policies.running.observe import MemoryMeter


def test_similarities_are_those_of_answers_that_were_considered() -> None:
    meter = MemoryMeter()
    meters = SemanticMeters(meter)
    for verdict, similarity in (("served", 0.98), ("verify", 0.9), ("unknown", 0.0), ("right", 0.9)):
        meters.told(verdict, similarity)
    assert meter.values(instruments.SIMILARITY) == (0.98, 0.9)
    assert meter.by_label(instruments.SEMANTIC_VERDICTS, "verdict") == dict.fromkeys(
        ("served", "verify", "unknown", "right"), 1
    )
    assert meter.by_label(instruments.CACHE_LOOKUPS, "result") == {"hit": 1, "miss": 2}


def test_an_error_is_told_with_its_interval() -> None:
    meter = MemoryMeter()
    meters = SemanticMeters(meter)
    meters.learnt([Estimate(0, 0, 0.0, 1.0)])
    assert meter.gauge_value(instruments.SEMANTIC_ERROR, figure="estimate") is None
    meters.learnt([Estimate(3, 800, 0.0, 0.01), Estimate(1, 200, 0.0, 0.01)])
    figures = [
        meter.gauge_value(instruments.SEMANTIC_ERROR, figure=each) or 0.0
        for each in ("low", "estimate", "high")
    ]
    assert figures[1] == 0.004
    assert 0.0 < figures[0] < 0.004 < figures[2] < 0.01


def test_all_that_is_told_is_in_the_table(caplog: Any) -> None:
    aggregates: Any = Aggregates()  # drops, and logs, what is not
    meters = SemanticMeters(aggregates)
    for verdict in ("served", "verify", "unknown", "right", "wrong"):
        meters.told(verdict, 0.9)
    meters.learnt([Estimate(1, 100, 0.0, 0.1)])
    assert not caplog.records
    names = {each.instrument.name for each in aggregates.read()}
    assert {name for name in instruments.INSTRUMENTS if name.startswith("rtfs_semantic_")} <= names
