"""What is known of a run while it is under way: its request, how to stop it, and what its calls came to.

Delegated calls find the run that they belong to through `active_run()`, a context variable, which parts that
overlap inherit. So a capability, a runner and the audit all speak of the same run without it being handed down.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType

from actors.requests import CallSummary, Deferral, RunRequest
from policies.running.runner import CallRecord
from policies.targets import target_name
from policies.world import USD
from rtfs import errors
from rtfs.run import Run, cancel


@dataclass(slots=True)
class _Tally:
    calls: int = 0
    took_ms: float = 0.0
    cost_usd: float = 0.0


type _Kind = tuple[str, str, str | None, str]


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

    def add(self, record: CallRecord) -> None:
        """Count a delegated call."""
        target = target_name(record.plan.target)
        answered_by = None if record.answered_by is None else target_name(record.answered_by)
        reason = ""
        if answered_by != target:
            reason = "; ".join(str(each) for each in record.history if each.result not in ("answered", "body"))
        kind = (record.fn_symbol, target, answered_by, reason)
        with self._lock:
            tally = self._tallies.setdefault(kind, _Tally())
            tally.calls += 1
            tally.took_ms += record.took_ms
            tally.cost_usd += record.spent / USD

    def summaries(self) -> tuple[CallSummary, ...]:
        """Its delegated calls, those that went alike together."""
        with self._lock:
            return tuple(
                CallSummary(
                    function=function,
                    target=target,
                    answered_by=answered_by,
                    reason=reason,
                    calls=tally.calls,
                    took_ms=tally.took_ms,
                    cost_usd=tally.cost_usd,
                )
                for (function, target, answered_by, reason), tally in self._tallies.items()
            )


_active: ContextVar[ActiveRun | None] = ContextVar("rtfs_active_run", default=None)


def active_run() -> ActiveRun | None:
    """The run under way here; None outside any."""
    return _active.get()
