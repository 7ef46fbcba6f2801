"""What is measured of L3: what it says, how alike calls are, and how wrong it is thought to be."""

from __future__ import annotations

from collections.abc import Iterable

from actors.caches.l3.bounds import lower_bound, upper_bound
from actors.caches.l3.learnt import CERTAINTY, Estimate
from actors.caches.meters import MEANING
from actors.telemetry import instruments
from policies.running.observe import Meter


class SemanticMeters:
    """Tells a meter what L3 says, and how wrong it is thought to be. Safe to use from many threads."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def told(self, verdict: str, similarity: float) -> None:
        """What L3 made of a call: `served`, `verify` or `unknown`; or of an answer: `right` or `wrong`."""
        self._meter.count(instruments.SEMANTIC_VERDICTS, {"verdict": verdict})
        if verdict in ("served", "verify"):
            self._meter.record(instruments.SIMILARITY, {}, similarity)
        if verdict in ("served", "verify", "unknown"):
            result = "hit" if verdict == "served" else "miss"
            self._meter.count(instruments.CACHE_LOOKUPS, {"tier": MEANING, "result": result})

    def learnt(self, estimates: Iterable[Estimate]) -> None:
        """What is thought of the errors, by function and model: told of all together."""
        every = list(estimates)
        wrong, verified = sum(each.wrong for each in every), sum(each.verified for each in every)
        if not verified:
            return
        doubt = 1.0 - CERTAINTY
        shares = {
            "estimate": wrong / verified,
            "low": lower_bound(wrong, verified, doubt),
            "high": upper_bound(wrong, verified, doubt),
        }
        for figure, share in shares.items():
            self._meter.gauge(instruments.SEMANTIC_ERROR, {"figure": figure}, share)
