"""A policy that comes into force while a program runs is obeyed in what the old one did not look at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import rtfs
from policies.context import CallContext, CallFacts
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.file.reload import PolicyHolder
from policies.rules.rulebook import Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.outdated import ANY_LABEL, as_judged
from policies.running.runner import Allowance, Clock, Outcome
from policies.targets import target_name
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.host import MemoryHost
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value

A = """
[delegation]
default_target = "remote-a"
[delegation.remote_providers]
a = { endpoint = "https://a.example" }
"""
SOURCES = A + '[delegation.security]\nsources = { "context:name" = ["pii"] }\n'
#: makes another policy that decides alike
ANOTHER = "[delegation.health]\nmin_calls = 9\n"
PII = "[delegation.security.privacy]\npii = { allow = [] }\n"


class Reloading:
    """A target that runs nothing; what it gets first brings another policy into force."""

    def __init__(self, reload: Callable[[], object]) -> None:
        self._reload = reload
        self.got: list[tuple[str, Value]] = []

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        if not self.got:
            self._reload()
        self.got.append((target_name(target), args[0]))
        return Outcome(value=args[0])


def tried(program: str, old: str, new: str) -> list[Value]:
    """What went to a target of which `program` runs under `old`, and under `new` after the first of it."""
    holder = PolicyHolder.of(load_policy(old))

    def reload() -> None:
        assert holder.reload(new).swapped

    target = Reloading(reload)
    clock = Clock(monotonic=lambda: 0.0, wall=lambda: 0.0)
    current = holder.current
    delegate = PolicyDelegate(standard_engine(current), current, {"remote": target}, clock)
    linked = rtfs.compile(program).link(delegate)
    assert linked.run(host=MemoryHost(context={"name": "Ada"})) is not None
    return [value for _, value in target.got]


F = "(defn f [x] x) "
SMALL = A + '[[delegation.rules]]\nmax_size = 100\ntargets = ["remote-a"]\n'
DENIES_MIDDLING = A + '[[delegation.rules]]\nmin_size = 3\nmax_size = 90\ndeny = ["*"]\n'
DENIES_LARGE = A + '[[delegation.rules]]\nmin_size = 3\ndeny = ["*"]\n'


@pytest.mark.parametrize(
    ("program", "old", "new", "expected"),
    [
        # labels that the old policy's sources did not give
        (F + "(f 1) (f (get :name))", A, A + ANOTHER, [1, "Ada"]),
        (F + "(f 1) (f (get :name))", A, SOURCES + PII, [1]),
        (F + "(f 1) (f 2)", A, SOURCES + PII, [1]),
        (F + "(f 1) (f (get :name))", A, SOURCES.replace("context:name", "context:other") + PII, [1]),
        (F + "(f 1) ((fn g [x] x) (get :name))", A, SOURCES + PII, [1]),
        (F + '(f 1) ((fn ^:delegation :remote "a" [x] x) (get :name))', A, SOURCES + PII, [1]),
        (F + "(f 1) (f 2)", SOURCES + PII, SOURCES + PII + ANOTHER, [1, 2]),
        # sizes that the old policy's rules did not tell apart
        (F + '(f "a") (f "abcd") (f "a")', SMALL, SMALL + ANOTHER, ["a", "abcd", "a"]),
        (F + '(f "a") (f "abcd")', SMALL, DENIES_MIDDLING, ["a"]),
        (F + '(f "a") (f "abcd")', SMALL, DENIES_LARGE, ["a"]),
        (F + '(f "a") (f ["abcd"])', SMALL, DENIES_MIDDLING, ["a"]),
    ],
)
def test_what_is_not_known_to_the_new_policy_counts_as_forbidden(
    program: str, old: str, new: str, expected: list[Value]
) -> None:
    assert tried(program, old, new) == expected


def call(labels: frozenset[str] = frozenset(), size: int | None = None) -> CallContext:
    function = FunctionInfo("f", None, ("x",), ("any",), "any", None, {}, "0", labels=labels)
    facts = CallFacts(function=function, arg_types=("string",), size=size, runtime=RuntimeFacts(labels={"run"}))
    return CallContext.of(facts)


def rulebook(security: str = "") -> Rulebook:
    privacy = "[delegation.security.privacy]\npii = {}\n"
    return Rulebook(load_policy(f"[delegation.security]\n{security}\n{privacy}"))


OLD = 'sources = { "context:a" = ["p"], "context:b" = ["q"] }\ndeclassify = ["redact", "mask"]'


@pytest.mark.parametrize(
    ("new", "labels"),
    [
        (OLD, set()),
        ('sources = { "context:a" = ["p"] }\ndeclassify = ["redact", "mask"]', set()),
        ('sources = { "context:a" = ["p", "r"] }\ndeclassify = ["redact", "mask", "hide"]', {"r"}),
        ('sources = { "context:c" = ["p", "run"] }\ndeclassify = ["redact", "mask"]', {"p"}),
        ('sources = { "context:a" = ["p"] }\ndeclassify = ["redact"]', {"p", "pii", ANY_LABEL}),
    ],
)
def test_labels_that_the_new_policy_may_give(new: str, labels: set[str]) -> None:
    asked = as_judged(call(frozenset({"own"})), rulebook(OLD), rulebook(new))
    assert asked.facts.function.labels == {"own"} | labels
    assert asked.facts.arg_types == ("string",)


def test_a_call_is_the_same_to_an_equal_policy() -> None:
    described = rulebook(OLD)
    sized = call(size=9)
    assert as_judged(sized, described, described) is sized
    assert as_judged(sized, described, rulebook(OLD)) is sized
    assert as_judged(sized, described, rulebook()).facts.size is None
