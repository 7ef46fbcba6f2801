"""The learnt acceptance: whether the answer of an earlier call will do for one that is so near.

What is promised: of the answers that are served, a share of at most `max_error` is wrong. What it rests on:

1. *An entry is not served to calls that are about as near as one for which it was wrong, or less.* One that was
   never verified counts among its like, see 2; one that was right for a call about as near, or less, counts
   among all.
2. *And only if calls that were no nearer were right often enough.* All verified answers of a function and the
   model that answers it, by similarity, give an upper bound of the share that is wrong among calls at most as
   near as this one (Clopper and Pearson's, at `CERTAINTY`). It has to be below `max_error`. With nothing
   wrong seen, that takes 230 verified answers for 1 %: before, nothing is served. That is the static,
   conservative start.
3. *Some of what could be served is verified all the same*, `VERIFIED_SHARE` of it, for ever. So the bound
   rests on answers of just that kind too, and sees it when a model's answers begin to drift; old outcomes
   count less and less.

The bound is over what is *served*, which is stricter than over all answers given, those of the target
included, as vCache has it (L. G. Schroeder et al.: vCache: Verified Semantic Prompt Caching, arXiv
2502.03771). From there comes the idea that each entry learns for itself, from answers that are verified,
instead of a threshold for all. Evidence is pooled over entries here, since one text is seldom asked hundreds
of times; guards have refused before what differs in a word that counts, so that entries differ less than
there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Final, NamedTuple

from actors.caches.l3.bounds import lower_bound, upper_bound
from actors.caches.l3.evidence import Outcome, read_evidence, with_outcome
from actors.caches.layer import Origin

#: chance with which a bound holds
CERTAINTY: Final = 0.9
#: of what could be served
VERIFIED_SHARE: Final = 0.03
#: similarities of one entry that are not so far apart count as the same
ABOUT: Final = 0.05
#: similarities that are counted together
_BUCKETS: Final = 50
#: a bound is by calls that were as near, or less by at most so many buckets
_NEARBY: Final = 8
#: outcomes of a pool after which all that were before count half
_HALVED_AFTER: Final = 4_000
#: pools that are known at the same time
_MOST_POOLS: Final = 4_096


class Judgement(NamedTuple):
    """What is said of serving an entry."""

    serve: bool
    #: share of such answers that are wrong, at most
    error_bound: float


class Estimate(NamedTuple):
    """What is thought of the errors of a function's answers by meaning."""

    wrong: int
    verified: int
    #: bounds of the share that is wrong, each at `CERTAINTY`
    low: float
    high: float


class Pool:
    """Verified answers of one function and model, by similarity."""

    __slots__ = ("_total", "_wrong")

    def __init__(self) -> None:
        self._total = [0] * (_BUCKETS + 1)
        self._wrong = [0] * (_BUCKETS + 1)

    def add(self, outcome: Outcome) -> None:
        """Count a verified answer."""
        bucket = _bucket(outcome.similarity)
        self._total[bucket] += 1
        self._wrong[bucket] += not outcome.correct
        if sum(self._total) >= _HALVED_AFTER:
            self._total = [count // 2 for count in self._total]
            self._wrong = [(count + 1) // 2 for count in self._wrong]  # in doubt it was wrong

    def error_bound(self, similarity: float) -> float:
        """The share that is wrong of calls about as near, at most."""
        end = _bucket(similarity) + 1
        start = max(0, end - 1 - _NEARBY)
        total = sum(self._total[start:end])
        return upper_bound(min(total, sum(self._wrong[start:end])), total, 1.0 - CERTAINTY)

    def estimate(self) -> Estimate:
        """What is thought of all of them."""
        wrong, total, doubt = sum(self._wrong), sum(self._total), 1.0 - CERTAINTY
        return Estimate(wrong, total, lower_bound(wrong, total, doubt), upper_bound(wrong, total, doubt))


class Pools(NamedTuple):
    """What is known of one function and model."""

    #: of entries that were not right before for a call about as near, or less
    first: Pool
    all: Pool


class LearntAcceptance:
    """What is learnt of all functions. Safe to use from many threads.

    Args:
        evidence: of all entries of such an origin, of any tenant: what was learnt before this process began.
    """

    def __init__(self, evidence: Callable[[Origin], Iterable[bytes]] = lambda origin: ()) -> None:
        self._evidence = evidence
        self._pools: dict[tuple[str, str, str], Pools] = {}
        self._lock = Lock()

    def judge(
        self, origin: Origin, evidence: bytes, similarity: float, max_error: float, draw: float
    ) -> Judgement:
        """Whether an entry's answer will do for a call that is so near.

        Args:
            evidence: of the entry.
            draw: a random number from 0 to 1: below `VERIFIED_SHARE` the target is asked in any case.
        """
        outcomes = read_evidence(evidence)
        if _was_wrong(outcomes, similarity):
            return Judgement(serve=False, error_bound=1.0)
        with self._lock:
            pool = self._pool(origin)
            bound = (pool.all if _was_right(outcomes, similarity) else pool.first).error_bound(similarity)
        return Judgement(serve=bound <= max_error and draw >= VERIFIED_SHARE, error_bound=bound)

    def learn(self, origin: Origin, evidence: bytes, similarity: float, correct: bool) -> bytes:
        """The evidence of an entry with one more verified answer, which its function learns from too."""
        outcome = Outcome(similarity, correct)
        with self._lock:
            pool = self._pool(origin)
            pool.all.add(outcome)
            if not _was_right(read_evidence(evidence), similarity):
                pool.first.add(outcome)
        return with_outcome(evidence, outcome)

    def estimates(self) -> dict[tuple[str, str, str], Estimate]:
        """What is thought of the errors, by function, model and version."""
        with self._lock:
            return {key: pool.all.estimate() for key, pool in self._pools.items()}

    def _pool(self, origin: Origin) -> Pools:
        key = (origin.symbol, origin.model, origin.version)
        pool = self._pools.get(key)
        if pool is None:
            if len(self._pools) >= _MOST_POOLS:
                self._pools.clear()
            pool = self._pools[key] = Pools(Pool(), Pool())
            for each in self._evidence(origin):
                outcomes = read_evidence(each)
                for number, outcome in enumerate(outcomes):
                    pool.all.add(outcome)
                    if not _was_right(outcomes[:number], outcome.similarity):
                        pool.first.add(outcome)
        return pool


def _was_right(outcomes: Sequence[Outcome], similarity: float) -> bool:
    """Whether an entry was right for a call about as near, or less."""
    return any(each.correct and each.similarity <= similarity + ABOUT for each in outcomes)


def _was_wrong(outcomes: Sequence[Outcome], similarity: float) -> bool:
    """Whether an entry was wrong for a call about as near, or nearer."""
    return any(not each.correct and each.similarity >= similarity - ABOUT for each in outcomes)


def _bucket(similarity: float) -> int:
    return int(min(1.0, max(0.0, similarity)) * _BUCKETS)
