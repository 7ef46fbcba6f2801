"""The engine that asks L1 first."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policies.context import CallContext
from policies.engines.metadata import audited
from policies.engines.protocol import Decorator, DelegationEngine
from policies.file.schema import Delegation
from policies.l1_cache import L1Cache, L1Entry
from policies.plan import DelegationPlan, Stage
from policies.rules.rulebook import Current, Rulebook

#: decisions that what was learnt may change from one moment to the next
LEARNABLE: Final[frozenset[Stage]] = frozenset({"optimizer", "model", "default"})


class L1Engine(Decorator):
    """Answers out of an `L1Cache`, and fills it with what the engine inside says.

    An entry is used only if it was made under the policy in force, for the same function, and if its target
    passes the hard rules as they are now; one that does not is dropped, and the engine inside is asked. Within
    its time to live an entry outlives changes of the world: that a target is down is for engines around this
    one to notice.

    Not kept are plans of calls with metadata, plans below the table's `confidence_threshold`, and, while
    learning is on, those that learning may replace.
    """

    def __init__(self, inner: DelegationEngine, cache: L1Cache, current: Current) -> None:
        super().__init__(inner)
        self.cache = cache
        self._current = current

    @property
    def version(self) -> str:
        """That of the engine inside and the number of changes made to the cache by hand."""
        return f"{self.inner.version}+l1.{self.cache.revision}"

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""
        rulebook = self._current.rulebook
        settings = rulebook.policy.settings
        if not settings.caches.l1.enabled:
            return self.inner.plan(call)
        entry = self._usable(call, rulebook)
        if entry is not None:
            return _kept(entry, call)
        plan = self.inner.plan(call)
        # under a policy that came meanwhile the plan would be kept for the wrong version
        unchanged = rulebook is self._current.rulebook
        if unchanged and call.metadata is None and _is_worth_keeping(plan, settings):
            version, ir_hash = rulebook.policy.version, call.facts.function.ir_hash
            self.cache.keep(call.fn_symbol, call.task, plan, version=version, ir_hash=ir_hash)
        return plan

    def _usable(self, call: CallContext, rulebook: Rulebook) -> L1Entry | None:
        version, ir_hash = rulebook.policy.version, call.facts.function.ir_hash
        entry = self.cache.get(call.fn_symbol, call.task, version=version, ir_hash=ir_hash)
        if entry is None:
            return None
        if rulebook.veto(call, entry.plan.target, self._current.world) is None:
            return entry
        self.cache.drop(entry)
        return None


def _is_worth_keeping(plan: DelegationPlan, settings: Delegation) -> bool:
    if settings.learning.enabled and plan.stage in LEARNABLE:
        return False
    return plan.confidence >= settings.caches.l1.confidence_threshold


def _kept(entry: L1Entry, call: CallContext) -> DelegationPlan:
    """The plan of an entry, marked as such."""
    plan = entry.plan
    by = "by hand" if entry.version is None else f"from `{plan.stage}`"
    kept = replace(plan, stage="l1", reasoning=f"kept {by}: {plan.reasoning}".removesuffix(": "))
    return kept if call.metadata is None else audited(kept, call.metadata)
