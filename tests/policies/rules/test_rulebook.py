"""Targets by name, what arguments decide, chains, tiers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policies.context import CallContext
from policies.errors import PolicyError
from policies.rules.rulebook import Current, Rulebook
from policies.world import World
from rtfs.delegation import DelegationHint, ExecTarget, L4CacheHit, LocalModel, LocalPure, RemoteModel

TARGETS = """
[delegation.remote_providers]
remote-openai = { endpoint = "https://a.example.com" }
cluster = { endpoint = "https://b.example.com" }
[delegation.local_models]
small = { path = "small.gguf" }
local-tiny = { path = "tiny.gguf" }
"""

HINTS = [
    (DelegationHint("target", "remote-openai"), RemoteModel("openai")),
    (DelegationHint("target", "openai"), RemoteModel("openai")),
    (DelegationHint("target", "small"), LocalModel("small")),
    (DelegationHint("target", "local-tiny"), LocalModel("tiny")),
    (DelegationHint("target", "elsewhere"), RemoteModel("elsewhere")),
    (DelegationHint("target", "local-pure"), LocalPure()),
    (DelegationHint("remote", "remote-openai"), RemoteModel("openai")),
    (DelegationHint("remote", "cluster"), RemoteModel("cluster")),
    (DelegationHint("local-model", "local-tiny"), LocalModel("tiny")),
    (DelegationHint("local-model", "openai"), LocalModel("openai")),
    (DelegationHint("remote", "small"), RemoteModel("small")),
]


@pytest.mark.parametrize(("hint", "expected"), HINTS)
def test_hints_name_targets_or_keys(
    book: Callable[[str], Rulebook], hint: DelegationHint, expected: ExecTarget
) -> None:
    assert book(TARGETS).resolve(hint.to_exec_target(), hint) == expected


def test_known_targets(book: Callable[[str], Rulebook]) -> None:
    rulebook = book(TARGETS)
    assert rulebook.known(LocalModel("tiny")).name == "local-tiny"
    assert rulebook.known(L4CacheHit("x", "s")).distance == 0
    assert rulebook.find(LocalModel("pure")) is None
    with pytest.raises(PolicyError, match="does not name the target `remote-none`"):
        rulebook.known(RemoteModel("none"))


LOOK = '[[delegation.rules]]\nsymbols = ["f"]\narg_types = ["string"]\n'
DEPENDS = [
    (f'{LOOK}targets = ["remote-cluster"]', True),
    (f'{LOOK}targets = ["local-pure"]', False),
    (f'{LOOK}deny = ["remote-*"]', False),
    (f'{LOOK}deny = ["remote-*"]\n[[delegation.rules]]\ntargets = ["remote-cluster"]', True),
    (f'{LOOK}deny = ["remote-*"]\n[delegation.static_routes]\nf = "remote-cluster"', True),
    (f'{LOOK}deny = ["remote-*"]\n[delegation.static_routes]\nf = "local-pure"', False),
    (f'{LOOK}targets = ["remote-cluster"]\n[delegation.static_routes]\nf = "local-pure"', False),
    (f'{LOOK}cache = {{ tier = "l3" }}\n[[delegation.rules]]\ntargets = ["remote-cluster"]', True),
    (f'[[delegation.rules]]\ntargets = ["remote-cluster"]\n{LOOK}targets = ["local-small"]', False),
    (f'{LOOK}targets = ["remote-cluster"]\ntenants = ["t"]', False),
]


@pytest.mark.parametrize(("rules", "expected"), DEPENDS)
def test_what_arguments_decide(
    book: Callable[[str], Rulebook], call: Callable[..., CallContext], rules: str, expected: bool
) -> None:
    rulebook = book(TARGETS + rules)
    assert rulebook.depends_on_arguments(call("f")) is expected
    assert not rulebook.depends_on_arguments(call("f", types=("string",)))
    assert not rulebook.depends_on_arguments(call("g"))


def test_sizes_that_matter(book: Callable[[str], Rulebook]) -> None:
    rulebook = book(
        f'{TARGETS}[[delegation.rules]]\nmin_size = 100\nmax_size = 1000\ntargets = ["local-small"]'
    )
    assert rulebook.size_bounds("f") == (99, 1000)


def test_chains_hold_what_is_allowed_up_to_the_body(
    book: Callable[[str], Rulebook], call: Callable[..., CallContext]
) -> None:
    rulebook = book(
        'fallback = ["local-tiny", "remote-cluster", "local-small", "local-pure", "remote-openai"]\n'
        f'{TARGETS}[[delegation.rules]]\ndeny = ["local-small"]'
    )
    chain = rulebook.chain_after(call(), RemoteModel("cluster"), World())
    assert chain == (LocalModel("tiny"),)
    assert rulebook.chain_after(call(), LocalPure(), World()) == ()
    assert rulebook.permitted(call(), rulebook.fallback, World()) == (
        LocalModel("tiny"),
        RemoteModel("cluster"),
        LocalPure(),
        RemoteModel("openai"),
    )


def test_a_rules_fallback_comes_before_that_of_all(
    book: Callable[[str], Rulebook], call: Callable[..., CallContext]
) -> None:
    rulebook = book(
        f'fallback = ["local-tiny"]\n{TARGETS}[[delegation.rules]]\nsymbols = ["f"]\nfallback = ["local-small"]'
    )
    assert rulebook.fallback_of(call("f")) == (LocalModel("small"),)
    assert rulebook.fallback_of(call("g")) == (LocalModel("tiny"),)


ROUTES = '[delegation.static_routes]\n"a-*" = "remote-cluster"\n"a-b*" = "local-small"\n"*" = "local-pure"\n'


def test_the_first_route_counts(book: Callable[[str], Rulebook]) -> None:
    rulebook = book(TARGETS + ROUTES)
    found = {symbol: rulebook.static_route(symbol) for symbol in ("a-bc", "b")}
    assert {symbol: route and route[0] for symbol, route in found.items()} == {
        "a-bc": RemoteModel("cluster"),
        "b": LocalPure(),
    }
    assert str(found["a-bc"] and found["a-bc"][1]).startswith("static route `a-*` (delegation.toml:")
    assert book(TARGETS).static_route("a") is None


TIERS = [
    ("", "l2", 3600),
    ("[delegation.caches.l2]\nttl = 60", "l2", 60),
    ("[delegation.caches.l2]\nenabled = false", "none", None),
    ('[[delegation.rules]]\ncache = { tier = "l3" }', "l3", 3600),
    ('[[delegation.rules]]\ncache = { tier = "l3" }\n[delegation.caches.l3]\nenabled = false', "l2", 3600),
    ('[[delegation.rules]]\ncache = { tier = "l3" }\n[delegation.caches.l2]\nenabled = false', "none", None),
    ('[[delegation.rules]]\ncache = { tier = "none" }', "none", None),
]


@pytest.mark.parametrize(("extra", "tier", "ttl_s"), TIERS)
def test_where_results_are_kept(
    book: Callable[[str], Rulebook],
    call: Callable[..., CallContext],
    extra: str,
    tier: str,
    ttl_s: float | None,
) -> None:
    rulebook = book(TARGETS + extra)
    found = rulebook.cache_tier(call(), RemoteModel("cluster"))
    assert found == tier
    assert rulebook.cache_tier(call(), LocalPure()) == "none"
    if found != "none":
        assert rulebook.cache_ttl_s(call(), found) == ttl_s


def test_versions_name_policy_and_world(book: Callable[[str], Rulebook]) -> None:
    rulebook = book(TARGETS)
    versions = {
        Current(rulebook).version,
        Current(rulebook, World(version=1)).version,
        Current(book(""), World(version=1)).version,
    }
    assert len(versions) == 3


def test_answers_do_not_depend_on_what_was_asked_before(
    book: Callable[[str], Rulebook], call: Callable[..., CallContext]
) -> None:
    text = f'{TARGETS}[[delegation.rules]]\nsymbols = ["*7"]\ndeny = ["remote-*"]'
    rulebook = book(text)
    asked = [call(f"f{number}") for number in range(9000)]  # more than are remembered
    first = [rulebook.veto(one, RemoteModel("cluster"), World()) is None for one in asked]
    again = [rulebook.veto(one, RemoteModel("cluster"), World()) is None for one in asked]
    assert first == again == [number % 10 != 7 for number in range(9000)]
