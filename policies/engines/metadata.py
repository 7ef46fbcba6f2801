"""Metadata on a call: a suggestion that may be followed, and a record that must be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from policies.context import CallContext, DelegationMetadata
from policies.engines.chaining import behind
from policies.engines.protocol import Decorator, DelegationEngine
from policies.errors import PolicyError
from policies.plan import DelegationPlan, Expected
from policies.rules.candidates import expected_now
from policies.rules.rulebook import Current
from policies.targets import parse_target, target_name
from rtfs.delegation import ExecTarget, L4CacheHit

#: confidence from which a suggestion is followed, if the owner names none
THRESHOLD: Final = 0.7
#: the key of a plan's metadata under which that of the call is found
AUDIT_KEY: Final = "delegation_metadata"


class MetadataEngine(Decorator):
    """Follows a target that the call's metadata names, if the hard rules allow it and confidence is enough.

    Whether followed or not, the plan records the metadata under `delegation_metadata`.
    """

    def __init__(self, inner: DelegationEngine, current: Current, *, threshold: float = THRESHOLD) -> None:
        super().__init__(inner)
        self._current = current
        self._threshold = threshold

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""
        plan = self.inner.plan(call)
        metadata = call.metadata
        if metadata is None:
            return plan
        if metadata.target is None:
            return audited(plan, metadata)
        target = suggested(metadata, self._threshold)
        if isinstance(target, str):
            return audited(plan, metadata, followed=target)
        rulebook, world = self._current.rulebook, self._current.world
        veto = rulebook.veto(call, target, world)
        if veto is not None:
            plan = replace(plan, rejected=(*plan.rejected, veto))
            return audited(plan, metadata, followed=f"no: {veto.reason}")
        candidate = rulebook.candidates.get(target_name(target))
        wanted = replace(
            followed(call, metadata, target),
            chain=behind(target, plan),
            expected=Expected() if candidate is None else expected_now(candidate, world),
            cache=rulebook.cache_tier(call, target),
            created_at=world.now,
        )
        return audited(wanted, metadata, followed="yes")


def suggested(metadata: DelegationMetadata, threshold: float) -> ExecTarget | str:
    """The target that `metadata` names with enough confidence; a text that says why not, if there is none."""
    if metadata.target is None:
        return "no: it names no target"
    if metadata.confidence is None:
        return "no: it has no confidence"
    if not metadata.confidence >= threshold:
        return f"no: its confidence {metadata.confidence:g} is below {threshold:g}"
    try:
        target = parse_target(metadata.target)
    except PolicyError as error:
        return f"no: {error}"
    if isinstance(target, L4CacheHit):
        return "no: modules are found by their content, not by suggestion"
    return target


def followed(call: CallContext, metadata: DelegationMetadata, target: ExecTarget) -> DelegationPlan:
    """A plan that follows `metadata`, without chain."""
    said = f": {metadata.reasoning}" if metadata.reasoning else ""
    confidence = 1.0 if metadata.confidence is None else metadata.confidence
    return DelegationPlan(
        target=target,
        stage="metadata",
        confidence=confidence,
        reasoning=(
            f"`{call.fn_symbol}` runs on `{target_name(target)}` as the {metadata.source} suggested "
            f"with confidence {confidence:g}{said}"
        ),
    )


def audited(
    plan: DelegationPlan, metadata: DelegationMetadata, *, followed: str | None = None
) -> DelegationPlan:
    """`plan` with a record of `metadata`, and of whether its suggestion was followed; once is enough."""
    if AUDIT_KEY in plan.metadata:
        return plan
    record: dict[str, Any] = {
        "confidence": metadata.confidence,
        "reasoning": metadata.reasoning,
        "context": dict(metadata.context),
        "source": metadata.source,
        "target": metadata.target,
    }
    if metadata.target is not None:
        record["followed"] = followed or "no: an earlier step decided"
    return with_metadata(plan, {AUDIT_KEY: record})


def with_metadata(plan: DelegationPlan, more: Mapping[str, Any]) -> DelegationPlan:
    """`plan` with `more` beside the metadata it has."""
    return replace(plan, metadata=MappingProxyType({**plan.metadata, **more}))
