"""Rules, optimiser, default: who decides, what comes after, what the plan says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policies.context import CallContext
from policies.engines.policy import PolicyEngine
from policies.plan import DelegationPlan
from policies.rules.rulebook import Current
from policies.targets import target_name
from policies.world import TargetState, World
from rtfs.delegation import LocalModel, RemoteModel

TARGETS = """
[delegation.remote_providers]
cheap = { endpoint = "https://a.example.com", cost_usd = 0.001, latency_ms = 900, quality = 0.6, model = "m" }
good = { endpoint = "https://b.example.com", cost_usd = 0.02, latency_ms = 400, quality = 0.9 }
[delegation.local_models]
small = { path = "small.gguf", latency_ms = 200, quality = 0.5 }
tiny = { path = "tiny.gguf" }
[delegation.security.privacy.secret]
allow = ["local-*"]
"""
BOTH = 'targets = ["remote-cheap", "remote-good"]'


def rule(*lines: str) -> str:
    return "\n".join(["[[delegation.rules]]", *lines, ""])


def names(plan: DelegationPlan) -> str:
    return " ".join(map(target_name, (plan.target, *plan.chain)))


# text, facts of the call; stage, target and chain
CASES = [
    ("", {}, "default", "local-pure"),
    (
        'default_target = "remote-good"\nfallback = ["local-small", "remote-good"]',
        {},
        "default",
        "remote-good local-small",
    ),
    ('default_target = "remote-good"', {"labels": {"secret"}}, "fallback", "local-pure"),
    (
        'default_target = "remote-good"\nfallback = ["remote-cheap", "local-small", "local-tiny"]',
        {"labels": {"secret"}},
        "fallback",
        "local-small local-tiny",
    ),
    (rule(BOTH), {}, "rule", "remote-cheap remote-good"),
    (
        rule(BOTH, 'fallback = ["local-small"]'),
        {},
        "rule",
        "remote-cheap remote-good local-small",
    ),
    (rule(BOTH, 'deny = ["remote-cheap"]'), {}, "rule", "remote-good"),
    (
        rule('targets = ["remote-good", "local-tiny", "local-small"]'),
        {"labels": {"secret"}},
        "rule",
        "local-tiny local-small",
    ),
    (rule(BOTH, 'fallback = ["local-small"]'), {"labels": {"secret"}}, "fallback", "local-small"),
    ('fallback = ["local-tiny"]\n' + rule(BOTH), {"labels": {"secret"}}, "fallback", "local-tiny"),
    (
        'fallback = ["local-tiny"]\n' + rule('targets = ["remote-cheap"]', 'fallback = ["remote-good"]'),
        {"labels": {"secret"}},
        "fallback",
        "local-tiny",
    ),
    (rule(BOTH), {"labels": {"secret"}}, "fallback", "local-pure"),
    (rule(BOTH, "max_latency_ms = 500"), {}, "rule", "remote-good"),
    (rule(BOTH, "min_quality = 0.8"), {}, "rule", "remote-good"),
    (rule(BOTH, "max_cost_usd = 0.01"), {}, "rule", "remote-cheap"),
    (rule('targets = ["local-pure", "remote-good"]'), {}, "rule", "local-pure"),
    (rule('symbols = ["g"]', 'targets = ["local-tiny"]') + rule(BOTH), {}, "rule", "remote-cheap remote-good"),
    (
        rule('arg_types = ["map"]', 'targets = ["local-tiny"]') + rule(BOTH),
        {},
        "rule",
        "remote-cheap remote-good",
    ),
    (
        rule('arg_types = ["map"]', 'targets = ["local-tiny"]') + rule(BOTH),
        {"types": ("map",)},
        "rule",
        "local-tiny",
    ),
    (
        rule(BOTH, 'choose = "best"', "weights = { cost = 1, latency = 0, quality = 0 }"),
        {},
        "optimizer",
        "remote-cheap remote-good",
    ),
    (
        rule(
            BOTH,
            'choose = "best"',
            "weights = { cost = 0, latency = 1, quality = 0 }",
            'fallback = ["local-tiny"]',
        ),
        {},
        "optimizer",
        "remote-good remote-cheap local-tiny",
    ),
]


def split(extra: str) -> str:
    """Keys of `[delegation]` come before its tables, the tables of the targets between them and the rules."""
    keys, rules, rest = extra.partition("[[")
    return f"{keys}\n{TARGETS}{rules}{rest}"


@pytest.mark.parametrize(("extra", "facts", "stage", "expected"), CASES)
def test_plans(
    current: Callable[..., Current],
    call: Callable[..., CallContext],
    extra: str,
    facts: dict[str, object],
    stage: str,
    expected: str,
) -> None:
    now, asked = current(split(extra), now=7.0), call("f", **facts)
    engine = PolicyEngine(now)
    plan = engine.plan(asked)
    assert (plan.stage, names(plan)) == (stage, expected)
    assert plan.created_at == 7.0
    assert engine.decide(asked) == plan.target
    assert engine.plan(asked) == plan
    for target in (plan.target, *plan.chain):
        assert now.rulebook.veto(asked, target, now.world) is None


def test_reasons_name_rule_function_model_and_figures(
    current: Callable[..., Current], call: Callable[..., CallContext]
) -> None:
    plan = PolicyEngine(current(split(rule('name = "cheap-first"', BOTH)))).plan(call("f"))
    assert plan.reasoning == (
        "rule `cheap-first` sends `f` to `remote-cheap`, model `m`, ($0.001, 900 ms, quality 0.6)"
    )
    assert plan.because is not None
    assert plan.because.what == "rule `cheap-first`"
    assert plan.because.line is not None
    assert plan.expected.cost_usd == 0.001
    assert plan.cache == "l2"


def test_a_fallback_says_what_was_forbidden(
    current: Callable[..., Current], call: Callable[..., CallContext]
) -> None:
    plan = PolicyEngine(current(split(rule(BOTH)))).plan(call("f", labels={"secret"}))
    assert "no target of rule 1 may run `f`" in plan.reasoning
    assert "label `secret`" in plan.reasoning
    assert plan.reasoning.endswith("its own body runs here")
    assert [(target_name(one.target), one.hard) for one in plan.rejected] == [
        ("remote-cheap", "privacy"),
        ("remote-good", "privacy"),
    ]


def test_targets_kept_out_by_ceilings_are_named(
    current: Callable[..., Current], call: Callable[..., CallContext]
) -> None:
    plan = PolicyEngine(current(split(rule(BOTH, "min_quality = 0.8")))).plan(call("f"))
    (rejected,) = plan.rejected
    assert (rejected.target, rejected.hard) == (RemoteModel("cheap"), None)
    assert rejected.reason == "its quality is 0.6, at least 0.8 is wanted"


def test_a_new_world_is_seen(current: Callable[..., Current], call: Callable[..., CallContext]) -> None:
    now = current(split(rule(BOTH, 'choose = "best"', "weights = { cost = 1, latency = 0, quality = 0 }")))
    engine, asked = PolicyEngine(now), call("f")
    before = engine.version
    assert engine.decide(asked) == RemoteModel("cheap")
    now.world = World(version=1, prices_usd={"remote-cheap": 1.0})
    assert engine.decide(asked) == RemoteModel("good")
    now.world = World(version=2, targets={"remote-good": TargetState(in_flight=10**6)})
    assert engine.decide(asked) == RemoteModel("cheap")
    assert engine.version != before


def test_a_new_policy_is_seen(current: Callable[..., Current], call: Callable[..., CallContext]) -> None:
    now = current(split(rule(BOTH)))
    engine, asked = PolicyEngine(now), call("f")
    assert engine.decide(asked) == RemoteModel("cheap")
    now.rulebook = current(split(rule('targets = ["local-tiny"]'))).rulebook
    assert engine.decide(asked) == LocalModel("tiny")
