"""`StaticRouteEngine`: the globs of `[delegation.static_routes]`."""

from __future__ import annotations

from policies.context import CallContext
from policies.engines.policy import made, named
from policies.engines.protocol import Decorator, DelegationEngine
from policies.plan import DelegationPlan
from policies.rules.candidates import expected_now
from policies.rules.rulebook import Current
from policies.rules.scoring import figures


class StaticRouteEngine(Decorator):
    """Sends a symbol where the first matching glob says; the engine inside decides the rest.

    A route to a target that a hard rule forbids, or that nobody serves, is left to `SecurityAwareEngine`, which
    stands outside of this one in every composition and follows the plan's chain: the fallback of the rule that
    would have decided the call, else `delegation.fallback`.
    """

    def __init__(self, inner: DelegationEngine, current: Current) -> None:
        super().__init__(inner)
        self.current = current

    def plan(self, call: CallContext) -> DelegationPlan:
        """The route of the symbol, or what the engine inside says."""
        rulebook, world = self.current.rulebook, self.current.world
        route = rulebook.static_route(call.fn_symbol)
        if route is None:
            return self.inner.plan(call)
        target, because = route
        candidate = rulebook.find(target)
        if candidate is None:
            why = f"{because.what} sends `{call.fn_symbol}` to a target that the policy does not name"
            return DelegationPlan(
                target=target,
                stage="static-route",
                reasoning=why,
                because=because,
                chain=rulebook.chain_after(call, target, world),
                created_at=world.now,
            )
        known = figures(expected_now(candidate, world))
        return made(
            rulebook,
            call,
            world,
            candidate,
            stage="static-route",
            reasoning=f"{because.what} sends `{call.fn_symbol}` to {named(candidate)} ({known})",
            because=because,
        )
