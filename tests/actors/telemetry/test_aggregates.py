"""Measurements added up in memory."""

from __future__ import annotations

import logging
import threading

import pytest

from actors.telemetry.aggregates import MOST_SERIES, Aggregates, Histogram, Reading, merge
from actors.telemetry.instruments import Instrument

CALLS = Instrument(name="calls_total", kind="counter", labels=("target", "result"), help="Calls.")
SIZE = Instrument(name="size", kind="gauge", labels=("cache",), help="Size.")
TIME = Instrument(name="time_ms", kind="histogram", labels=(), help="Time.", boundaries=(1.0, 10.0))


def aggregates() -> Aggregates:
    return Aggregates([CALLS, SIZE, TIME])


def values(readings: list[Reading]) -> dict[tuple[str, ...], float | Histogram]:
    return {(each.instrument.name, *each.labels): each.value for each in readings}


def test_counters_add_gauges_replace_histograms_sort_into_buckets() -> None:
    found = aggregates()
    found.count("calls_total", {"target": "a", "result": "ok"})
    found.count("calls_total", {"result": "ok", "target": "a"}, 4)  # the same series, labels in another order
    found.count("calls_total", {"target": "a", "result": "failed"})
    for size in (3, 2.5):
        found.gauge("size", {"cache": "l1"}, size)
    for time_ms in (0.5, 1.0, 1.5, 10.0, 99.0):
        found.record("time_ms", {}, time_ms)
    assert values(found.read()) == {
        ("calls_total", "a", "failed"): 1,
        ("calls_total", "a", "ok"): 5,
        ("size", "l1"): 2.5,
        ("time_ms",): Histogram((2, 2, 1), 112.0),
    }
    assert [each.instrument for each in found.read()] == [CALLS, CALLS, SIZE, TIME]


def test_many_threads_lose_nothing() -> None:
    found = aggregates()

    def some() -> None:
        for n in range(5_000):
            found.count("calls_total", {"target": "a", "result": "ok"})
            found.record("time_ms", {}, n % 3)

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read = values(found.read())
    assert read["calls_total", "a", "ok"] == 20_000
    assert isinstance(histogram := read["time_ms",], Histogram)
    assert sum(histogram.counts) == 20_000


@pytest.mark.parametrize(
    ("name", "labels", "complaint"),
    [
        ("cals_total", {"target": "a"}, "no instrument `cals_total`"),
        ("size", {"cache": "a"}, "`size` is a gauge, not a counter"),
        ("calls_total", {"target": "secret"}, "labels of `calls_total` are target, result, got target"),
        ("calls_total", {}, "labels of `calls_total` are target, result, got none"),
        (
            "calls_total",
            {"target": "a", "result": "b", "tenant": "c"},
            "labels of `calls_total` are target, result, got result, target, tenant",
        ),
    ],
)
def test_a_wrong_measurement_is_dropped_and_logged_once(
    name: str, labels: dict[str, str], complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = aggregates()
    with caplog.at_level(logging.ERROR, "rtfs.telemetry"):
        for _ in range(3):
            found.count(name, labels)
    assert [record.getMessage() for record in caplog.records] == [f"a measurement was dropped: {complaint}"]
    assert found.read() == []


def test_labels_without_end_do_not_fill_the_memory() -> None:
    found = aggregates()
    for n in range(MOST_SERIES + 50):
        found.count("calls_total", {"target": str(n), "result": "ok"})
    found.count("calls_total", {"target": "0", "result": "ok"})
    read = values(found.read())
    assert len(read) == MOST_SERIES + 1
    assert read["calls_total", "other", "other"] == 50
    assert read["calls_total", "0", "ok"] == 2


def test_readings_of_processes_are_added_up_and_gauges_stay_apart() -> None:
    one, two = aggregates(), aggregates()
    for found, amount in ((one, 1), (two, 2)):
        found.count("calls_total", {"target": "a", "result": "ok"}, amount)
        found.gauge("size", {"cache": "l1"}, amount)
        found.record("time_ms", {}, amount)
    two.count("calls_total", {"target": "b", "result": "ok"}, 7)
    merged = merge({"evaluator-1": two.read(), "evaluator-0": one.read()})
    assert values(merged) == {
        ("calls_total", "a", "ok"): 3,
        ("calls_total", "b", "ok"): 7,
        ("size", "l1", "evaluator-0"): 1,
        ("size", "l1", "evaluator-1"): 2,
        ("time_ms",): Histogram((1, 1, 0), 3),
    }
    assert merged[2].instrument.labels == ("cache", "process")
