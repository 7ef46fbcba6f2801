"""Measurements on their way to Ray. Ray is not started: its instruments take measurements all the same."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

import pytest

from actors.telemetry import aggregates
from actors.telemetry.instruments import INSTRUMENTS, Instrument
from actors.telemetry.meter import RayMeter, RaySink
from policies.running import observe
from policies.running.observe import Meter

WITHIN_S = 20.0


class Told:
    """Keeps what it is told, and says when enough has come."""

    def __init__(self, enough: int = 1) -> None:
        self.told: list[tuple[str, tuple[str, ...], float]] = []
        self.enough = threading.Event()
        self._count = enough

    def tell(self, instrument: Instrument, labels: Mapping[str, str], value: float) -> None:
        self.told.append((instrument.name, tuple(labels.values()), value))
        if len(self.told) >= self._count:
            self.enough.set()

    def take(self) -> list[tuple[str, tuple[str, ...], float]]:
        told, self.told = self.told, []
        return sorted(told)


def test_counters_tell_their_growth_gauges_their_value_histograms_each_value() -> None:
    sink = Told()
    meter = RayMeter(sink=sink)
    meter.count(observe.CALLS, {"target": "a", "result": "answered"}, 2)
    meter.gauge(observe.CACHE_SIZE, {"cache": "l1"}, 7)
    for latency_ms in (1.5, 2.5):
        meter.record(observe.LATENCY, {"target": "a"}, latency_ms)
    meter.flush()
    assert sink.take() == [
        (observe.CACHE_SIZE, ("l1",), 7),
        (observe.CALLS, ("a", "answered"), 2),
        (observe.LATENCY, ("a",), 1.5),
        (observe.LATENCY, ("a",), 2.5),
    ]
    meter.count(observe.CALLS, {"target": "a", "result": "answered"}, 3)
    meter.flush()
    assert sink.take() == [(observe.CACHE_SIZE, ("l1",), 7), (observe.CALLS, ("a", "answered"), 3)]
    totals = {each.instrument.name: each.value for each in meter.read()}
    assert totals[observe.CALLS] == 5


def test_what_is_gathered_is_measured_before_each_flush() -> None:
    sink = Told()
    meter = RayMeter(sink=sink, flush_s=0.01)
    meter.gather(lambda: meter.gauge(observe.CACHE_SIZE, {"cache": "l1"}, 3))
    with meter:
        assert sink.enough.wait(WITHIN_S)
    assert sink.told[0] == (observe.CACHE_SIZE, ("l1",), 3)


def test_the_thread_flushes_and_closing_tells_the_rest() -> None:
    sink = Told()
    with RayMeter(sink=sink, flush_s=0.01) as meter:
        meter.count(observe.FALLBACKS, {"cause": "timeout"})
        assert sink.enough.wait(WITHIN_S)
    sink.take()
    late = RayMeter(sink=sink, flush_s=3_600.0)
    late.start()
    late.count(observe.FALLBACKS, {"cause": "timeout"})
    late.close()
    late.close()
    assert sink.take() == [(observe.FALLBACKS, ("timeout",), 1)]


def test_too_many_values_are_handed_on_by_whoever_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "MOST_PENDING", 5)
    sink = Told()
    meter = RayMeter(sink=sink)
    for n in range(12):
        meter.record(observe.LATENCY, {"target": "a"}, n)
    assert [value for _, _, value in sink.told] == list(range(10))
    meter.flush()
    assert len(sink.told) == 12


class Failing(Told):
    """Fails once."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = threading.Event()

    def tell(self, instrument: Instrument, labels: Mapping[str, str], value: float) -> None:
        if not self.failed.is_set():
            self.failed.set()
            raise RuntimeError("Ray is on its way down")
        super().tell(instrument, labels, value)


def test_a_sink_that_fails_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    sink = Failing()
    with (
        caplog.at_level(logging.ERROR, "rtfs.telemetry"),
        RayMeter(sink=sink, flush_s=0.01) as meter,
    ):
        meter.count(observe.FALLBACKS, {"cause": "timeout"}, 3)
        assert sink.enough.wait(WITHIN_S)
    assert sink.take() == [(observe.FALLBACKS, ("timeout",), 3)]
    assert "measurements could not be handed on" in caplog.text


def test_rays_instruments_take_everything_in_the_table() -> None:
    sink = RaySink()
    meter: Meter = RayMeter(sink=sink)
    assert isinstance(meter, RayMeter)
    for instrument in INSTRUMENTS.values():
        labels = dict.fromkeys(instrument.labels, "x")
        if instrument.kind == "counter":
            meter.count(instrument.name, labels)
        elif instrument.kind == "gauge":
            meter.gauge(instrument.name, labels, 0.5)
        else:
            meter.record(instrument.name, labels, 0.5)
    meter.flush()
    assert len(sink._tells) == len(INSTRUMENTS)


def test_a_span_costs_nothing_to_keep_while_traces_are_off() -> None:
    with RayMeter(sink=Told()).span("delegate", {"fn_symbol": "f"}) as span:
        span.attributes["answered_by"] = "a"
    assert span.name == "delegate"
