"""Meters, and what is counted of decisions."""

from __future__ import annotations

import threading

import pytest

from policies.context import CallContext, CallFacts
from policies.engines.protocol import DelegationEngine
from policies.plan import DelegationPlan, Stage
from policies.running import observe
from policies.running.observe import MemoryMeter, Meter, NullMeter, ObservedEngine
from rtfs.delegation import ExecTarget, FunctionInfo, LocalPure, RemoteModel


def call(symbol: str) -> CallContext:
    info = FunctionInfo(
        symbol=symbol,
        doc=None,
        parameters=(),
        parameter_types=(),
        return_type="any",
        hint=None,
        metadata={},
        ir_hash="0",
    )
    return CallContext.of(CallFacts(function=info))


class Fixed(DelegationEngine):
    def __init__(self, plans: dict[str, tuple[ExecTarget, Stage]]) -> None:
        self.plans = plans

    @property
    def version(self) -> str:
        return "7"

    def plan(self, call: CallContext) -> DelegationPlan:
        target, stage = self.plans[call.fn_symbol]
        return DelegationPlan(target=target, stage=stage)

    def decide(self, call: CallContext) -> ExecTarget:
        return self.plan(call).target


def test_decisions_are_counted_by_target() -> None:
    meter = MemoryMeter()
    inner = Fixed({"f": (RemoteModel("a"), "rule"), "g": (LocalPure(), "l1"), "h": (RemoteModel("a"), "l4")})
    engine = ObservedEngine(inner, meter)
    for symbol in ("f", "g", "f", "h"):
        assert engine.plan(call(symbol)) == inner.plan(call(symbol))
    assert engine.decide(call("g")) == LocalPure()
    assert engine.version == "7"
    assert meter.by_label("delegation_decisions_total", "target") == {"remote-a": 3, "local-pure": 2}
    assert [(span.name, span.attributes) for span in meter.spans[1:4]] == [
        ("decide", {"fn_symbol": "g", "decision": "local-pure", "cache_hit": True}),
        ("decide", {"fn_symbol": "f", "decision": "remote-a", "cache_hit": False}),
        ("decide", {"fn_symbol": "h", "decision": "remote-a", "cache_hit": True}),
    ]


def test_a_decision_that_fails_has_a_span_and_no_count() -> None:
    meter = MemoryMeter()
    with pytest.raises(KeyError):
        ObservedEngine(Fixed({}), meter).plan(call("f"))
    assert [span.attributes for span in meter.spans] == [{"fn_symbol": "f"}]
    assert meter.counter(observe.DECISIONS) == 0


def test_a_memory_meter() -> None:
    meter = MemoryMeter(keep=3)
    meter.count("c", {"a": "1", "b": "2"})
    meter.count("c", {"b": "2", "a": "1"}, 4)
    meter.count("c", {"a": "2", "b": "2"})
    meter.count("other", {})
    assert (meter.counter("c"), meter.counter("c", a="1", b="2"), meter.counter("c", a="1")) == (6, 5, 0)
    assert meter.by_label("c", "b") == {"2": 6}
    assert meter.by_label("c", "none") == {"": 6}
    observe.gauge_cache(meter, "l1", 10, 0.25)
    observe.gauge_cache(meter, "l1", 11, 0.5)
    assert meter.gauge_value("delegation_cache_size", cache="l1") == 11
    assert meter.gauge_value("cache_hit_rate", cache="l1") == 0.5
    assert meter.gauge_value("cache_hit_rate", cache="l2") is None
    for value in (1.0, 2.0, 3.0, 4.0):
        meter.record("h", {"t": "x"}, value)
        with meter.span(f"s{value:g}", {}) as span:
            span.attributes["value"] = value
    assert meter.values("h", t="x") == (2.0, 3.0, 4.0)
    assert meter.values("h") == ()
    assert [span.attributes for span in meter.spans] == [{"value": 2.0}, {"value": 3.0}, {"value": 4.0}]


def test_threads_lose_no_count() -> None:
    meter = MemoryMeter()

    def count() -> None:
        for _ in range(2000):
            meter.count("c", {"a": "1"})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.counter("c") == 8000


@pytest.mark.parametrize("meter", [NullMeter(), MemoryMeter()])
def test_every_meter_bears_all_that_is_told(meter: Meter) -> None:
    meter.count("c", {}, 2)
    meter.gauge("g", {}, 1.0)
    meter.record("h", {}, 1.0)
    with pytest.raises(ZeroDivisionError), meter.span("s", {"a": 1}) as span:
        span.attributes["b"] = 1 / 0
