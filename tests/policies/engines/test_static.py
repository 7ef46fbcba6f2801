"""The static engine: map → L1 → metadata → default."""

from __future__ import annotations

import pytest

from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.engines.static import StaticDelegationEngine
from policies.errors import PolicyError
from policies.l1_cache import L1Cache
from policies.plan import DelegationPlan
from rtfs.delegation import ExecTarget, FunctionInfo, LocalModel, LocalPure, RemoteModel

ROUTES: dict[str, ExecTarget | str] = {
    "ai/exact": LocalModel("tiny"),
    "ai/*": "remote-openai",
    "*/exact": "local-other",
    "math-?": "local-pure",
}


def call(symbol: str, metadata: DelegationMetadata | None = None) -> CallContext:
    function = FunctionInfo(symbol, None, ("x",), ("int",), "any", None, {}, "hash")
    return CallContext.of(CallFacts(function=function), metadata=metadata)


@pytest.mark.parametrize(
    ("symbol", "target", "stage"),
    [
        ("ai/exact", LocalModel("tiny"), "static-route"),
        ("ai/any", RemoteModel("openai"), "static-route"),
        ("b/exact", LocalModel("other"), "static-route"),
        ("math-1", LocalPure(), "static-route"),
        ("math-12", LocalPure(), "default"),
        ("AI/any", LocalPure(), "default"),
    ],
)
def test_routes(symbol: str, target: ExecTarget, stage: str) -> None:
    plan = StaticDelegationEngine(ROUTES).plan(call(symbol))
    assert (plan.target, plan.stage) == (target, stage)
    assert symbol in plan.reasoning
    assert plan.because is not None


def test_the_default_target() -> None:
    engine = StaticDelegationEngine({}, default="local-tiny")
    assert engine.decide(call("f")) == LocalModel("tiny")
    assert engine.plan(call("f")).stage == "default"


@pytest.mark.parametrize(
    ("symbol", "stage", "target"),
    [
        ("ai/any", "static-route", RemoteModel("openai")),
        ("kept", "l1", LocalModel("kept")),
        ("free", "metadata", LocalModel("tiny")),
    ],
)
def test_the_order_of_its_steps(symbol: str, stage: str, target: ExecTarget) -> None:
    l1 = L1Cache(timer=lambda: 0.0)
    for each in ("ai/any", "kept"):
        plan = DelegationPlan(target=LocalModel("kept"), stage="rule")
        l1.put(each, call(each).task, plan)
    suggestion = DelegationMetadata(target="local-tiny", confidence=0.9)
    plan = StaticDelegationEngine(ROUTES, l1=l1).plan(call(symbol, suggestion))
    assert (plan.stage, plan.target) == (stage, target)
    record = plan.metadata["delegation_metadata"]
    assert record["followed"] == ("yes" if stage == "metadata" else "no: an earlier step decided")


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        (DelegationMetadata(target="local-tiny", confidence=0.5), "its confidence 0.5 is below 0.7"),
        (DelegationMetadata(target="local-tiny"), "it has no confidence"),
        (DelegationMetadata(target="local-tiny", confidence=float("nan")), "its confidence nan is below 0.7"),
        (DelegationMetadata(target="remote-stranger", confidence=1.0), "no route leads to `remote-stranger`"),
        (DelegationMetadata(target="nonsense", confidence=1.0), "expected a target name"),
        (DelegationMetadata(target="l4-module", confidence=1.0), "modules are found by their content"),
    ],
)
def test_suggestions_that_are_not_followed(metadata: DelegationMetadata, why: str) -> None:
    plan = StaticDelegationEngine(ROUTES).plan(call("free", metadata))
    assert (plan.stage, plan.target) == ("default", LocalPure())
    assert why in plan.metadata["delegation_metadata"]["followed"]


def test_metadata_without_target_is_recorded() -> None:
    metadata = DelegationMetadata(reasoning="because", context={"goal": "g"}, source="user")
    record = StaticDelegationEngine({}).plan(call("f", metadata)).metadata["delegation_metadata"]
    expected = {
        "confidence": None,
        "reasoning": "because",
        "context": {"goal": "g"},
        "source": "user",
        "target": None,
    }
    assert record == expected


def test_nothing_is_stored_in_its_cache() -> None:
    l1 = L1Cache(timer=lambda: 0.0)
    engine = StaticDelegationEngine(ROUTES, l1=l1)
    engine.plan(call("ai/any"))
    engine.plan(call("free"))
    assert l1.stats.size == 0


def test_versions() -> None:
    l1 = L1Cache(timer=lambda: 0.0)
    engines = [
        StaticDelegationEngine({}),
        StaticDelegationEngine({"a": "local-b"}),
        StaticDelegationEngine({"a": "local-c"}),
        StaticDelegationEngine({"a": "local-b"}, default="local-c"),
        StaticDelegationEngine({"a": "local-b"}, threshold=0.9),
        StaticDelegationEngine({"a": "local-b"}, l1=l1),
    ]
    versions = [engine.version for engine in engines]
    assert len(set(versions)) == len(engines)
    l1.put("f", 1, DelegationPlan(target=LocalPure(), stage="rule"))
    assert engines[-1].version not in versions
    assert StaticDelegationEngine({"a": LocalModel("b")}).version == versions[1]


def test_a_route_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"expected a target name, .*, got `openai`"):
        StaticDelegationEngine({"ai/*": "openai"})
