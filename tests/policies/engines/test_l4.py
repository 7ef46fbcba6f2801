"""Signed modules: which count, and what the interface hash is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.engines.l4 import LANGUAGE_VERSION, L4AwareEngine, ModuleEntry, interface_hash
from policies.engines.policy import PolicyEngine
from policies.file.policy import Policy
from policies.file.schema import Caches, Delegation, LocalModelEntry, ModulesTable, RemoteProvider, Rule
from policies.rules.rulebook import Current, Rulebook
from rtfs.delegation import FunctionInfo, L4CacheHit, LocalModel, LocalPure, RemoteModel
from rtfs.values import Keyword

SETTINGS = Delegation(
    remote_providers={"a": RemoteProvider(endpoint="https://a")},
    local_models={"tiny": LocalModelEntry(path="tiny.gguf")},
    rules=(
        Rule(symbols=("ruled",), targets=("remote-a", "local-tiny")),
        Rule(symbols=("denied",), deny=("l4-*",)),
    ),
)


def function(symbol: str = "f") -> FunctionInfo:
    return FunctionInfo(
        symbol, "What it does.", ("a", "b"), ("int", "string"), "float", None, {}, "00ff", body_hash="b0"
    )


def entry(symbol: str = "f") -> ModuleEntry:
    made = function(symbol)
    return ModuleEntry(
        storage_pointer=f"sha256:{symbol}",
        signature="ed25519:abc",
        kind="IrBinary",
        validation="validated",
        language_version=LANGUAGE_VERSION,
        interface_hash=interface_hash(made),
        parameter_types=made.parameter_types,
        return_type=made.return_type,
        body_hash="b0",
    )


class Index:
    """Modules in memory."""

    def __init__(self, *entries: ModuleEntry, near: Sequence[tuple[float, ModuleEntry]] = ()) -> None:
        self.entries = {entry.interface_hash: entry for entry in entries}
        self.near = near
        self.version = "1"

    def find(self, interface_hash: str, body_hash: str | None) -> ModuleEntry | None:
        return self.entries.get(interface_hash)

    def find_similar(self, function: FunctionInfo, at_least: float) -> Sequence[tuple[float, ModuleEntry]]:
        return self.near


def engine(
    store: Index, settings: Delegation = SETTINGS, *, similar_at_least: float | None = None
) -> L4AwareEngine:
    if similar_at_least is not None:
        settings = with_modules(settings, similar_at_least=similar_at_least)
    current = Current(Rulebook(Policy(settings=settings, version="1")))
    return L4AwareEngine(PolicyEngine(current), store, current)


def with_modules(settings: Delegation = SETTINGS, **change: Any) -> Delegation:
    return settings.model_copy(update={"caches": Caches(l4=ModulesTable(**change))})


def call(symbol: str = "f", **change: Any) -> CallContext:
    return CallContext.of(CallFacts(function=replace(function(symbol), **change)))


def test_a_module_of_the_very_function_is_taken_with_the_inner_plan_behind_it() -> None:
    plan = engine(Index(entry("ruled"))).plan(call("ruled"))
    assert (plan.target, plan.stage) == (L4CacheHit("sha256:ruled", "ed25519:abc"), "l4")
    assert plan.chain == (RemoteModel("a"), LocalModel("tiny"))
    assert (plan.cache, plan.confidence, plan.expected.cost_usd) == ("l4", 1.0, 0.0)
    assert plan.reasoning == "a signed module has its very interface for `ruled`: `sha256:ruled`"


def test_without_a_module_the_inner_plan_stands() -> None:
    assert engine(Index(entry("g"))).decide(call()) == LocalPure()
    assert engine(Index(entry("g"))).plan(call("ruled")).stage == "rule"


@pytest.mark.parametrize(
    "change",
    [
        {"signature": ""},
        {"validation": "pending"},
        {"validation": "refused"},
        {"language_version": "1.0"},
        {"language_version": ""},
        {"storage_pointer": ""},
    ],
    ids=str,
)
def test_modules_that_are_no_hit(change: dict[str, str]) -> None:
    store = Index(replace(entry(), **change))  # type: ignore[arg-type]
    assert engine(store).plan(call()).stage == "default"
    near = Index(near=[(1.0, replace(entry("g"), **change))])  # type: ignore[arg-type]
    assert engine(near, similar_at_least=0.9).plan(call()).stage == "default"


def test_a_store_that_answers_with_another_module_is_not_believed() -> None:
    store = Index()
    store.entries[interface_hash(function("f"))] = entry("g")
    assert engine(store).plan(call()).stage == "default"


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS.model_copy(update={"enable_l4_cache": False}),
        SETTINGS.model_copy(update={"caches": Caches(l4=ModulesTable(enabled=False))}),
    ],
)
def test_it_can_be_switched_off(settings: Delegation) -> None:
    assert engine(Index(entry()), settings).plan(call()).stage == "default"


def test_a_module_of_another_body_counts_only_where_somebody_says_so() -> None:
    store = Index(entry())
    edited = call(body_hash="b1")
    assert engine(store).plan(edited).stage == "default"
    assert engine(store, with_modules(accept="interface")).plan(edited).stage == "l4"
    asks = call(body_hash="b1", metadata={"module": Keyword.of("published")})
    assert engine(store).plan(asks).stage == "l4"
    assert engine(store).plan(call(body_hash="")).stage == "default"


def test_hard_rules_hold_for_modules() -> None:
    assert engine(Index(entry("denied"))).plan(call("denied")).stage == "default"


def test_what_was_suggested_is_recorded_as_not_followed() -> None:
    suggestion = DelegationMetadata(target="remote-a", confidence=1.0)
    told = CallContext.of(CallFacts(function=function()), metadata=suggestion)
    plan = engine(Index(entry())).plan(told)
    assert plan.stage == "l4"
    assert plan.metadata["delegation_metadata"]["followed"] == "no: an earlier step decided"


def test_similar_modules_count_only_where_the_owner_says_so() -> None:
    store = Index(near=[(0.95, entry("g"))])
    assert engine(store).plan(call()).stage == "default"
    assert engine(store, similar_at_least=0.9).plan(call(doc=None)).stage == "default"
    plan = engine(store, similar_at_least=0.9).plan(call())
    assert (plan.target, plan.confidence) == (L4CacheHit("sha256:g", "ed25519:abc"), 0.95)
    assert plan.reasoning == "a signed module has a meaning 0.950 like its own for `f`: `sha256:g`"


@pytest.mark.parametrize(
    "near",
    [
        (0.89, entry("g")),
        (float("nan"), entry("g")),
        (1.5, entry("g")),
        (0.95, replace(entry("g"), parameter_types=("int",))),
        (0.95, replace(entry("g"), return_type="any")),
    ],
)
def test_what_is_not_similar_enough(near: tuple[float, ModuleEntry]) -> None:
    assert engine(Index(near=[near]), similar_at_least=0.9).plan(call()).stage == "default"


def test_the_next_similar_module_counts_if_the_nearest_may_not_be_used() -> None:
    store = Index(near=[(0.99, replace(entry("g"), signature="")), (0.95, entry("h"))])
    plan = engine(store, similar_at_least=0.9).plan(call())
    assert plan.target == L4CacheHit("sha256:h", "ed25519:abc")


def test_a_change_of_the_store_is_a_new_version() -> None:
    store = Index()
    l4 = engine(store)
    before = l4.version
    store.version = "2"
    assert l4.version != before


def test_the_interface_hash_is_as_documented() -> None:
    parts = ["i2", LANGUAGE_VERSION, "f", "2", "int", "string", "float"]
    data = b"".join(len(part).to_bytes(8, "big") + part.encode() for part in parts)
    assert interface_hash(function()) == sha256(data).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "g"},
        {"parameter_types": ("string", "int")},
        {"parameter_types": ("int",)},
        {"parameter_types": ("int", "string", "float"), "return_type": ""},
        {"return_type": "int"},
        {"aliases": {"T": "int"}},
    ],
    ids=str,
)
def test_whatever_belongs_to_the_interface_changes_its_hash(change: dict[str, object]) -> None:
    assert interface_hash(replace(function(), **change)) != interface_hash(function())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        *({"doc": "other"}, {"parameters": ("x", "y")}, {"labels": frozenset({"secret"})}),
        *({"ir_hash": "00fe"}, {"body_hash": "b1"}),
    ],
    ids=str,
)
def test_the_rest_does_not(change: dict[str, object]) -> None:
    assert interface_hash(replace(function(), **change)) == interface_hash(function())  # type: ignore[arg-type]
