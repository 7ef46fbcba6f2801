"""The hard rules about money: ceilings for one call, and purses that are empty or would be.

Ceilings are `delegation.max_cost_usd`, the `max_cost_usd` of the rule that decides the call, and that of every
matching rule without targets; the lowest counts, and it counts for fallbacks and hints as well. While arguments
may still make another rule decide, its ceiling counts too.

A purse forbids what could take it over its limit: what was spent and reserved, with the most that a call may
cost (`policies.rules.candidates.cost_bound`). What is free is always allowed. What nobody knows the price of
could cost anything: under a ceiling, or where a purse pays, it is forbidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policies.file.policy import Policy
from policies.plan import Because, Rejection
from policies.rules.candidates import Candidate, cost_bound, place
from policies.rules.purses import purses_for
from policies.rules.rule_index import CompiledRule, Matching
from policies.world import USD, BudgetKey, MicroUsd, World, micro_usd
from rtfs.delegation import RuntimeFacts

_KEPT: Final = 4096

#: dollars, and who says so
type Ceiling = tuple[float, Because]
type _Paying = tuple[tuple[BudgetKey, MicroUsd], ...]


class Money:
    """What one policy says about money. Immutable but for a bounded cache."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        settings = policy.settings
        self._has_budgets = bool(settings.budgets)
        self._has_ceilings = settings.max_cost_usd is not None or any(
            rule.max_cost_usd is not None for rule in settings.rules
        )
        #: by tenant, plan and target, for one moment
        self._paying: tuple[float, dict[tuple[str | None, str | None, str], _Paying]] = (0.0, {})

    def ceiling(self, matching: Matching) -> Ceiling | None:
        """The most that a call may cost in dollars, fallbacks included; None if no ceiling is set."""
        if not self._has_ceilings:
            return None
        found = None
        whole = self._policy.settings.max_cost_usd
        if whole is not None:
            found = (whole, place(self._policy, "`max_cost_usd`", "max_cost_usd"))
        for rule in _with_ceilings(matching):
            most = rule.rule.max_cost_usd
            if most is not None and (found is None or most < found[0]):
                because = place(self._policy, rule.label, "rules", str(rule.position), "max_cost_usd")
                found = (most, because)
        return found

    def veto(
        self, candidate: Candidate, runtime: RuntimeFacts, ceiling: Ceiling | None, world: World
    ) -> Rejection | None:
        """The ceiling or the purse that forbids `candidate`, None if none does."""
        if ceiling is None and not self._has_budgets:
            return None
        bound = cost_bound(candidate, world)
        if bound == 0:
            return None
        if ceiling is not None and (bound is None or bound > ceiling[0]):
            return _rejected(candidate, f"{_may_cost(bound)}, the ceiling is ${ceiling[0]:g}", ceiling[1])
        return self._over_budget(candidate, runtime, bound, world) if self._has_budgets else None

    def _over_budget(
        self, candidate: Candidate, runtime: RuntimeFacts, bound: float | None, world: World
    ) -> Rejection | None:
        cost = 0 if bound is None else micro_usd(bound)
        for purse, limit in self._purses(candidate, runtime, world.now):
            spent = world.spent.get(purse, 0)
            if bound is None or spent + cost > limit:
                owner = f" of `{purse.owner}`" if purse.owner else ""
                text = f"{_may_cost(bound)}; ${spent / USD:g} of ${limit / USD:g} are spent or reserved{owner}"
                because = place(self._policy, f"budget `{purse.budget}`", "budgets", purse.budget)
                return _rejected(candidate, text, because)
        return None

    def _purses(self, candidate: Candidate, runtime: RuntimeFacts, now: float) -> _Paying:
        known_at, known = self._paying
        if known_at != now or len(known) >= _KEPT:
            known = {}
            self._paying = (now, known)
        key = (runtime.tenant, runtime.plan, candidate.name)
        found = known.get(key)
        if found is None:
            found = known[key] = purses_for(self._policy.settings, runtime, candidate.target, now)
        return found


def _with_ceilings(matching: Matching) -> Iterator[CompiledRule]:
    """The rules whose ceiling counts: that which decides, those that may, and hard ones."""
    yield from (rule for rule in matching.hard if rule.is_ceiling)
    yield from matching.undecided
    if matching.choosing is not None:
        yield matching.choosing


def _may_cost(bound: float | None) -> str:
    return "what a call costs is not known" if bound is None else f"a call may cost ${bound:g}"


def _rejected(candidate: Candidate, reason: str, because: Because) -> Rejection:
    return Rejection(target=candidate.target, reason=reason, hard="budget", because=because)
