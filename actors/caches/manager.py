"""All caches of a process, and the way of a call through them.

    call ─▶ l2-hot ─▶ l2-cold ─▶ (l3) ─▶ one flight per key ─▶ target
              ◀── promoted ──┘                                  │
              ◀──────────────── kept ───────────────────────────┘

What a later layer knows exactly is promoted to the earlier ones for the time that it has left. What is to be
kept goes to all of them. Failures and parts of answers are never kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from actors.caches.clock import SteadyClock
from actors.caches.errors import StoreError
from actors.caches.flights import Flights, Share
from actors.caches.keys import InferenceCall
from actors.caches.l2.cold import ColdLayer
from actors.caches.l2.epoch import Epoch
from actors.caches.l2.hot import HotLayer
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.writer import WriterPort
from actors.caches.layer import (
    DEFAULT_CONTROL,
    CacheConfig,
    CacheControl,
    CacheLayer,
    CacheStats,
    Hit,
    Item,
    Which,
)
from actors.caches.leases import LeasePort
from actors.caches.meters import LookTimes
from rtfs.values import Value

_log = logging.getLogger("rtfs.caches")

#: layers whose hits are the answer to this very call, so that it may be kept as such
_EXACT: Final = frozenset(("l2-hot", "l2-cold"))

type ResultLayer = CacheLayer[InferenceCall, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a call: a hit of a cache, or what the target said."""

    value: Value
    #: None: the target, or another call of it that was under way, answered
    hit: Hit[Value] | None
    #: what the target said; None: it was not asked
    item: Item | None = None


