"""What is measured of caches.

Layers count in plain numbers, since a hit takes some twenty microseconds in all. `CacheMeters` tells, every now
and then, how much they have grown; a look-up is timed once in `EACH`. What L3 says is rare enough to be told as
it happens (`SemanticMeters`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from actors.caches.layer import CacheStats
from actors.telemetry import instruments
from policies.running import observe
from policies.running.observe import Meter

#: of so many looks one is timed
EACH: Final = 16
#: times that wait to be told; further ones are not taken
MOST_TIMES: Final = 512
#: the tier of answers by meaning
MEANING: Final = "l3"

#: counts that only grow, by instrument
_GROWING: Final[Mapping[str, str]] = {
    instruments.CACHE_EVICTIONS: "evictions",
    instruments.CACHE_EXPIRATIONS: "expirations",
    instruments.CACHE_REFUSED: "refused",
    instruments.CACHE_DAMAGED: "damaged",
    instruments.CACHE_FAILURES: "failures",
}


class Took(NamedTuple):
    """How long a look-up took."""

    tier: str
    ms: float


class LookTimes:
    """How long look-ups take, of one in `each`. Safe to use from many threads; a race costs a sample.

    Args:
        timer: nanoseconds.
    """

    def __init__(self, each: int = EACH, timer: Callable[[], int] = time.perf_counter_ns) -> None:
        self._each = each
        self._timer = timer
        self._looks = 0
        self._taken: list[Took] = []

    def begin(self) -> LookTimer | None:
        """A look through the layers begins; None: it is not to be timed."""
        self._looks = looks = self._looks + 1
        if looks % self._each or len(self._taken) >= MOST_TIMES:
            return None
        return LookTimer(self._taken, self._timer)

    def took(self, tier: str, ms: float) -> None:
        """A look that is timed always, since it is rare."""
        if len(self._taken) < MOST_TIMES:
            self._taken.append(Took(tier, ms))

    def take(self) -> list[Took]:
        """What was timed since this was asked last."""
        count = len(self._taken)
        taken = self._taken[:count]
        del self._taken[:count]
        return taken


class LookTimer:
    """One look through the layers."""

    __slots__ = ("_since", "_taken", "_timer")

    def __init__(self, taken: list[Took], timer: Callable[[], int]) -> None:
        self._taken = taken
        self._timer = timer
        self._since = timer()

    def looked(self, tier: str) -> None:
        """This layer has been asked, after all of which that was said before."""
        now = self._timer()
        self._taken.append(Took(tier, (now - self._since) / 1e6))
        self._since = now


class CacheMeters:
    """Tells a meter what happened in caches since it was told last. For one thread at a time, any.

    Args:
        stats: counts by tier, since the layers were opened.
        times: None: nothing is timed here.
        sized_elsewhere: tiers whose entries and bytes another process tells: a folder that many read.
    """

    def __init__(
        self,
        meter: Meter,
        stats: Callable[[], Mapping[str, CacheStats]],
        *,
        times: LookTimes | None = None,
        sized_elsewhere: frozenset[str] = frozenset(),
    ) -> None:
        self._meter = meter
        self._stats = stats
        self._times = times
        self._sized_elsewhere = sized_elsewhere
        self._told: Mapping[str, CacheStats] = {}
        self._lock = threading.Lock()

    def publish(self) -> None:
        """Tell it."""
        with self._lock:
            found = dict(self._stats())
            for tier, stats in found.items():
                self._grown(tier, self._told.get(tier, CacheStats()), stats)
                self._stands(tier, stats)
            self._told = found
        for took in () if self._times is None else self._times.take():
            self._meter.record(instruments.CACHE_LATENCY, {"tier": took.tier}, took.ms)

    def _grown(self, tier: str, before: CacheStats, now: CacheStats) -> None:
        for result, was, is_ in (("hit", before.hits, now.hits), ("miss", before.misses, now.misses)):
            self._count(instruments.CACHE_LOOKUPS, {"tier": tier, "result": result}, was, is_)
        for name, count in _GROWING.items():
            self._count(name, {"tier": tier}, getattr(before, count), getattr(now, count))

    def _count(self, name: str, labels: Mapping[str, str], was: int, now: int) -> None:
        growth = now - was if now >= was else now  # a layer that was opened anew counts from 0
        if growth:
            self._meter.count(name, labels, growth)

    def _stands(self, tier: str, stats: CacheStats) -> None:
        if stats.hits or stats.misses:
            self._meter.gauge(observe.HIT_RATE, {"cache": tier}, stats.hit_rate)
        if tier not in self._sized_elsewhere:
            self._meter.gauge(instruments.CACHE_ENTRIES, {"tier": tier}, stats.entries)
            self._meter.gauge(instruments.CACHE_BYTES, {"tier": tier}, stats.nbytes)
