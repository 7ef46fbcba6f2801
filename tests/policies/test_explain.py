"""Explanations: they agree with the plan, and leave no target out."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from policies.context import CallContext
from policies.engines.standard import standard_engine
from policies.explain import Explanation, explain
from policies.rules.rulebook import Current
from policies.targets import target_name
from policies.world import TargetState
from rtfs.delegation import RemoteModel

TEXT = """
fallback = ["local-small"]
[delegation.static_routes]
"ai-*" = "remote-good"
[delegation.remote_providers]
cheap = { endpoint = "https://a.example.com", cost_usd = 0.001, latency_ms = 900, quality = 0.6 }
good = { endpoint = "https://b.example.com", cost_usd = 0.02, latency_ms = 400, quality = 0.9 }
vip = { endpoint = "https://c.example.com", tenants = ["acme"] }
[delegation.local_models]
small = { path = "small.gguf" }
[delegation.security.privacy.secret]
allow = ["local-*"]
[[delegation.rules]]
name = "typed"
symbols = ["sum*"]
arg_types = ["string"]
targets = ["remote-good"]
[[delegation.rules]]
name = "best"
symbols = ["sum*"]
targets = ["remote-cheap", "remote-good"]
choose = "best"
weights = { cost = 1, latency = 0, quality = 0 }
[[delegation.rules]]
name = "quick"
symbols = ["quick"]
targets = ["remote-cheap", "remote-good"]
max_latency_ms = 500
"""

# symbol, facts; target, and of each other target what its reason begins with
CASES = [
    (
        "ai-x",
        {},
        "remote-good",
        {
            "local-pure": "it is what remains when `remote-good` and its chain fail",
            "remote-cheap": "static route `ai-*` decided for `remote-good`",
            "remote-vip": "a run for no tenant may not use it",
            "local-small": "comes after `remote-good`, number 1 of the chain",
        },
    ),
    (
        "sum",
        {"types": ("map",)},
        "remote-cheap",
        {
            "local-pure": "it is what remains",
            "remote-good": "scored lower: score 0.000: $0.02, 400 ms, quality 0.9, against 0.950 of",
            "remote-vip": "a run for no tenant",
            "local-small": "comes after `remote-cheap`, number 2 of the chain",
        },
    ),
    (
        "quick",
        {"tenant": "acme"},
        "remote-good",
        {
            "local-pure": "it is what remains",
            "remote-cheap": "it takes 900 ms, the ceiling is 500 ms",
            "remote-vip": "rule `quick` does not name it",
            "local-small": "comes after `remote-good`",
        },
    ),
    (
        "ai-x",
        {"labels": {"secret"}},
        "local-small",
        {
            "local-pure": "it is what remains",
            "remote-cheap": "the arguments may carry the label `secret`",
            "remote-good": "the arguments may carry the label `secret`",
            "remote-vip": "a run for no tenant",
        },
    ),
    (
        "other",
        {"tenant": "acme"},
        "local-pure",
        {
            "remote-cheap": "`default_target` decided for `local-pure`",
            "remote-good": "`default_target` decided for `local-pure`",
            "remote-vip": "`default_target` decided for `local-pure`",
            "local-small": "`default_target` decided for `local-pure`",
        },
    ),
]


@pytest.mark.parametrize(("symbol", "facts", "target", "reasons"), CASES)
def test_every_other_target_has_a_reason(
    current: Callable[..., Current],
    call: Callable[..., CallContext],
    symbol: str,
    facts: dict[str, object],
    target: str,
    reasons: dict[str, str],
) -> None:
    now, asked = current(TEXT), call(symbol, **facts)
    engine = standard_engine(now)
    found = explain(engine, now, asked)
    assert found.plan == engine.plan(asked)
    assert target_name(found.plan.target) == target
    said = {target_name(one.target): one for one in found.rejected}
    assert said.keys() == reasons.keys() == now.rulebook.candidates.keys() - {target}
    for name, reason in reasons.items():
        assert said[name].reason.startswith(reason)
        vetoed = now.rulebook.veto(asked, said[name].target, now.world)
        assert said[name].hard == (vetoed.hard if vetoed else None)


def explained(now: Current, asked: CallContext) -> Explanation:
    return explain(standard_engine(now), now, asked)


def test_what_arguments_decide_is_said(
    current: Callable[..., Current], call: Callable[..., CallContext]
) -> None:
    now = current(TEXT)
    open_, settled = explained(now, call("sum")), explained(now, call("sum", types=("string",)))
    assert (open_.by_arguments, settled.by_arguments) == (True, False)
    assert [because.what for because in open_.undecided] == ["rule `typed`"]
    assert settled.plan.target == RemoteModel("good")
    assert "the arguments of each call decide anew: rule `typed` (delegation.toml:" in open_.render()


def test_health_is_explained(current: Callable[..., Current], call: Callable[..., CallContext]) -> None:
    resting = {"remote-good": TargetState(circuit="open", retry_at=50.0, error_rate=0.5)}
    found = explained(current(TEXT, now=20.0, targets=resting), call("ai-x"))
    said = {target_name(one.target): one.reason for one in found.rejected}
    assert target_name(found.plan.target) == "local-small"
    assert said["remote-good"].startswith("its circuit is open for another 30 s")


def test_for_people(current: Callable[..., Current], call: Callable[..., CallContext]) -> None:
    lines = explained(current(TEXT), call("ai-x")).render().splitlines()
    assert lines[:7] == [
        "ai-x",
        "  runs on       remote-good",
        "  decided by    static route `ai-*` (delegation.toml:5)",
        "  because       static route `ai-*` sends `ai-x` to `remote-good` ($0.02, 400 ms, quality 0.9)",
        "  expected      $0.02, 400 ms, quality 0.9",
        "  results kept  in L2",
        "  then tries    local-small, its own body",
    ]
    assert (
        "    remote-vip    [authorization] a run for no tenant may not use it — `remote_providers.vip.tenants`"
        in (line.partition(" (")[0] for line in lines)
    )


def test_as_data(current: Callable[..., Current], call: Callable[..., CallContext]) -> None:
    found = explained(current(TEXT), call("sum", types=("map",), tenant="t"))
    data = json.loads(json.dumps(found.to_json()))
    assert (data["symbol"], data["tenant"], data["target"], data["stage"]) == (
        "sum",
        "t",
        "remote-cheap",
        "optimizer",
    )
    assert data["because"]["what"] == "rule `best`"
    assert data["expected"] == {"cost_usd": 0.001, "latency_ms": 900, "quality": 0.6}
    assert data["chain"] == ["remote-good", "local-small"]
    vip = next(one for one in data["rejected"] if one["target"] == "remote-vip")
    assert (vip["hard"], vip["because"]["source"]) == ("authorization", "delegation.toml")


def test_a_model_that_cannot_write_the_return_type_is_rejected_with_the_part(
    current: Callable[..., Current], call: Callable[..., CallContext]
) -> None:
    now = current(TEXT)
    asked = call("ai-x", returns="[:vector [:fn [int] int]]")
    found = explain(standard_engine(now), now, asked)
    assert target_name(found.plan.target) == "local-pure"
    rejected = {target_name(one.target): one for one in found.rejected}
    assert rejected["remote-good"].hard == "type"
    assert "[type] `[:fn [int] int]` in return type `[:vector [:fn [int] int]]`" in found.render()
    assert "a model cannot answer a function" in found.render()