class CacheManager:
    """The caches of a process. Safe to use from many threads.

    Args:
        results: layers that hold results, in the order in which they are asked.
        others: further layers, of decisions say, to be counted and cleared.
        epoch: counts invalidations, for the layers, too; None: nobody does.
        counts: whether it is for this manager to count them, since nobody else takes anything back. Then one
            invalidation has all go that is in memory.
        flights: None: callers do not wait for each other.
    """

    def __init__(
        self,
        results: Sequence[ResultLayer],
        *,
        others: Sequence[CacheLayer[Any, Any]] = (),
        epoch: Epoch | None = None,
        counts: bool = False,
        flights: Flights | None = None,
    ) -> None:
        self.results: Final = tuple(results)
        self.others: Final = tuple(others)
        self.flights: Final = flights
        #: how long look-ups take; None: nobody wants to know
        self.times: LookTimes | None = None
        self._epoch = epoch or Epoch(None)
        self._counts = counts

    def epoch(self) -> int:
        """Invalidations so far: for the `Item` of an answer that is about to be asked for."""
        return self._epoch.get()

    def get(self, call: InferenceCall, control: CacheControl = DEFAULT_CONTROL) -> Hit[Value] | None:
        """What the first layer knows that knows something that will do."""
        if control.bypass:
            return None
        timer = None if self.times is None else self.times.begin()
        for place, layer in enumerate(self.results):
            hit = layer.get(call, control)
            if timer is not None:
                timer.looked(layer.name)
            if hit is not None:
                if place and layer.name in _EXACT:
                    self._promote(call, hit, self.results[:place])
                return hit
        return None

    def put(self, call: InferenceCall, item: Item, control: CacheControl = DEFAULT_CONTROL) -> bool:
        """Keep an answer in all layers that will have it; whether one does."""
        if control.no_store or not item.complete:
            return False
        if item.ttl_s is None and control.ttl_s is not None:
            item = replace(item, ttl_s=control.ttl_s)
        return sum(layer.put(call, item) for layer in self.results) > 0

    def answer(
        self,
        call: InferenceCall,
        ask: Callable[[], Item],
        *,
        timeout_s: float,
        control: CacheControl = DEFAULT_CONTROL,
        share: Share | None = None,
    ) -> Answer:
        """The answer to a call: a cache's, or that of a target, which is asked once however many want it.

        Args:
            ask: asks the target. What it raises is kept nowhere.
            timeout_s: how long another's call of the target is waited for.
            share: what others who wait are told if it fails; see `Flights.run`.

        Raises:
            LimitError: the run must stop.
            BaseException: what `ask` raises.
        """
        hit = self.get(call, control)
        if hit is not None:
            return Answer(value=hit.value, hit=hit)
        if self.flights is None or control.bypass or control.no_store:
            return self._asked(call, ask, control)

        again = replace(control, counted=False)

        def look() -> Answer | None:
            found = self.get(call, again)
            return None if found is None else Answer(value=found.value, hit=found)

        options = {} if share is None else {"share": share}
        return self.flights.run(call.key, look, lambda: self._asked(call, ask, control), timeout_s, **options)

    def warm(self, which: Which, limit: int = 1000) -> int:
        """Have what the folder knows of `which` in memory; how many entries, at most `limit`."""
        warmed = 0
        for place, layer in enumerate(self.results):
            if not isinstance(layer, ColdLayer):
                continue
            earlier = [each for each in self.results[:place] if isinstance(each, HotLayer)]
            for entry in layer.entries(which, limit):
                hit = layer.get(entry)
                if hit is not None:
                    warmed += any(each.put(entry, Item.of_hit(hit)) for each in earlier)
        return warmed

    def invalidate(self, which: Which) -> int:
        """Remove entries of all layers of results; how many, each counted where it was."""
        gone = sum(layer.invalidate(which) for layer in reversed(self.results))
        self._count()
        return gone

    def clear(self) -> int:
        """Remove everything, decisions included; how many entries."""
        gone = sum(layer.clear() for layer in reversed((*self.others, *self.results)))
        self._count()
        return gone

    def close(self) -> None:
        """Let go of files."""
        for layer in self.results:
            if isinstance(layer, ColdLayer):
                layer.close()

    @property
    def stats(self) -> Mapping[str, CacheStats]:
        """By name of the layer."""
        return {layer.name: layer.stats for layer in (*self.others, *self.results)}

    def _asked(self, call: InferenceCall, ask: Callable[[], Item], control: CacheControl) -> Answer:
        epoch = self.epoch()
        item = ask()
        self.put(call, replace(item, epoch=epoch) if item.epoch is None else item, control)
        return Answer(value=item.value, hit=None, item=item)

    def _count(self) -> None:
        """What is being asked for now is stale when it comes."""
        if self._counts:
            self._epoch.set(self._epoch.get() + 1)

    def _promote(self, call: InferenceCall, hit: Hit[Value], earlier: Sequence[ResultLayer]) -> None:
        item = Item.of_hit(hit)
        for layer in earlier:
            layer.put(call, item)


def l2_manager(
    folder: Path | None,
    *,
    hot: CacheConfig,
    cold: CacheConfig,
    writer: WriterPort | None,
    leases: LeasePort | None = None,
    others: Sequence[CacheLayer[Any, Any]] = (),
    clock: SteadyClock | None = None,
) -> CacheManager:
    """A manager of L2. Where the folder cannot be used it does with memory alone, which is said in the log.

    Args:
        folder: that the writer writes; None: there is none.
        writer: None: nothing is written.
    """
    clock = clock or SteadyClock()
    layers: list[ResultLayer] = []
    epoch: Epoch | None = None
    if folder is not None:
        try:
            reader = L2Reader(folder, clock)
        except StoreError as error:
            _log.warning("answers are kept in memory only: %s", error)
        else:
            epoch = reader.epoch
            layers.append(ColdLayer(reader, writer, cold))
    is_alone = epoch is None
    epoch = epoch or Epoch(None)
    layers.insert(0, HotLayer(hot, clock=clock, epoch=epoch))
    return CacheManager(layers, others=others, epoch=epoch, counts=is_alone, flights=Flights(leases))
