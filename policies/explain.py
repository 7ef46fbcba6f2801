"""Why a call runs where it runs: the plan, and of every other target of the policy what was against it.

Nothing is run, reserved or sent. The engine is asked for the plan that it would make now, so the explanation is
of what is then done; an engine that asks a model to choose asks it here as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policies.context import CallContext
from policies.engines.policy import able
from policies.engines.protocol import DelegationEngine
from policies.plan import Because, DelegationPlan, Expected, Rejection, Stage
from policies.rules.candidates import Candidate, expected_now
from policies.rules.rulebook import Current, Rulebook
from policies.rules.scoring import beyond_ceilings, figures, ranked
from policies.targets import target_name
from policies.world import World
from rtfs.delegation import ExecTarget, LocalPure

#: what the stages are called, for people
STAGES: Final[Mapping[Stage, str]] = {
    "hint": "hint",
    "static-route": "static route",
    "l1": "decision cache (L1)",
    "l4": "module cache (L4)",
    "metadata": "suggestion in the call's metadata",
    "rule": "rule",
    "optimizer": "optimiser",
    "model": "choice of a model",
    "adaptive": "learnt choice",
    "remote-rtfs": "remote step",
    "default": "default target",
    "fallback": "fallback",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A plan, and why it is no other."""

    call: CallContext
    plan: DelegationPlan
    #: one for each target of the policy that the plan does not begin with, in the policy's order
    rejected: tuple[Rejection, ...]
    #: what one call of each target is expected to take now, by name
    expected: Mapping[str, Expected]
    #: rules that only the arguments of a call can decide: until then they do not choose
    undecided: tuple[Because, ...]
    #: whether these, or hard rules like them, may still send a call elsewhere
    by_arguments: bool

    def to_json(self) -> dict[str, object]:
        """The explanation as JSON-like data."""
        plan, facts = self.plan, self.call.facts
        return {
            "symbol": self.call.fn_symbol,
            "tenant": facts.runtime.tenant,
            "labels": sorted(facts.labels),
            "target": target_name(plan.target),
            "stage": plan.stage,
            "confidence": plan.confidence,
            "reasoning": plan.reasoning,
            "because": _because_json(plan.because),
            "expected": _expected_json(plan.expected),
            "cache": plan.cache,
            "chain": [target_name(target) for target in plan.chain],
            "rejected": [
                {
                    "target": target_name(one.target),
                    "reason": one.reason,
                    "hard": one.hard,
                    "because": _because_json(one.because),
                    "expected": _expected_json(self.expected.get(target_name(one.target), Expected())),
                }
                for one in self.rejected
            ],
            "by_arguments": self.by_arguments,
            "undecided": [_because_json(because) for because in self.undecided],
        }

    def render(self, title: str | None = None) -> str:
        """The explanation for people, in aligned lines below a title, by default the symbol."""
        plan = self.plan
        rows = [
            ("runs on", target_name(plan.target)),
            ("decided by", _decided_by(plan)),
            ("because", plan.reasoning),
            ("expected", figures(plan.expected)),
            ("results kept", {"none": "no"}.get(plan.cache, f"in {plan.cache.upper()}")),
            ("then tries", ", ".join([*map(target_name, plan.chain), _LAST]) if not plan.is_local else ""),
        ]
        if self.by_arguments:
            rules = ", ".join(map(str, self.undecided)) or "a hard rule"
            rows.append(("but", f"the arguments of each call decide anew: {rules}"))
        rows.append(("arguments", _labelled(self.call.facts.labels)))
        lines = [title or self.call.fn_symbol, *_aligned([row for row in rows if row[1]])]
        if self.rejected:
            lines.append("  not chosen")
            lines += _aligned([(target_name(one.target), _against(one)) for one in self.rejected], indent=4)
        return "\n".join(lines)


_LAST: Final = "its own body"


def explain(engine: DelegationEngine, current: Current, call: CallContext) -> Explanation:
    """Where `engine` sends `call` under what is in force in `current`, and why nowhere else."""
    return explained(engine.plan(call), current, call)


def explained(plan: DelegationPlan, current: Current, call: CallContext) -> Explanation:
    """The explanation of a plan that was made for `call`, such as by a hint."""
    rulebook, world = current.rulebook, current.world
    undecided = tuple(rule.because for rule in rulebook.matching(call).undecided)
    return Explanation(
        call=call,
        plan=plan,
        rejected=tuple(_rejections(plan, rulebook, call, world)),
        expected={name: expected_now(one, world) for name, one in rulebook.candidates.items()},
        undecided=undecided,
        by_arguments=rulebook.depends_on_arguments(call),
    )


