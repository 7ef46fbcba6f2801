"""What is counted and measured of decisions and delegated calls, behind one small protocol.

    delegation_cache_size{cache}             gauge       entries of a cache of decisions
    cache_hit_rate{cache}                    gauge       hits of a cache by look-ups, 0 to 1
    delegation_decisions_total{target}       counter     decisions, by the target's name
    delegation_fallbacks_total{cause}        counter     steps of a chain that did not answer, by why
    delegation_calls_total{target,result}    counter     delegated calls, by who answered at last: the target
                                                         of the plan (answered) or another (fallback), or a
                                                         cache that knew its answer (known); those that a
                                                         program error or a limit ended (broken-off) count for
                                                         the target of the plan
    delegation_known_total{tier}             counter     delegated calls that a cache answered
    delegation_saved_micro_usd_total{target} counter     money that these answers took when they were made
    delegation_latency_ms{target}            histogram   time of one try of a target
    delegation_cost_micro_usd_total{target}  counter     money spent
    delegation_over_reservation_total{target} counter    calls that cost more than was reserved for them

Spans are named `delegate` (one delegated call) and `decide` (one decision that was not cached); each has the
attributes `fn_symbol`, `decision`, the name of the target, and `cache_hit`.

Labels are names out of the policy and fixed words, never values of a program or its texts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Final, Protocol

from policies.context import CallContext
from policies.engines.protocol import Decorator, DelegationEngine
from policies.plan import DelegationPlan
from policies.targets import target_name

CACHE_SIZE: Final = "delegation_cache_size"
HIT_RATE: Final = "cache_hit_rate"
DECISIONS: Final = "delegation_decisions_total"
FALLBACKS: Final = "delegation_fallbacks_total"
CALLS: Final = "delegation_calls_total"
LATENCY: Final = "delegation_latency_ms"
COST: Final = "delegation_cost_micro_usd_total"
KNOWN: Final = "delegation_known_total"
SAVED: Final = "delegation_saved_micro_usd_total"
OVER_RESERVATION: Final = "delegation_over_reservation_total"

DELEGATE_SPAN: Final = "delegate"
DECIDE_SPAN: Final = "decide"

#: stages of plans that came out of a cache of others than the memo
CACHED_STAGES: Final = frozenset({"l1", "l4"})

#: what an attribute of a span may be
type Attribute = str | int | float | bool


@dataclass(slots=True)
class Span:
    """One piece of work. Attributes may be added while it is under way."""

    name: str
    attributes: dict[str, Attribute] = field(default_factory=dict)


class Meter(Protocol):
    """Where measurements go. Safe to call from many threads; cheap, since every delegated call does."""

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Add to a counter."""

    def gauge(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""

    def record(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add to a histogram."""

    def span(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """A span around a block."""


class NullMeter:
    """Measures nothing."""

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Nothing."""

    def gauge(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Nothing."""

    def record(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Nothing."""

    def span(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """A span that nobody sees."""
        return nullcontext(Span(name))


#: a name and its labels in order of name
type Series = tuple[str, tuple[tuple[str, str], ...]]


class MemoryMeter:
    """Keeps everything, of histograms and spans the latest `keep`. For tests and for the command line."""

    def __init__(self, keep: int = 10_000) -> None:
        self._counters: dict[Series, int] = {}
        self._gauges: dict[Series, float] = {}
        self._histograms: dict[Series, deque[float]] = {}
        self._spans: deque[Span] = deque(maxlen=keep)
        self._keep = keep
        self._lock = threading.Lock()

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Add to a counter."""
        series = _series(name, labels)
        with self._lock:
            self._counters[series] = self._counters.get(series, 0) + amount

    def gauge(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""
        self._gauges[_series(name, labels)] = value

    def record(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add to a histogram."""
        with self._lock:
            self._histograms.setdefault(_series(name, labels), deque(maxlen=self._keep)).append(value)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Attribute]) -> Iterator[Span]:
        """A span, kept when it ends, however it does."""
        span = Span(name, dict(attributes))
        try:
            yield span
        finally:
            self._spans.append(span)

    def counter(self, name: str, **labels: str) -> int:
        """A counter's value; without labels the sum over all of that name."""
        if labels:
            return self._counters.get(_series(name, labels), 0)
        return sum(value for (each, _), value in self._counters.items() if each == name)

    def by_label(self, name: str, label: str) -> dict[str, int]:
        """A counter's values by one of its labels."""
        found: dict[str, int] = {}
        for (each, labels), value in self._counters.items():
            if each == name:
                key = dict(labels).get(label, "")
                found[key] = found.get(key, 0) + value
        return found

    def gauge_value(self, name: str, **labels: str) -> float | None:
        """A gauge's value, None if it was never set."""
        return self._gauges.get(_series(name, labels))

    def values(self, name: str, **labels: str) -> tuple[float, ...]:
        """What a histogram holds, in order."""
        return tuple(self._histograms.get(_series(name, labels), ()))

    @property
    def spans(self) -> tuple[Span, ...]:
        """Those that have ended, in order of their end."""
        return tuple(self._spans)


def _series(name: str, labels: Mapping[str, str]) -> Series:
    return name, tuple(sorted(labels.items()))


def gauge_cache(meter: Meter, cache: str, size: int, hit_rate: float) -> None:
    """Tell how a cache of decisions stands."""
    meter.gauge(CACHE_SIZE, {"cache": cache}, size)
    meter.gauge(HIT_RATE, {"cache": cache}, hit_rate)


class ObservedEngine(Decorator):
    """Counts the decisions of the engine inside. Outside a memo it sees all, inside one those that are new."""

    def __init__(self, inner: DelegationEngine, meter: Meter) -> None:
        super().__init__(inner)
        self.meter = meter

    def plan(self, call: CallContext) -> DelegationPlan:
        """What the engine inside says, counted."""
        with self.meter.span(DECIDE_SPAN, {"fn_symbol": call.fn_symbol}) as span:
            plan = self.inner.plan(call)
            name = target_name(plan.target)
            span.attributes.update(decision=name, cache_hit=plan.stage in CACHED_STAGES)
        self.meter.count(DECISIONS, {"target": name})
        return plan
