"""Which calls are likely to come next, of those that were made before.

Two things are counted:

how often   each call, with an exponential decay: an occurrence counts half after `half_life_s`. A call that
            comes at a steady rate r has the count r * half_life / ln 2 in the long run, so the rate is known
            from the count, and with it the probability that the call comes within `horizon_s` at least once:
            1 - exp(-rate * horizon), as if calls came by chance (a Poisson process)
after what  what followed a call in its run, and what followed it after the one before it. The two are put
            together as in text compression by partial matching: an order that has seen n successors, u of them
            different, speaks with the weight n / (n + u), and leaves the rest to the order below

Both may be true of a call: 1 - (1 - p)(1 - q).

A run begins where the tenant's last call left off, so that workflows of several runs are seen, too; where calls
of several runs mix, counts are blurred and probabilities stay low.

Pure: time is what it is told, and equal questions get equal answers. Memory is bounded: the calls, contexts and
runs that were met least recently are forgotten.

Sources: the blend is method C of Moffat, "Implementing the PPM data compression scheme", IEEE Trans. Commun.
38 (1990), also known as Witten-Bell; the idea of fetching ahead by a compressor's predictions is of Vitter and
Krishnan, "Optimal prefetching via data compression", J. ACM 43 (1996).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import nlargest
from math import exp, inf, log
from typing import Final, NamedTuple

#: contexts for each call that is remembered
_CONTEXTS_PER_CALL: Final = 4
#: successors of one context; of more the rarest goes
MOST_SUCCESSORS: Final = 16
#: successors that one context counts before all counts are halved, so that it follows changes
_MOST_COUNTED: Final = 64
#: runs and tenants whose last calls are remembered
MOST_STREAMS: Final = 1024
#: calls that come often are looked for so many times before the horizon
_LOOKS: Final = 60
#: such calls that are thought of
MOST_FREQUENT: Final = 32

#: what is counted of a call: its digest
type Call = bytes
#: the latest calls of a run, the last one last
type Context = tuple[Call, ...]


class Prediction(NamedTuple):
    """A call that may come."""

    call: Call
    #: 0 to 1
    probability: float


@dataclass(slots=True)
class _Often:
    """How often a call came."""

    #: with the decay up to `at`
    count: float = 0.0
    at: float = -inf


@dataclass(slots=True)
class _Successors:
    """What followed a context."""

    total: int = 0
    counts: dict[Call, int] = field(default_factory=dict)

    def add(self, call: Call) -> None:
        self.total += 1
        self.counts[call] = self.counts.get(call, 0) + 1
        if len(self.counts) > MOST_SUCCESSORS:
            rarest = min((each for each in self.counts if each != call), key=self.counts.__getitem__)
            self.total -= self.counts.pop(rarest)
        if self.total > _MOST_COUNTED:
            self.counts = {each: count // 2 for each, count in self.counts.items() if count > 1}
            self.total = sum(self.counts.values())


class Predictor:
    """Learns from calls, and predicts. For one thread at a time.

    Args:
        most_calls: that are remembered.
        order: how many of the latest calls of a run count; 0: none, and only what comes often is predicted.
        half_life_s: after which an occurrence counts half.
        horizon_s: how far ahead calls are predicted that come often.
    """

    def __init__(
        self,
        *,
        most_calls: int = 4096,
        order: int = 2,
        half_life_s: float = 600.0,
        horizon_s: float = 60.0,
    ) -> None:
        self._most_calls = most_calls
        self._most_contexts = most_calls * _CONTEXTS_PER_CALL
        self._order = order
        self._half_life_s = half_life_s
        self._horizon_s = horizon_s
        self._often: OrderedDict[Call, _Often] = OrderedDict()
        self._after: OrderedDict[Context, _Successors] = OrderedDict()
        #: by run, or else by tenant
        self._streams: OrderedDict[tuple[str | None, str | None], Context] = OrderedDict()
        self._next_look = -inf

    def observe(self, call: Call, now: float, *, run: str | None, tenant: str | None = None) -> list[Call]:
        """A call was made.

        Args:
            now: seconds, of a clock that never goes back.
            run: tells runs apart; what follows in one belongs together. None: in no run.

        Returns:
            Calls that are forgotten for it.
        """
        context = self._context(run, tenant)
        self._followed(context, call)
        context = (*context, call)[-self._order :] if self._order else ()
        streams = [(None, tenant)] if run is None else [(run, None), (None, tenant)]
        for stream in streams:
            self._streams[stream] = context
            self._streams.move_to_end(stream)
        while len(self._streams) > MOST_STREAMS:
            self._streams.popitem(last=False)
        return self._came(call, now)

    def next_calls(self, now: float, *, run: str | None, tenant: str | None = None) -> list[Prediction]:
        """What may come after the last call of a run, the most likely first; nothing is said twice.

        What comes often and does not follow that call is told of now and then only, since it takes longer.
        """
        found = self._following(self._context(run, tenant))
        for call in self._frequent_calls(now):
            found.setdefault(call, 0.0)
        if self._horizon_s > 0.0:
            found = {
                call: 1.0 - (1.0 - chance) * (1.0 - self._chance(call, now)) for call, chance in found.items()
            }
        predictions = [Prediction(call, chance) for call, chance in found.items() if chance > 0.0]
        return sorted(predictions, key=lambda each: (-each.probability, each.call))

    def __len__(self) -> int:
        """Calls that are remembered."""
        return len(self._often)

    # ------------------------------------------------------------ how often

    def _came(self, call: Call, now: float) -> list[Call]:
        often = self._often.get(call)
        if often is None:
            often = self._often[call] = _Often()
        often.count = self._decayed(often, now) + 1.0
        often.at = now
        self._often.move_to_end(call)
        forgotten = []
        while len(self._often) > self._most_calls:
            forgotten.append(self._often.popitem(last=False)[0])
        return forgotten

    def _decayed(self, often: _Often, now: float) -> float:
        return often.count * 0.5 ** (max(0.0, now - often.at) / self._half_life_s) if often.count else 0.0

    def _chance(self, call: Call, now: float) -> float:
        """That a call comes at least once before the horizon."""
        often = self._often.get(call)
        if often is None:
            return 0.0
        # one occurrence says nothing about a rate
        rate = max(0.0, self._decayed(often, now) - 1.0) * log(2.0) / self._half_life_s
        return 1.0 - exp(-rate * self._horizon_s)

    def _frequent_calls(self, now: float) -> list[Call]:
        """Those that come most often; none if that was told a short time ago."""
        if now < self._next_look or self._horizon_s <= 0.0:
            return []
        self._next_look = now + self._horizon_s / _LOOKS
        counted = ((self._decayed(often, now), call) for call, often in self._often.items())
        return [call for count, call in nlargest(MOST_FREQUENT, counted) if count > 1.0]

    # ------------------------------------------------------------ after what

    def _context(self, run: str | None, tenant: str | None) -> Context:
        """The latest calls of a run; before its first one, those of its tenant."""
        context = None if run is None else self._streams.get((run, None))
        return self._streams.get((None, tenant), ()) if context is None else context

    def _followed(self, context: Context, call: Call) -> None:
        for length in range(1, len(context) + 1):
            key = context[-length:]
            after = self._after.get(key)
            if after is None:
                after = self._after[key] = _Successors()
            after.add(call)
            self._after.move_to_end(key)
        while len(self._after) > self._most_contexts:
            self._after.popitem(last=False)

    def _following(self, context: Context) -> dict[Call, float]:
        """Probabilities of the next call, from the shortest context to the longest."""
        found: dict[Call, float] = {}
        for length in range(1, len(context) + 1):
            after = self._after.get(context[-length:])
            if after is None or not after.total:
                break
            different = len(after.counts)
            whole = after.total + different
            found = {call: chance * different / whole for call, chance in found.items()}
            for call, count in after.counts.items():
                found[call] = found.get(call, 0.0) + count / whole
        return found
