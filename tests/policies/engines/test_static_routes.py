"""Static routes: the first glob that matches."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policies.context import CallContext
from policies.engines.policy import PolicyEngine
from policies.engines.security import SecurityAwareEngine
from policies.engines.static_routes import StaticRouteEngine
from policies.file.policy import Policy
from policies.file.schema import Delegation
from policies.rules.rulebook import Current, Rulebook
from policies.targets import target_name
from rtfs.delegation import L4CacheHit, LocalModel, LocalPure, RemoteModel

TEXT = """
fallback = ["local-sentiment-rules"]
[delegation.static_routes]
"ai-secret-*" = "local-pure"
"ai-*" = "remote-openai"
"math-*" = "local-pure"
"*-compiled" = "l4-abc"
[delegation.remote_providers]
"remote-openai" = { endpoint = "https://api.example.com/v1", timeout = 30000 }
[delegation.local_models]
"sentiment-rules" = { path = "./models/sentiment.rules" }
[[delegation.rules]]
symbols = ["other"]
targets = ["local-sentiment-rules"]
"""

ROUTES = [
    ("ai-x", "static-route", RemoteModel("openai"), (LocalModel("sentiment-rules"),)),
    ("ai-secret-x", "static-route", LocalPure(), ()),
    ("math-x", "static-route", LocalPure(), ()),
    ("x-compiled", "static-route", L4CacheHit("abc", ""), (LocalModel("sentiment-rules"),)),
    ("other", "rule", LocalModel("sentiment-rules"), ()),
    ("xai-x", "default", LocalPure(), ()),
]


@pytest.mark.parametrize(("symbol", "stage", "target", "chain"), ROUTES)
def test_routes(
    current: Callable[..., Current],
    call: Callable[..., CallContext],
    symbol: str,
    stage: str,
    target: object,
    chain: tuple[object, ...],
) -> None:
    now = current(TEXT)
    plan = StaticRouteEngine(PolicyEngine(now), now).plan(call(symbol))
    assert (plan.stage, plan.target, plan.chain) == (stage, target, chain)


def test_the_plan_names_the_glob_and_its_line(
    current: Callable[..., Current], call: Callable[..., CallContext]
) -> None:
    now = current(TEXT)
    plan = StaticRouteEngine(PolicyEngine(now), now).plan(call("ai-x"))
    assert str(plan.because) == "static route `ai-*` (delegation.toml:6)"
    assert plan.reasoning.startswith("static route `ai-*` sends `ai-x` to `remote-openai`")


def test_a_route_to_nowhere_falls_back(call: Callable[..., CallContext]) -> None:
    now = Current(Rulebook(Policy(settings=Delegation(static_routes={"*": "remote-nowhere"}))))
    plan = SecurityAwareEngine(StaticRouteEngine(PolicyEngine(now), now), now).plan(call("f"))
    assert (plan.stage, plan.target) == ("fallback", LocalPure())
    assert [(target_name(one.target), one.hard) for one in plan.rejected] == [("remote-nowhere", "provider")]
    assert "static route `*` names `remote-nowhere` for `f`" in plan.reasoning
