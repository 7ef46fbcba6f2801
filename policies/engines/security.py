"""`SecurityAwareEngine`, the outermost of every composition: what a hard rule forbids goes no farther."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from policies.context import CallContext
from policies.engines.policy import fall_back, made, named
from policies.engines.protocol import Decorator, DelegationEngine
from policies.plan import Because, DelegationPlan, Rejection, Stage
from policies.rules.candidates import expected_now
from policies.rules.hard_rules import Judge
from policies.rules.rulebook import Current, Rulebook
from policies.rules.scoring import figures
from policies.targets import target_name
from policies.world import World
from rtfs.delegation import ExecTarget, LocalPure


class SecurityAwareEngine(Decorator):
    """Holds plans of the engine inside against the hard rules, whatever that engine is.

    A forbidden target gives way to the first allowed one of the plan's chain, then of the policy's fallbacks,
    at last to the function's own body; the plan then has the stage `fallback` and says what was forbidden.
    Chains are freed of what is forbidden, too.
    """

    def __init__(self, inner: DelegationEngine, current: Current) -> None:
        super().__init__(inner)
        self.current = current

    @property
    def version(self) -> str:
        """That of the engine inside, and of the policy and the world that its plans are held against."""
        return f"{self.inner.version}+s{self.current.version}"

    def plan(self, call: CallContext) -> DelegationPlan:
        """What the engine inside says, if no hard rule forbids it."""
        return secured(self.current.rulebook, call, self.inner.plan(call), self.current.world)

    def plan_for(self, call: CallContext, target: ExecTarget, stage: Stage = "hint") -> DelegationPlan:
        """The plan for a call whose target is settled, by a hint: that target, unless a hard rule forbids it.

        A hint may name a provider or a model by its key in the policy instead of a target; see
        `Rulebook.resolve`. Its chain is the fallback of the rule that would have decided the call, else
        `delegation.fallback`.
        """
        rulebook, world = self.current.rulebook, self.current.world
        meant = rulebook.resolve(target, call.facts.function.hint)
        because = Because(what=f"{stage} on `{call.fn_symbol}`")
        candidate = rulebook.find(meant)
        if candidate is None:
            wanted = DelegationPlan(target=meant, stage=stage, because=because, created_at=world.now)
        else:
            known = figures(expected_now(candidate, world))
            why = f"the {stage} on `{call.fn_symbol}` sends it to {named(candidate)} ({known})"
            wanted = made(rulebook, call, world, candidate, stage=stage, reasoning=why, because=because)
        return secured(rulebook, call, wanted, world)


def secured(rulebook: Rulebook, call: CallContext, plan: DelegationPlan, world: World) -> DelegationPlan:
    """`plan`, or what comes after it where a hard rule forbids its target; no chain holds what is forbidden."""
    judge = rulebook.judge(call, world)
    veto = judge.veto(plan.target)
    chain, forbidden = _allowed(judge, plan.chain)
    if veto is None:
        if not forbidden:
            return plan
        return replace(plan, chain=chain, rejected=_joined(plan.rejected, forbidden))
    why = f"{_origin(plan)} names `{target_name(plan.target)}` for `{call.fn_symbol}`"
    if not chain:
        fallen = fall_back(rulebook, call, world, why, [veto, *forbidden])
        return replace(fallen, rejected=_joined(plan.rejected, fallen.rejected), metadata=plan.metadata)
    instead = rulebook.known(chain[0])
    return replace(
        plan,
        target=instead.target,
        stage="fallback",
        reasoning=f"{why} ({veto.reason}); its chain goes on with {named(instead)}".rstrip(","),
        because=veto.because,
        chain=() if type(instead.target) is LocalPure else chain[1:],
        rejected=_joined(plan.rejected, (veto, *forbidden)),
        expected=expected_now(instead, world),
        cache=rulebook.cache_tier(call, instead.target),
    )


def _allowed(judge: Judge, chain: Iterable[ExecTarget]) -> tuple[tuple[ExecTarget, ...], list[Rejection]]:
    """The targets of a chain that are allowed, and what is against the others."""
    allowed: list[ExecTarget] = []
    forbidden: list[Rejection] = []
    for target in chain:
        veto = judge.veto(target)
        if veto is None:
            allowed.append(target)
        else:
            forbidden.append(veto)
    return tuple(allowed), forbidden


def _joined(known: tuple[Rejection, ...], more: Iterable[Rejection]) -> tuple[Rejection, ...]:
    """Rejections in order, one for each target: a hard one rather than another."""
    found = {rejection.target: rejection for rejection in known}
    for rejection in more:
        before = found.get(rejection.target)
        if before is None or (before.hard is None and rejection.hard is not None):
            found[rejection.target] = rejection
    return tuple(found.values())


def _origin(plan: DelegationPlan) -> str:
    return plan.because.what if plan.because is not None else f"the stage `{plan.stage}`"
