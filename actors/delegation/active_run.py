"""What is known of a run while it is under way: its request, how to stop it, and what its calls came to.

Delegated calls find the run that they belong to through `active_run()`, a context variable, which parts that
overlap inherit. So a capability, a runner and the audit all speak of the same run without it being handed down.
"""

from __future__ import annotations

import hashlib
import threading
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType

from actors.requests import CallSummary, Deferral, RunRequest
from policies.running.chain import Attempt, Known
from policies.running.runner import CallRecord, known_of
from policies.targets import target_name
from policies.world import USD, MicroUsd
from rtfs import errors
from rtfs.errors import StorageError
from rtfs.ir_codec import encode_value
from rtfs.run import Run, cancel
from rtfs.values import Map, Vector


@dataclass(slots=True)
class _Tally:
    #: why the first of them did not go as planned; the details of the others may differ
    reason: str
    calls: int = 0
    took_ms: float = 0.0
    spent: MicroUsd = 0
    #: answers that say how sure they are, and the sum of that
    told: int = 0
    confidence: float = 0.0
    oldest_s: float | None = None
    similarity: float | None = None
    error_bound: float | None = None
    saved: MicroUsd = 0
    saved_ms: float = 0.0

    def add(self, record: CallRecord, known: Known | None) -> None:
        self.calls += 1
        self.took_ms += record.took_ms
        self.spent += record.spent
        for attempt in record.history:
            if attempt.target == record.answered_by and attempt.confidence is not None:
                self.told += 1
                self.confidence += attempt.confidence
        if known is not None:
            self._add_known(known)

    def _add_known(self, known: Known) -> None:
        self.oldest_s = max(known.age_s, self.oldest_s or 0.0)
        self.saved += known.saved
        self.saved_ms += known.saved_ms
        if known.similarity is not None:
            self.similarity = min(known.similarity, 1.0 if self.similarity is None else self.similarity)
            self.error_bound = max(known.error_bound, self.error_bound or 0.0)


#: function, target, who answered, what if that is told, the cache that knew it, and what became of each target
#: before
type _Kind = tuple[str, str, str | None, str | None, str | None, tuple[tuple[str, str], ...]]


@dataclass(slots=True, eq=False)
class ActiveRun:
    """One run under way. `with` makes it the one that `active_run` gives."""

    request: RunRequest
    #: the evaluation, from when it began; it is made inside
    run: Run | None = None
    #: why it was cancelled
    cancelled: str | None = None
    #: whether it did anything that others can see
    had_effects: bool = False
    #: why it is to be run again later
    deferral: Deferral | None = None
    #: `program_digest`, once somebody asked for it; empty: there is none
    _digest: str | None = None
    _tallies: dict[_Kind, _Tally] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _token: Token[ActiveRun | None] | None = None

    def __enter__(self) -> ActiveRun:
        self._token = _active.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._token is not None
        _active.reset(self._token)

    def began(self, run: Run) -> None:
        """The evaluation has begun as `run`."""
        with self._lock:
            self.run = run
            if self.cancelled is not None:
                cancel(run, self.cancelled)

    def cancel(self, reason: str = "cancelled") -> None:
        """Stop it, now or as soon as it begins. From any thread."""
        with self._lock:
            self.cancelled = self.cancelled or reason
            if self.run is not None:
                cancel(self.run, reason)

    def defer(self, deferral: Deferral) -> errors.LimitError:
        """Note that the run is to be run again later; the error that ends it."""
        self.deferral = deferral
        return errors.BudgetExhausted("deferred", f"target {deferral.target} is down")

    def before_effect(self) -> None:
        """The run is about to do something that others can see.

        Raises:
            LimitError: it is to be run again later, and would do it twice.
        """
        if self.deferral is not None:
            raise self.defer(self.deferral)
        self.had_effects = True

    def program_digest(self) -> str | None:
        """A hash of the program, its modules and its arguments; None: one of these cannot leave the run."""
        if self._digest is None:
            request = self.request
            parts = Vector([request.source, Map(dict(request.modules)), Map(dict(request.args))])
            try:
                self._digest = hashlib.sha256(encode_value(parts)).hexdigest()
            except StorageError:
                self._digest = ""
        return self._digest or None

    def add(self, record: CallRecord) -> None:
        """Count a delegated call."""
        target = target_name(record.plan.target)
        answered_by = None if record.answered_by is None else target_name(record.answered_by)
        passed = [] if answered_by == target else _passed_over(record.history)
        known = known_of(record.history, record.answered_by)
        tier = None if known is None else known.tier
        before = tuple([(each.result, each.cause) for each in passed])
        kind = (record.fn_symbol, target, answered_by, record.answer, tier, before)
        with self._lock:
            tally = self._tallies.get(kind)
            if tally is None:
                tally = self._tallies[kind] = _Tally("; ".join(map(str, passed)))
            tally.add(record, known)

    def summaries(self) -> tuple[CallSummary, ...]:
        """Its delegated calls, those that went alike together."""
        with self._lock:
            return tuple(
                CallSummary(
                    function=function,
                    target=target,
                    answered_by=answered_by,
                    reason=tally.reason,
                    calls=tally.calls,
                    took_ms=tally.took_ms,
                    cost_usd=tally.spent / USD,
                    confidence=tally.confidence / tally.told if tally.told else None,
                    answer=answer,
                    tier=tier,
                    oldest_s=tally.oldest_s,
                    similarity=tally.similarity,
                    error_bound=tally.error_bound,
                    saved_usd=tally.saved / USD,
                    saved_ms=tally.saved_ms,
                )
                for (function, target, answered_by, answer, tier, _), tally in self._tallies.items()
            )


def _passed_over(history: tuple[Attempt, ...]) -> list[Attempt]:
    return [each for each in history if each.result not in ("answered", "body")]


_active: ContextVar[ActiveRun | None] = ContextVar("rtfs_active_run", default=None)


def active_run() -> ActiveRun | None:
    """The run under way here; None outside any."""
    return _active.get()
