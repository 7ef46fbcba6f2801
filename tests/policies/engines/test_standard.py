"""The usual engines in the fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.engines.adaptive import AdaptiveEngine
from policies.engines.l4 import LANGUAGE_VERSION, ModuleEntry, interface_hash
from policies.engines.standard import StandardEngine, standard_engine
from policies.file.policy import Policy
from policies.file.schema import (
    Delegation,
    LocalModelEntry,
    ModelChoice,
    PrivacyLabel,
    RemoteProvider,
    RemoteRtfs,
    Rule,
    Security,
)
from policies.l1_cache import L1Cache
from policies.plan import DelegationPlan
from policies.rules.rulebook import Current, Rulebook
from policies.targets import target_name
from policies.world import TargetState, World
from rtfs.delegation import FunctionInfo, LocalModel, LocalPure, RemoteModel, RuntimeFacts

SETTINGS = Delegation(
    default_target="remote-default",
    static_routes={"s*": "remote-static"},
    remote_providers={
        "static": RemoteProvider(endpoint="https://a"),
        "cluster": RemoteProvider(endpoint="https://b", kind="rtfs"),
        "hand": RemoteProvider(endpoint="https://c"),
        "suggested": RemoteProvider(endpoint="https://d"),
        "rule": RemoteProvider(endpoint="https://e"),
        "default": RemoteProvider(endpoint="https://g"),
    },
    local_models={"asked": LocalModelEntry(path="asked.gguf"), "chosen": LocalModelEntry(path="chosen.gguf")},
    rules=(Rule(symbols=("*r",), targets=("remote-rule",)),),
    fallback=("local-chosen",),
    security=Security(privacy={"secret": PrivacyLabel(allow=("local-*",)), "top": PrivacyLabel()}),
    remote_rtfs=RemoteRtfs(steps=("?c*",)),
    model_choice=ModelChoice(target="local-asked", timeout_ms=5000.0),
)
SUGGESTION = DelegationMetadata(target="remote-suggested", confidence=1.0)


class Index:
    """Modules in memory."""

    def __init__(self, *functions: FunctionInfo) -> None:
        self.version = "1"
        self.functions = functions

    def find(self, interface_hash: str, body_hash: str | None) -> ModuleEntry | None:
        return next(
            (entry for entry in map(module, self.functions) if entry.interface_hash == interface_hash), None
        )

    def find_similar(self, function: FunctionInfo, at_least: float) -> Sequence[tuple[float, ModuleEntry]]:
        return ()


def module(function: FunctionInfo) -> ModuleEntry:
    return ModuleEntry(
        storage_pointer=function.symbol,
        signature="signed",
        kind="IrBinary",
        validation="validated",
        language_version=LANGUAGE_VERSION,
        interface_hash=interface_hash(function),
        parameter_types=function.parameter_types,
        return_type=function.return_type,
        body_hash=function.body_hash,
    )


def function(symbol: str, labels: tuple[str, ...] = ()) -> FunctionInfo:
    return FunctionInfo(
        symbol, None, (), (), "any", None, MappingProxyType({}), "hash", frozenset(labels), body_hash="b"
    )


def call(
    symbol: str, *, suggest: bool = False, labels: tuple[str, ...] = (), tenant: str | None = None
) -> CallContext:
    facts = CallFacts(function=function(symbol, labels), runtime=RuntimeFacts(tenant=tenant))
    return CallContext.of(facts, metadata=SUGGESTION if suggest else None)


@dataclass
class Setting:
    """A standard engine with everything that it may have, and all of it in reach."""

    settings: Delegation = SETTINGS
    store: Index = field(default_factory=Index)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.current = Current(Rulebook(Policy(settings=self.settings, version="1")))
        self.cache = L1Cache.of(self.settings, lambda: self.current.world.now)
        self.adaptive: list[AdaptiveEngine] = []
        self.engine = standard_engine(
            self.current, l1=self.cache, l4=self.store, ask=self.ask, adaptive=self.around
        )

    def ask(self, prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        self.asked.append(prompt)
        return "local-chosen"

    def around(self, inner: Any) -> AdaptiveEngine:
        self.adaptive.append(AdaptiveEngine(inner, self.current))
        return self.adaptive[-1]

    def keep_by_hand(self, symbol: str) -> None:
        self.cache.put(symbol, call(symbol).task, DelegationPlan(target=RemoteModel("hand"), stage="rule"))


# letters of a symbol say what it meets: s static route, c cluster, r at its end a rule; each row goes a step on
@pytest.mark.parametrize(
    ("symbol", "by_hand", "in_store", "suggest", "stage", "name"),
    [
        ("scr", True, True, True, "static-route", "remote-static"),
        ("xcr", True, True, True, "remote-rtfs", "remote-cluster"),
        ("xxr", True, True, True, "l1", "remote-hand"),
        ("xxr", False, True, True, "l4", "l4-xxr"),
        ("xxr", False, False, True, "metadata", "remote-suggested"),
        ("xxr", False, False, False, "rule", "remote-rule"),
        ("xxx", False, False, False, "model", "local-chosen"),
    ],
)
def test_the_fixed_order(
    symbol: str, by_hand: bool, in_store: bool, suggest: bool, stage: str, name: str
) -> None:
    at = Setting(store=Index(function(symbol)) if in_store else Index())
    if by_hand:
        at.keep_by_hand(symbol)
    plan = at.engine.plan(call(symbol, suggest=suggest))
    assert (plan.stage, target_name(plan.target)) == (stage, name)
    assert ("delegation_metadata" in plan.metadata) == suggest
    assert len(at.asked) == (stage == "model")


def test_without_extras_the_policy_decides() -> None:
    current = Current(Rulebook(Policy(settings=SETTINGS, version="1")))
    engine = standard_engine(current)
    assert engine.decide(call("xxr")) == RemoteModel("rule")
    assert engine.plan(call("xxx")).stage == "default"


@pytest.mark.parametrize("symbol", ["scr", "xcr", "xxr", "xxx"])
def test_hard_rules_come_before_everything(symbol: str) -> None:
    at = Setting(store=Index(function("other")))
    at.cache.put(
        symbol, call(symbol, labels=("secret",)).task, DelegationPlan(target=RemoteModel("hand"), stage="rule")
    )
    for labels in (("secret",), ("top",), ("secret", "top"), ("unknown",)):
        plan = at.engine.plan(call(symbol, labels=labels, suggest=True))
        targets = (plan.target, *plan.chain)
        assert not any(isinstance(target, RemoteModel) for target in targets), (labels, plan)
        if labels != ("secret",):
            assert targets == (LocalPure(),)


def test_hints_keep_to_the_hard_rules() -> None:
    engine = Setting().engine
    assert engine.plan_for(call("xxr"), RemoteModel("hand")).target == RemoteModel("hand")
    assert engine.plan_for(call("xxr"), RemoteModel("hand")).stage == "hint"
    vetoed = engine.plan_for(call("xxr", labels=("secret",)), RemoteModel("hand"))
    assert (vetoed.target, vetoed.stage) == (LocalModel("chosen"), "fallback")


def test_unhealthy_targets_are_passed_over_wherever_they_come_from() -> None:
    at = Setting()
    at.keep_by_hand("xxh")
    down = TargetState(circuit="open", retry_at=10.0)
    for symbol, name in (
        ("sxx", "remote-static"),
        ("xcx", "remote-cluster"),
        ("xxh", "remote-hand"),
        ("xxr", "remote-rule"),
    ):
        at.current.world = World(version=at.current.world.version + 1)
        assert target_name(at.engine.decide(call(symbol))) == name
        at.current.world = World(version=at.current.world.version + 1, targets={name: down})
        assert target_name(at.engine.decide(call(symbol))) != name


def test_decisions_are_remembered_until_something_changes() -> None:
    at = Setting()
    engine, context = at.engine, call("xxr")
    first = engine.plan(context)
    assert engine.plan(context) is first
    assert engine.knows(context)

    def world() -> None:
        at.current.world = replace(at.current.world, version=at.current.world.version + 1)

    def policy() -> None:
        at.current.rulebook = Rulebook(
            Policy(settings=SETTINGS, version=at.current.rulebook.policy.version + "+")
        )

    def store() -> None:
        at.store.version += "+"

    for change in (world, policy, store, at.cache.clear, lambda: at.keep_by_hand("xxr")):
        version = engine.version
        change()
        assert not engine.knows(context), change
        assert engine.version != version, change
        engine.plan(context)
        assert engine.knows(context)
    assert engine.decide(context) == RemoteModel("hand")


def test_calls_with_metadata_are_not_remembered_and_do_not_disturb() -> None:
    at = Setting()
    plain, told = call("xxr"), call("xxr", suggest=True)
    assert plain == told
    assert at.engine.decide(told) == RemoteModel("suggested")
    assert at.engine.decide(plain) == RemoteModel("rule")
    assert at.cache.stats.size == 1


SYMBOLS = st.text("scrx", min_size=1, max_size=3)
CALLS = st.builds(
    call,
    SYMBOLS,
    suggest=st.booleans(),
    labels=st.sampled_from([(), ("secret",), ("top",), ("unknown", "secret")]),
    tenant=st.sampled_from([None, "acme"]),
)


@given(calls=st.lists(CALLS, min_size=1, max_size=8), stored=SYMBOLS)
def test_a_plan_is_the_same_whatever_was_asked_before(calls: list[CallContext], stored: str) -> None:
    """Apart from L1's mark, a second answer equals the first, and the answer of a fresh engine."""
    store = Index(function(stored))
    used = Setting(store=store)
    for context in calls:
        first, again = used.engine.plan(context), used.engine.plan(context)
        fresh = Setting(store=store).engine.plan(context)
        assert first.target == again.target
        if context.metadata is None:
            assert again is first
            assert (first.target, first.chain) == (fresh.target, fresh.chain)


