"""Which purses pay for a call."""

from __future__ import annotations

from typing import Any

import pytest

from policies.file.schema import Delegation
from policies.rules.purses import purses_for, window_number
from policies.world import BudgetKey
from rtfs.delegation import ExecTarget, L4CacheHit, LocalModel, LocalPure, RemoteModel
from rtfs.runtime_facts import RuntimeFacts

DAY = 86_400.0
ACME = RuntimeFacts(tenant="acme", plan="p1")
NOBODY = RuntimeFacts()
OPENAI = RemoteModel("openai")

#: budget, facts, target, owners whose purses pay
CASES: list[tuple[dict[str, Any], RuntimeFacts, ExecTarget, list[str]]] = [
    ({"scope": "tenant"}, ACME, OPENAI, ["acme"]),
    ({"scope": "tenant"}, NOBODY, OPENAI, [""]),
    ({"scope": "tenant", "match": "ac*"}, ACME, OPENAI, ["acme"]),
    ({"scope": "tenant", "match": "ac*"}, NOBODY, OPENAI, []),
    ({"scope": "tenant", "match": "AC*"}, ACME, OPENAI, []),
    ({"scope": "plan"}, ACME, OPENAI, ["p1"]),
    ({"scope": "plan", "match": "p2"}, ACME, OPENAI, []),
    ({"scope": "provider"}, ACME, OPENAI, ["remote-openai"]),
    ({"scope": "provider", "match": "openai"}, ACME, OPENAI, ["remote-openai"]),
    ({"scope": "provider", "match": "remote-o*"}, ACME, OPENAI, ["remote-openai"]),
    ({"scope": "provider", "match": "local-*"}, ACME, OPENAI, []),
    ({"scope": "provider", "match": "tiny"}, ACME, LocalModel("tiny"), ["local-tiny"]),
    ({"scope": "all"}, ACME, OPENAI, [""]),
    ({"scope": "all", "match": "never read"}, NOBODY, LocalModel("tiny"), [""]),
    ({"scope": "all"}, ACME, LocalPure(), []),
    ({"scope": "all"}, ACME, L4CacheHit("p", "s"), []),
]


@pytest.mark.parametrize(("budget", "facts", "target", "owners"), CASES)
def test_who_pays(budget: dict[str, Any], facts: RuntimeFacts, target: ExecTarget, owners: list[str]) -> None:
    settings = Delegation.model_validate({"budgets": {"b": {"limit_usd": 1.5, **budget}}})
    found = purses_for(settings, facts, target, 3 * DAY + 5)
    assert found == tuple((BudgetKey("b", owner, 3), 1_500_000) for owner in owners)


def test_all_budgets_that_apply_pay_in_order() -> None:
    settings = Delegation.model_validate(
        {
            "budgets": {
                "z": {"scope": "all", "limit_usd": 2.0, "window": "forever"},
                "no": {"scope": "plan", "match": "other", "limit_usd": 9.0},
                "a": {"scope": "tenant", "limit_usd": 1.0, "window": "hour"},
            }
        }
    )
    assert purses_for(settings, ACME, OPENAI, 7200.0) == (
        (BudgetKey("z", "", 0), 2_000_000),
        (BudgetKey("a", "acme", 2), 1_000_000),
    )


@pytest.mark.parametrize(
    ("window", "now", "number"),
    [
        ("minute", 59.9, 0),
        ("minute", 60.0, 1),
        ("hour", 3599.0, 0),
        ("hour", 3600.0, 1),
        ("day", DAY - 1, 0),
        ("day", DAY, 1),
        ("week", 0.0, 0),  # Thursday 1970-01-01
        ("week", 4 * DAY - 1, 0),  # Sunday
        ("week", 4 * DAY, 1),  # Monday 1970-01-05
        ("week", 11 * DAY, 2),
        ("month", 30 * DAY - 1, 0),
        ("month", 30 * DAY, 1),
        ("forever", 1e10, 0),
    ],
)
def test_windows(window: str, now: float, number: int) -> None:
    assert window_number(window, now) == number
