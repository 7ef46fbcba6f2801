"""What the chains of one plan have in common: targets, prices and timeouts, deadline, money, confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.context import CallContext
from policies.file.schema import Delegation
from policies.plan import DelegationPlan
from policies.rules.cache_wish import cache_wish
from policies.rules.candidates import cost_bound
from policies.rules.rulebook import Rulebook
from policies.running.chain import Step
from policies.running.closed_answers import closed_answers
from policies.running.outdated import as_judged
from policies.running.results import Keeping
from policies.running.services import Services
from policies.targets import target_name
from policies.world import MicroUsd, World, micro_usd
from rtfs.delegation import ExecTarget, RemoteModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTerms:
    """What chains for one plan have in common, under one policy and world."""

    steps: tuple[Step, ...]
    timeout_s: float
    max_cost: MicroUsd | None
    min_confidence: float | None
    #: of the targets whose answers may be kept
    keeping: Mapping[ExecTarget, Keeping]


class Terms:
    """What all calls of one stub have in common. `now` is made anew when the policy or the world changes."""

    def __init__(
        self, services: Services, call: CallContext, plan: DelegationPlan, described: Rulebook
    ) -> None:
        self.services = services
        self.call = call
        self.plan = plan
        #: what the function can answer, if that is one of a few values; None: anything
        self.answers = closed_answers(call.facts.function)
        #: rulebook, and the call as it may judge it; first the one under which the call was described
        self._described = described
        self._judged = (described, call)
        self._known: tuple[Rulebook, World, ChainTerms] | None = None

    def now(self) -> ChainTerms:
        """Under the policy and the world in force."""
        rulebook, world = self.services.current.rulebook, self.services.current.world
        known = self._known
        if known is None or known[0] is not rulebook or known[1] is not world:
            known = self._known = rulebook, world, self._made(rulebook, world)
        return known[2]

    def call_under(self, rulebook: Rulebook) -> CallContext:
        """The call as `rulebook` may judge it."""
        judged = self._judged
        if judged[0] is not rulebook:
            judged = self._judged = (rulebook, as_judged(self.call, self._described, rulebook))
        return judged[1]

    def _made(self, rulebook: Rulebook, world: World) -> ChainTerms:
        settings = rulebook.policy.settings
        matching = rulebook.matching(self.call_under(rulebook))
        ceiling = rulebook.hard_rules.ceiling(matching)
        targets = (self.plan.target, *self.plan.chain)
        keeping = {} if self.services.results is None else self._keeping(rulebook, targets)
        return ChainTerms(
            steps=tuple(
                Step(
                    target=target,
                    timeout_s=_timeout_s(settings, target),
                    price=price_of(target, rulebook, world),
                )
                for target in targets
            ),
            timeout_s=settings.timeout_ms / 1000,
            max_cost=None if ceiling is None else micro_usd(ceiling[0]),
            min_confidence=None if matching.choosing is None else matching.choosing.rule.min_confidence,
            keeping=keeping,
        )

    def _keeping(self, rulebook: Rulebook, targets: tuple[ExecTarget, ...]) -> Mapping[ExecTarget, Keeping]:
        """How results are kept. Those of a function that may have effects never are."""
        call = self.call_under(rulebook)
        function = call.facts.function
        if function.capabilities:
            return {}
        wish = cache_wish(function)
        found = {}
        for target in targets:
            tier = rulebook.cache_tier(call, target)
            if tier == "l2" or tier == "l3":
                ttl_s = rulebook.cache_ttl_s(call, tier) if wish.ttl_s is None else wish.ttl_s
                found[target] = Keeping(tier=tier, ttl_s=ttl_s, wish=wish)
        return found


def price_of(target: ExecTarget, rulebook: Rulebook, world: World) -> MicroUsd:
    """What is reserved for a try.

    Nothing where the policy names no bound; the hard rules have seen to it that then nothing limits the cost.
    """
    candidate = rulebook.find(target)
    bound = None if candidate is None else cost_bound(candidate, world)
    return 0 if bound is None else micro_usd(bound)


def _timeout_s(settings: Delegation, target: ExecTarget) -> float | None:
    """The time that the policy gives one try of `target`, None if it names none."""
    if not isinstance(target, RemoteModel):
        return None
    providers = settings.remote_providers
    provider = providers.get(target_name(target)) or providers.get(target.id)
    return None if provider is None else provider.timeout / 1000
