"""Engines: who decides where a call runs.

An engine answers `plan`; what it does not want to decide it leaves to the engine inside it. So engines compose
as decorators, outermost first, and around all that choose stands `SecurityAwareEngine`, which lets nothing pass
that a hard rule forbids. `policies.engines.standard` joins the usual ones in the fixed order.

    from policies.context import CallContext
    from policies.engines.protocol import Decorator
    from policies.plan import DelegationPlan
    from rtfs.delegation import LocalModel

    NIGHT = frozenset({22, 23, 0, 1, 2, 3, 4, 5})

    class NightShift(Decorator):
        '''At night everything that may go to the small model does.'''

        @property
        def version(self) -> str:
            return f"{self.inner.version}+night"

        def plan(self, call: CallContext) -> DelegationPlan:
            plan = self.inner.plan(call)
            if call.facts.runtime.ambient.get("hour") not in NIGHT:
                return plan
            chain = (plan.target, *plan.chain)
            return DelegationPlan(target=LocalModel("tiny"), stage="rule", reasoning="it is night", chain=chain)

It is used as `SecurityAwareEngine(NightShift(PolicyEngine(current)), current)`.
"""

from __future__ import annotations

from typing import Protocol

from policies.context import CallContext
from policies.plan import DelegationPlan
from rtfs.delegation import ExecTarget


class DelegationEngine(Protocol):
    """Pure under one `version`: equal calls have equal plans, so that plans may be kept."""

    @property
    def version(self) -> str:
        """Changes whenever any answer of `plan` may."""

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""

    def decide(self, call: CallContext) -> ExecTarget:
        """Where `call` runs."""


class Decorator(DelegationEngine):
    """An engine around another; this one changes nothing."""

    def __init__(self, inner: DelegationEngine) -> None:
        self.inner = inner

    @property
    def version(self) -> str:
        """The version of the engine inside; engines with a state of their own add to it."""
        return self.inner.version

    def plan(self, call: CallContext) -> DelegationPlan:
        """What the engine inside says."""
        return self.inner.plan(call)

    def decide(self, call: CallContext) -> ExecTarget:
        """Where `call` runs."""
        return self.plan(call).target
