"""`PolicyEngine`: the rules of the policy, its optimiser, its default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from policies.context import CallContext
from policies.engines.protocol import DelegationEngine
from policies.plan import Because, DelegationPlan, Rejection, Stage
from policies.rules.candidates import Candidate, expected_now
from policies.rules.rule_index import CompiledRule
from policies.rules.rulebook import Current, Rulebook
from policies.rules.scoring import beyond_ceilings, figures, ranked
from policies.targets import target_name
from policies.world import World
from rtfs.delegation import ExecTarget, LocalPure

LOCAL: Final = LocalPure()
_KEPT: Final = 4096


class PolicyEngine(DelegationEngine):
    """Decides every call; usually the innermost engine.

    The first rule in the file's order that matches and has targets decides. With `choose = "first"` its allowed
    targets are taken in order, with `choose = "best"` the optimiser orders them (`policies.rules.scoring`). If
    none is allowed, the rule's fallback follows, then `delegation.fallback`, at last the function's own body.
    Without such a rule `default_target` decides, and `delegation.fallback` is its chain: the optimiser works
    only where a rule asks for it.
    """

    def __init__(self, current: Current) -> None:
        self.current = current
        self._choices = _Choices(current.rulebook, current.world)

    @property
    def version(self) -> str:
        """That of the policy and the world in force."""
        return self.current.version

    def decide(self, call: CallContext) -> ExecTarget:
        """Where `call` runs."""
        return self.plan(call).target

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""
        rulebook, world = self.current.rulebook, self.current.world
        rule = rulebook.matching(call).choosing
        if rule is None:
            return _by_default(rulebook, call, world)
        allowed, rejected = able(rulebook, rule, call, world)
        if not allowed:
            why = f"no target of {rule.label} may run `{call.fn_symbol}`"
            return fall_back(rulebook, call, world, why, rejected)
        choices = self._choices
        if choices.world is not world or choices.rulebook is not rulebook:
            choices = self._choices = _Choices(rulebook, world)
        choice = choices.of(rule, allowed)
        return made(
            rulebook,
            call,
            world,
            choice.chosen,
            stage=choice.stage,
            confidence=choice.confidence,
            reasoning=f"{rule.label} sends `{call.fn_symbol}` to {choice.why}",
            because=rule.because,
            targets=choice.targets,
            rejected=tuple(rejected),
        )


class _Choice(NamedTuple):
    chosen: Candidate
    targets: tuple[ExecTarget, ...]
    stage: Stage
    confidence: float
    why: str


class _Choices:
    """What was chosen out of the same targets of the same rule before, in one world."""

    def __init__(self, rulebook: Rulebook, world: World) -> None:
        self.rulebook = rulebook
        self.world = world
        self._known: dict[tuple[int, tuple[str, ...]], _Choice] = {}

    def of(self, rule: CompiledRule, allowed: Sequence[Candidate]) -> _Choice:
        key = (rule.position, tuple([candidate.name for candidate in allowed]))
        choice = self._known.get(key)
        if choice is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            choice = self._known[key] = self._choose(rule, allowed)
        return choice

    def _choose(self, rule: CompiledRule, allowed: Sequence[Candidate]) -> _Choice:
        if rule.rule.choose == "best":
            ranking = ranked(allowed, rule.rule.weights or self.rulebook.policy.settings.weights, self.world)
            why = f"{named(ranking.best)} ({ranking.comparison})"
            return _Choice(ranking.best, ranking.targets, "optimizer", ranking.confidence, why)
        first = allowed[0]
        why = f"{named(first)} ({figures(expected_now(first, self.world))})"
        return _Choice(first, tuple(candidate.target for candidate in allowed), "rule", 1.0, why)


def able(
    rulebook: Rulebook, rule: CompiledRule, call: CallContext, world: World
) -> tuple[list[Candidate], list[Rejection]]:
    """The targets of `rule` that may run `call` within its ceilings, and what is against the others."""
    allowed, rejected = rulebook.judge(call, world).sift(rulebook.targets_of(rule))
    if rule.has_limits:
        for candidate in tuple(allowed):
            beyond = beyond_ceilings(rule.rule, expected_now(candidate, world))
            if beyond is not None:
                allowed.remove(candidate)
                rejected.append(Rejection(target=candidate.target, reason=beyond, because=rule.because))
    return allowed, rejected


def _by_default(rulebook: Rulebook, call: CallContext, world: World) -> DelegationPlan:
    veto = rulebook.veto(call, rulebook.default, world)
    if veto is not None:
        return fall_back(rulebook, call, world, f"`default_target` may not run `{call.fn_symbol}`", (veto,))
    candidate = rulebook.known(rulebook.default)
    return made(
        rulebook,
        call,
        world,
        candidate,
        stage="default",
        reasoning=f"no rule chooses for `{call.fn_symbol}`; `default_target` is {named(candidate)}",
        because=rulebook.default_because,
    )


# ---------------------------------------------------------------- plans


def fall_back(
    rulebook: Rulebook, call: CallContext, world: World, why: str, rejected: Sequence[Rejection]
) -> DelegationPlan:
    """The plan for a call none of whose targets is allowed.

    The fallback of its rule, else `delegation.fallback`, else its own body.
    """
    wanted = dict.fromkeys((*rulebook.fallback_of(call), *rulebook.fallback, LOCAL))
    allowed = rulebook.permitted(call, tuple(wanted), world)
    chosen = rulebook.known(allowed[0])
    seen = {one.target for one in rejected}
    vetoes = (rulebook.veto(call, target, world) for target in wanted if target not in seen)
    against = "; ".join(map(_against, rejected))
    return made(
        rulebook,
        call,
        world,
        chosen,
        stage="fallback",
        reasoning=f"{why} ({against}); {_instead(chosen)}",
        because=rejected[0].because if rejected else None,
        targets=allowed,
        rejected=(*rejected, *filter(None, vetoes)),
    )


def made(
    rulebook: Rulebook,
    call: CallContext,
    world: World,
    chosen: Candidate,
    *,
    stage: Stage,
    reasoning: str,
    because: Because | None,
    confidence: float = 1.0,
    targets: tuple[ExecTarget, ...] = (),
    rejected: tuple[Rejection, ...] = (),
) -> DelegationPlan:
    """A plan that runs `call` on `chosen`, then on the others of `targets`, then on its fallbacks."""
    target = chosen.target
    if type(target) is LocalPure:
        chain: tuple[ExecTarget, ...] = ()
    else:
        after = (*(other for other in targets if other != target), *rulebook.fallback_of(call))
        chain = rulebook.chain(call, target, after, world)
    return DelegationPlan(
        target=target,
        stage=stage,
        confidence=confidence,
        reasoning=reasoning,
        because=because,
        chain=chain,
        rejected=rejected,
        expected=expected_now(chosen, world),
        cache=rulebook.cache_tier(call, target),
        created_at=world.now,
    )


# ---------------------------------------------------------------- texts


def named(candidate: Candidate) -> str:
    """The target, and its model where the policy names one that the target's name does not."""
    if candidate.model is None or candidate.name.endswith(f"-{candidate.model}"):
        return f"`{candidate.name}`"
    return f"`{candidate.name}`, model `{candidate.model}`,"


def _against(rejection: Rejection) -> str:
    return f"`{target_name(rejection.target)}`: {rejection.reason}"


def _instead(chosen: Candidate) -> str:
    if type(chosen.target) is LocalPure:
        return "its own body runs here"
    return f"it falls back on {named(chosen)}".rstrip(",")
