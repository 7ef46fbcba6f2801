"""What a policy says of its targets, and what the world adds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policies.file.policy import Policy
from policies.plan import Because, Expected
from policies.rules.candidates import cost_bound, expected_now, place
from policies.rules.rulebook import Rulebook
from policies.world import TargetState, World
from rtfs.delegation import LocalModel, LocalPure, RemoteModel

TEXT = """
[delegation.remote_providers.remote-openai]
endpoint = "https://a.example.com"
cost_usd = 0.01
max_cost_usd = 0.05
latency_ms = 300
quality = 0.9
model = "large"
[delegation.remote_providers]
near = { endpoint = "https://b.example.com", locality = "site", region = "eu", capacity = 4 }
[delegation.local_models]
local-small = { path = "small.gguf" }
tiny = { path = "tiny.gguf", cost_usd = 0.001, permissions = ["gpu"], tenants = ["acme*"] }
"""


def test_names_order_and_targets(book: Callable[[str], Rulebook]) -> None:
    found = book(TEXT).candidates
    assert {name: one.target for name, one in found.items()} == {
        "local-pure": LocalPure(),
        "remote-openai": RemoteModel("openai"),
        "remote-near": RemoteModel("near"),
        "local-small": LocalModel("small"),
        "local-tiny": LocalModel("tiny"),
    }
    assert next(iter(found)) == "local-pure"


def test_facts(book: Callable[[str], Rulebook]) -> None:
    found = book(TEXT).candidates
    assert {name: (one.distance, one.max_cost_usd) for name, one in found.items()} == {
        "local-pure": (0, 0.0),
        "remote-openai": (2, 0.05),
        "remote-near": (1, None),
        "local-small": (0, 0.0),
        "local-tiny": (0, 0.001),
    }
    assert found["remote-openai"].expected == Expected(cost_usd=0.01, latency_ms=300, quality=0.9)
    assert found["remote-openai"].model == "large"
    assert (found["remote-near"].region, found["remote-near"].capacity) == ("eu", 4)
    assert found["local-tiny"].permissions == {"gpu"}
    assert found["local-tiny"].because.line is not None


BOUNDS = [
    ("remote-openai", None, 0.05),
    ("remote-openai", 0.02, 0.05),
    ("remote-openai", 0.2, 0.2),
    ("remote-near", None, None),
    ("remote-near", 0.2, 0.2),
    ("local-small", None, 0.0),
    ("local-small", 0.2, 0.2),
    ("local-pure", None, 0.0),
    ("remote-openai", float("nan"), None),
    ("local-small", float("inf"), None),
    ("local-tiny", -1.0, None),
]


@pytest.mark.parametrize(("name", "price", "expected"), BOUNDS)
def test_cost_bound(
    book: Callable[[str], Rulebook], name: str, price: float | None, expected: float | None
) -> None:
    world = World(prices_usd={} if price is None else {name: price})
    assert cost_bound(book(TEXT).candidates[name], world) == expected


def test_the_world_knows_better(book: Callable[[str], Rulebook]) -> None:
    candidate = book(TEXT).candidates["remote-openai"]
    world = World(targets={"remote-openai": TargetState(latency_ms=80)}, prices_usd={"remote-openai": 0.5})
    assert expected_now(candidate, world) == Expected(cost_usd=0.5, latency_ms=80, quality=0.9)
    assert expected_now(candidate, World(targets={"remote-openai": TargetState()})) == candidate.expected


def test_a_place_is_that_of_the_nearest_known_key() -> None:
    policy = Policy(source="p.toml", lines={"rules.0": 4, "rules.0.deny": 7})
    assert place(policy, "x", "rules", "0", "deny") == Because(what="x", source="p.toml", line=7)
    assert place(policy, "x", "rules", "0", "targets") == Because(what="x", source="p.toml", line=4)
    assert place(policy, "x", "budgets", "a").line is None
