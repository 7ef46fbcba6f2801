"""L3, whole: an earlier call that means the same, and whether its answer will do.

    texts ─embed▶ vector ─▶ nearest calls of the partition ─▶ guards ─▶ learnt acceptance ─▶ Served, or Verify
                                                                              ▲
    what the target said ─────────────────────────────── the same answer? ────┘

Nothing is served because it is near. Guards refuse what differs in a number, a unit, a name, a negation and the
like; of what is left, each earlier call learns from verified answers how near is near enough. Whatever fails,
nothing is known, and the target is asked.

Answers themselves are in L2: an entry here names one there, and is gone when that is.
"""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from threading import Lock
from typing import Final, Protocol

from actors.caches.errors import CacheError, NotCacheable
from actors.caches.keys import answer_digest
from actors.caches.l3.entry import Entry, Vectors
from actors.caches.l3.learnt import Judgement
from actors.caches.l3.question import Neighbour, SemanticQuestion, Served, Unknown, Verdict, Verify
from actors.caches.l3.store import SemanticStore
from actors.caches.layer import Hit, Origin
from policies.errors import TargetFailed
from rtfs.values import Value

_log = logging.getLogger("rtfs.caches")

#: earlier calls that are looked at for one that is not refused
NEAREST: Final = 4
#: questions whose answers may still be told
_MOST_PENDING: Final = 4096
#: between two texts when they are embedded together
_BETWEEN: Final = "\n"
#: an entry whose answer is not in L2 after this time is none, microseconds: answers are written a little later
_SETTLED_US: Final = 10_000_000


class Acceptance(Protocol):
    """Whether an entry's answer will do for a call that is so near: `LearntAcceptance`."""

    def judge(
        self, origin: Origin, evidence: bytes, similarity: float, max_error: float, draw: float
    ) -> Judgement:
        """Whether to serve. `draw`: a random number from 0 to 1."""

    def learn(self, origin: Origin, evidence: bytes, similarity: float, correct: bool) -> bytes:
        """The evidence with one more verified answer."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A question whose answer is not known yet."""

    question: SemanticQuestion
    vector: Vectors
    #: the earlier call that is verified by it
    verified: Entry | None = None
    similarity: float = 0.0


@dataclass(slots=True)
class SemanticStats:
    """Counts since it was opened."""

    served: int = 0
    verified: int = 0
    #: verified answers that were another than the earlier call's
    wrong: int = 0
    unknown: int = 0
    refused: int = 0
    failures: int = 0


