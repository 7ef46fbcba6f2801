"""Nothing that a hard rule forbids passes, whatever the engine inside says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.context import CallContext, CallFacts
from policies.engines.policy import PolicyEngine
from policies.engines.protocol import DelegationEngine
from policies.engines.security import SecurityAwareEngine
from policies.file.load import load_policy
from policies.plan import Because, DelegationPlan, HardRule, Rejection
from policies.rules.rulebook import Current, Rulebook
from policies.targets import target_name
from policies.world import BudgetKey, World
from rtfs.delegation import (
    DelegationHint,
    ExecTarget,
    FunctionInfo,
    L4CacheHit,
    LocalModel,
    LocalPure,
    RemoteModel,
    RuntimeFacts,
)

TEXT = """
fallback = ["remote-eu", "local-tiny"]
[delegation.remote_providers]
eu = { endpoint = "https://eu.example.com", region = "eu", cost_usd = 0.01 }
us = { endpoint = "https://us.example.com", region = "us", cost_usd = 0.02, tenants = ["acme"] }
[delegation.local_models]
small = { path = "small.gguf" }
tiny = { path = "tiny.gguf" }
[delegation.security.privacy]
secret = { allow = ["local-*"] }
european = { allow = ["local-*", "remote-eu"] }
[delegation.budgets.all]
scope = "all"
limit_usd = 1
[[delegation.rules]]
symbols = ["home/*"]
require_locality = "machine"
fallback = ["remote-us", "local-small"]
"""


class Saying(DelegationEngine):
    """Says always the same."""

    version = "1"

    def __init__(self, plan: DelegationPlan) -> None:
        self._plan = plan

    def plan(self, call: CallContext) -> DelegationPlan:
        return self._plan

    def decide(self, call: CallContext) -> ExecTarget:
        return self._plan.target


EU, US, SMALL, TINY = RemoteModel("eu"), RemoteModel("us"), LocalModel("small"), LocalModel("tiny")


def names(targets: Sequence[ExecTarget]) -> str:
    return " ".join(map(target_name, targets))


# symbol, facts, what the engine inside says; what becomes of it
CASES = [
    ("f", {"tenant": "acme"}, (US, EU), "remote-us remote-eu"),
    ("f", {}, (US, EU, SMALL), "remote-eu local-small"),
    ("f", {"labels": {"secret"}}, (US, EU, SMALL, TINY), "local-small local-tiny"),
    ("f", {"labels": {"secret"}}, (US, EU), "local-tiny"),
    ("f", {"labels": {"unknown"}}, (US, EU, SMALL), "local-pure"),
    ("f", {"labels": {"secret"}}, (SMALL, EU, TINY), "local-small local-tiny"),
    ("f", {"labels": {"european"}}, (US,), "remote-eu local-tiny"),
    ("home/f", {"tenant": "acme"}, (US, EU), "local-small local-tiny"),
    ("f", {}, (RemoteModel("nobody"), SMALL), "local-small"),
    ("f", {}, (LocalModel("pure"),), "remote-eu local-tiny"),
    ("f", {"labels": {"secret"}}, (LocalPure(), EU), "local-pure"),
    ("f", {"labels": {"secret"}}, (EU, LocalPure(), SMALL), "local-pure"),
]


@pytest.mark.parametrize(("symbol", "facts", "said", "expected"), CASES)
def test_what_passes(
    current: Callable[..., Current],
    call: Callable[..., CallContext],
    symbol: str,
    facts: dict[str, object],
    said: tuple[ExecTarget, ...],
    expected: str,
) -> None:
    inner = DelegationPlan(target=said[0], stage="adaptive", chain=said[1:], reasoning="learnt")
    engine = SecurityAwareEngine(Saying(inner), current(TEXT))
    plan = engine.plan(call(symbol, **facts))
    assert names((plan.target, *plan.chain)) == expected
    assert plan.stage == ("adaptive" if plan.target == said[0] else "fallback")
    assert engine.decide(call(symbol, **facts)) == plan.target
    if plan.target != said[0]:
        assert said[0] in [one.target for one in plan.rejected if one.hard]
        assert target_name(said[0]) in plan.reasoning


def test_what_is_allowed_passes_as_it_is(
    current: Callable[..., Current], call: Callable[..., CallContext]
) -> None:
    inner = DelegationPlan(target=EU, stage="model", chain=(TINY,))
    assert SecurityAwareEngine(Saying(inner), current(TEXT)).plan(call()) is inner


def test_earlier_rejections_stay(current: Callable[..., Current], call: Callable[..., CallContext]) -> None:
    earlier = Rejection(target=US, reason="slow"), Rejection(target=TINY, reason="worse")
    inner = DelegationPlan(
        target=US, stage="model", rejected=earlier, metadata={"a": 1}, because=Because(what="m")
    )
    plan = SecurityAwareEngine(Saying(inner), current(TEXT)).plan(call())
    assert [(one.target, one.hard) for one in plan.rejected] == [(US, "authorization"), (TINY, None)]
    assert plan.metadata == {"a": 1}
    assert plan.reasoning.startswith("m names `remote-us`")


HINTS = [
    (DelegationHint("remote", "eu"), {}, "hint", "remote-eu local-tiny"),
    (DelegationHint("remote", "us"), {"tenant": "acme"}, "hint", "remote-us remote-eu local-tiny"),
    (DelegationHint("remote", "us"), {}, "fallback", "remote-eu local-tiny"),
    (DelegationHint("remote", "eu"), {"labels": {"secret"}}, "fallback", "local-tiny"),
    (DelegationHint("target", "small"), {"labels": {"secret"}}, "hint", "local-small local-tiny"),
    (DelegationHint("target", "eu"), {}, "hint", "remote-eu local-tiny"),
    (DelegationHint("local-model", "smal"), {}, "fallback", "remote-eu local-tiny"),
    (DelegationHint("remote", "elsewhere"), {"labels": {"unknown"}}, "fallback", "local-pure"),
    (DelegationHint("local", None), {}, "hint", "local-pure"),
]


@pytest.mark.parametrize(("hint", "facts", "stage", "expected"), HINTS)
def test_hints_hold_unless_forbidden(
    current: Callable[..., Current],
    call: Callable[..., CallContext],
    hint: DelegationHint,
    facts: dict[str, object],
    stage: str,
    expected: str,
) -> None:
    now = current(TEXT)
    asked = call("f", hint=hint, **facts)
    plan = SecurityAwareEngine(PolicyEngine(now), now).plan_for(asked, hint.to_exec_target())
    assert (plan.stage, names((plan.target, *plan.chain))) == (stage, expected)
    assert "hint on `f`" in plan.reasoning
    if hint.id == "smal":
        assert "did you mean `local-small`?" in plan.reasoning


def test_versions_change_with_the_world(current: Callable[..., Current]) -> None:
    now = current(TEXT)
    engine = SecurityAwareEngine(Saying(DelegationPlan(target=EU, stage="model")), now)
    before = engine.version
    now.world = World(version=1)
    assert engine.version != before


# ---------------------------------------------------------------- whatever it is

targets = st.sampled_from([EU, US, SMALL, TINY, LocalPure(), RemoteModel("nobody"), L4CacheHit("x", "s")])
POLICY = load_policy(f"[delegation]{TEXT}")
RULEBOOK = Rulebook(POLICY)
allowed_for = {"secret": {"local-small", "local-tiny"}, "european": {"local-small", "local-tiny", "remote-eu"}}


@settings(max_examples=300)
@given(
    st.lists(targets, min_size=1, max_size=5),
    st.sampled_from(["f", "home/f"]),
    st.frozensets(st.sampled_from(["secret", "european", "unknown"])),
    st.sampled_from([None, "acme"]),
    st.integers(0, 1_100_000),
    st.booleans(),
)
def test_no_target_of_any_plan_breaks_a_rule(
    said: list[ExecTarget], symbol: str, labels: frozenset[str], tenant: str | None, spent: int, hinted: bool
) -> None:
    """The rules as the policy above means them, written down once more."""
    function = FunctionInfo(
        symbol=symbol,
        doc=None,
        parameters=(),
        parameter_types=(),
        return_type="any",
        hint=None,
        metadata={},
        ir_hash="",
        labels=labels,
    )
    asked = CallContext.of(CallFacts(function=function, runtime=RuntimeFacts(tenant=tenant)))
    world = World(spent={BudgetKey("all", "", 0): spent})
    now = Current(RULEBOOK, world)
    engine = SecurityAwareEngine(
        Saying(DelegationPlan(target=said[0], stage="model", chain=tuple(said[1:]))), now
    )
    plan = engine.plan_for(asked, said[0]) if hinted else engine.plan(asked)
    prices = {"remote-eu": 10_000, "remote-us": 20_000}
    for target in (plan.target, *plan.chain):
        name = target_name(target)
        if name == "local-pure":
            continue
        assert all(name in allowed_for.get(label, set()) for label in labels)
        assert name != "remote-nobody"
        assert name != "remote-us" or tenant == "acme"
        assert symbol == "f" or not name.startswith("remote-")
        assert spent + prices.get(name, 0) <= 1_000_000 or name not in prices
    assert all(one.hard in (None, *get_args(HardRule.__value__)) for one in plan.rejected)
