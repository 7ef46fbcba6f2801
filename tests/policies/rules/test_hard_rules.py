"""Hard rules: what each forbids, with its line, and that nothing gets past them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.context import CallContext
from policies.rules.rulebook import Rulebook
from policies.world import BudgetKey, World
from rtfs.delegation import L4CacheHit, LocalModel, LocalPure, RemoteModel

TARGETS = """
[delegation.remote_providers]
eu = { endpoint = "https://eu.example.com", region = "eu", cost_usd = 0.01 }
us = { endpoint = "https://us.example.com", region = "us", cost_usd = 0.02, max_cost_usd = 0.05 }
free = { endpoint = "https://free.example.com", cost_usd = 0 }
unpriced = { endpoint = "https://x.example.com", locality = "site" }
vip = { endpoint = "https://vip.example.com", tenants = ["acme*"], permissions = ["a", "b"] }
[delegation.local_models]
small = { path = "small.gguf" }
"""

# text, facts of the call, names of what is forbidden and by which rule
CASES = [
    ("", {}, {"remote-vip": "authorization"}),
    ("", {"tenant": "acme-1"}, {"remote-vip": "authorization"}),
    ("", {"tenant": "acme-1", "permissions": frozenset("a")}, {"remote-vip": "authorization"}),
    ("", {"tenant": "acme-1", "permissions": frozenset("ab")}, {}),
    ("", {"tenant": "other", "permissions": frozenset("ab")}, {"remote-vip": "authorization"}),
    (
        '[delegation.security.require]\n"remote-?s" = ["net"]\n"*" = ["any"]',
        {"permissions": frozenset({"any"})},
        {"remote-us": "authorization", "remote-vip": "authorization"},
    ),
    (
        '[[delegation.rules]]\ndeny = ["remote-[eu]*", "local-small"]\nsymbols = ["f"]',
        {},
        dict.fromkeys(
            ("remote-eu", "remote-us", "remote-unpriced", "remote-vip", "local-small"), "authorization"
        ),
    ),
    ('[[delegation.rules]]\ndeny = ["*"]\nsymbols = ["g"]', {}, {"remote-vip": "authorization"}),
    (
        '[delegation.security.privacy.secret]\nallow = ["local-*", "remote-eu"]',
        {"labels": {"secret"}},
        dict.fromkeys(("remote-us", "remote-free", "remote-unpriced"), "privacy")
        | {"remote-vip": "authorization"},
    ),
    (
        '[delegation.security.privacy]\na = { allow = ["remote-*"] }\nb = { allow = ["*s"] }',
        {"labels": {"a", "b"}},
        dict.fromkeys(("remote-eu", "remote-free", "remote-unpriced", "local-small"), "privacy")
        | {"remote-vip": "authorization"},
    ),
    (
        "",
        {"labels": {"never-defined"}},
        dict.fromkeys(("remote-eu", "remote-us", "remote-free", "remote-unpriced", "local-small"), "privacy")
        | {"remote-vip": "authorization"},
    ),
    (
        '[delegation.security]\nunknown_label_allow = ["local-*"]',
        {"labels": {"never-defined"}},
        dict.fromkeys(("remote-eu", "remote-us", "remote-free", "remote-unpriced"), "privacy")
        | {"remote-vip": "authorization"},
    ),
    (
        '[[delegation.rules]]\nrequire_locality = "machine"',
        {},
        dict.fromkeys(("remote-eu", "remote-us", "remote-free", "remote-unpriced"), "locality")
        | {"remote-vip": "authorization"},
    ),
    (
        '[[delegation.rules]]\nrequire_locality = "site"',
        {},
        dict.fromkeys(("remote-eu", "remote-us", "remote-free"), "locality") | {"remote-vip": "authorization"},
    ),
    (
        '[[delegation.rules]]\nrequire_region = ["eu"]',
        {},
        dict.fromkeys(("remote-us", "remote-free", "remote-unpriced"), "locality")
        | {"remote-vip": "authorization"},
    ),
    (
        "max_cost_usd = 0.03",
        {},
        {"remote-us": "budget", "remote-unpriced": "budget", "remote-vip": "authorization"},
    ),
    (
        "[[delegation.rules]]\nmax_cost_usd = 0.015",
        {},
        {"remote-us": "budget", "remote-unpriced": "budget", "remote-vip": "authorization"},
    ),
    (
        '[[delegation.rules]]\ntargets = ["remote-eu", "remote-free"]\nmax_cost_usd = 0.005\nsymbols = ["f"]\n'
        '[[delegation.rules]]\ntargets = ["remote-eu", "remote-free"]\nmax_cost_usd = 0.001',
        {},
        dict.fromkeys(("remote-eu", "remote-us", "remote-unpriced"), "budget")
        | {"remote-vip": "authorization"},
    ),
    (
        '[[delegation.rules]]\ntargets = ["remote-us"]\nmax_cost_usd = 1\nsymbols = ["f"]\n'
        '[[delegation.rules]]\ntargets = ["remote-eu", "remote-free"]\nmax_cost_usd = 0.001',
        {},
        {"remote-unpriced": "budget", "remote-vip": "authorization"},
    ),
    (
        '[delegation.budgets.all]\nscope = "all"\nlimit_usd = 0.03',
        {},
        {"remote-us": "budget", "remote-unpriced": "budget", "remote-vip": "authorization"},
    ),
]


def text_of(extra: str) -> str:
    """Keys of `[delegation]` come before its tables."""
    return f"{TARGETS}\n{extra}" if extra.startswith("[") else f"{extra}\n{TARGETS}"


@pytest.mark.parametrize(("extra", "facts", "expected"), CASES)
def test_what_is_forbidden(
    book: Callable[[str], Rulebook],
    call: Callable[..., CallContext],
    extra: str,
    facts: dict[str, object],
    expected: dict[str, str],
) -> None:
    rulebook, asked = book(text_of(extra)), call("f", **facts)
    vetoes = {name: rulebook.veto(asked, one.target, World()) for name, one in rulebook.candidates.items()}
    assert {name: veto.hard for name, veto in vetoes.items() if veto is not None} == expected
    for veto in vetoes.values():
        assert veto is None or veto.because is not None
        # what a policy does not say at all has no line
        assert veto is None or veto.because.line is not None or "unknown label" in veto.reason
    allowed = [one.name for one in rulebook.allowed(asked, World())]
    assert allowed == [name for name, veto in vetoes.items() if veto is None]


TEXTS = [
    ("", "remote-vip", "a run for no tenant may not use it — `remote_providers.vip.tenants`"),
    (
        '[[delegation.rules]]\nname = "home"\nrequire_locality = "machine"',
        "remote-unpriced",
        "it runs at this site, and data may go no farther than this machine — rule `home`",
    ),
    (
        '[[delegation.rules]]\nname = "home"\nrequire_region = ["eu"]',
        "remote-us",
        "it runs in `us`, and data must stay in `eu` — rule `home`",
    ),
    ("max_cost_usd = 0.03", "remote-us", "a call may cost $0.05, the ceiling is $0.03 — `max_cost_usd`"),
    ("max_cost_usd = 0.03", "remote-unpriced", "what a call costs is not known, the ceiling is $0.03"),
    ('[[delegation.rules]]\ndeny = ["*-us"]', "remote-us", "rule 1 denies it — rule 1"),
]


@pytest.mark.parametrize(("extra", "name", "expected"), TEXTS)
def test_reasons_name_rule_and_figures(
    book: Callable[[str], Rulebook], call: Callable[..., CallContext], extra: str, name: str, expected: str
) -> None:
    rulebook = book(text_of(extra))
    veto = rulebook.veto(call(), rulebook.candidates[name].target, World())
    assert str(veto).startswith(f"{name}: {expected}")


def test_lines_are_those_of_the_key(book: Callable[[str], Rulebook], call: Callable[..., CallContext]) -> None:
    rulebook = book(
        '[[delegation.rules]]\nname = "x"\nsymbols = ["f"]\ndeny = ["remote-a"]\n'
        '[delegation.remote_providers]\na = { endpoint = "https://a.example.com" }'
    )
    veto = rulebook.veto(call(), RemoteModel("a"), World())
    assert veto is not None
    assert veto.because is not None
    assert (veto.because.what, veto.because.line) == ("rule `x`", 5)


def test_nobody_serves_what_the_policy_does_not_name(
    book: Callable[[str], Rulebook], call: Callable[..., CallContext]
) -> None:
    rulebook = book(TARGETS)
    for target, hint in (
        (LocalModel("smal"), "no provider serves `local-smal`; did you mean `local-small`?"),
        (RemoteModel("elsewhere-entirely"), "no provider serves `remote-elsewhere-entirely`"),
        (LocalModel("pure"), "no provider serves `local-pure`"),
    ):
        veto = rulebook.veto(call(), target, World())
        assert veto is not None
        assert (veto.hard, veto.reason) == ("provider", hint)


def test_modules_need_no_provider_but_obey_labels(
    book: Callable[[str], Rulebook], call: Callable[..., CallContext]
) -> None:
    module = L4CacheHit("abc", "signature")
    rulebook = book('max_cost_usd = 0\n[delegation.security.privacy.secret]\nallow = ["local-*"]')
    assert rulebook.veto(call(), module, World()) is None
    veto = rulebook.veto(call(labels={"secret"}), module, World())
    assert veto is not None
    assert veto.hard == "privacy"


BUDGETS = """
[delegation.remote_providers]
a = { endpoint = "https://a.example.com", cost_usd = 0.1 }
b = { endpoint = "https://b.example.com", cost_usd = 0 }
[delegation.budgets.each]
scope = "tenant"
limit_usd = 1
window = "hour"
"""

SPENT = [
    ("t", 900_000, 3600.0, True),
    ("t", 900_001, 3600.0, False),
    ("u", 900_001, 3600.0, True),  # another's purse
    ("t", 900_001, 7200.0, True),  # another window
]


@pytest.mark.parametrize(("tenant", "micro_usd", "now", "allowed"), SPENT)
def test_money_spent_counts_in_its_purse_and_window(
    book: Callable[[str], Rulebook],
    call: Callable[..., CallContext],
    tenant: str,
    micro_usd: int,
    now: float,
    allowed: bool,
) -> None:
    world = World(now=now, spent={BudgetKey("each", "t", 1): micro_usd})
    veto = book(BUDGETS).veto(call(tenant=tenant), RemoteModel("a"), world)
    assert (veto is None) is allowed
    assert veto is None or (veto.hard == "budget" and "budget `each`" in str(veto))


def test_what_is_free_is_never_too_expensive(
    book: Callable[[str], Rulebook], call: Callable[..., CallContext]
) -> None:
    world = World(now=3600.0, spent={BudgetKey("each", "t", 1): 99_000_000})
    assert book(BUDGETS).veto(call(tenant="t"), RemoteModel("b"), world) is None
    priced = World(now=3600.0, spent=world.spent, prices_usd={"remote-b": 0.01})
    assert book(BUDGETS).veto(call(tenant="t"), RemoteModel("b"), priced) is not None


def test_each_world_is_judged_anew(book: Callable[[str], Rulebook], call: Callable[..., CallContext]) -> None:
    rulebook, asked = book(BUDGETS), call(tenant="t")
    rich, poor = World(now=3600.0), World(now=3600.0, spent={BudgetKey("each", "t", 1): 1_000_000})
    answers = [rulebook.veto(asked, RemoteModel("a"), world) is None for world in (rich, poor, rich, poor)]
    assert answers == [True, False, True, False]


@given(
    st.sets(st.sampled_from(["secret", "odd", "open"])),
    st.sampled_from([None, "acme", "other"]),
    st.frozensets(st.sampled_from("abc")),
)
def test_the_own_body_is_never_forbidden(
    labels: set[str], tenant: str | None, permissions: frozenset[str]
) -> None:
    from policies.context import CallFacts
    from policies.file.load import load_policy
    from rtfs.delegation import FunctionInfo, RuntimeFacts

    policy = load_policy(
        '[delegation]\nmax_cost_usd = 0\n[[delegation.rules]]\ndeny = ["*"]\nrequire_locality = "machine"\n'
        'require_region = ["nowhere"]\n[delegation.security]\nrequire = { "*" = ["never"] }\n'
        '[delegation.budgets.none]\nscope = "all"\nlimit_usd = 0\n'
    )
    function = FunctionInfo(
        symbol="f",
        doc=None,
        parameters=(),
        parameter_types=(),
        return_type="any",
        hint=None,
        metadata={},
        ir_hash="",
        labels=frozenset(labels),
    )
    runtime = RuntimeFacts(tenant=tenant, permissions=permissions)
    asked = CallContext.of(CallFacts(function=function, runtime=runtime))
    rulebook = Rulebook(policy)
    assert rulebook.veto(asked, LocalPure(), World()) is None
    assert [one.name for one in rulebook.allowed(asked, World())] == ["local-pure"]


MODELS = """
[delegation.remote_providers]
words = { endpoint = "https://a.example.com" }
cluster = { endpoint = "https://b.example.com", kind = "rtfs" }
[delegation.local_models]
writer = { path = "writer.gguf" }
other = { kind = "gguf", path = "other.bin" }
sorter = { kind = "classifier", path = "sorter.gguf" }
judge = { path = "judge.rules" }
echo = { kind = "echo" }
"""
WRITERS = {"remote-words", "local-writer", "local-other"}


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        ("any", None),
        ("int", None),
        ("[:map [:mood Mood]]", None),
        ("[:fn [int] int]", "return type `[:fn [int] int]`: a model cannot answer a function"),
        ("[:vector fn]", "`fn` in return type `[:vector fn]`: a model cannot answer a function"),
        ("[:vector Back]", "`[:fn [] int]` in return type `[:vector Back]`: a model cannot answer a function"),
        ("never", "return type `never`: no finite value belongs to it"),
        ("Nowhere", "return type `Nowhere`: nothing says what that is"),
        ("no type at all", None),
    ],
)
def test_models_that_write_must_be_able_to_write_the_return_type(
    book: Callable[[str], Rulebook], call: Callable[..., CallContext], returns: str, reason: str | None
) -> None:
    rulebook = book(MODELS)
    asked = call("f", returns=returns, aliases={"Mood": "[:enum :a :b]", "Back": "[:fn [] int]"})
    vetoes = {name: rulebook.veto(asked, one.target, World()) for name, one in rulebook.candidates.items()}
    assert {name for name, veto in vetoes.items() if veto} == (WRITERS if reason else set())
    for name in WRITERS if reason else ():
        veto = vetoes[name]
        assert veto is not None
        assert (veto.hard, veto.reason) == ("type", reason)


def test_what_a_name_of_a_type_stands_for_makes_another_call(call: Callable[..., CallContext]) -> None:
    one = call("f", returns="T", aliases={"T": "int"})
    other = call("f", returns="T", aliases={"T": "[:fn [] int]"})
    assert one != other
    assert one.task != other.task
    assert call("f", returns="T") == call("f", returns="T", aliases={})