class SemanticCache:
    """L3 of a runtime. Safe to use from many threads.

    Args:
        store: of earlier calls.
        embed: the vector of a text: float32, shape (dimensions,), length 1.
        refusal: why two texts may not share an answer; None: no word stands against it.
        acceptance: what is learnt.
        answer: the answer in L2 under a key; None: there is none.
    """

    def __init__(
        self,
        store: SemanticStore,
        embed: Callable[[str], Vectors],
        refusal: Callable[[str, str], str | None],
        acceptance: Acceptance,
        answer: Callable[[bytes], Hit[Value] | None],
        *,
        random: Random | None = None,
        told: Callable[[str, float], None] = lambda verdict, similarity: None,
    ) -> None:
        self.stats = SemanticStats()
        self._store = store
        self._embed = embed
        self._refusal = refusal
        self._acceptance = acceptance
        self._answer = answer
        self._random = random or Random()
        self._tell = told
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._lock = Lock()
        #: held while evidence is read, and written with more
        self._learning = Lock()

    def look(self, question: SemanticQuestion) -> Verdict:
        """What is known of a call."""
        try:
            vector = self._embed(_BETWEEN.join(question.texts))
            return self._looked(question, vector)
        except (CacheError, TargetFailed) as error:
            self.stats.failures += 1
            return Unknown(reason=str(error))

    def answered(self, ticket: str, answer: bytes) -> None:
        """What the target said to a question: the digest of its answer, which is kept in L2."""
        with self._lock:
            pending = self._pending.pop(ticket, None)
        if pending is None:
            return
        entry = pending.verified
        if entry is not None and self._verify(pending, entry, answer):
            return  # it is as good for the next one as this would be
        question = pending.question
        try:
            self._store.add(
                partition=question.partition,
                vector=pending.vector,
                texts=question.texts,
                key=question.key,
                origin=question.origin,
                ttl_s=question.ttl_s,
            )
        except CacheError as error:
            self.stats.failures += 1
            _log.warning("a call is not kept for others that mean the same: %s", error)

    def similar(self, partition: bytes, text: str, at_least: float, limit: int) -> list[Neighbour]:
        """Earlier calls near a text, the nearest first, refused ones too."""
        found = self._store.search(partition, self._embed(text), limit)
        return [
            Neighbour(
                texts=entry.texts,
                symbol=entry.origin.symbol,
                similarity=similarity,
                refused=self._refused((text,), entry.texts) or "",
            )
            for similarity, entry in found
            if similarity >= at_least
        ]

    def _looked(self, question: SemanticQuestion, vector: Vectors) -> Verdict:
        reason = ""
        for similarity, entry in self._store.search(question.partition, vector, NEAREST, wait=False):
            if entry.texts == question.texts:  # its answer is too old, or was not wanted
                continue
            refused = self._refused(question.texts, entry.texts)
            if refused is not None:
                self.stats.refused += 1
                reason = reason or refused
                continue
            hit = self._answer(entry.key)
            if hit is None:
                if self._store.clock.now_us() - entry.created_us > _SETTLED_US:
                    self._store.remove(entry.id)
                continue
            if question.max_age_s is not None and hit.age_s > question.max_age_s:
                continue
            return self._judged(question, vector, entry, similarity, hit)
        self.stats.unknown += 1
        self._tell("unknown", 0.0)
        return Unknown(ticket=self._wait(_Pending(question, vector)), reason=reason)

    def _judged(
        self,
        question: SemanticQuestion,
        vector: Vectors,
        entry: Entry,
        similarity: float,
        hit: Hit[Value],
    ) -> Verdict:
        judgement = self._acceptance.judge(
            question.origin, entry.evidence, similarity, question.max_error, self._random.random()
        )
        if not judgement.serve:
            self._tell("verify", similarity)
            ticket = self._wait(_Pending(question, vector, entry, similarity))
            return Verify(ticket=ticket, similarity=similarity)
        self.stats.served += 1
        self._store.use(entry.id)
        self._tell("served", similarity)
        _log.info(
            "by meaning: `%s` of %s is answered as %s was, similarity %.4f, error at most %.4f",
            *(question.origin.symbol, question.key.hex()[:16], entry.key.hex()[:16]),
            *(similarity, judgement.error_bound),
        )
        return Served(hit=hit, similarity=similarity, error_bound=judgement.error_bound)

    def _refused(self, asked: tuple[str, ...], known: tuple[str, ...]) -> str | None:
        """Why the texts of two calls may not share an answer."""
        if len(asked) != len(known):
            return "another number of texts"
        for one, other in zip(asked, known, strict=True):
            refused = None if one == other else self._refusal(one, other)
            if refused is not None:
                return refused
        return None

    def _verify(self, pending: _Pending, entry: Entry, answer: bytes) -> bool:
        """Learn whether an earlier call has the same answer; whether it has."""
        question = pending.question
        hit = self._answer(entry.key)
        if hit is None:
            return False
        try:
            correct = answer_digest(hit.value) == answer
        except NotCacheable:
            return False
        self.stats.verified += 1
        self.stats.wrong += not correct
        self._tell("right" if correct else "wrong", pending.similarity)
        with self._learning:  # others may have learnt of it meanwhile
            now = self._store.get(entry.id)
            if now is not None:
                evidence = self._acceptance.learn(question.origin, now.evidence, pending.similarity, correct)
                self._store.set_evidence(entry.id, evidence)
        return correct

    def _wait(self, pending: _Pending) -> str:
        ticket = secrets.token_hex(8)
        with self._lock:
            self._pending[ticket] = pending
            if len(self._pending) > _MOST_PENDING:
                self._pending.popitem(last=False)
        return ticket