# ---------------------------------------------------------------- what was against the others


def _rejections(
    plan: DelegationPlan, rulebook: Rulebook, call: CallContext, world: World
) -> Iterator[Rejection]:
    said = {one.target: one for one in plan.rejected}
    scores = _lower_scores(plan, rulebook, call, world)
    for candidate in rulebook.candidates.values():
        target = candidate.target
        earlier = said.pop(target, None)
        if target == plan.target:
            continue
        yield (
            rulebook.veto(call, target, world)
            or earlier
            or scores.get(target)
            or _not_asked(plan, rulebook, call, candidate, world)
        )
    yield from (one for target, one in said.items() if target != plan.target)


def _lower_scores(
    plan: DelegationPlan, rulebook: Rulebook, call: CallContext, world: World
) -> Mapping[ExecTarget, Rejection]:
    """Of the targets that were compared, what those that lost had against them."""
    rule = rulebook.matching(call).choosing
    if rule is None or plan.stage != "optimizer":
        return {}
    allowed, _ = able(rulebook, rule, call, world)
    order = ranked(allowed, rule.rule.weights or rulebook.policy.settings.weights, world).order
    won = next((one for one in order if one.candidate.target == plan.target), None)
    if won is None:
        return {}
    return {
        one.candidate.target: Rejection(
            target=one.candidate.target,
            reason=f"scored lower: {one.figures()}, against {won.score:.3f} of `{won.candidate.name}`",
            because=rule.because,
        )
        for one in order
        if one is not won
    }


def _not_asked(
    plan: DelegationPlan, rulebook: Rulebook, call: CallContext, candidate: Candidate, world: World
) -> Rejection:
    """What is against a target that is allowed and was not compared."""
    target = candidate.target
    if type(target) is LocalPure:
        reason = f"it is what remains when `{target_name(plan.target)}` and its chain fail"
        return Rejection(target=target, reason=reason, because=plan.because)
    if target in plan.chain:
        reason = f"comes after `{target_name(plan.target)}`, number {plan.chain.index(target) + 1} of the chain"
        return Rejection(target=target, reason=reason, because=plan.because)
    rule = rulebook.matching(call).choosing
    if rule is not None and plan.stage in ("rule", "optimizer", "adaptive"):
        beyond = beyond_ceilings(rule.rule, expected_now(candidate, world))
        named = candidate.name in rule.rule.targets
        reason = beyond if named and beyond else f"{rule.label} does not name it"
        return Rejection(target=target, reason=reason, because=rule.because)
    origin = plan.because.what if plan.because is not None else STAGES[plan.stage]
    reason = f"{origin} decided for `{target_name(plan.target)}`"
    return Rejection(target=target, reason=reason, because=plan.because)


# ---------------------------------------------------------------- texts and data


def _decided_by(plan: DelegationPlan) -> str:
    """The step of the order that decided, and the place in the policy, which may say the step already."""
    stage, because = STAGES[plan.stage], plan.because
    if because is None:
        return stage
    first = stage.split()[0]
    return str(because) if because.what.lstrip("`").startswith(first) else f"{stage}, {because}"


def _labelled(labels: frozenset[str]) -> str:
    names = ", ".join(f"`{label}`" for label in sorted(labels))
    return f"may carry the privacy label{'s' if len(labels) > 1 else ''} {names}" if labels else ""


def _against(rejection: Rejection) -> str:
    hard = f"[{rejection.hard}] " if rejection.hard else ""
    where = f" — {rejection.because}" if rejection.because else ""
    return f"{hard}{rejection.reason}{where}"


def _aligned(rows: list[tuple[str, str]], indent: int = 2) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"{'':{indent}}{name:{width}}  {text}" for name, text in rows]


def _because_json(because: Because | None) -> dict[str, object] | None:
    if because is None:
        return None
    return {"what": because.what, "source": because.source, "line": because.line}


def _expected_json(expected: Expected) -> dict[str, object]:
    return {
        "cost_usd": expected.cost_usd,
        "latency_ms": expected.latency_ms,
        "quality": expected.quality,
    }
