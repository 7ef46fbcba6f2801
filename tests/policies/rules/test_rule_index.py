"""Which rules a call meets: each condition by itself, all together against a plain reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.context import CallContext, CallFacts
from policies.file.policy import Policy
from policies.file.schema import Delegation, Rule, RuleCache
from policies.rules.rule_index import RuleIndex, namespace_of, when_holds
from rtfs.delegation import Fact, FunctionInfo, RuntimeFacts

HERE = ("local-pure",)


def index(*rules: Rule) -> RuleIndex:
    return RuleIndex(Policy(settings=Delegation(rules=rules)))


CONDITIONS = [
    (Rule(symbols=("a/*", "b"), targets=HERE), {"symbol": "a/x"}, {"symbol": "a"}),
    (Rule(namespaces=("m.*",), targets=HERE), {"symbol": "m.n/f"}, {"symbol": "m.n"}),
    (Rule(namespaces=("*",), targets=HERE), {"symbol": "m/f"}, {"symbol": "f"}),
    (Rule(tenants=("acme*",), targets=HERE), {"tenant": "acme-1"}, {"tenant": "other"}),
    (Rule(tenants=("*",), targets=HERE), {"tenant": ""}, {}),
    (
        Rule(permissions=frozenset("ab"), targets=HERE),
        {"permissions": frozenset("abc")},
        {"permissions": frozenset("ac")},
    ),
    (Rule(privacy=frozenset("xy"), targets=HERE), {"labels": {"x"}}, {"labels": {"z"}}),
    (
        Rule(capabilities=("fs.*",), targets=HERE),
        {"capabilities": {"net", "fs.read"}},
        {"capabilities": {"net"}},
    ),
    (Rule(capabilities=("fs.*",), targets=HERE), {"capabilities": {"*"}}, {}),
    (Rule(when={"hour": "22-6"}, targets=HERE), {"ambient": {"hour": 23}}, {"ambient": {"hour": 7}}),
    (Rule(when={"hour": "22-6"}, targets=HERE), {"ambient": {"hour": 6}}, {}),
    (Rule(arg_types=("string",), targets=HERE), {"types": ("string",)}, {"types": ("map",)}),
    (Rule(min_size=5, targets=HERE), {"size": 5}, {"size": 4}),
    (Rule(targets=HERE), {}, None),
]


@pytest.mark.parametrize(("rule", "met", "unmet"), CONDITIONS)
def test_each_condition(
    call: Callable[..., CallContext], rule: Rule, met: dict[str, object], unmet: dict[str, object] | None
) -> None:
    rules = index(rule)
    assert rules.matching(call(**met)).choosing is rules.rules[0]
    if unmet is not None:
        assert rules.matching(call(**unmet)).choosing is None


def test_labels_of_the_run_and_of_the_function_count(call: Callable[..., CallContext]) -> None:
    rules = index(Rule(privacy=frozenset({"x"}), targets=HERE))
    plain = call(labels={"y"})
    run = CallContext.of(
        CallFacts(function=plain.facts.function, runtime=RuntimeFacts(labels=frozenset({"x"})))
    )
    assert rules.matching(plain).choosing is None
    assert rules.matching(run).choosing is rules.rules[0]


def test_the_first_with_targets_chooses(call: Callable[..., CallContext]) -> None:
    rules = index(
        Rule(deny=("remote-*",)), Rule(symbols=("g",), targets=HERE), Rule(targets=HERE), Rule(targets=HERE)
    )
    assert rules.matching(call("f")).choosing is rules.rules[2]
    assert rules.matching(call("g")).choosing is rules.rules[1]
    assert rules.matching(call("f")).hard == (rules.rules[0],)


def test_the_first_with_a_fallback_up_to_the_choice_gives_it(call: Callable[..., CallContext]) -> None:
    rules = index(Rule(symbols=("g",), fallback=HERE), Rule(targets=HERE), Rule(fallback=HERE))
    assert rules.matching(call("g")).fallback is rules.rules[0]
    assert rules.matching(call("f")).fallback is rules.rules[1]


def test_the_first_with_a_cache_says_how_results_are_kept(call: Callable[..., CallContext]) -> None:
    rules = index(Rule(targets=HERE), Rule(cache=RuleCache(tier="l3")), Rule(cache=RuleCache(tier="none")))
    assert rules.matching(call("f")).cache is rules.rules[1]


DOUBTS = [
    (Rule(arg_types=("string",)), {}, {"types": ("string",)}, {"types": ("map",)}),
    (Rule(max_size=5), {}, {"size": 5}, {"size": 6}),
    (Rule(when={"zone": "eu"}), {}, {"ambient": {"zone": "eu"}}, {"ambient": {"zone": "us"}}),
    (Rule(arg_types=("string",)), {"declared": ("int",)}, {"types": ("string",)}, {"types": ("integer",)}),
]


@pytest.mark.parametrize(("condition", "doubt", "met", "unmet"), DOUBTS)
def test_in_doubt_hard_rules_match(
    call: Callable[..., CallContext],
    condition: Rule,
    doubt: dict[str, object],
    met: dict[str, object],
    unmet: dict[str, object],
) -> None:
    rules = index(condition.model_copy(update={"deny": ("remote-*",), "targets": HERE}))
    found = {
        name: rules.matching(call(**facts))
        for name, facts in {"doubt": doubt, "met": met, "unmet": unmet}.items()
    }
    assert {name: bool(one.hard) for name, one in found.items()} == {"doubt": True, "met": True, "unmet": False}
    assert {name: bool(one.choosing) for name, one in found.items()} == {
        "doubt": False,
        "met": True,
        "unmet": False,
    }


def test_what_arguments_may_change_is_noted(call: Callable[..., CallContext]) -> None:
    rules = index(
        Rule(arg_types=("string",), targets=HERE),
        Rule(arg_types=("map",), deny=("remote-*",)),
        Rule(targets=HERE),
        Rule(max_size=1, targets=HERE),
    )
    open_, settled = rules.matching(call()), rules.matching(call(types=("vector",), size=3))
    assert open_.undecided == (rules.rules[0],)
    assert open_.undecided_hard == (rules.rules[1],)
    assert (settled.undecided, settled.undecided_hard) == ((), ())


def test_sizes_that_matter() -> None:
    rules = index(
        Rule(symbols=("a*",), min_size=10),
        Rule(symbols=("ab",), max_size=5, arg_types=("string",)),
        Rule(max_size=100, tenants=("t",)),
    )
    assert [rules.size_bounds(symbol) for symbol in ("a", "ab", "c")] == [(9, 100), (5, 9, 100), (100,)]


WHEN = [
    ({"hour": "22-6"}, {"hour": 22}, True),
    ({"hour": "22-6"}, {"hour": 0}, True),
    ({"hour": "22-6"}, {"hour": 21}, False),
    ({"hour": "9-17"}, {"hour": 17}, True),
    ({"hour": "9-17"}, {"hour": 18}, False),
    ({"hour": ("0-2", 12)}, {"hour": 12}, True),
    ({"hour": 3}, {"hour": 3}, True),
    ({"flag": True}, {"flag": 1}, False),
    ({"flag": 1}, {"flag": True}, False),
    ({"flag": "0-5"}, {"flag": True}, False),
    ({"zone": "1-2"}, {"zone": "1-2"}, True),
    ({"zone": ("eu", "us")}, {"zone": "us"}, True),
    ({"zone": "eu"}, {}, None),
    ({"zone": "eu", "hour": 1}, {"hour": 2}, False),
    ({"zone": "eu", "hour": 1}, {"hour": 1}, None),
    ({}, {}, True),
]


@pytest.mark.parametrize(("wanted", "ambient", "expected"), WHEN)
def test_ambient_facts(wanted: Mapping[str, str], ambient: Mapping[str, Fact], expected: bool | None) -> None:
    assert when_holds(wanted, ambient) is expected


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [("m/f", "m"), ("a.b/c/d", "a.b"), ("f", None), ("/", None), ("m/", None), ("/f", None)],
)
def test_namespace(symbol: str, expected: str | None) -> None:
    assert namespace_of(symbol) == expected


# ---------------------------------------------------------------- against a plain reading

globs = st.lists(st.sampled_from(["a", "a*", "*b", "m/*", "?", "m/a*b", "t1", "t*"]), max_size=2).map(tuple)
few = st.frozensets(st.sampled_from("xy"), max_size=2)
rules_ = st.builds(
    Rule,
    symbols=globs,
    namespaces=st.sampled_from([(), ("m",), ("*",)]),
    tenants=st.sampled_from([(), ("t1",), ("t*",)]),
    permissions=few,
    privacy=few,
    capabilities=st.sampled_from([(), ("c*",)]),
    when=st.sampled_from([{}, {"hour": "3-5"}, {"hour": 1}]),
    arg_types=st.sampled_from([None, ("string",), ("any", "...")]),
    max_size=st.sampled_from([None, 3]),
    targets=st.sampled_from([(), HERE]),
    deny=st.sampled_from([(), ("remote-*",)]),
)
functions = st.builds(
    FunctionInfo,
    symbol=st.sampled_from(["a", "ab", "m/a", "m/ab", "xb"]),
    doc=st.none(),
    parameters=st.just(("p",)),
    parameter_types=st.just(("any",)),
    return_type=st.just("any"),
    hint=st.none(),
    metadata=st.just({}),
    ir_hash=st.just(""),
    labels=few,
    capabilities=st.sampled_from([frozenset(), frozenset({"c1"}), frozenset({"*"})]),
)
runs = st.builds(
    RuntimeFacts,
    tenant=st.sampled_from([None, "t1", "t2", "u"]),
    permissions=few,
    labels=few,
    ambient=st.sampled_from([{}, {"hour": 4}, {"hour": 1}, {"hour": 9}]),
)
calls = st.builds(
    CallFacts,
    function=functions,
    arg_types=st.sampled_from([("string",), ("map",)]),
    size=st.sampled_from([1, 9]),
    runtime=runs,
)


def meets(rule: Rule, facts: CallFacts, *, hard: bool) -> bool:
    """Whether the conditions hold, read one after the other."""
    symbol, run = facts.function.symbol, facts.runtime
    module = symbol.partition("/")[0] if "/" in symbol else None
    held = facts.function.capabilities
    hour = run.ambient.get("hour")
    wanted = rule.when.get("hour")
    return all(
        (
            not rule.symbols or any(fnmatchcase(symbol, glob) for glob in rule.symbols),
            not rule.namespaces or (module and any(fnmatchcase(module, glob) for glob in rule.namespaces)),
            not rule.tenants or (run.tenant and any(fnmatchcase(run.tenant, glob) for glob in rule.tenants)),
            rule.permissions <= run.permissions,
            not rule.privacy or rule.privacy & facts.labels,
            not rule.capabilities or "*" in held or any(fnmatchcase(one, "c*") for one in held),
            wanted is None or (hard if hour is None else hour in ((3, 4, 5) if wanted == "3-5" else (wanted,))),
            rule.arg_types != ("string",) or facts.arg_types == ("string",),
            rule.max_size is None or (facts.size or 0) <= rule.max_size,
        )
    )


@settings(max_examples=300)
@given(st.lists(rules_, max_size=8), st.lists(calls, min_size=1, max_size=6))
def test_all_conditions_at_once(made: list[Rule], asked: list[CallFacts]) -> None:
    rules = index(*made)
    for facts in asked:
        found = rules.matching(CallContext.of(facts))
        hard = [at for at, rule in enumerate(made) if rule.deny and meets(rule, facts, hard=True)]
        choosing = [at for at, rule in enumerate(made) if rule.targets and meets(rule, facts, hard=False)]
        assert [rule.position for rule in found.hard] == hard
        assert (found.choosing and found.choosing.position) == (choosing[0] if choosing else None)
