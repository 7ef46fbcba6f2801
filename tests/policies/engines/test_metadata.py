"""Metadata on a call: when it is followed, and that it is recorded."""

from __future__ import annotations

import pytest

from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.engines.metadata import AUDIT_KEY, MetadataEngine, audited
from policies.engines.policy import PolicyEngine
from policies.file.policy import Policy
from policies.file.schema import Delegation, LocalModelEntry, PrivacyLabel, RemoteProvider, Rule, Security
from policies.plan import DelegationPlan, Expected
from policies.rules.rulebook import Current, Rulebook
from policies.world import World
from rtfs.delegation import ExecTarget, FunctionInfo, LocalModel, LocalPure, RemoteModel

SETTINGS = Delegation(
    remote_providers={
        "openai": RemoteProvider(endpoint="https://example.com", cost_usd=0.25),
        "other": RemoteProvider(endpoint="https://example.com"),
    },
    local_models={"tiny": LocalModelEntry(path="tiny.gguf")},
    rules=(Rule(symbols=("ruled",), targets=("remote-other", "local-tiny")),),
    security=Security(privacy={"secret": PrivacyLabel(allow=("local-*",))}),
)


def engine(threshold: float = 0.7) -> MetadataEngine:
    current = Current(Rulebook(Policy(settings=SETTINGS, version="1")), World(now=50.0))
    return MetadataEngine(PolicyEngine(current), current, threshold=threshold)


def call(
    metadata: DelegationMetadata | None, symbol: str = "f", labels: frozenset[str] = frozenset()
) -> CallContext:
    function = FunctionInfo(symbol, None, ("x",), ("any",), "any", None, {}, "hash", labels)
    return CallContext.of(CallFacts(function=function), metadata=metadata)


def suggest(target: str | None, confidence: float | None = 0.9) -> DelegationMetadata:
    return DelegationMetadata(
        target=target, confidence=confidence, reasoning="it is long", context={"goal": "sum"}, source="model"
    )


def test_a_good_suggestion_is_followed() -> None:
    plan = engine().plan(call(suggest("remote-openai"), "ruled"))
    assert (plan.target, plan.stage, plan.confidence) == (RemoteModel("openai"), "metadata", 0.9)
    assert plan.chain == (RemoteModel("other"), LocalModel("tiny"))
    assert plan.reasoning == (
        "`ruled` runs on `remote-openai` as the model suggested with confidence 0.9: it is long"
    )
    assert (plan.expected, plan.cache, plan.created_at) == (Expected(cost_usd=0.25), "l2", 50.0)
    assert plan.metadata[AUDIT_KEY] == {
        "confidence": 0.9,
        "reasoning": "it is long",
        "context": {"goal": "sum"},
        "source": "model",
        "target": "remote-openai",
        "followed": "yes",
    }


@pytest.mark.parametrize(
    ("suggestion", "labels", "why"),
    [
        (suggest("remote-openai", 0.69), (), "its confidence 0.69 is below 0.7"),
        (suggest("remote-openai", None), (), "it has no confidence"),
        (suggest("remote-openai", float("nan")), (), "its confidence nan is below 0.7"),
        (suggest("remote-stranger"), (), "remote-stranger"),
        (suggest("somewhere"), (), "expected a target name"),
        (suggest("l4-abc"), (), "modules are found by their content, not by suggestion"),
        (suggest("remote-openai"), ("secret",), "secret"),
        (suggest("remote-openai"), ("never-heard-of",), "never-heard-of"),
    ],
)
def test_suggestions_that_are_not_followed(
    suggestion: DelegationMetadata, labels: tuple[str, ...], why: str
) -> None:
    plan = engine().plan(call(suggestion, labels=frozenset(labels)))
    assert (plan.target, plan.stage) == (LocalPure(), "default")
    followed = plan.metadata[AUDIT_KEY]["followed"]
    assert followed.startswith("no: ")
    assert why in followed


def test_what_forbids_a_suggestion_is_among_the_rejections() -> None:
    plan = engine().plan(call(suggest("remote-openai"), labels=frozenset({"secret"})))
    assert [(each.target, each.hard) for each in plan.rejected] == [(RemoteModel("openai"), "privacy")]


@pytest.mark.parametrize(("name", "target"), [("local-tiny", LocalModel("tiny")), ("local-pure", LocalPure())])
def test_labels_leave_what_they_allow(name: str, target: ExecTarget) -> None:
    plan = engine().plan(call(suggest(name), "ruled", frozenset({"secret"})))
    assert (plan.target, plan.stage) == (target, "metadata")


def test_the_threshold_is_the_owners() -> None:
    suggestion = suggest("remote-openai", 0.5)
    assert engine(0.5).decide(call(suggestion)) == RemoteModel("openai")
    assert engine(0.51).decide(call(suggestion)) == LocalPure()


def test_metadata_without_target_is_recorded_only() -> None:
    plan = engine().plan(call(suggest(None), "ruled"))
    assert plan.stage == "rule"
    assert plan.metadata[AUDIT_KEY]["context"] == {"goal": "sum"}
    assert "followed" not in plan.metadata[AUDIT_KEY]


def test_without_metadata_it_is_not_there() -> None:
    assert engine().plan(call(None)).metadata == {}


def test_one_record_is_enough_and_other_metadata_stays() -> None:
    plan = DelegationPlan(target=LocalPure(), stage="rule", metadata={"model_choice": "odd"})
    once = audited(plan, suggest("local-tiny"), followed="yes")
    assert audited(once, suggest("local-tiny")) is once
    assert once.metadata["model_choice"] == "odd"
    assert plan.metadata == {"model_choice": "odd"}
