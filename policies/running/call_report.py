"""What others are told of one delegated call: the meter, whoever observes each try, the audit."""

from __future__ import annotations

from dataclasses import replace

from policies.running import observe
from policies.running.chain import Chain, Give, RunBody
from policies.running.chain_terms import Terms
from policies.running.closed_answers import answer_text
from policies.running.runner import CallRecord, Observation, known_of
from policies.targets import target_name
from policies.world import USD, MicroUsd
from rtfs.delegation import ExecTarget, LocalPure
from rtfs.values import Value


class CallReport:
    """Tells of one call: of each try when it is over, of the whole once, and of its answer to the audit."""

    def __init__(self, terms: Terms) -> None:
        self._services = terms.services
        self._call = terms.call
        self._plan = terms.plan
        self._answers = terms.answers
        #: what the audit is not told yet
        self._untold: CallRecord | None = None

    def tried(
        self, name: str, cause: str | None, cost: MicroUsd, latency_ms: float, confidence: float | None
    ) -> None:
        """A target was tried; `cause` is why it failed."""
        services = self._services
        services.meter.record(observe.LATENCY, {"target": name}, latency_ms)
        if cost:
            services.meter.count(observe.COST, {"target": name}, cost)
        if services.observe is not None:
            services.observe(
                Observation(
                    fn_symbol=self._call.fn_symbol,
                    task=self._call.task,
                    target=name,
                    cause=cause,
                    cost_usd=cost / USD,
                    latency_ms=latency_ms,
                    confidence=confidence,
                )
            )

    def over(self, chain: Chain, end: Give | RunBody | None, took_ms: float) -> None:
        """Count, and tell the audit, what became of the call; `end` is None if it was broken off."""
        services, plan = self._services, self._plan
        for attempt in chain.history:
            if attempt.result not in ("answered", "body"):
                services.meter.count(observe.FALLBACKS, {"cause": attempt.cause})
        if end is None:
            answered_by, result = None, "broken-off"
        else:
            answered_by = answering(end)
            result = "answered" if answered_by == plan.target else "fallback"
            known = known_of(chain.history, answered_by)
            if known is not None:
                result = "known"
                services.meter.count(observe.KNOWN, {"tier": known.tier})
                services.meter.count(observe.SAVED, {"target": target_name(answered_by)}, known.saved)
        name = target_name(plan.target if answered_by is None else answered_by)
        services.meter.count(observe.CALLS, {"target": name, "result": result})
        if services.audit is None:
            return
        self._untold = CallRecord(
            fn_symbol=self._call.fn_symbol,
            plan=plan,
            facts=self._call.facts.runtime,
            history=chain.history,
            answered_by=answered_by,
            reason="it was broken off" if end is None else end.reason,
            spent=chain.spent,
            at=services.clock.wall(),
            took_ms=took_ms,
        )
        if self._answers is None or not isinstance(end, RunBody):
            self.audit(end.value if isinstance(end, Give) else None)

    def audit(self, value: Value) -> None:
        """Tell the audit once of the call, and what was answered if that can be but one of a few values."""
        record, self._untold = self._untold, None
        if self._services.audit is None or record is None:
            return
        answer = None if self._answers is None else answer_text(self._answers, value)
        self._services.audit(record if answer is None else replace(record, answer=answer))


def answering(end: Give | RunBody) -> ExecTarget:
    """Who answered in the end."""
    return end.target if isinstance(end, Give) else LocalPure()
