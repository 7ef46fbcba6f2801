"""Whole steps on another cluster."""

from __future__ import annotations

import pytest

from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.engines.policy import PolicyEngine
from policies.engines.remote_rtfs import RemoteRtfsAwareEngine
from policies.file.policy import Policy
from policies.file.schema import (
    Delegation,
    LocalModelEntry,
    PrivacyLabel,
    RemoteProvider,
    RemoteRtfs,
    Rule,
    Security,
)
from policies.plan import DelegationPlan
from policies.rules.rulebook import Current, Rulebook
from policies.world import TargetState, World
from rtfs.delegation import FunctionInfo, LocalModel, LocalPure, RemoteModel

CLUSTER = RemoteModel("cluster")


def settings(table: RemoteRtfs | None = None) -> Delegation:
    return Delegation(
        remote_providers={
            "openai": RemoteProvider(endpoint="https://a"),
            "remote-cluster": RemoteProvider(endpoint="https://b", kind="rtfs", cost_usd=0.5),
            "second": RemoteProvider(endpoint="https://c", kind="rtfs"),
        },
        local_models={"tiny": LocalModelEntry(path="tiny.gguf")},
        rules=(Rule(symbols=("steps/ruled",), targets=("remote-openai", "local-tiny")),),
        security=Security(privacy={"secret": PrivacyLabel(allow=("local-*",))}),
        remote_rtfs=table or RemoteRtfs(steps=("steps/*",)),
    )


def plan_of(
    symbol: str = "steps/one",
    *,
    table: RemoteRtfs | None = None,
    world: World | None = None,
    labels: tuple[str, ...] = (),
    metadata: DelegationMetadata | None = None,
) -> DelegationPlan:
    policy = Policy(settings=settings(table), version="1", lines={"remote_rtfs.steps": 7})
    current = Current(Rulebook(policy), world or World())
    function = FunctionInfo(symbol, None, (), (), "any", None, {}, "hash", frozenset(labels))
    call = CallContext.of(CallFacts(function=function), metadata=metadata)
    return RemoteRtfsAwareEngine(PolicyEngine(current), current).plan(call)


def test_a_step_goes_to_the_cluster_with_the_inner_plan_behind_it() -> None:
    plan = plan_of("steps/ruled")
    assert (plan.target, plan.stage) == (CLUSTER, "remote-rtfs")
    assert plan.chain == (RemoteModel("openai"), LocalModel("tiny"))
    assert plan.reasoning == "`steps/ruled` runs whole on the cluster `remote-cluster`: remote step `steps/*`"
    assert str(plan.because) == "remote step `steps/*` (built-in policy:7)"
    assert plan.expected.cost_usd == 0.5


def test_other_functions_do_not() -> None:
    assert plan_of("other").stage == "default"
    assert plan_of(table=RemoteRtfs()).stage == "default"


@pytest.mark.parametrize(
    ("provider", "target"),
    [
        (None, CLUSTER),
        ("remote-cluster", CLUSTER),
        ("cluster", CLUSTER),
        ("second", RemoteModel("second")),
        ("remote-second", RemoteModel("second")),
        ("openai", LocalPure()),
        ("stranger", LocalPure()),
    ],
)
def test_which_cluster(provider: str | None, target: RemoteModel | LocalPure) -> None:
    assert plan_of(table=RemoteRtfs(steps=("steps/*",), provider=provider)).target == target


@pytest.mark.parametrize(
    ("state", "goes"),
    [
        (TargetState(), True),
        (TargetState(circuit="half-open"), True),
        (TargetState(circuit="open", retry_at=101.0), False),
        (TargetState(circuit="open", retry_at=100.0), True),
    ],
)
def test_an_unhealthy_cluster_gets_nothing(state: TargetState, goes: bool) -> None:
    plan = plan_of(world=World(now=100.0, targets={"remote-cluster": state}))
    assert (plan.target == CLUSTER) == goes
    assert [str(each) for each in plan.rejected] == (
        [] if goes else ["remote-cluster: its circuit is open — remote step `steps/*` (built-in policy:7)"]
    )


def test_a_cluster_that_is_not_allowed_gets_nothing() -> None:
    plan = plan_of(labels=("secret",))
    assert (plan.target, plan.stage) == (LocalPure(), "default")
    assert [(each.target, each.hard) for each in plan.rejected] == [(CLUSTER, "privacy")]


def test_a_new_policy_is_read() -> None:
    current = Current(Rulebook(Policy(settings=settings(), version="1")))
    engine = RemoteRtfsAwareEngine(PolicyEngine(current), current)
    call = CallContext.of(CallFacts(function=FunctionInfo("steps/one", None, (), (), "any", None, {}, "hash")))
    assert engine.decide(call) == CLUSTER
    current.rulebook = Rulebook(Policy(settings=settings(RemoteRtfs(steps=("others/*",))), version="2"))
    assert engine.decide(call) == LocalPure()


def test_suggestions_are_recorded() -> None:
    plan = plan_of(metadata=DelegationMetadata(target="local-tiny", confidence=1.0))
    assert plan.target == CLUSTER
    assert plan.metadata["delegation_metadata"]["followed"] == "no: an earlier step decided"