def test_its_version_is_a_text_of_all_parts() -> None:
    engine = Setting().engine
    assert isinstance(engine, StandardEngine)
    assert engine.version == engine.inner.version


DOWN = TargetState(circuit="open", retry_at=100.0)


def down(*names: str) -> World:
    return World(version=1, now=1.0, targets=dict.fromkeys(names, DOWN))


def test_a_hinted_target_that_is_down_comes_last() -> None:
    setting = Setting()
    engine = setting.engine
    hinted = engine.plan_for(call("x"), RemoteModel("hand"))
    assert (hinted.target, hinted.chain) == (RemoteModel("hand"), (LocalModel("chosen"),))
    setting.current.world = down("remote-hand")
    plan = engine.plan_for(call("x"), RemoteModel("hand"))
    assert (plan.target, plan.chain) == (LocalModel("chosen"), (RemoteModel("hand"),))
    assert plan.stage == "fallback"


def test_health_sees_what_follows_a_veto() -> None:
    setting = Setting(replace_settings(fallback=("local-chosen", "local-asked")))
    engine = setting.engine
    secret = call("r", labels=("secret",))  # its rule's only target is forbidden
    assert engine.plan(secret).target == LocalModel("chosen")
    setting.current.world = down("local-chosen")
    plan = engine.plan(secret)
    assert (plan.target, plan.chain) == (LocalModel("asked"), (LocalModel("chosen"),))


def replace_settings(**changes: Any) -> Delegation:
    return SETTINGS.model_copy(update=changes)
